package guest

import (
	"time"

	"github.com/ringfence/ringfence/pluginkit/internal/abi"
)

// Deadline is when the call that is running ends, and whether it does: after the
// policy's call_timeout, or sooner if whoever called cannot wait as long. A tool that
// can stop in time answers with what it has; one that goes on is ended. Package
// guestctx makes a context of it.
func Deadline() (end time.Time, ok bool) {
	left := abi.Current().Remaining()
	if left < 0 {
		return time.Time{}, false
	}
	return time.Now().Add(time.Duration(left) * time.Millisecond), true
}
