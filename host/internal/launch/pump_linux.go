package launch

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/time/rate"
)

// Draining is throttled: a process that prints as fast as it can then waits in
// its own write, instead of costing the host a CPU.
const (
	drainRate  = 8 << 20 // bytes a second of one stream
	drainBurst = 4 << 20
	drainChunk = 32 << 10
	pipeMost   = 1 << 20 // what a pipe can hold at most: /proc/sys/fs/pipe-max-size
)

// pump drains one pipe for as long as the process lives: nothing that is
// printed, however long its lines, ever blocks the process for good.
type pump struct {
	f    *os.File
	to   taker
	stop context.Context // ended when the process is dead
	done chan struct{}
}

func (p *pump) run() {
	defer close(p.done)
	defer p.to.end()
	limit := rate.NewLimiter(drainRate, drainBurst)
	buf := make([]byte, drainChunk)
	for {
		n, err := p.f.Read(buf)
		cost := 0
		if n > 0 {
			cost = p.to.write(buf[:n])
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			p.rest(buf)
			return
		}
		if err != nil {
			return
		}
		_ = limit.WaitN(p.stop, min(cost, drainBurst)) // an error means the process is dead: go on
	}
}

// rest takes what a dead process left in the pipe. It does not wait for the
// end of the stream: a grandchild may hold the other end.
func (p *pump) rest(buf []byte) {
	raw, err := p.f.SyscallConn()
	if err != nil {
		return
	}
	for total := 0; total < pipeMost; {
		n := 0
		err := raw.Control(func(fd uintptr) { n, err = unix.Read(int(fd), buf) })
		if err != nil || n <= 0 {
			return
		}
		p.to.write(buf[:n])
		total += n
	}
}

// interrupt makes run take what is there and return.
func (p *pump) interrupt() { _ = p.f.SetReadDeadline(time.Unix(1, 0)) }

// newPipe makes a pipe whose read end is for the host's poller and whose write
// end blocks, as a program expects of its standard output.
func newPipe(name string) (*os.File, *os.File, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, os.NewSyscallError("pipe2", err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		_ = unix.Close(fds[0])
		_ = unix.Close(fds[1])
		return nil, nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fds[0]), name), os.NewFile(uintptr(fds[1]), name), nil
}

// lineReader gives go-plugin the checked handshake line, and then the end of
// the stream.
type lineReader struct {
	wait func() (string, error)
	rest []byte
	done bool
}

func (r *lineReader) Read(b []byte) (int, error) {
	if !r.done {
		r.done = true
		line, err := r.wait()
		if err != nil {
			return 0, io.EOF // the error is kept by wait
		}
		r.rest = []byte(line)
	}
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *lineReader) Close() error { return nil }
