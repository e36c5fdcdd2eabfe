package guest

import (
	"context"
	"strings"
	"time"

	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/plugins/wasm/internal/engine"
)

// The imports here concern what the host keeps for a plugin, and other plugins.
// An answer that came whole is held here until the guest has read it.

// maxHeld is how many bytes of answers a guest may leave open here.
const maxHeld = 16 << 20

// asking is what the guest passes to such an import: a request, and bytes.
func (i *Instance) asking(memory engine.Memory, args []uint64) (request, data []byte, refused *Refusal) {
	if args[1] > pluginkit.MaxRequestHead || args[3] > pluginkit.MaxRequestBody {
		return nil, nil, &Refusal{Limit, "the request is too large"}
	}
	if len(i.handles) >= maxHandles {
		return nil, nil, &Refusal{Limit, "too many open responses"}
	}
	request, fits := memory.Read(args[0], args[1])
	data, dataFits := memory.Read(args[2], args[3])
	if !fits || args[3] > 0 && !dataFits {
		return nil, nil, &Refusal{Invalid, "the request is not in the guest's memory"}
	}
	return request, data, nil
}

// keep gives an answer a handle of the guest's.
func (i *Instance) keep(r Response, refused *Refusal) int64 {
	if refused != nil {
		return i.refuse(refused)
	}
	if i.held += len(r.Data) + len(r.Head); i.held > maxHeld {
		i.held -= len(r.Data) + len(r.Head)
		return i.refuse(&Refusal{Limit, "too many bytes of open responses: close some"})
	}
	i.lastHandle++
	i.handles[i.lastHandle] = r
	return int64(i.lastHandle)
}

func (i *Instance) importFiles(ctx context.Context, memory engine.Memory, args []uint64) int64 {
	raw, data, refused := i.asking(memory, args)
	if refused != nil {
		return i.refuse(refused)
	}
	request, err := wire.ParseFiles(raw)
	if err != nil {
		return i.refuse(&Refusal{Invalid, "the request is not valid: " + err.Error()})
	}
	if request.Staged != 0 {
		staged, open := i.handles[request.Staged]
		if !open || staged.Handle == 0 {
			return i.refuse(noHandle)
		}
		request.Staged = staged.Handle
	}
	request.Data = data
	return i.keep(i.capabilities.Files(ctx, request))
}

func (i *Instance) importState(ctx context.Context, memory engine.Memory, args []uint64) int64 {
	raw, value, refused := i.asking(memory, args)
	if refused != nil {
		return i.refuse(refused)
	}
	request, err := wire.ParseState(raw)
	if err != nil {
		return i.refuse(&Refusal{Invalid, "the request is not valid: " + err.Error()})
	}
	request.Value = value
	return i.keep(i.capabilities.State(ctx, request))
}

func (i *Instance) importInvoke(ctx context.Context, memory engine.Memory, args []uint64) int64 {
	alias, arguments, refused := i.asking(memory, args)
	if refused != nil {
		return i.refuse(refused)
	}
	return i.keep(i.capabilities.Invoke(ctx, &wire.Invoke{Alias: strings.ToValidUTF8(string(alias), "�"), Arguments: arguments}))
}

// importRemaining says how many milliseconds are left of the call's time, 0 when
// it is over, or -1 when nobody has set one.
func (i *Instance) importRemaining(ctx context.Context, _ engine.Memory, _ []uint64) int64 {
	end, ok := ctx.Deadline()
	if !ok {
		return -1
	}
	return max(0, time.Until(end).Milliseconds())
}

// readLocal copies a piece of an answer that is held here.
func (r Response) readLocal(memory engine.Memory, offset, pointer, length uint64) int64 {
	size := uint64(len(r.Data))
	piece := r.Data[min(offset, size):]
	piece = piece[:min(uint64(len(piece)), length)]
	if len(piece) > 0 && !memory.Write(pointer, piece) {
		return -int64(Invalid)
	}
	return int64(len(piece))
}
