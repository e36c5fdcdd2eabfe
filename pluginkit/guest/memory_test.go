package guest

import (
	"bytes"
	"runtime"
	"testing"
)

// TestBuffersStay: the host writes to a buffer after the collector has run, and
// nothing else may lie there.
func TestBuffersStay(t *testing.T) {
	var b buffers
	type lent struct {
		at   uintptr
		size uint32
	}
	var all []lent
	for align := uint32(1); align <= maxAlign; align *= 2 {
		for _, size := range []uint32{0, 1, 3, 100, 4096, 70_000} {
			at := b.alloc(size, align)
			if at == 0 || at%uintptr(align) != 0 {
				t.Fatalf("alloc(%d, %d) is %#x", size, align, at)
			}
			view, ok := b.view(at, size)
			if !ok {
				t.Fatalf("no view of %d bytes at %#x", size, at)
			}
			for i := range view {
				view[i] = byte(len(all))
			}
			all = append(all, lent{at, size})
		}
	}
	for range 3 {
		runtime.GC()
		_ = bytes.Repeat([]byte{0xff}, 1<<20)
	}
	for i, l := range all {
		view, ok := b.view(l.at, l.size)
		if !ok || bytes.Count(view, []byte{byte(i)}) != int(l.size) {
			t.Fatalf("buffer %d at %#x was changed", i, l.at)
		}
		b.free(l.at)
	}
	if len(b.live) != 0 {
		t.Errorf("%d buffers are left", len(b.live))
	}
}

func TestBuffersRefuse(t *testing.T) {
	var b buffers
	for _, align := range []uint32{0, 3, maxAlign * 2} {
		if b.alloc(1, align) != 0 {
			t.Errorf("alignment %d was accepted", align)
		}
	}
	if b.alloc(1<<31+1, 1) != 0 {
		t.Error("more than 2 GiB was accepted")
	}
	at := b.alloc(10, 1)
	for _, test := range []struct {
		at     uintptr
		length uint32
		ok     bool
	}{{at, 10, true}, {at + 3, 7, true}, {at, 11, false}, {at + 10, 1, false}, {at - 1, 1, false}, {at + 3, 1<<32 - 1, false}, {0, 0, true}} {
		if _, ok := b.view(test.at, test.length); ok != test.ok {
			t.Errorf("view of %d bytes at +%d: %v", test.length, int64(test.at)-int64(at), ok)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("memory that was not lent was freed")
		}
	}()
	b.free(at + 1)
}
