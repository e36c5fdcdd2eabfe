// Package hostile is a collection of WebAssembly modules that do what a guest
// must not do, as text, with what has to come of each. They are for the tests
// of the sandbox and of the host; the command assemble writes them as binaries.
package hostile

import (
	"fmt"
	"strings"

	"github.com/ringfence/ringfence/pluginkit/wire"
)

// MemoryLimit is the memory maximum that is written into the modules, in bytes.
const MemoryLimit = 1 << 20

// Manifest is what a module says of itself that does not lie.
const Manifest = `{"tools":[{"name":"run","description":"test","input_schema":{}}]}`

// Module is one module and its end. A kind of 0 is none: the module loads, or
// the call returns a result.
type Module struct {
	Name string
	WAT  string
	// Compile, Load and Call are how these end; what follows the first that is
	// not 0 does not happen.
	Compile, Load, Call wire.FailureKind
	// Message is a part of the failure's message.
	Message string
	// LoadLoops and CallLoops say where the guest loops for ever.
	LoadLoops, CallLoops bool
	// Slow says that a call takes a second or more.
	Slow bool
}

// parts are the bodies of a module's functions; the empty ones behave.
type parts struct {
	imports, describe, alloc, free, call, extra string
}

func (p parts) wat() string {
	or := func(s, otherwise string) string {
		if s == "" {
			return otherwise
		}
		return s
	}
	data := strings.ReplaceAll(Manifest, `"`, `\"`)
	return `(module
` + p.imports + `
(memory (export "memory") 2 16)
(data (i32.const 16) "` + data + `")
(global $top (mut i32) (i32.const 4096))
(func (export "ringfence_abi_1"))
(func (export "ringfence_describe") (result i64) ` + or(p.describe, fmt.Sprintf("i64.const %d", 16<<32|len(Manifest))) + `)
(func (export "ringfence_alloc") (param $size i32) (param $align i32) (result i32)
` + or(p.alloc, `  global.get $top
  global.get $top local.get $size i32.add i32.const 15 i32.add i32.const -8 i32.and global.set $top`) + `)
(func (export "ringfence_free") (param $pointer i32) ` + p.free + `)
(func (export "ringfence_call") (param $tool i32) (param $pointer i32) (param $length i32) (result i32)
` + or(p.call, echo) + `)
` + p.extra + `)
`
}

// echo returns the arguments as the result.
const echo = `  i32.const 1024 i32.const 0 i32.store
  i32.const 1024 local.get $pointer i32.store offset=4
  i32.const 1024 local.get $length i32.store offset=8
  i32.const 1024 i32.const 0 i32.store offset=12
  i32.const 1024`

// record returns a result record with these values.
func record(status, pointer, length, reserved string) string {
	return fmt.Sprintf(`  i32.const 1024 i32.const %s i32.store
  i32.const 1024 i32.const %s i32.store offset=4
  i32.const 1024 i32.const %s i32.store offset=8
  i32.const 1024 i32.const %s i32.store offset=12
  i32.const 1024`, status, pointer, length, reserved)
}

const (
	importLog  = `(import "ringfence" "log" (func $log (param i32 i32 i32)))`
	importHTTP = `(import "ringfence" "http" (func $http (param i32 i32 i32 i32) (result i64)))`
)

func importWASI(name, params string) string {
	return fmt.Sprintf(`(import "wasi_snapshot_preview1" %q (func $%s (param %s) (result i32)))`, name, name, params)
}

const importExit = `(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))`

// expect traps unless the number on the stack is n.
func expect(n int) string { return fmt.Sprintf(" i32.const %d i32.ne if unreachable end\n", n) }
