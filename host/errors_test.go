package host

import (
	"context"
	"errors"
	"testing"
)

// A caller whose time is up while a sandbox starts must read that, not how Go
// says it.
func TestAnEndOfTimeIsNamedOnce(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{context.DeadlineExceeded, "a.b: timed out"},
		{errors.Join(context.DeadlineExceeded, nil), "a.b: timed out"},
		{errors.Join(nil, context.Canceled), "a.b: canceled"},
		{errors.Join(ErrClosed), "a.b: the host is closed"},
	} {
		if got := classify("a.b", tt.err).Error(); got != tt.want {
			t.Errorf("%#v: got %q, want %q", tt.err, got, tt.want)
		}
	}
}
