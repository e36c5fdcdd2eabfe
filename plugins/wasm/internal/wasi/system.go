package wasi

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/ringfence/ringfence/plugins/wasm/internal/engine"
)

// Module is the name under which guests import the functions.
const Module = "wasi_snapshot_preview1"

// Limits on what one call of a function may ask for.
const (
	maxVectors       = 1024    // iovecs of one fd_write or fd_read
	maxSubscriptions = 1024    // of one poll_oneoff
	randomPiece      = 1 << 16 // bytes of randomness made at a time
	// MaxSleep is where one poll_oneoff is cut: a guest that wants to sleep
	// longer asks again, and the call's end is noticed in between anyway.
	MaxSleep = time.Minute
)

// Stream is one of a guest's two outputs.
type Stream int

// The outputs.
const (
	Stdout Stream = 1
	Stderr Stream = 2
)

// System is what one instance sees of WASI. It is used by one call at a time.
type System struct {
	environ [][]byte
	write   func(Stream, []byte)
	start   time.Time
	closed  [3]bool
	exit    struct {
		called bool
		code   uint32
	}
}

// New makes a system with these environment variables ("NAME=value"), whose
// outputs go to write. The bytes are only valid during the call of write.
func New(environ []string, write func(Stream, []byte)) *System {
	s := &System{write: write, start: time.Now()}
	for _, e := range environ {
		s.environ = append(s.environ, append([]byte(e), 0))
	}
	return s
}

// Exited returns the code that the guest gave to proc_exit.
func (s *System) Exited() (code uint32, called bool) { return s.exit.code, s.exit.called }

// Errno is an error number of preview 1.
type Errno uint32

// The error numbers that are used here.
const (
	ok        Errno = 0
	eBadf     Errno = 8
	eCanceled Errno = 11
	eFault    Errno = 21
	eInval    Errno = 28
	eNoSys    Errno = 52
	eSPipe    Errno = 70
)

// function is the body of a WASI function that returns an error number.
type function func(ctx context.Context, g guest, args []uint64) Errno

// Functions returns all of preview 1.
func (s *System) Functions() []engine.HostFunction {
	working := map[string]function{
		"args_get":          s.argsGet,
		"args_sizes_get":    s.argsSizesGet,
		"environ_get":       s.environGet,
		"environ_sizes_get": s.environSizesGet,
		"clock_res_get":     s.clockResGet,
		"clock_time_get":    s.clockTimeGet,
		"fd_close":          s.fdClose,
		"fd_fdstat_get":     s.fdFdstatGet,
		"fd_read":           s.fdRead,
		"fd_seek":           s.fdSeek,
		"fd_write":          s.fdWrite,
		"poll_oneoff":       s.pollOneoff,
		"random_get":        s.randomGet,
		"sched_yield":       func(context.Context, guest, []uint64) Errno { return ok },
	}
	out := []engine.HostFunction{s.procExit()}
	for _, signature := range preview1 {
		body := working[signature.name]
		if body == nil {
			body = signature.absent
		}
		out = append(out, signature.function(body))
	}
	return out
}

func (s *System) procExit() engine.HostFunction {
	return engine.HostFunction{
		Module: Module, Name: "proc_exit", Params: []engine.ValueType{engine.I32}, Exits: true,
		Call: func(_ context.Context, _ engine.Memory, stack []uint64) {
			s.exit.called, s.exit.code = true, uint32(stack[0])
		},
	}
}

func (s *System) argsGet(_ context.Context, _ guest, _ []uint64) Errno { return ok }

func (s *System) argsSizesGet(_ context.Context, g guest, args []uint64) Errno {
	return first(g.u32(args[0], 0), g.u32(args[1], 0))
}

func (s *System) environGet(_ context.Context, g guest, args []uint64) Errno {
	pointer, text := args[0], args[1]
	for _, e := range s.environ {
		if errno := first(g.u32(pointer, uint32(text)), g.bytes(text, e)); errno != ok {
			return errno
		}
		pointer += 4
		text += uint64(len(e))
	}
	return ok
}

func (s *System) environSizesGet(_ context.Context, g guest, args []uint64) Errno {
	total := 0
	for _, e := range s.environ {
		total += len(e)
	}
	return first(g.u32(args[0], uint32(len(s.environ))), g.u32(args[1], uint32(total)))
}

// randomGet fills the buffer piece by piece: the length is the guest's word.
func (s *System) randomGet(ctx context.Context, g guest, args []uint64) Errno {
	pointer, length := args[0], args[1]
	if !g.holds(pointer, length) {
		return eFault
	}
	piece := make([]byte, min(length, randomPiece))
	for length > 0 {
		if ctx.Err() != nil {
			return eCanceled
		}
		piece = piece[:min(length, uint64(len(piece)))]
		_, _ = rand.Read(piece) // never fails: it ends the process instead
		if errno := g.bytes(pointer, piece); errno != ok {
			return errno
		}
		pointer += uint64(len(piece))
		length -= uint64(len(piece))
	}
	return ok
}
