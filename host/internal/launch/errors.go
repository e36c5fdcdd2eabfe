package launch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// What a caller may decide on. Each error of Start answers errors.Is to one of
// these, or to the error of the context it was given.
var (
	// ErrHandshake: the process broke the rules of the first exchange.
	ErrHandshake = errors.New("bad handshake")
	// ErrPeer: another process than the one launched serves the socket.
	ErrPeer = errors.New("socket is served by another process")
	// ErrStartTimeout: the process did not answer in time.
	ErrStartTimeout = errors.New("start timed out")
	// ErrDied: the process ended.
	ErrDied = errors.New("process ended")
	// ErrConnection: the process broke its one connection and was killed for it.
	ErrConnection = errors.New("connection lost")
	// ErrMemoryLimit: the process used more memory than its control group allows,
	// and the kernel ended it.
	ErrMemoryLimit = errors.New("memory limit of the process")
	// ErrSyscall: the process made a system call that its filter does not allow.
	ErrSyscall = errors.New("system call not allowed")
	// ErrNotices: the host cannot hear from the process's filter. It may be
	// started without Spec.Notices.
	ErrNotices = errors.New("no notices from the filter")
	// ErrUnsupported: sandboxes do not run on this system.
	ErrUnsupported = errors.New("not supported on this system")
)

// HandshakeError says what was wrong with the first exchange. It answers
// errors.Is(err, ErrHandshake).
type HandshakeError struct {
	Reason string // what was wrong, and what was allowed
	Line   string // the line that came, escaped, at most 200 bytes; may be empty
}

func (e *HandshakeError) Error() string {
	if e.Line == "" {
		return ErrHandshake.Error() + ": " + e.Reason
	}
	return fmt.Sprintf("%s: %s: got `%s`", ErrHandshake, e.Reason, e.Line)
}

// Is makes the error answer to ErrHandshake.
func (e *HandshakeError) Is(target error) bool { return target == ErrHandshake }

// PeerError names the process that was launched and the one that serves the
// socket. It answers errors.Is(err, ErrPeer).
type PeerError struct{ Want, Got int }

func (e *PeerError) Error() string {
	return fmt.Sprintf("%s: launched process %d, connected to process %d", ErrPeer, e.Want, e.Got)
}

// Is makes the error answer to ErrPeer.
func (e *PeerError) Is(target error) bool { return target == ErrPeer }

// TimeoutError says how long Start waited and for what. It answers errors.Is
// to ErrStartTimeout and to context.DeadlineExceeded.
type TimeoutError struct {
	After time.Duration
	For   string
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("%s after %v waiting for %s", ErrStartTimeout, e.After, e.For)
}

// Is makes the error answer to ErrStartTimeout and context.DeadlineExceeded.
func (e *TimeoutError) Is(target error) bool {
	return target == ErrStartTimeout || target == context.DeadlineExceeded
}

// SyscallError names the system call for which a process was ended. It answers
// errors.Is(err, ErrSyscall).
type SyscallError struct {
	// Name is the call, by the kernel's word; "" where the kernel gave no notice,
	// but ended the process itself, with SIGSYS.
	Name string
	// Args are the arguments by which the filter decides, "arg0=0x10 arg1=0x3",
	// "" if it refuses the call in any form.
	Args string
}

func (e *SyscallError) Error() string {
	switch {
	case e.Name == "":
		return "a system call that is not allowed (SIGSYS)"
	case e.Args == "":
		return fmt.Sprintf("system call %q is not allowed (SIGSYS)", e.Name)
	}
	return fmt.Sprintf("system call %q with %s is not allowed (SIGSYS)", e.Name, e.Args)
}

// Is makes the error answer to ErrSyscall.
func (e *SyscallError) Is(target error) bool { return target == ErrSyscall }

// DiedError says how the process ended. It answers errors.Is(err, ErrDied), and
// errors.Is to what the host killed it for.
type DiedError struct{ Exit Exit }

func (e *DiedError) Error() string {
	s := ErrDied.Error() + ": " + e.Exit.String()
	if len(e.Exit.Stderr) > 0 {
		s += "; it printed: " + clip(strings.Join(e.Exit.Stderr, " / "), 1000)
	}
	return s
}

// Is makes the error answer to ErrDied.
func (e *DiedError) Is(target error) bool { return target == ErrDied }

// Unwrap returns what the host killed the process for, if anything.
func (e *DiedError) Unwrap() error { return e.Exit.Cause }
