//go:build shmdebug

package shmchan

// debugPoison overwrites bytes that the peer has released, so that a program
// that uses a frame after Release reads 0xDB instead of something plausible.
// The writer does it: the reader's mapping is read-only.
const debugPoison = true

func poison(b []byte) {
	for i := range b {
		b[i] = 0xDB
	}
}
