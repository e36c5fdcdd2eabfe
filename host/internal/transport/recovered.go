package transport

import (
	"fmt"
	"runtime/debug"

	"github.com/hashicorp/go-hclog"
)

// Recover makes an error of a panic in the code that serves a guest: the fault is
// the host's, and a guest that finds a way to it ends its own sandbox and not the
// host. It is deferred directly. The value is not in the error, which goes to a
// caller: it could quote what a guest sent.
func Recover(err *error) {
	p := recover()
	if p == nil {
		return
	}
	hclog.L().Error("the host panicked while it served a guest; please report this", "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
	*err = fmt.Errorf("%w: the host failed while it served the guest", ErrLost)
}
