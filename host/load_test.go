package host_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringfence/ringfence/host"
)

// loadSize is the part of the full load that a test runs: `make hammer` runs all
// of it.
func loadSize(full, short int) int {
	if os.Getenv("HOST_LOAD") == "full" {
		return full
	}
	return short
}

// neighbour calls an honest plugin, again and again, until stop.
type neighbour struct {
	calls atomic.Int64
	wg    sync.WaitGroup
	stop  context.CancelFunc
}

func disturb(t *testing.T, h *host.Host, tool string) *neighbour {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	n := &neighbour{stop: stop}
	n.wg.Go(func() {
		for ctx.Err() == nil {
			if _, err := h.Call(t.Context(), tool, []byte(`{}`)); err != nil {
				t.Errorf("the neighbour's call %d failed: %v", n.calls.Load(), err)
				return
			}
			n.calls.Add(1)
			time.Sleep(5 * time.Millisecond) // to be served, not to be a load
		}
	})
	return n
}

// served ends it when it has been served.
func (n *neighbour) served(t *testing.T) {
	t.Helper()
	for n.calls.Load() == 0 && !t.Failed() {
		time.Sleep(time.Millisecond)
	}
	n.stop()
	n.wg.Wait()
	t.Logf("%d calls of the neighbour", n.calls.Load())
}

// hostRSS is the resident memory of this process, after what can be given back
// has been.
func hostRSS(t *testing.T) int {
	t.Helper()
	runtime.GC()
	debug.FreeOSMemory()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(b))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// A host under hostile load: each guest ends within its limit, its neighbour in
