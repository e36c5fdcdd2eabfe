package host

import (
	"context"
)

// Offer is all that a plugin offers, in its author's words.
type Offer struct {
	// Plugin is the plugin's name.
	Plugin string
	Tools  []Tool
}

// Offer returns what a plugin offers. It starts a sandbox if none has run yet.
func (h *Host) Offer(ctx context.Context, plugin string) (Offer, error) {
	p, err := h.described(ctx, plugin)
	if err != nil {
		return Offer{}, err
	}
	return Offer{Plugin: plugin, Tools: p.toolList()}, nil
}
