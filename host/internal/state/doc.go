// Package state keeps what a plugin wants to remember between its calls: keys and
// values in one file of the host's own folder, bounded, for each plugin apart.
//
//	s := state.New(state.Config{Dir: "/home/a/.local/state/ringfence/state", Plugin: "diary", Size: 1 << 20})
//	e, err := s.Set("cursor", []byte("17"), state.If{})
//
// The file is replaced as a whole: a crash leaves the old one or the new one. Hosts
// that share a folder take turns (flock), and each sees what the others have
// written. Every value has a version, by which a change can be made to depend on
// what was read.
//
// Keys and values are the guest's. What the file holds is read as if a stranger had
// written it: it has a checksum, and every length in it is bounded. One that is
// damaged is reported and left as it is.
package state
