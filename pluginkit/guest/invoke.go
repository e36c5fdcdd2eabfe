package guest

import (
	"reflect"

	"github.com/ringfence/ringfence/pluginkit/internal/abi"
	"github.com/ringfence/ringfence/pluginkit/internal/shape"
)

// Invoke calls a tool of another plugin, which the policy gives this one under an
// alias (invoke "lookup" { tool = "geo.lookup" }), and waits for its result. The
// other tool runs in its own sandbox, under its own plugin's policy, and within what
// is left of this call's time.
//
// Args is encoded as results are, and must be an object; nil is {}. T is decoded as
// arguments are, but members that T does not name are passed over; json.RawMessage
// takes anything.
//
// A tool that answers with its failure, or with a complaint about the arguments, is
// a *ToolError; so is one that was denied something, without saying what. Other errors are an *Error of one of the kinds ErrDenied (there is no
// such alias), ErrUnreachable (the other plugin crashed or cannot start), ErrTimeout,
// ErrCancelled, ErrLimit (no sandbox can be had for it now, no room for a result, or too
// many calls), ErrHost.
//
// What comes back is the word of a tool that nobody has reason to trust.
func Invoke[T any](alias string, args any) (T, error) {
	var result T
	err := invoke(abi.Current(), alias, args, reflect.ValueOf(&result).Elem())
	return result, err
}

// ToolError is the answer of an invoked tool that failed.
type ToolError struct {
	// Alias is the name by which the tool was called.
	Alias string
	// BadArguments says that the tool did not take the arguments.
	BadArguments bool
	// Text is the tool's own.
	Text string
}

func (e *ToolError) Error() string {
	if e.BadArguments {
		return e.Alias + ": bad arguments: " + e.Text
	}
	return e.Alias + ": " + e.Text
}

// invoke is not generic, which keeps modules small.
func invoke(host abi.Host, alias string, args any, result reflect.Value) error {
	op := "invoke " + alias
	encoded := []byte("{}")
	if args != nil {
		in, err := shape.For(shaped(reflect.TypeOf(args)), shape.Output)
		if err == nil {
			encoded, err = in.Append(nil, reflect.ValueOf(args))
		}
		if err != nil {
			return &Error{Op: op, Text: "the arguments: " + err.Error(), kind: ErrMalformed}
		}
	}
	out, err := shape.For(result.Type(), shape.Answer)
	if err != nil {
		return &Error{Op: op, Text: "the result type: " + err.Error(), kind: ErrMalformed}
	}
	answer, data, err := take(host, op, host.Invoke(alias, encoded))
	if err != nil {
		return err
	}
	if answer.status != abi.StatusOK {
		return &ToolError{Alias: alias, BadArguments: answer.status == abi.StatusBad, Text: string(data)}
	}
	if err := out.Decode(data, result); err != nil {
		return &Error{Op: op, Text: "the result does not fit: " + err.Error(), kind: ErrMalformed}
	}
	return nil
}
