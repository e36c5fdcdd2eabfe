package launch

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/internal/seccomp"
)

// withdrawnMost is how many refused calls may be gone when the host comes to look
// at them. A process can interrupt its own threads; it must not keep the host
// busy with it.
const withdrawnMost = 16

// notices is the host's side of a filter that tells which call it refuses.
//
// The process installs the filter before it prints its handshake line, so before
// it has seen a byte of a stranger's, writes the number of the listener's
// descriptor to a pipe, and waits. The host copies the listener out of it and
// answers; the process lets go of its own copy and of the pipe. Whatever comes
// from the listener after that comes from the kernel. For a native plugin the
// trampoline does all that, before it executes the plugin.
type notices struct {
	r, w     *os.File
	profile  seccomp.Profile
	exec     bool // the filter is in force for a program that is executed under it
	listener *seccomp.Listener
}

// notices adds to a Spec what the process needs to send notices.
func (s *Spec) notices() (*notices, error) {
	if !s.Notices {
		return nil, nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	files := map[int]*os.File{seccomp.NoticeFD: w}
	maps.Copy(files, s.Files)
	s.Files = files // the caller's stays as it is
	if s.Seccomp == "" {
		s.Env = append(s.Env[:len(s.Env):len(s.Env)], fmt.Sprintf("%s=%d", seccomp.NoticeEnv, seccomp.NoticeFD))
	}
	return &notices{r: r, w: w, profile: cmp.Or(seccomp.Profile(s.Seccomp), seccomp.WASM), exec: s.Seccomp != ""}, nil
}

// greet takes the listener of a process that has been forked, and answers its
// knock. A process that has closed the pipe without a word has no listener: it
// says so by living on with a filter that kills, or is dead.
func (n *notices) greet(ctx context.Context, c *child) error {
	_ = n.w.Close()
	defer n.r.Close()
	stop := context.AfterFunc(ctx, func() { _ = n.r.Close() })
	defer stop()
	line, err := bufio.NewReader(io.LimitReader(n.r, 16)).ReadString('\n')
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, io.EOF) && line == "":
		return nil
	case err != nil:
		return fmt.Errorf("%w: the number of its listener: %w", ErrNotices, err)
	}
	fd, err := strconv.Atoi(strings.TrimSuffix(line, "\n"))
	if err != nil || fd < 0 {
		return fmt.Errorf("%w: the number of its listener is %q", ErrNotices, clip(quote(line), 16))
	}
	listener, err := c.listener(fd)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotices, err)
	}
	interrupt := context.AfterFunc(ctx, func() { _ = listener.Close() })
	if err = listener.Greet(); !interrupt() {
		return context.Cause(ctx)
	}
	if err != nil {
		_ = listener.Close()
		return fmt.Errorf("%w: %w", ErrNotices, err)
	}
	n.listener = listener
	go n.watch(c)
	go func() {
		<-c.dead
		_ = listener.Close()
	}()
	return nil
}

// listener copies a listener out of the process, if it still is that process.
func (c *child) listener(fd int) (*seccomp.Listener, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reaped {
		return nil, ErrDied
	}
	return seccomp.TakeListener(c.pidfd, fd)
}

// watch kills the process at the first call that its filter refuses. Nobody
// answers the call: its thread waits until it is dead.
func (n *notices) watch(c *child) {
	for withdrawn := 0; ; withdrawn++ {
		call, err := n.listener.Receive()
		switch {
		case err == nil:
			c.kill(&SyscallError{Name: seccomp.Here.Name(call.Call.Number), Args: n.checked(call.Call)})
			return
		case errors.Is(err, io.EOF), errors.Is(err, os.ErrClosed):
			return // it is dead
		case !errors.Is(err, seccomp.ErrWithdrawn): // then nobody would hear of the next one
			c.kill(&SyscallError{})
			return
		case withdrawn >= withdrawnMost:
			c.kill(&SyscallError{})
			return
		}
	}
}

// checked writes the arguments of a call that the filter decides by: for a call
// that is refused whatever its arguments, none.
func (n *notices) checked(c seccomp.Call) string {
	params := seccomp.Params{PID: 1}
	if n.exec {
		params.ExecFD = 3
	}
	filter, err := n.profile.Filter(seccomp.One, params, seccomp.Here)
	if err != nil {
		return ""
	}
	var all []string
	for _, arg := range filter.Looks(c.Number) {
		all = append(all, fmt.Sprintf("arg%d=%#x", arg, c.Args[arg]))
	}
	return strings.Join(all, " ")
}

func (n *notices) close() {
	if n != nil {
		_ = n.w.Close()
		_ = n.r.Close()
	}
}
