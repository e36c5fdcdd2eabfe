package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/itchyny/gojq"

	"github.com/ringfence/ringfence/pluginkit/guest/guesttest"
)

func TestRun(t *testing.T) {
	tests := []struct{ name, args, want string }{
		{"identity", `{"program":".","input":{"b":1,"a":[null,true,"x"]}}`, `{"outputs":[{"a":[null,true,"x"],"b":1}]}`},
		{"several outputs", `{"program":".[] | select(.age > 2) | .name","input":[{"age":3,"name":"a"},{"age":1,"name":"b"},{"age":5,"name":"c"}]}`, `{"outputs":["a","c"]}`},
		{"no output", `{"program":"empty","input":null}`, `{"outputs":[]}`},
		{"variables", `{"program":"map(select(. > $min)) + $more","input":[1,2,3],"variables":{"min":1,"more":["x",{}]}}`, `{"outputs":[[2,3,"x",{}]]}`},
		{"limit", `{"program":"range(10)","input":null,"limit":3}`, `{"outputs":[0,1,2],"more":true}`},
		{"exactly the limit", `{"program":"range(3)","input":null,"limit":3}`, `{"outputs":[0,1,2]}`},
		{"without end", `{"program":"repeat(1)","input":null,"limit":2}`, `{"outputs":[1,1],"more":true}`},
		{"default limit", `{"program":"[limit(1;.)] | length","input":7}`, `{"outputs":[1]}`},
		{"large integers", `{"program":"., .+1","input":123456789012345678901234567890}`, `{"outputs":[123456789012345678901234567890,123456789012345678901234567891]}`},
		{"numbers", `{"program":".","input":[0,-0,1.0,1e3,-2.5e-3,9007199254740993,9223372036854775807,9223372036854775808,1e999]}`,
			`{"outputs":[[0,0,1,1000,-0.0025,9007199254740993,9223372036854775807,9223372036854775808,1.7976931348623157e+308]]}`},
		{"text", `{"program":".,length","input":"a\"\\\n\u00fc\ud83d\ude00ü"}`, `{"outputs":["a\"\\\nü😀ü",7]}`},
		{"escaped key", `{"program":"keys","input":{"a\tb":1,"c":2}}`, `{"outputs":[["a\tb","c"]]}`},
		{"repeated key", `{"program":".a","input":{"a":1,"a":2}}`, `{"outputs":[2]}`},
		{"halt", `{"program":"1, halt, 2","input":null}`, `{"outputs":[1]}`},
		{"no environment", `{"program":"$ENV, env","input":null}`, `{"outputs":[{},{}]}`},
		{"try", `{"program":"try error(\"x\") catch .","input":null}`, `{"outputs":["x"]}`},
		{"functions", `{"program":"def f(g): map(g); def h: f(.+1); h, path(..)","input":[1]}`, `{"outputs":[[2],[],[0]]}`},
		{"update", `{"program":".a.b |= .+1 | del(.c)","input":{"a":{"b":1},"c":2}}`, `{"outputs":[{"a":{"b":2}}]}`},
		{"input twice", `{"program":". as $x | .[0] = 9 | [., $x]","input":[1]}`, `{"outputs":[[[9],[1]]]}`},
		{"spaces", "{\"program\":\".\",\"input\":\r\n [ 1 ,\t{ \"a\" : [ ] , \"b\" : { } } ] }", `{"outputs":[[1,{"a":[],"b":{}}]]}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := guesttest.Call("run", test.args)
			if err != nil || string(got) != test.want {
				t.Errorf("got %s, %v; want %s", got, err, test.want)
			}
		})
	}
}

func TestRunFails(t *testing.T) {
	tests := []struct {
		name, args, want string
		bad              bool
	}{
		{"syntax", `{"program":".a |\n  .b )","input":null}`, `the jq program is wrong at line 2, column 6: unexpected token ")"`, true},
		{"syntax after wide text", `{"program":"\"üü\" ]","input":null}`, `the jq program is wrong at line 1, column 6: unexpected token "]"`, true},
		{"unfinished", `{"program":".a |","input":null}`, `the jq program is wrong at line 1, column 5: unexpected EOF`, true},
		{"unknown function", `{"program":"nope(1)","input":null}`, `the jq program does not compile: function not defined: nope/1`, true},
		{"unknown variable", `{"program":"$x","input":null}`, `the jq program does not compile: variable not defined: $x`, true},
		{"bad variable name", `{"program":"1","input":null,"variables":{"a-b":1}}`, `the jq program does not compile: invalid variable name: $a-b`, true},
		{"further inputs", `{"program":"input","input":null}`, `the jq program does not compile: input(s)/0 is not allowed`, true},
		{"modules", `{"program":"import \"a\" as a; 1","input":null}`, `the jq program does not compile: cannot load module: "a"`, true},
		{"while running", `{"program":".[] | 1 / .","input":[1,2,0]}`, `the program failed after 2 outputs: cannot divide number (1) by: number (0)`, false},
		{"wrong kind", `{"program":".a","input":[1]}`, `the program failed after 0 outputs: expected an object but got: array ([1])`, false},
		{"halt_error", `{"program":"\"stop\" | halt_error","input":null}`, `the program failed after 0 outputs: halt error: stop`, false},
		{"no program", `{"input":1}`, `the field "program" is missing`, true},
		{"limit", `{"program":"1","input":1,"limit":0}`, `limit: expected at least 1, got 0`, true},
		{"broken input", `{"program":"1","input":[1,}`, `input: not valid JSON at byte 26: unexpected '}'`, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := guesttest.Call("run", test.args)
			if err == nil || !strings.Contains(err.Error(), test.want) || errors.Is(err, guesttest.ErrBadArguments) != test.bad {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

// TestNothingFromOutside: what gojq can reach beyond its input stays empty.
func TestNothingFromOutside(t *testing.T) {
	t.Setenv("SECRET", "hunter2")
	for _, program := range []string{"$ENV.SECRET", "env.SECRET", "input_filename", "$__prog_args", "get_search_list", "input_line_number"} {
		got, _ := guesttest.Call("run", fmt.Sprintf(`{"program":%q,"input":null}`, program))
		if bytes.Contains(got, []byte("hunter2")) || bytes.Contains(got, []byte("/")) {
			t.Errorf("%s gives %s", program, got)
		}
	}
}

func TestDebugLogs(t *testing.T) {
	host := (&guesttest.Host{}).Use(t)
	got, err := guesttest.Call("run", `{"program":"debug | debug(\"now \\(.)\") | .+1","input":1}`)
	if err != nil || string(got) != `{"outputs":[2]}` || !reflect.DeepEqual(host.Logs, []string{"1", `"now 1"`}) {
		t.Errorf("got %s, %v, logs %q", got, err, host.Logs)
	}
}

// FuzzTree holds the tree against that of gojq's own reading of the same text.
func FuzzTree(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,-0,2.5e3,1e999,-1e999,12345678901234567890],"b":{"c":"\u00e4\ud83d\ude00\ud83d\n\"\\"}}`, `[]`, ` null `, `"\ud800"`,
		`{"a":1,"a":[2]}`, "[\"\xff\xfe\"]", `[true,false,{"":{}}]`, `-0.0`, `1E+2`, `"\\"`, `"\\\""`, `["a\\",":,[]{}"]`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !json.Valid([]byte(text)) {
			return
		}
		decoder := json.NewDecoder(strings.NewReader(strings.ToValidUTF8(text, "\ufffd")))
		decoder.UseNumber()
		var want any
		if err := decoder.Decode(&want); err != nil {
			return
		}
		identity, err := gojq.Parse(".")
		if err != nil {
			t.Fatal(err)
		}
		normal, _ := identity.Run(want).Next()
		if got := tree(json.RawMessage(text)); !reflect.DeepEqual(got, normal) {
			t.Errorf("%q: got %#v, want %#v", text, got, normal)
		}
	})
}

// TestLargeInput: the size that the tool is made for, natively; the time and
// memory inside a sandbox are the sandbox's tests.
func TestLargeInput(t *testing.T) {
	var input strings.Builder
	input.WriteString(`{"program":"length, (map(.n) | add), .[-1].name","input":[`)
	const n = 200_000
	for i := range n {
		fmt.Fprintf(&input, `%s{"n":%d,"name":"number %d","tags":["a","b"],"text":"%s"}`, strings.Repeat(",", min(i, 1)), i, i, strings.Repeat("x", 60))
	}
	input.WriteString("]}")
	got, err := guesttest.Call("run", input.String())
	if want := fmt.Sprintf(`{"outputs":[%d,%d,"number %d"]}`, n, n*(n-1)/2, n-1); err != nil || string(got) != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
}

func TestModule(t *testing.T) {
	path, module := guesttest.Build(t, ".")
	if _, err := os.Stat(path); err != nil || module.Size > 8_000_000 {
		t.Errorf("the module has %d bytes, %v", module.Size, err)
	}
	t.Logf("the module has %d bytes", module.Size)
	for _, i := range module.Imports {
		if i.Module != "ringfence" && i.Module != "wasi_snapshot_preview1" {
			t.Errorf("it imports %s.%s", i.Module, i.Name)
		}
		if i.Module == "ringfence" && i.Name != "log" {
			t.Errorf("it imports the capability %s, which it does not need", i.Name)
		}
	}
}
