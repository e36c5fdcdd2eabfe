package sandbox

import (
	"slices"

	"github.com/ringfence/ringfence/host/internal/transport"
	"github.com/ringfence/ringfence/pluginkit/wire"
)

// pick chooses from what a sandbox offers. The offer is the sandbox's word: it
// can only make the host choose less.
func pick(offer *wire.Offer, engine string) (*wire.Terms, error) {
	if !slices.Contains(offer.GetTransports(), "grpc") {
		return nil, transport.Violation("the sandbox offers the transports %.200q, none of which is known", offer.GetTransports())
	}
	if !slices.Contains(offer.GetEngines(), engine) {
		return nil, transport.Violation("the sandbox has the engines %.200q, the policy asks for %q", offer.GetEngines(), engine)
	}
	if !slices.Contains(offer.GetGuestAbis(), 1) {
		return nil, transport.Violation("the sandbox knows the guest ABIs %v, the host knows 1", offer.GetGuestAbis()[:min(8, len(offer.GetGuestAbis()))])
	}
	return &wire.Terms{Transport: "grpc", Engine: engine, GuestAbi: 1}, nil
}
