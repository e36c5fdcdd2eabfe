package shmchan

import (
	"testing"
)

// Memory for a message is granted as its bytes arrive, whatever total the peer
// has declared: with n bytes there, at most 2n, and nothing for a promise.
func TestMemoryIsGrantedAsBytesArrive(t *testing.T) {
	const total, piece = 1 << 40, 1000
	var buf []byte
	for arrived := 0; arrived < 1<<20; {
		buf = grow(buf, piece, total)
		buf = buf[:len(buf)+piece]
		if arrived += piece; cap(buf) > 2*arrived {
			t.Fatalf("%d bytes granted for %d", cap(buf), arrived)
		}
	}
	// Nor beyond the total, which is known to be enough.
	if buf = grow(make([]byte, 1000), 10, 1500); cap(buf) != 1500 {
		t.Fatalf("%d bytes for a message of 1500", cap(buf))
	}
}
