package hostile

import "github.com/ringfence/ringfence/pluginkit/wire"

const (
	trap   = wire.FailureKind_FAILURE_TRAP
	exit   = wire.FailureKind_FAILURE_EXIT
	stack  = wire.FailureKind_FAILURE_STACK
	memory = wire.FailureKind_FAILURE_MEMORY
	broken = wire.FailureKind_FAILURE_ABI
	module = wire.FailureKind_FAILURE_MODULE
)

// Modules returns all of them.
func Modules() []Module {
	var all []Module
	for _, some := range [][]Module{ends(), wrongExports(), wrongImports(), descriptions(), allocations(), results(), askers()} {
		all = append(all, some...)
	}
	return all
}

// ends are guests that do not return.
func ends() []Module {
	return []Module{
		{Name: "echo", WAT: parts{}.wat()},
		{Name: "loop", WAT: parts{call: "(loop $l br $l) unreachable"}.wat(), CallLoops: true},
		{Name: "unreachable", WAT: parts{call: "unreachable"}.wat(), Call: trap, Message: "unreachable"},
		{Name: "out-of-bounds", WAT: parts{call: "i32.const -8 i32.load"}.wat(), Call: trap, Message: "out of bounds"},
		{Name: "divide-by-zero", WAT: parts{call: "i32.const 1 i32.const 0 i32.div_u"}.wat(), Call: trap, Message: "divide by zero"},
		{
			Name: "indirect-call", Call: trap, Message: "indirect call",
			WAT: parts{extra: "(type $v (func)) (table 1 funcref) (func $f (result i32) i32.const 0) (elem (i32.const 0) $f)", call: "i32.const 0 call_indirect (type $v) i32.const 0"}.wat(),
		},
		{
			Name: "memory-bomb", Call: memory, Message: "memory limit",
			WAT: parts{call: "(loop $l i32.const 1 memory.grow i32.const -1 i32.ne br_if $l) unreachable"}.wat(),
		},
		{
			Name: "grow-past-maximum",
			WAT:  parts{call: "i32.const 60000 memory.grow" + expect(-1) + "i32.const 15 memory.grow" + expect(-1) + "i32.const 14 memory.grow" + expect(2) + echo}.wat(),
		},
		{
			Name: "table-bomb", Call: trap,
			WAT: parts{extra: "(table 1 100 funcref)", call: "(loop $l ref.null func i32.const 1 table.grow i32.const -1 i32.ne br_if $l) unreachable"}.wat(),
		},
		{Name: "stack-overflow", Call: stack, Message: "call stack", WAT: parts{extra: "(func $r (param i32) (result i32) local.get 0 call $r i32.const 1 i32.add)", call: "i32.const 0 call $r"}.wat()},
		{
			Name: "stack-overflow-in-host-call", Call: stack, Message: "call stack",
			WAT: parts{imports: importWASI("clock_time_get", "i32 i64 i32"), extra: "(func $r (param i32) (result i32) i32.const 0 i64.const 0 i32.const 2048 call $clock_time_get drop local.get 0 call $r i32.const 1 i32.add)", call: "i32.const 0 call $r"}.wat(),
		},
		{Name: "start-traps", Load: trap, Message: "unreachable", WAT: parts{extra: "(func $s unreachable) (start $s)"}.wat()},
		{Name: "start-loops", LoadLoops: true, WAT: parts{extra: "(func $s (loop $l br $l)) (start $s)"}.wat()},
		{Name: "initialize-loops", LoadLoops: true, WAT: parts{extra: `(func (export "_initialize") (loop $l br $l))`}.wat()},
		{Name: "initialize-exits", Load: exit, Message: "status 7", WAT: parts{imports: importExit, extra: `(func (export "_initialize") i32.const 7 call $exit)`}.wat()},
		{Name: "exit-in-call", Call: exit, Message: "status 0", WAT: parts{imports: importExit, call: "i32.const 0 call $exit i32.const 0"}.wat()},
		{Name: "free-traps", WAT: parts{free: "unreachable"}.wat()},
	}
}

