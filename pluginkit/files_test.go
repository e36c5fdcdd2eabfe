package pluginkit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ringfence/ringfence/pluginkit/guest"
	"github.com/ringfence/ringfence/pluginkit/wire"
)

// grants is a native tool that uses everything that a module has.
func grants(ctx context.Context, _ none) ([]string, error) {
	var said [8]string
	var wg sync.WaitGroup
	for i := range said {
		wg.Go(func() {
			b, err := guest.WorkspaceContext(ctx, "w").ReadFile(fmt.Sprint("file", i))
			said[i] = fmt.Sprintf("%d %v", len(b), err)
		})
	}
	wg.Wait()
	all := said[:]
	err := guest.WorkspaceContext(ctx, "w").WriteFile("big", make([]byte, 2<<20+1))
	all = append(all, fmt.Sprint("big ", err))
	_, err = guest.StateContext(ctx).Replace("k", nil, "v")
	all = append(all, fmt.Sprint(errors.Is(err, guest.ErrChanged), " ", err))
	_, err = guest.InvokeContext[int](ctx, "lookup", nil)
	all = append(all, fmt.Sprint("invoke ", errors.Is(err, guest.ErrMalformed))) // "body" is no number
	end, ok := guest.Deadline()
	return append(all, fmt.Sprint(ok, time.Until(end) > 0)), nil
}

// answerFiles has files of as many bytes as their path has, and takes what is
// staged under one handle.
func answerFiles(r *wire.Files, reply *wire.CapabilityReply) {
	switch r.Operation {
	case wire.FileOperation_FILE_READ:
		reply.Data = bytes.Repeat([]byte("x"), len(r.Path))
	case wire.FileOperation_FILE_STAGE:
		if len(r.Data) > MaxPiece || r.Staged != 0 && r.Staged != 9 {
			reply.Code = wire.Code_CODE_INVALID
		}
		if r.Staged == 0 {
			reply.Handle = 9
		}
		return
	case wire.FileOperation_FILE_WRITE:
		if r.Staged != 9 || len(r.Data) > 0 {
			reply.Code = wire.Code_CODE_INVALID
		}
	}
	reply.Entries = []*wire.Entry{{Name: r.Path, Size: uint64(len(r.Path)), Version: "v"}}
}

func TestNativePluginsHaveWhatModulesHave(t *testing.T) {
	e := call(t, load(t), "grants", `{}`, time.Minute, false)
	want := `["5 <nil>","5 <nil>","5 <nil>","5 <nil>","5 <nil>","5 <nil>","5 <nil>","5 <nil>",` +
		`"big <nil>","true state k: changed meanwhile: by k","invoke true","true true"]`
	if got := e.data; e.status != 0 || got != want {
		t.Errorf("%+v\nwant %s", e, want)
	}
}
