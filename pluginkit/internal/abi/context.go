//go:build !wasip1

package abi

import "context"

// binding is the key of a context that belongs to a call.
type binding struct{}

// With returns a context of a call: From makes the Host of it, anew for each
// operation, so that operations do not share an error's text and each ends with
// the context that it was given.
func With(ctx context.Context, from func(context.Context) Host) context.Context {
	return context.WithValue(ctx, binding{}, from)
}

// From is the Host of the call that ctx belongs to, or the one in use.
func From(ctx context.Context) Host {
	if from, ok := ctx.Value(binding{}).(func(context.Context) Host); ok {
		return from(ctx)
	}
	return current
}
