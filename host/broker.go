package host

import (
	"github.com/ringfence/ringfence/host/internal/broker"
	"github.com/ringfence/ringfence/policies"
)

// newBroker makes what a plugin's guests may ask the host for.
func newBroker(h *Host, p *policies.Plugin) *broker.Broker {
	return broker.New(broker.Config{
		Plugin:    p.Name(),
		HTTP:      p.HTTP(),
		Secrets:   p.Secrets(),
		Client:    p.Client(),
		Audit:     h.recorder,
		RunDir:    h.dir.Path(),
		RootCAs:   h.opts.RootCAs,
		Transport: h.opts.Transport,
	})
}
