package sandbox

import (
	"fmt"
	"slices"

	"github.com/ringfence/ringfence/host/internal/printable"
	"github.com/ringfence/ringfence/host/internal/transport"
	"github.com/ringfence/ringfence/pluginkit/wire"
)

// pick chooses from what a sandbox offers. The offer is the sandbox's word: it
// can only make the host choose less.
func pick(offer *wire.Offer, engine string) (*wire.Terms, error) {
	if !slices.Contains(offer.GetTransports(), "grpc") {
		return nil, transport.Violation("the sandbox offers the transports %s, none of which is known", some(offer.GetTransports()))
	}
	if !slices.Contains(offer.GetEngines(), engine) {
		return nil, transport.Violation("the sandbox has the engines %s, the policy asks for %q", some(offer.GetEngines()), engine)
	}
	if !slices.Contains(offer.GetGuestAbis(), 1) {
		return nil, transport.Violation("the sandbox knows the guest ABIs %s, the host knows 1", some(offer.GetGuestAbis()))
	}
	return &wire.Terms{Transport: "grpc", Engine: engine, GuestAbi: 1}, nil
}

// some shows the first of a list that may have a million entries.
func some[T any](list []T) string {
	return printable.Line(fmt.Sprint(list[:min(8, len(list))]), 200)
}
