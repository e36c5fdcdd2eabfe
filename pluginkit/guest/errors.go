package guest

import (
	"errors"
	"io/fs"
	"strconv"

	"github.com/ringfence/ringfence/pluginkit/internal/abi"
)

// What a host can answer instead of doing what it was asked. Test for them
// with errors.Is; the error itself is an *Error with the host's own words.
var (
	// ErrDenied means that the policy or a guard said no. Asking again changes nothing.
	ErrDenied = errors.New("denied by the policy")
	// ErrMalformed means that the host could not understand the request.
	ErrMalformed = errors.New("malformed request")
	// ErrNotFound means that there is no such handle or name.
	ErrNotFound = errors.New("no such handle or name")
	// ErrLimit means that something was too large, too many or too fast.
	ErrLimit = errors.New("over a limit")
	// ErrTimeout means that the other end took too long.
	ErrTimeout = errors.New("timed out")
	// ErrCancelled means that nobody waits for this call any more.
	ErrCancelled = errors.New("the call was cancelled")
	// ErrUnreachable means that the other end could not be reached.
	ErrUnreachable = errors.New("could not be reached")
	// ErrExists means that there is something of that name already.
	ErrExists = errors.New("exists already")
	// ErrChanged means that somebody else was faster: it is not of the version any
	// more that the request was for.
	ErrChanged = errors.New("changed meanwhile")
	// ErrHost means that the host itself failed.
	ErrHost = errors.New("the host failed")
	// ErrNoSandbox means that the program runs outside a sandbox, where there is
	// no host to ask. Package guesttest provides one for tests.
	ErrNoSandbox = errors.New("not inside a sandbox")
)

// Error is a capability that the host did not grant or that failed.
type Error struct {
	// Op is what was asked, such as "GET https://example.org/".
	Op string
	// Text is what the host said about it; it may be empty.
	Text string

	kind error
}

func (e *Error) Error() string {
	text := e.Op + ": " + e.kind.Error()
	if e.Text != "" {
		text += ": " + e.Text
	}
	return text
}

// Unwrap returns the Err value that says what kind of failure it is.
func (e *Error) Unwrap() error { return e.kind }

// Is makes errors of a workspace known by their names in io/fs.
func (e *Error) Is(target error) bool {
	switch target {
	case fs.ErrPermission:
		return e.kind == ErrDenied
	case fs.ErrNotExist:
		return e.kind == ErrNotFound
	case fs.ErrExist:
		return e.kind == ErrExists
	case fs.ErrInvalid:
		return e.kind == ErrMalformed
	}
	return false
}

// hostError makes an error of a code that the host returned for op.
func hostError(host abi.Host, op string, code int64) error {
	e := &Error{Op: op}
	switch code {
	case abi.Denied:
		e.kind = ErrDenied
	case abi.Malformed:
		e.kind = ErrMalformed
	case abi.NotFound:
		e.kind = ErrNotFound
	case abi.Limit:
		e.kind = ErrLimit
	case abi.TimedOut:
		e.kind = ErrTimeout
	case abi.Cancelled:
		e.kind = ErrCancelled
	case abi.Unreachable:
		e.kind = ErrUnreachable
	case abi.Exists:
		e.kind = ErrExists
	case abi.Changed:
		e.kind = ErrChanged
	case abi.NoHost:
		e.kind = ErrNoSandbox
		return e
	case abi.Failed:
		e.kind = ErrHost
	default:
		e.kind = errors.New("unknown code " + strconv.FormatInt(code, 10))
	}
	text := make([]byte, abi.MaxErrorText)
	if n := int(host.Error(text)); n > 0 {
		e.Text = string(text[:min(n, len(text))])
	}
	return e
}
