package guest

import (
	"context"
	"math"
	"testing"

	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/wire"
)

// keeper answers with so many bytes, and keeps what it was asked.
type keeper struct {
	outside
	bytes  int
	handle uint64
	asked  []*wire.Files
	closed []uint64
}

func (k *keeper) Files(_ context.Context, r *wire.Files) (Response, *Refusal) {
	k.asked = append(k.asked, r)
	return Response{Handle: k.handle, Head: []byte(`{"more":false}`), Data: make([]byte, k.bytes)}, nil
}

func (k *keeper) Close(_ context.Context, handle uint64) *Refusal {
	k.closed = append(k.closed, handle)
	return nil
}

func TestRequestsForFilesFromAnywhere(t *testing.T) {
	memory := make(ram, 128<<10)
	request := `{"operation":"read","workspace":"w","path":"a","length":7}`
	n := uint64(copy(memory, request))
	copy(memory[1000:], `{"operation":"chmod"}`)
	copy(memory[2000:], `{"operation":"write","staged":99}`)
	const end = 128 << 10
	for name, tt := range map[string]struct {
		args [4]uint64
		want Code
	}{
		"a request beyond the end":  {[4]uint64{end, 1, 0, 0}, Invalid},
		"a request over the end":    {[4]uint64{end - 1, 2, 0, 0}, Invalid},
		"an overflow":               {[4]uint64{math.MaxUint32, math.MaxUint32, 0, 0}, Limit},
		"data beyond the end":       {[4]uint64{0, n, end, 1}, Invalid},
		"too much data":             {[4]uint64{0, n, 0, pluginkit.MaxRequestBody + 1}, Limit},
		"too large a request":       {[4]uint64{0, pluginkit.MaxRequestHead + 1, 0, 0}, Limit},
		"no JSON":                   {[4]uint64{1, n, 0, 0}, Invalid},
		"an unknown operation":      {[4]uint64{1000, 21, 0, 0}, Invalid},
		"a handle that is not open": {[4]uint64{2000, 33, 0, 0}, NotFound},
	} {
		t.Run(name, func(t *testing.T) {
			caps := &keeper{}
			i := &Instance{capabilities: caps, handles: map[uint64]Response{}}
			if got := i.importFiles(t.Context(), memory, tt.args[:]); got != -int64(tt.want) || len(caps.asked) > 0 {
				t.Errorf("returns %d, want %d; the host was asked %v", got, -tt.want, caps.asked)
			}
		})
	}
}

// An answer is read where it is held, within its length and the guest's memory.
func TestAnswersAreHeldInTheSandbox(t *testing.T) {
	memory := make(ram, 128<<10)
	n := uint64(copy(memory, `{"operation":"read","workspace":"w","path":"a"}`))
	caps := &keeper{bytes: 100}
	i := &Instance{capabilities: caps, handles: map[uint64]Response{}}
	handle := uint64(i.importFiles(t.Context(), memory, []uint64{0, n, 0, 0}))
	for name, tt := range map[string]struct {
		offset, pointer, length uint64
		want                    int64
	}{
		"all":             {0, 1000, 4096, 100},
		"the end":         {90, 1000, 4096, 10},
		"behind the end":  {100, 1000, 4096, 0},
		"far behind":      {math.MaxUint64, 1000, 4096, 0},
		"to nowhere":      {0, 128 << 10, 1, -int64(Invalid)},
		"over the end":    {0, 128<<10 - 1, 50, -int64(Invalid)},
		"from a negative": {1 << 63, 1000, 10, 0},
	} {
		if got := i.importRead(t.Context(), memory, []uint64{handle, tt.offset, tt.pointer, tt.length}); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
	if got := i.importClose(t.Context(), memory, []uint64{handle}); got != 0 || len(caps.closed) > 0 || i.held != 0 {
		t.Errorf("close: %d, the host was told %v, %d bytes are held", got, caps.closed, i.held)
	}
	// What is left open is bounded.
	caps.bytes = 1 << 20
	kept := 0
	for range 100 {
		if i.importFiles(t.Context(), memory, []uint64{0, n, 0, 0}) > 0 {
			kept++
		}
	}
	if kept != maxHeld>>20-1 {
		t.Errorf("%d answers of a MiB are held", kept)
	}
	// One with a handle of the host's is closed there.
	caps.bytes, caps.handle = 0, 5
	clear(i.handles)
	i.held = 0
	handle = uint64(i.importFiles(t.Context(), memory, []uint64{0, n, 0, 0}))
	if i.importClose(t.Context(), memory, []uint64{handle}); len(caps.closed) != 1 || caps.closed[0] != 5 {
		t.Errorf("closed %v", caps.closed)
	}
}
