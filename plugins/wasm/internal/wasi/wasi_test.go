package wasi

import (
	"context"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/plugins/wasm/internal/engine"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ram is a guest's memory without a guest.
type ram []byte

func (r ram) Size() uint64    { return uint64(len(r)) }
func (r ram) Maximum() uint64 { return uint64(len(r)) }

func (r ram) Read(offset, n uint64) ([]byte, bool) {
	if offset > r.Size() || n > r.Size()-offset {
		return nil, false
	}
	return append([]byte(nil), r[offset:offset+n]...), true
}

func (r ram) ReadInto(offset uint64, b []byte) bool {
	data, ok := r.Read(offset, uint64(len(b)))
	return ok && copy(b, data) == len(b)
}
func (r ram) Write(offset uint64, b []byte) bool {
	if offset > r.Size() || uint64(len(b)) > r.Size()-offset {
		return false
	}
	copy(r[offset:], b)
	return true
}

func (r ram) u32(at int) uint32 { return binary.LittleEndian.Uint32(r[at:]) }

// call calls a function as an engine does.
func call(ctx context.Context, s *System, memory engine.Memory, name string, args ...uint64) Errno {
	for _, f := range s.Functions() {
		if f.Name == name {
			stack := make([]uint64, max(len(f.Params), len(f.Results)))
			copy(stack, args)
			f.Call(ctx, memory, stack)
			return Errno(stack[0])
		}
	}
	panic("no function " + name)
}

const big = 1<<32 - 1

func TestErrors(t *testing.T) {
	s := New([]string{"A=1"}, func(Stream, []byte) {})
	m := make(ram, 1<<16)
	binary.LittleEndian.PutUint32(m[100:], 0xfffffff0) // an iovec out of bounds
	binary.LittleEndian.PutUint32(m[104:], 100)
	for _, c := range []struct {
		name string
		args []uint64
		want Errno
	}{
		{"args_sizes_get", []uint64{0, 4}, ok},
		{"args_sizes_get", []uint64{big, 4}, eFault},
		{"args_get", []uint64{big, big}, ok}, // nothing to write
		{"environ_sizes_get", []uint64{0, 1<<16 - 3}, eFault},
		{"environ_get", []uint64{0, big}, eFault},
		{"environ_get", []uint64{big, 0}, eFault},
		{"clock_time_get", []uint64{0, 0, 8}, ok},
		{"clock_time_get", []uint64{2, 0, 8}, eInval},
		{"clock_time_get", []uint64{0, 0, 1<<16 - 7}, eFault},
		{"clock_res_get", []uint64{1, 8}, ok},
		{"clock_res_get", []uint64{7, 8}, eInval},
		{"random_get", []uint64{0, 1 << 16}, ok},
		{"random_get", []uint64{1, 1 << 16}, eFault},
		{"random_get", []uint64{0, 1 << 30}, eFault},
		{"fd_write", []uint64{0, 0, 0, 8}, eBadf},
		{"fd_write", []uint64{3, 0, 0, 8}, eBadf},
		{"fd_write", []uint64{1, 0, big, 8}, eInval},
		{"fd_write", []uint64{1, 0, maxVectors + 1, 8}, eInval},
		{"fd_write", []uint64{1, 1<<16 - 4, 1, 8}, eFault},
		{"fd_write", []uint64{1, 100, 1, 8}, eFault},
		{"fd_write", []uint64{1, 0, 0, 1<<16 - 3}, eFault},
		{"fd_read", []uint64{0, 0, 0, 8}, ok},
		{"fd_read", []uint64{1, 0, 0, 8}, eBadf},
		{"fd_seek", []uint64{1, 0, 0, 8}, eSPipe},
		{"fd_seek", []uint64{5, 0, 0, 8}, eBadf},
		{"fd_fdstat_get", []uint64{1, 0}, ok},
		{"fd_fdstat_get", []uint64{9, 0}, eBadf},
		{"fd_prestat_get", []uint64{3, 0}, eBadf},
		{"path_open", make([]uint64, 9), eBadf},
		{"sock_accept", make([]uint64, 3), eBadf},
		{"proc_raise", []uint64{9}, eNoSys},
		{"sched_yield", nil, ok},
		{"poll_oneoff", []uint64{0, 0, 0, 0}, eInval},
		{"poll_oneoff", []uint64{0, 0, big, 0}, eInval},
		{"poll_oneoff", []uint64{1<<16 - 47, 0, 1, 0}, eFault},
		{"poll_oneoff", []uint64{0, 1<<16 - 31, 1, 0}, eFault},
		{"poll_oneoff", []uint64{0, 0, 1, 1<<16 - 3}, eFault},
		{"fd_close", []uint64{2}, ok},
		{"fd_close", []uint64{2}, eBadf},
		{"fd_write", []uint64{2, 0, 0, 8}, eBadf},
	} {
		memory := append(ram(nil), m...)
		if got := call(t.Context(), s, memory, c.name, c.args...); got != c.want {
			t.Errorf("%s(%v): errno %d, want %d", c.name, c.args, got, c.want)
		}
	}
}

func TestEnvironIsThePolicys(t *testing.T) {
	t.Setenv("SECRET_OF_THE_PROCESS", "1")
	s := New([]string{"A=1", "LANG=C"}, nil)
	m := make(ram, 1000)
	call(t.Context(), s, m, "environ_sizes_get", 0, 4)
	call(t.Context(), s, m, "environ_get", 100, 200)
	if m.u32(0) != 2 || m.u32(4) != 11 || m.u32(100) != 200 || m.u32(104) != 204 || string(m[200:212]) != "A=1\x00LANG=C\x00\x00" {
		t.Errorf("%d %d %q", m.u32(0), m.u32(4), m[200:220])
	}
}

func TestWrite(t *testing.T) {
	var got strings.Builder
	s := New(nil, func(stream Stream, b []byte) { got.Write(b) })
	m := make(ram, 1<<17)
	copy(m[1000:], "hello world")
	put := func(at int, v ...uint32) {
		for i, x := range v {
			binary.LittleEndian.PutUint32(m[at+4*i:], x)
		}
	}
	put(0, 1000, 6, 1006, 0, 1006, 5)
	if errno := call(t.Context(), s, m, "fd_write", 1, 0, 3, 64); errno != ok || m.u32(64) != 11 || got.String() != "hello world" {
		t.Errorf("errno %d, %d bytes, %q", errno, m.u32(64), got.String())
	}
	// 1024 vectors over the same 60 000 bytes are more than is copied at once.
	total := 0
	s = New(nil, func(_ Stream, b []byte) { total += len(b); _ = b[:min(len(b), outputPiece)] })
	for i := range maxVectors {
		put(8*i, 1<<16, 60_000)
	}
	if errno := call(t.Context(), s, m, "fd_write", 2, 0, maxVectors, 1<<16-8); errno != ok || total != maxVectors*60_000 {
		t.Errorf("errno %d, %d bytes", errno, total)
	}
}

// subscribe writes a clock subscription.
func subscribe(m ram, at int, clock uint32, timeout uint64, flags uint16) {
	binary.LittleEndian.PutUint64(m[at:], 77)
	m[at+8] = eventClock
	binary.LittleEndian.PutUint32(m[at+16:], clock)
	binary.LittleEndian.PutUint64(m[at+24:], timeout)
	binary.LittleEndian.PutUint16(m[at+40:], flags)
}

func TestPoll(t *testing.T) {
	s := New(nil, nil)
	m := make(ram, 1000)
	subscribe(m, 0, clockMonotonic, uint64(10*time.Millisecond), 0)
	subscribe(m, 48, clockRealtime, 1<<64-1, 1) // the end of time
	begin := time.Now()
	if errno := call(t.Context(), s, m, "poll_oneoff", 0, 500, 2, 900); errno != ok || m.u32(900) != 1 || m[500] != 77 {
		t.Errorf("errno %d, %d events", errno, m.u32(900))
	}
	if slept := time.Since(begin); slept < 10*time.Millisecond {
		t.Errorf("slept for %v", slept)
	}
	subscribe(m, 0, clockRealtime, uint64(time.Now().Add(-time.Hour).UnixNano()), 1) // in the past
	m[48+8] = eventFDWrite
	binary.LittleEndian.PutUint32(m[48+16:], 9) // no such descriptor
	if errno := call(t.Context(), s, m, "poll_oneoff", 0, 500, 2, 900); errno != ok || m.u32(900) != 2 || m[500+32+8] != byte(eBadf) {
		t.Errorf("errno %d, %d events, the second with %d", errno, m.u32(900), m[500+32+8])
	}
}

func TestSleepEndsWithTheCall(t *testing.T) {
	s := New(nil, nil)
	m := make(ram, 1000)
	subscribe(m, 0, clockMonotonic, uint64(time.Hour), 0)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if errno := call(ctx, s, m, "poll_oneoff", 0, 500, 1, 900); errno != eCanceled {
		t.Errorf("errno %d", errno)
	}
}

func TestExit(t *testing.T) {
	s := New(nil, nil)
	call(t.Context(), s, nil, "proc_exit", 7)
	if code, called := s.Exited(); code != 7 || !called {
		t.Errorf("%d %v", code, called)
	}
}

// FuzzFunctions calls any function with any arguments over any memory.
func FuzzFunctions(f *testing.F) {
	functions := New([]string{"A=1"}, func(Stream, []byte) {}).Functions()
	for n := range functions {
		f.Add(n, uint64(0), uint64(1), uint64(1), uint64(8), []byte("memory of a guest, which is longer than a subscription is"))
	}
	f.Fuzz(func(t *testing.T, n int, a, b, c, d uint64, memory []byte) {
		if n < 0 || n >= len(functions) {
			return
		}
		fn := functions[n]
		stack := make([]uint64, 16)
		for i, v := range []uint64{a, b, c, d} {
			stack[i] = v
			if i < len(fn.Params) && fn.Params[i] == engine.I32 {
				stack[i] = uint64(uint32(v))
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		fn.Call(ctx, ram(memory), stack)
	})
}
