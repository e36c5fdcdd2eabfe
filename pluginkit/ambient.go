package pluginkit

import (
	"context"
	"errors"
	"sync"
)

// ambient is the host of tools without a context: that of the running call.
type ambient struct {
	mu   sync.Mutex
	call *capabilities
}

func (a *ambient) set(c *capabilities) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.call = c
}

// now is the running call's host, or one whose context has ended.
func (a *ambient) now() *capabilities {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.call == nil {
		return over
	}
	return a.call
}

var over = func() *capabilities {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("only a running call can ask the host for something"))
	return &capabilities{ctx: ctx}
}()

func (a *ambient) Log(level int32, text string)              { a.now().Log(level, text) }
func (a *ambient) HTTP(request, body []byte) int64           { return a.now().HTTP(request, body) }
func (a *ambient) Head(handle int64, into []byte) int32      { return a.now().Head(handle, into) }
func (a *ambient) Read(handle, offset int64, b []byte) int32 { return a.now().Read(handle, offset, b) }
func (a *ambient) Close(handle int64) int32                  { return a.now().Close(handle) }
func (a *ambient) SecretExists(name string) int32            { return a.now().SecretExists(name) }
func (a *ambient) Progress(report []byte) int32              { return a.now().Progress(report) }
func (a *ambient) Ask(kind int32, question []byte) int64     { return a.now().Ask(kind, question) }
func (a *ambient) Updated(uri string) int32                  { return a.now().Updated(uri) }
func (a *ambient) Files(request, data []byte) int64          { return a.now().Files(request, data) }
func (a *ambient) State(request, value []byte) int64         { return a.now().State(request, value) }
func (a *ambient) Invoke(alias string, arguments []byte) int64 {
	return a.now().Invoke(alias, arguments)
}
func (a *ambient) Remaining() int64        { return a.now().Remaining() }
func (a *ambient) Error(into []byte) int32 { return a.now().Error(into) }
