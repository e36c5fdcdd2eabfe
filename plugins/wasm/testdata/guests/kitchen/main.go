// A test guest with one tool for each thing that a guest may do or do wrong.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/ringfence/ringfence/plugins/wasm/testdata/guests/abi"
)

func main() {}

var tools = []struct {
	name string
	run  func(args []byte) (uint32, []byte)
}{
	{"echo", func(args []byte) (uint32, []byte) { return 0, args }},
	{"fail", func(args []byte) (uint32, []byte) { return 1, []byte("it failed") }},
	{"panic", func([]byte) (uint32, []byte) { panic("boom\x1b[31m") }},
	{"exit", func([]byte) (uint32, []byte) { os.Exit(0); return 0, nil }},
	{"loop", func([]byte) (uint32, []byte) {
		for {
		}
	}},
	{"eat", eat},
	{"recurse", func([]byte) (uint32, []byte) { return 0, []byte(fmt.Sprint(recurse(1 << 30))) }},
	{"nested", nested},
	{"sleep", func([]byte) (uint32, []byte) { time.Sleep(time.Hour); return 0, []byte(`"slept"`) }},
	{"print", func([]byte) (uint32, []byte) {
		fmt.Println("to stdout")
		fmt.Fprint(os.Stderr, "to stderr, no newline")
		return 0, []byte("null")
	}},
	{"flood", func([]byte) (uint32, []byte) {
		line := []byte(strings.Repeat("x", 100))
		for range 100_000 {
			abi.Log(1, abi.At(line), uint32(len(line)))
		}
		return 0, []byte("null")
	}},
	{"count", count},
	{"fetch", fetch},
	{"busy", busy},
	{"bad", func([]byte) (uint32, []byte) { return 2, []byte("bad \xff\x1b arguments") }},
	{"zeros", func(args []byte) (uint32, []byte) {
		var n int
		json.Unmarshal(args, &n)
		return 0, make([]byte, n)
	}},
	{"say", func(args []byte) (uint32, []byte) {
		abi.Log(3, abi.At(args), uint32(len(args)))
		return 0, nil
	}},
	{"secret", func(args []byte) (uint32, []byte) {
		var name string
		json.Unmarshal(args, &name)
		return 0, []byte(fmt.Sprint(abi.SecretExists(abi.At([]byte(name)), uint32(len(name)))))
	}},
	{"environ", func([]byte) (uint32, []byte) { b, _ := json.Marshal(os.Environ()); return 0, b }},
	{"files", func([]byte) (uint32, []byte) {
		_, err := os.ReadFile("/etc/passwd")
		return 1, []byte(fmt.Sprint(err))
	}},
}

var calls int

// count is how many calls this instance has served.
func count([]byte) (uint32, []byte) {
	calls++
	return 0, []byte(fmt.Sprint(calls))
}

var eaten [][]byte

func eat([]byte) (uint32, []byte) {
	for {
		b := make([]byte, 1<<20)
		for i := range b {
			b[i] = 1
		}
		eaten = append(eaten, b)
	}
}

//go:noinline
func recurse(n int) int {
	if n == 0 {
		return 0
	}
	return recurse(n-1) + 1
}

// nested decodes an array as deep as its argument says.
func nested(args []byte) (uint32, []byte) {
	var depth int
	json.Unmarshal(args, &depth)
	var v any
	if err := json.Unmarshal([]byte(strings.Repeat("[", depth)+strings.Repeat("]", depth)), &v); err != nil {
		return 1, []byte(err.Error())
	}
	return 0, []byte("true")
}

func lastError() []byte {
	b := make([]byte, 4096)
	n := abi.Error(abi.At(b), uint32(len(b)))
	return b[:min(int(n), len(b))]
}

// fetch gets a URL and returns head and body.
func fetch(args []byte) (uint32, []byte) {
	h := abi.HTTP(abi.At(args), uint32(len(args)), nil, 0)
	if h < 0 {
		return 1, fmt.Appendf(nil, "%d: %s", h, lastError())
	}
	head := make([]byte, 1<<16)
	n := abi.Head(h, abi.At(head), uint32(len(head)))
	if n < 0 {
		return 1, fmt.Appendf(nil, "head %d: %s", n, lastError())
	}
	var body []byte
	piece := make([]byte, 1<<16)
	for {
		n := abi.Read(h, int64(len(body)), abi.At(piece), uint32(len(piece)))
		if n < 0 {
			return 1, fmt.Appendf(nil, "read %d: %s", n, lastError())
		}
		if n == 0 {
			break
		}
		body = append(body, piece[:n]...)
	}
	if code := abi.Close(h); code != 0 {
		return 1, fmt.Appendf(nil, "close %d", code)
	}
	out, _ := json.Marshal(map[string]any{"head": json.RawMessage(head[:n]), "body": string(body)})
	return 0, out
}

// busy fetches a URL and reads all of it, writes a thousand lines, and then looks
// whether its arguments are still what they were.
func busy(args []byte) (uint32, []byte) {
	before := string(args)
	h := abi.HTTP(abi.At(args), uint32(len(args)), nil, 0)
	if h < 0 {
		return 1, fmt.Appendf(nil, "%d: %s", h, lastError())
	}
	piece, total, sum := make([]byte, 1<<20), 0, byte(0)
	for {
		n := abi.Read(h, int64(total), abi.At(piece), uint32(len(piece)))
		if n < 0 {
			return 1, fmt.Appendf(nil, "read %d: %s", n, lastError())
		}
		if n == 0 {
			break
		}
		for _, b := range piece[:n] {
			sum += b
		}
		total += int(n)
	}
	for i := range 1000 {
		line := fmt.Appendf(nil, "line %d", i)
		abi.Log(1, abi.At(line), uint32(len(line)))
	}
	if string(args) != before {
		return 1, []byte("the arguments have changed")
	}
	return 0, fmt.Appendf(nil, "%d %d", total, sum)
}

//go:wasmexport ringfence_abi_1
func version() {}

//go:wasmexport ringfence_describe
func describe() uint64 {
	type tool struct {
		Name        string         `json:"name"`
		Description string         `json:"description"`
		Input       map[string]any `json:"input_schema"`
	}
	var manifest struct {
		Tools []tool `json:"tools"`
	}
	for _, t := range tools {
		manifest.Tools = append(manifest.Tools, tool{t.name, "test: " + t.name, map[string]any{}})
	}
	b, _ := json.Marshal(manifest)
	return abi.Packed(b)
}

//go:wasmexport ringfence_alloc
func alloc(size, align uint32) abi.Pointer { return abi.Alloc(size, align) }

//go:wasmexport ringfence_free
func free(p abi.Pointer) { abi.Free(p) }

//go:wasmexport ringfence_call
func call(tool uint32, p abi.Pointer, n uint32) abi.Pointer {
	if int(tool) >= len(tools) {
		return abi.Result(2, []byte("no such tool"))
	}
	return abi.Result(tools[tool].run(abi.Bytes(p, n)))
}