// the same host is served all the time, and nothing piles up in the host.
func TestHostileLoad(t *testing.T) {
	defer host.SetCompileMemory(256 << 20)()
	dir := t.TempDir()
	assemble(t, dir)
	for name, body := range map[string][]byte{
		"nested": nested(loadSize(60_000, 20_000)), "slow": manyLocals(10_000, 300), "hungry": straight(900_000),
	} {
		if err := os.WriteFile(filepath.Join(dir, name+".wasm"), moduleWith(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	policy := strings.NewReplacer("DIR", dir).Replace(`
ringfence {
  state_dir     = "STATE"
  max_sandboxes = 3
}
plugin "neighbour" {
  source = "DIR/echo.wasm"
}
plugin "nested" {
  source = "DIR/nested.wasm"
}
plugin "hungry" {
  source = "DIR/hungry.wasm"
}
plugin "slow" {
  source = "DIR/slow.wasm"
}
plugin "overflow" {
  source = "DIR/stack-overflow.wasm"
}
plugin "grow" {
  source = "DIR/memory-bomb.wasm"
  limits {
    memory = "1MiB"
  }
}
plugin "calls" {
  source = "DIR/ten-million-host-calls.wasm"
}
plugin "log" {
  source = "DIR/log-flood.wasm"
}
plugin "spin" {
  source = "DIR/loop.wasm"
  limits {
    cpu_time = "500ms"
  }
}
`)
	h := open(t, policy, host.Options{CompileTimeout: time.Duration(loadSize(20, 5)) * time.Second})
	for _, name := range []string{"neighbour.run", "spin.run"} { // warm up what stays
		if _, err := h.Call(t.Context(), name, nil); err != nil && !errors.Is(err, host.ErrCPUTime) {
			t.Fatal(err)
		}
	}
	fds, rss := descriptors(t), hostRSS(t)
	calls := "log" // 20 000 times; the full load is ten million a call
	if loadSize(1, 0) == 1 {
		calls = "calls"
	}
	for _, tt := range []struct {
		name, plugin string
		times        int
		cause        host.Cause // "" is a result
		says         string
	}{
		{"keeps the compiler busy", "nested", 2, host.CauseBadResult, "manifest"}, // it is compiled, and has none
		{"makes the compiler slow", "slow", 1, host.CauseModule, "took more than"},
		{"makes the compiler hungry", "hungry", loadSize(3, 1), host.CauseSandboxCrashed, "memory"},
		{"overflows its stack", "overflow", loadSize(1000, 8), host.CauseGuestCrashed, "call stack"},
		{"grows to its limit", "grow", loadSize(300, 5), host.CauseGuestMemory, "memory limit"},
		{"calls the host all the time", calls, loadSize(5, 2), "", ""},
		{"spins", "spin", loadSize(10, 2), host.CauseCPUTime, "cpu_time"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := disturb(t, h, "neighbour.run")
			defer n.served(t)
			for i := range tt.times {
				_, err := h.Call(t.Context(), tt.plugin+".run", []byte(`{}`))
				if cause := host.CauseOf(err); cause != tt.cause || err != nil && !strings.Contains(err.Error(), tt.says) {
					t.Fatalf("call %d: %v (cause %q), want %q saying %q", i, err, cause, tt.cause, tt.says)
				}
				if i == 0 {
					t.Logf("%.200v", err)
				}
			}
			s := statsOf(t, h, tt.plugin)
			t.Logf("%d calls, %d failed, %d launches, deaths %v", s.Calls, s.Failed(), s.Launches, s.Deaths)
		})
	}
	if s := statsOf(t, h, "neighbour"); s.Failed() != 0 || len(s.Deaths) != 0 {
		t.Errorf("the neighbour: %+v", s)
	}
	bounded(t, h, fds, rss)
}

// What native code in a sandbox can do beside: each ends within its limit, too.
func TestHostileProcessLoad(t *testing.T) {
	defer host.SetBesideGuest(64 << 20)()
	h, _ := openTaken(t, "", `cpu_time = "500ms"`, `call_timeout = "10s"`)
	for _, tool := range []string{"other.good", "bad.good"} {
		if _, err := h.Call(t.Context(), tool, nil); err != nil {
			t.Fatal(err)
		}
	}
	fds, rss := descriptors(t), hostRSS(t)
	for _, tool := range []string{"eat", "burn", "fork", "segfault", "leave"} {
		t.Run(tool, func(t *testing.T) {
			n := disturb(t, h, "other.good")
			defer n.served(t)
			for range loadSize(20, 2) {
				if _, err := h.Call(t.Context(), "bad."+tool, nil); err == nil {
					t.Error("it answered")
				} else {
					checkError(t, err)
				}
			}
		})
	}
	if s := statsOf(t, h, "other"); s.Failed() != 0 || len(s.Deaths) != 0 {
		t.Errorf("the neighbour: %+v", s)
	}
	bounded(t, h, fds, rss)
}

// bounded wants the host to be no larger than before.
func bounded(t *testing.T, h *host.Host, fds, rss int) {
	t.Helper()
	const perSandbox = 8
	most, now := fds+3*perSandbox, descriptors(t)
	for end := time.Now().Add(20 * time.Second); now > most && time.Now().Before(end); now = descriptors(t) {
		time.Sleep(10 * time.Millisecond) // the last sandbox may be going
	}
	if now > most {
		t.Errorf("the host had %d descriptors before and has %d", fds, now)
	}
	const more = 64 << 20
	if after := hostRSS(t); after > rss+more {
		t.Errorf("the host had %d MiB before and has %d MiB", rss>>20, after>>20)
	}
	if all := h.Status(); len(all) > 3 {
		t.Errorf("%d sandboxes are left: %v", len(all), all)
	}
}

// nested is a function that is quick to read and slow to compile: blocks within
// blocks, so many deep.
func nested(depth int) []byte {
	body := []byte{0} // no locals
	for range depth {
		body = append(body, 0x02, 0x40) // block
	}
	for range depth + 1 {
		body = append(body, 0x0b) // end
	}
	return body
}

// manyLocals is a function of loops within loops, in the innermost of which every
// local changes: a compiler that turns locals into values needs one for each
// local at the head of each loop.
func manyLocals(locals, loops int) []byte {
	body := append(append([]byte{1}, leb(locals)...), 0x7f) // one group, i32
	for range loops {
		body = append(body, 0x03, 0x40) // loop
	}
	for n := range locals {
		body = append(append(body, 0x20), leb(n)...)                 // local.get
		body = append(body, 0x41, 1, 0x6a)                           // i32.const 1, i32.add
		body = append(append(body, 0x21), leb((n*7919+1)%locals)...) // local.set
	}
	for range loops {
		body = append(append(append(body, 0x20), leb(0)...), 0x0d, 0, 0x0b) // local.get 0, br_if 0, end
	}
	return append(body, 0x0b)
}

// straight is a function without a branch: each instruction is a value, and all
// of them are in the compiler's memory at once.
func straight(instructions int) []byte {
	body := []byte{1, 1, 0x7f} // one local, i32
	for range instructions {
		body = append(body, 0x20, 0, 0x41, 1, 0x6a, 0x21, 0) // local.get 0, i32.const 1, i32.add, local.set 0
	}
	return append(body, 0x0b)
}

// moduleWith is a module with that body for a function, and what a guest exports.
func moduleWith(body []byte) []byte {
	section := func(id byte, content ...byte) []byte {
		return append(append([]byte{id}, leb(len(content))...), content...)
	}
	code := func(body ...byte) []byte { return append(leb(len(body)), body...) }
	m := []byte("\x00asm\x01\x00\x00\x00")
	m = append(m, section(1, 5, // the types of the functions below
		0x60, 0, 0,
		0x60, 0, 1, 0x7e,
		0x60, 2, 0x7f, 0x7f, 1, 0x7f,
		0x60, 1, 0x7f, 0,
		0x60, 3, 0x7f, 0x7f, 0x7f, 1, 0x7f)...)
	m = append(m, section(3, 5, 0, 1, 2, 3, 4)...)
	m = append(m, section(5, 1, 1, 1, 16)...)
	exports := []byte{6, 6, 'm', 'e', 'm', 'o', 'r', 'y', 2, 0}
	for i, name := range []string{"abi_1", "describe", "alloc", "free", "call"} {
		name = "ringfence_" + name
		exports = append(append(append(exports, leb(len(name))...), name...), 0, byte(i))
	}
	m = append(m, section(7, exports...)...)
	codes := append([]byte{5}, code(body...)...)
	codes = append(codes, code(0, 0x42, 0, 0x0b)...)
	codes = append(codes, code(0, 0x41, 0, 0x0b)...)
	codes = append(codes, code(0, 0x0b)...)
	codes = append(codes, code(0, 0x41, 0, 0x0b)...)
	return append(m, section(10, codes...)...)
}

func leb(n int) (b []byte) {
	for {
		if n < 0x80 {
			return append(b, byte(n))
		}
		b = append(b, byte(n)|0x80)
		n >>= 7
	}
}
