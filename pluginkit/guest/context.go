//go:build !wasip1

package guest

import (
	"context"
	"reflect"

	"github.com/ringfence/ringfence/pluginkit/internal/abi"
	"github.com/ringfence/ringfence/pluginkit/internal/registry"
)

// What a native plugin has besides: tools that know their call. WebAssembly does
// without, since there nothing else runs while a tool does, and package context
// would be a fifteenth of a small module.

// ToolContext is Tool for a function that wants the context of its call, in a
// native plugin (pluginkit.Serve): it ends with the call's deadline, and when the
// host cancels the call. Hand it to FetchContext and to whatever else can wait.
// A tool that goes on regardless is ended with its process.
func ToolContext[Args, Result any](name, description string, fn func(ctx context.Context, args Args) (Result, error), options ...Option) {
	run := func(call abi.Call, args any) (any, error) {
		ctx, ok := call.(context.Context)
		if !ok {
			ctx = context.Background()
		}
		result, err := fn(ctx, *args.(*Args))
		return &result, err
	}
	tool := registry.Tool{Name: name, Description: description}
	err := register(tool, options, reflect.TypeFor[Args](), reflect.TypeFor[Result](), run)
	if err != nil {
		unfit("guest.ToolContext", name, err)
	}
}

// FetchContext is Fetch for a tool that has a context: the request, and reading
// the answer's body, end with it. Several goroutines may fetch at once.
func FetchContext(ctx context.Context, request Request) (*Response, error) {
	return fetch(abi.From(ctx), request)
}

// SecretExistsContext is SecretExists for a tool that has a context.
func SecretExistsContext(ctx context.Context, name string) (bool, error) {
	return secretExists(abi.From(ctx), name)
}

// LogContext is Log for a tool that has a context: the line belongs to the call
// that the context belongs to.
func LogContext(ctx context.Context, level Level, message string, pairs ...any) {
	log(abi.From(ctx), level, message, pairs)
}

// WorkspaceContext is Workspace for a tool that has a context: what is done with the
// folder ends with it, and several goroutines may use it at once.
func WorkspaceContext(ctx context.Context, name string) *Folder {
	return &Folder{host: abi.From(ctx), name: name}
}

// StateContext is State for a tool that has a context.
func StateContext(ctx context.Context) Store { return Store{abi.From(ctx)} }

// InvokeContext is Invoke for a tool that has a context.
func InvokeContext[T any](ctx context.Context, alias string, args any) (T, error) {
	var result T
	err := invoke(abi.From(ctx), alias, args, reflect.ValueOf(&result).Elem())
	return result, err
}
