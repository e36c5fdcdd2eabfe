package host

import (
	"github.com/hashicorp/go-hclog"

	"github.com/ringfence/ringfence/host/internal/audit"
	"github.com/ringfence/ringfence/host/internal/printable"
)

// logged is a recorder that tells those who watch (ringfence -v) what it
// records. The log is not the record: it may be off, and says less.
type logged struct {
	audit.Recorder
	log hclog.Logger
}

func (l logged) Record(e audit.Entry) error {
	if !l.log.IsDebug() { // most do not: spare them the words
		return l.Recorder.Record(e)
	}
	about := []any{"decision", e.Decision}
	for _, field := range []struct{ name, value string }{
		{"plugin", e.Plugin}, {"tool", e.Details.Tool}, {"call", e.Call}, {"reason", e.Reason},
	} {
		if field.value != "" { // some of it is the guest's
			about = append(about, field.name, printable.Line(field.value, 512))
		}
	}
	if e.Details.Duration > 0 {
		about = append(about, "took", e.Details.Duration)
	}
	l.log.Debug(e.Kind, about...)
	return l.Recorder.Record(e)
}
