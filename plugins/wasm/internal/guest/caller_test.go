package guest

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/pluginkit"
)

// asked keeps what reached the host.
type asked struct {
	outside
	calls []string
}

func (a *asked) Progress(_ context.Context, _, _ float64, message string) *Refusal {
	a.calls = append(a.calls, "progress "+message)
	return nil
}

func (a *asked) Ask(_ context.Context, _ uint32, request []byte) (Response, *Refusal) {
	a.calls = append(a.calls, "ask "+string(request))
	return Response{Handle: 9}, nil
}

func (a *asked) ResourceUpdated(_ context.Context, uri string) *Refusal {
	a.calls = append(a.calls, "updated "+uri)
	return nil
}

// What a guest passes to these imports is an address and a length of its choice.
func TestQuestionsFromAnywhere(t *testing.T) {
	memory := make(ram, 128<<10)
	copy(memory, `{"done":1,"message":"half"}`)
	const good = uint64(len(`{"done":1,"message":"half"}`))
	for name, tt := range map[string]struct {
		pointer, length uint64
		want            Code
	}{
		"beyond the end":     {uint64(len(memory)), 1, Invalid},
		"over the end":       {uint64(len(memory)) - 1, 2, Invalid},
		"an overflow":        {math.MaxUint32, math.MaxUint32, Limit},
		"more than may come": {0, pluginkit.MaxRequestHead + 1, Limit},
	} {
		t.Run(name, func(t *testing.T) {
			caps := &asked{}
			i := &Instance{capabilities: caps, handles: map[uint64]Response{}}
			for which, got := range map[string]int64{
				"progress": i.importProgress(t.Context(), memory, []uint64{tt.pointer, tt.length}),
				"ask":      i.importAsk(t.Context(), memory, []uint64{1, tt.pointer, tt.length}),
				"updated":  i.importUpdated(t.Context(), memory, []uint64{tt.pointer, tt.length}),
			} {
				if got != -int64(tt.want) {
					t.Errorf("%s returns %d, want %d", which, got, -tt.want)
				}
			}
			if len(caps.calls) > 0 {
				t.Errorf("the host was asked %q", caps.calls)
			}
		})
	}
	caps := &asked{}
	i := &Instance{capabilities: caps, handles: map[uint64]Response{}}
	if got := i.importProgress(t.Context(), memory, []uint64{0, good}); got != 0 {
		t.Errorf("progress returns %d", got)
	}
	if got := i.importProgress(t.Context(), memory, []uint64{1, good}); got != -int64(Invalid) {
		t.Errorf("progress that is no JSON returns %d", got)
	}
	handle := i.importAsk(t.Context(), memory, []uint64{1, 0, good})
	if handle <= 0 || i.handles[uint64(handle)].Handle != 9 {
		t.Errorf("ask returns %d", handle)
	}
	for range maxHandles {
		i.importAsk(t.Context(), memory, []uint64{1, 0, good})
	}
	if got := i.importAsk(t.Context(), memory, []uint64{1, 0, good}); got != -int64(Limit) {
		t.Errorf("a question too many returns %d", got)
	}
	if !strings.HasPrefix(caps.calls[0], "progress half") {
		t.Errorf("the host was asked %q", caps.calls[:2])
	}
}