func wrongExports() []Module {
	const marker = `(func (export "ringfence_abi_1"))`
	return []Module{
		{Name: "no-exports", Load: broken, Message: "ringfence_abi_1", WAT: `(module (memory (export "memory") 1 16))`},
		{Name: "no-memory", Load: module, Message: "memory", WAT: `(module ` + marker + `)`},
		{Name: "memory-is-a-function", Load: module, Message: "memory", WAT: `(module (func (export "memory")))`},
		{Name: "command", Load: broken, Message: "c-shared", WAT: `(module (memory (export "memory") 1 16) (func (export "_start")))`},
		{Name: "wrong-type", Load: broken, Message: "ringfence_describe", WAT: `(module (memory (export "memory") 1 16) ` + marker + ` (func (export "ringfence_describe") (param f64) (result i64) i64.const 0))`},
		{Name: "wrong-initialize", Load: broken, Message: "_initialize", WAT: parts{extra: `(func (export "_initialize") (param i32))`}.wat()},
		{Name: "vector-export", Compile: module, Message: "type", WAT: parts{extra: `(func (export "v") (param v128))`}.wat()},
		{Name: "reference-export", Compile: module, Message: "type", WAT: parts{extra: `(func (export "r") (result funcref) ref.null func)`}.wat()},
		{Name: "vector-global", Compile: module, Message: "type", WAT: parts{extra: `(global (export "g") v128 (v128.const i64x2 0 0))`}.wat()},
	}
}

func wrongImports() []Module {
	return []Module{
		{Name: "unknown-import", Load: module, Message: `"env"."f"`, WAT: parts{imports: `(import "env" "f" (func))`}.wat()},
		{Name: "import-of-wrong-type", Load: module, Message: "wrong type", WAT: parts{imports: `(import "ringfence" "log" (func (param i32)))`}.wat()},
		{Name: "import-twice", Load: module, Message: "wrong type", WAT: parts{imports: importLog + `(import "ringfence" "log" (func (param i32)))`}.wat()},
		{Name: "import-of-floats", Compile: module, Message: "type", WAT: parts{imports: `(import "ringfence" "log" (func (param f32)))`}.wat()},
		{Name: "imported-memory", Compile: module, Message: "not a function", WAT: `(module (import "env" "m" (memory 1)))`},
		{Name: "imported-global", Compile: module, Message: "not a function", WAT: `(module (import "env" "g" (global i32)))`},
		{Name: "invalid", Compile: module, Message: "cannot be compiled", WAT: `(module (func (result i32)))`},
	}
}

func descriptions() []Module {
	return []Module{
		{Name: "describe-garbage", WAT: parts{describe: "i64.const 0x100000_0010"}.wat()},
		{Name: "describe-out-of-bounds", Load: broken, Message: "not in the guest's memory", WAT: parts{describe: "i64.const 0x0002_0000_0000_0010"}.wat()},
		{Name: "describe-huge", Load: broken, Message: "at most", WAT: parts{describe: "i64.const 0x0010_0001"}.wat()},
		{Name: "describe-everything", Load: broken, Message: "at most", WAT: parts{describe: "i64.const -1"}.wat()},
		{Name: "describe-traps", Load: trap, Message: "unreachable", WAT: parts{describe: "unreachable"}.wat()},
		{
			Name: "asks-while-loading",
			WAT: parts{
				imports:  importHTTP + importLog,
				describe: "i32.const 16 i32.const 10 i32.const 0 i32.const 0 call $http drop i64.const 0x10_0000_0010",
				extra:    `(func (export "_initialize") i32.const 1 i32.const 16 i32.const 10 call $log i32.const 16 i32.const 10 i32.const 0 i32.const 0 call $http i64.const 0 i64.ge_s if unreachable end)`,
			}.wat(),
		},
	}
}

func allocations() []Module {
	return []Module{
		{Name: "alloc-zero", Call: memory, Message: "no room", WAT: parts{alloc: "i32.const 0"}.wat()},
		{Name: "alloc-unaligned", Call: broken, Message: "aligned", WAT: parts{alloc: "i32.const 4097"}.wat()},
		{Name: "alloc-out-of-bounds", Call: broken, Message: "not in the memory", WAT: parts{alloc: "i32.const 0x10000000"}.wat()},
		{Name: "alloc-at-the-edge", Call: broken, Message: "not in the memory", WAT: parts{alloc: "i32.const 131064 "}.wat()},
		{Name: "alloc-near-4-gib", Call: broken, Message: "not in the memory", WAT: parts{alloc: "i32.const 0xfffffff8"}.wat()},
		{Name: "alloc-traps", Call: trap, Message: "unreachable", WAT: parts{alloc: "unreachable"}.wat()},
	}
}

