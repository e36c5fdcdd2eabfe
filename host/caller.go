package host

import (
	"context"

	"github.com/ringfence/ringfence/host/internal/broker"
	"github.com/ringfence/ringfence/host/internal/content"
)

// Caller is what whoever calls can do for a tool while it runs. Each function
// may be nil: then nobody hears, and nobody can be asked. They are called one at a
// time; the tool waits meanwhile. One that begins as the call ends is not
// waited for; none begins later.
type Caller struct {
	// Log gets what this call logs, beside Options.GuestLog.
	Log func(GuestRecord)
	// Progress gets how far the call is: done of total, or of what nobody knows
	// when total is 0. The message is one printable line.
	Progress func(done, total float64, message string)
	// Updated is told that a resource of the plugin reads differently now.
	Updated func(uri string)
	// Elicit asks a person to fill a form, and Sample a model to answer. They
	// are called only where the policy grants it. An error that is ErrNobody
	// says that the client cannot do it.
	Elicit func(context.Context, Form) (FormAnswer, error)
	Sample func(context.Context, Sampling) (Sampled, error)
}

// What a tool asks of its caller, and what it is answered.
type (
	Form       = content.Form
	FormAnswer = content.FormAnswer
	Sampling   = content.Sampling
	Sampled    = content.Sampled
)

// ErrNobody means that whoever called cannot be asked.
var ErrNobody = broker.ErrNobody

// broker is the caller as the broker of the call's guest knows it.
func (c Caller) broker() broker.Caller {
	return broker.Caller{Progress: c.Progress, Updated: c.Updated, Elicit: c.Elicit, Sample: c.Sample}
}
