package guest

import (
	"errors"
	"reflect"
	"runtime"
	"strconv"

	"github.com/ringfence/ringfence/pluginkit/internal/abi"
	"github.com/ringfence/ringfence/pluginkit/internal/registry"
	"github.com/ringfence/ringfence/pluginkit/internal/shape"
)

// Tool offers fn to the host as a tool. Call it from an init function, once for
// each tool.
//
// A name is a small letter followed by up to 62 small letters, digits, "_" or
// "-". The description, at most 4 KiB, tells an assistant when to use the tool
// and what comes back.
//
// Args is a struct, a map with string keys, or json.RawMessage for a tool that
// reads its arguments itself. Result is any type with a JSON form. The package
// comment says how both become JSON schemas. Answer and Structured are results
// made of texts, images, audio and resources. Fn is called with checked
// arguments. One instance runs one call at a time.
//
// An error that fn returns reaches the caller as the tool's failure, and as a
// complaint about the arguments if InvalidArgs made it. A panic in fn ends the
// instance: what it had half done is gone with it.
//
// Options say more about the tool: Title, ReadOnly, Destructive and the like.
//
// Tool panics when the name, the description or one of the types is unfit, with
// a message that names the line that called it.
func Tool[Args, Result any](name, description string, fn func(args Args) (Result, error), options ...Option) {
	run := func(_ abi.Call, args any) (any, error) {
		result, err := fn(*args.(*Args))
		return &result, err
	}
	tool := registry.Tool{Name: name, Description: description}
	err := register(tool, options, reflect.TypeFor[Args](), reflect.TypeFor[Result](), run)
	if err != nil {
		unfit("guest.Tool", name, err)
	}
}

// unfit panics with the line that called a function of this package.
func unfit(function, name string, err error) {
	_, file, line, _ := runtime.Caller(2)
	panic(function + "(" + strconv.Quote(name) + ") at " + file + ":" + strconv.Itoa(line) + ": " + err.Error())
}

// register does the work of Tool once for all types, which keeps modules small.
func register(tool registry.Tool, options []Option, args, result reflect.Type, run func(abi.Call, any) (any, error)) error {
	in, err := shape.For(args, shape.Input)
	if err != nil {
		return errors.New("the argument type " + args.String() + ": " + err.Error())
	}
	answering, isAnswer := reflect.Zero(result).Interface().(answers)
	value := result
	if isAnswer {
		value, tool.Content = answering.valueType(), true
	}
	var out *shape.Shape
	if value != nil {
		if out, err = shape.For(value, shape.Output); err != nil {
			return errors.New("the result type " + result.String() + ": " + err.Error())
		}
	}
	for _, option := range options {
		if err := option(&tool); err != nil {
			return err
		}
	}
	switch {
	case tool.Input != nil && !in.IsAny():
		return errors.New("InputSchema is for tools that take json.RawMessage; the schema of " + args.String() + " comes from the type")
	case tool.Input != nil:
	case in.IsObject():
		tool.Input = in.Schema()
	case in.IsAny():
		tool.Input = []byte(`{"type":"object"}`)
	default:
		return errors.New("the argument type " + args.String() + " is not a struct, a map or json.RawMessage")
	}
	if out != nil && !out.IsAny() {
		tool.Output = out.Schema()
	}
	tool.Run = func(call abi.Call, arguments []byte) (uint32, []byte) {
		decoded := reflect.New(args)
		if err := in.Decode(arguments, decoded.Elem()); err != nil {
			return abi.StatusBad, []byte(err.Error())
		}
		value, err := run(call, decoded.Interface())
		if err != nil {
			return statusOf(err), []byte(err.Error())
		}
		var encoded []byte
		if isAnswer {
			encoded, err = appendAnswer(nil, reflect.ValueOf(value).Elem().Interface().(answers), out)
		} else {
			encoded, err = out.Encode(reflect.ValueOf(value).Elem())
		}
		if err != nil {
			return abi.StatusFailed, []byte("the tool's result cannot be written as JSON: " + err.Error())
		}
		return abi.StatusOK, encoded
	}
	return registry.Add(tool)
}

// InvalidArgs marks an error as the caller's: the arguments fit the schema but
// not the tool. It returns nil for nil.
func InvalidArgs(err error) error {
	if err == nil {
		return nil
	}
	return &invalidArgs{err}
}

type invalidArgs struct{ error }

func (e *invalidArgs) Unwrap() error { return e.error }

func statusOf(err error) uint32 {
	var invalid *invalidArgs
	if errors.As(err, &invalid) {
		return abi.StatusBad
	}
	return abi.StatusFailed
}
