package guest

import (
	"context"
	"encoding/json"

	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/plugins/wasm/internal/engine"
)

// The imports here concern whoever called the tool; the host decides whether
// there is somebody, and whether the tool may.

func (i *Instance) importProgress(ctx context.Context, memory engine.Memory, args []uint64) int64 {
	if args[1] > pluginkit.MaxProgress {
		return i.refuse(&Refusal{Limit, "the progress is too large"})
	}
	raw, fits := memory.Read(args[0], args[1])
	if !fits {
		return i.refuse(&Refusal{Invalid, "the progress is not in the guest's memory"})
	}
	var p struct {
		Done    float64 `json:"done"`
		Total   float64 `json:"total"`
		Message string  `json:"message"`
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return i.refuse(&Refusal{Invalid, "the progress is not valid: " + err.Error()})
	}
	if refusal := i.capabilities.Progress(ctx, p.Done, p.Total, clean(p.Message, pluginkit.MaxProgress)); refusal != nil {
		return i.refuse(refusal)
	}
	return 0
}

func (i *Instance) importAsk(ctx context.Context, memory engine.Memory, args []uint64) int64 {
	kind, pointer, length := args[0], args[1], args[2]
	if length > pluginkit.MaxRequestHead {
		return i.refuse(&Refusal{Limit, "the question is too large"})
	}
	if len(i.handles) >= maxHandles {
		return i.refuse(&Refusal{Limit, "too many open responses"})
	}
	request, fits := memory.Read(pointer, length)
	if !fits {
		return i.refuse(&Refusal{Invalid, "the question is not in the guest's memory"})
	}
	response, refusal := i.capabilities.Ask(ctx, uint32(kind), request)
	if refusal != nil {
		return i.refuse(refusal)
	}
	i.lastHandle++
	i.handles[i.lastHandle] = response
	return int64(i.lastHandle)
}

func (i *Instance) importUpdated(ctx context.Context, memory engine.Memory, args []uint64) int64 {
	if args[1] > pluginkit.MaxURI {
		return i.refuse(&Refusal{Limit, "the URI is too long"})
	}
	uri, fits := memory.Read(args[0], args[1])
	if !fits {
		return i.refuse(&Refusal{Invalid, "the URI is not in the guest's memory"})
	}
	if refusal := i.capabilities.ResourceUpdated(ctx, clean(string(uri), pluginkit.MaxURI)); refusal != nil {
		return i.refuse(refusal)
	}
	return 0
}
