package guest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/pluginkit/guest"
	"github.com/ringfence/ringfence/pluginkit/guest/guesttest"
	"github.com/ringfence/ringfence/pluginkit/internal/registry"
)

type divideArgs struct {
	A float64 `json:"a" description:"dividend"`
	B float64 `json:"b" description:"divisor" default:"2"`
}

func divide(args divideArgs) (map[string]float64, error) {
	switch args.B {
	case 0:
		return nil, guest.InvalidArgs(errors.New("b must not be 0"))
	case 13:
		return nil, errors.New("out of luck")
	}
	return map[string]float64{"quotient": args.A / args.B}, nil
}

func TestTool(t *testing.T) {
	t.Cleanup(registry.Reset())
	guest.Tool("divide", "Divides.", divide)
	guest.Tool("echo", "Returns what it gets.", func(args json.RawMessage) (json.RawMessage, error) { return args, nil })
	guest.Tool("nan", "Fails.", func(struct{}) (float64, error) { zero := 0.0; return zero / zero, nil })
	manifest := `{"tools":[{"name":"divide","description":"Divides.","input_schema":{"type":"object","properties":{` +
		`"a":{"description":"dividend","type":"number"},"b":{"description":"divisor","type":"number","default":2}},` +
		`"required":["a"],"additionalProperties":false},"output_schema":{"type":"object","additionalProperties":{"type":"number"}}},` +
		`{"name":"echo","description":"Returns what it gets.","input_schema":{"type":"object"}},` +
		`{"name":"nan","description":"Fails.","input_schema":{"type":"object","properties":{},"additionalProperties":false},"output_schema":{"type":"number"}}]}`
	if got := string(guesttest.Manifest()); got != manifest {
		t.Errorf("the manifest is\n%s, want\n%s", got, manifest)
	}
	tests := []struct {
		name, tool, args, want, problem string
		bad                             bool
	}{
		{"result", "divide", `{"a":3,"b":4}`, `{"quotient":0.75}`, "", false},
		{"default", "divide", `{"a":3}`, `{"quotient":1.5}`, "", false},
		{"failure", "divide", `{"a":3,"b":13}`, "", "out of luck", false},
		{"the tool's own check", "divide", `{"a":3,"b":0}`, "", "bad arguments: b must not be 0", true},
		{"missing", "divide", `{}`, "", `bad arguments: the field "a" is missing`, true},
		{"not JSON", "divide", `{"a":`, "", "bad arguments: a: not valid JSON at byte 5: the text ends too early", true},
		{"nothing", "divide", ``, "", "bad arguments: not valid JSON at byte 0: the text ends too early", true},
		{"two values", "divide", `{"a":1} {}`, "", "bad arguments: not valid JSON at byte 8: more text after the value", true},
		{"raw", "echo", `{"a": [1,  2]}`, `{"a": [1,  2]}`, "", false},
		{"result without a form", "nan", `{}`, "", "the tool's result cannot be written as JSON: JSON has no number NaN", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := guesttest.Call(test.tool, test.args)
			if string(got) != test.want || err == nil != (test.problem == "") || err != nil && err.Error() != test.problem {
				t.Errorf("got %s, %v; want %s, %s", got, err, test.want, test.problem)
			}
			if errors.Is(err, guesttest.ErrBadArguments) != test.bad {
				t.Errorf("whose fault is %v?", err)
			}
		})
	}
}

// TestMisuse: what an author does wrong is said at once, with the place.
func TestMisuse(t *testing.T) {
	t.Cleanup(registry.Reset())
	ok := func(struct{}) (struct{}, error) { return struct{}{}, nil }
	guest.Tool("taken", "", ok)
	tests := []struct {
		name    string
		misuse  func()
		problem string
	}{
		{"duplicate", func() { guest.Tool("taken", "", ok) }, "there already is a tool of this name"},
		{"no name", func() { guest.Tool("", "", ok) }, "a name is a small letter and up to 62"},
		{"capital", func() { guest.Tool("Run", "", ok) }, "a name is a small letter and up to 62"},
		{"digit first", func() { guest.Tool("1run", "", ok) }, "a name is a small letter and up to 62"},
		{"long name", func() { guest.Tool(strings.Repeat("a", 64), "", ok) }, "a name is a small letter and up to 62"},
		{"long description", func() { guest.Tool("a", strings.Repeat("a", 4097), ok) }, "the description has 4097 bytes (maximum 4096)"},
		{"arguments are no object", func() { guest.Tool("a", "", func(int) (int, error) { return 0, nil }) }, "the argument type int is not a struct, a map or json.RawMessage"},
		{"argument type", func() { guest.Tool("a", "", func(struct{ F func() }) (int, error) { return 0, nil }) }, "the argument type struct { F func() }: F: the type func() has no JSON form"},
		{"result type", func() { guest.Tool("a", "", func(struct{}) (chan int, error) { return nil, nil }) }, "the result type chan int: the type chan int has no JSON form"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			defer func() {
				message := fmt.Sprint(recover())
				if !strings.HasPrefix(message, "guest.Tool(") || !strings.Contains(message, "tool_test.go:") || !strings.Contains(message, test.problem) {
					t.Errorf("got %s, want %s", message, test.problem)
				}
			}()
			test.misuse()
		})
	}
	for i := range 255 {
		guest.Tool(fmt.Sprintf("tool%d", i), "", ok)
	}
	defer func() {
		if message := fmt.Sprint(recover()); !strings.Contains(message, "at most 256 tools") {
			t.Errorf("got %s", message)
		}
	}()
	guest.Tool("too-many", "", ok)
}
