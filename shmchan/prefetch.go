//go:build amd64 || arm64

package shmchan

// prefetch asks the processor for a cache line and waits for nothing. Unlike a
// load it cannot fault, so it may name memory that the peer backs.
//
//go:noescape
func prefetch(p *byte)