func results() []Module {
	return []Module{
		{Name: "record-out-of-bounds", Call: broken, Message: "result record", WAT: parts{call: "i32.const -16"}.wat()},
		{Name: "record-at-the-edge", Call: broken, Message: "result record", WAT: parts{call: "i32.const 131060"}.wat()},
		{Name: "record-unaligned", Call: broken, Message: "aligned", WAT: parts{call: "i32.const 1026"}.wat()},
		{Name: "record-in-itself", WAT: parts{call: record("0", "1024", "16", "0")}.wat()},
		{Name: "record-reserved", Call: broken, Message: "ends with", WAT: parts{call: record("0", "16", "4", "1")}.wat()},
		{Name: "result-of-4-gib", Call: broken, Message: "not in the guest's memory", WAT: parts{call: record("0", "16", "-1", "0")}.wat()},
		{Name: "result-out-of-bounds", Call: broken, Message: "not in the guest's memory", WAT: parts{call: record("0", "-4", "8", "0")}.wat()},
		{Name: "status-77", Call: broken, Message: "77", WAT: parts{call: record("77", "16", "4", "0")}.wat()},
	}
}

// askers call host functions with lies. Each checks the answer itself, and
// traps when it is wrong.
func askers() []Module {
	const invalid, limit = "i64.const -2 i64.ne if unreachable end ", "i64.const -4 i64.ne if unreachable end "
	return []Module{
		{
			Name: "log-flood",
			WAT:  parts{imports: importLog, extra: "(global $n (mut i32) (i32.const 0))", call: "(loop $l i32.const 1 i32.const 0 i32.const 65536 call $log global.get $n i32.const 1 i32.add global.set $n global.get $n i32.const 20000 i32.lt_u br_if $l)" + echo}.wat(),
		},
		{
			Name: "log-out-of-bounds",
			WAT:  parts{imports: importLog, call: "i32.const 99 i32.const -1 i32.const -1 call $log" + echo}.wat(),
		},
		{
			Name: "write-huge-vectors",
			WAT: parts{imports: importWASI("fd_write", "i32 i32 i32 i32"), call: "i32.const 1 i32.const 0 i32.const -1 i32.const 8 call $fd_write" + expect(28) +
				"i32.const 2048 i32.const -1 i32.store i32.const 2052 i32.const -1 i32.store i32.const 2 i32.const 2048 i32.const 1 i32.const 8 call $fd_write" + expect(21) +
				"i32.const 1 i32.const 2048 i32.const 0 i32.const -1 call $fd_write" + expect(21) + echo}.wat(),
		},
		{Name: "random-1-gib", WAT: parts{imports: importWASI("random_get", "i32 i32"), call: "i32.const 0 i32.const 0x40000000 call $random_get" + expect(21) + echo}.wat()},
		{Name: "poll-4-gi", WAT: parts{imports: importWASI("poll_oneoff", "i32 i32 i32 i32"), call: "i32.const 0 i32.const 0 i32.const -1 i32.const 0 call $poll_oneoff" + expect(28) + echo}.wat()},
		{
			Name: "http-out-of-memory",
			WAT: parts{imports: importHTTP, call: "i32.const -1 i32.const 65536 i32.const 0 i32.const 0 call $http " + invalid +
				"i32.const 0 i32.const -1 i32.const 0 i32.const 0 call $http " + limit +
				"i32.const 0 i32.const 10 i32.const -1 i32.const 100 call $http " + invalid +
				"i32.const 0 i32.const 10 i32.const 0 i32.const -1 call $http " + limit + echo}.wat(),
		},
		{Name: "http-not-json", WAT: parts{imports: importHTTP, call: "i32.const 20 i32.const 30 i32.const 0 i32.const 0 call $http " + invalid + echo}.wat()},
		{
			Name: "ten-million-host-calls", Slow: true,
			WAT: parts{imports: importWASI("sched_yield", "") + importWASI("clock_res_get", "i32 i32"), extra: "(global $n (mut i32) (i32.const 0))",
				call: "(loop $l i32.const 0 i32.const 2048 call $clock_res_get drop call $sched_yield drop global.get $n i32.const 1 i32.add global.set $n global.get $n i32.const 5000000 i32.lt_u br_if $l)" + echo}.wat(),
		},
	}
}
