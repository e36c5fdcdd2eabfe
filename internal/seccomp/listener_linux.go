//go:build amd64 || arm64

package seccomp

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// InstallListener puts a stage of the profile in force like Install, with one
// difference: what would kill stops the thread and is put to whoever holds the
// descriptor that is returned, so that a death can be reported with the name and
// arguments of the call. There can be one such filter in a process, so it is
// stage one; what stage two adds kills without a word.
//
// The descriptor has to get to the host (pidfd_getfd, see TakeListener) and to be
// closed here. As long as nobody listens, a violation hangs; when the last copy
// is closed, it is refused with ENOSYS instead. So a host that lets go kills
// the process first. InstallNoticed does all of that.
func (p Profile) InstallListener(stage Stage) (fd int, err error) {
	table, err := p.Table(stage, Params{PID: os.Getpid()})
	if err != nil {
		return -1, err
	}
	f, err := table.notifying().Assemble(Here)
	if err != nil {
		return -1, err
	}
	fd, err = f.installListener(unix.SECCOMP_FILTER_FLAG_TSYNC | unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH)
	if err != nil {
		return -1, fmt.Errorf("seccomp profile %s, stage %d, with a listener: %w", p, stage, err)
	}
	return fd, nil
}

// installListener asks that a call which has been received is no longer
// interrupted by signals. Go sends its threads signals when they are long in a
// call; an interrupted call is withdrawn from the listener and made again, so an
// answer to it would get lost. Before Linux 5.19 that cannot be had: whoever
// answers has to be ready to receive the call again.
func (f Filter) installListener(flags uintptr) (int, error) {
	flags |= unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
	fd, err := f.install(flags | unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
	if errors.Is(err, unix.EINVAL) {
		fd, err = f.install(flags)
	}
	return fd, err
}

// InstallNoticed installs like InstallListener, tells the host the number of the
// listener's descriptor, waits until the host listens, and lets go of its own
// copy: from then on nobody in here can answer for the host. With an error the
// process must not go on.
func (p Profile) InstallNoticed(stage Stage, tell func(fd int) error) error {
	return noticed(func() (int, error) { return p.InstallListener(stage) }, tell)
}

func noticed(install func() (fd int, err error), tell func(fd int) error) error {
	fd, err := install()
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := tell(fd); err != nil {
		return fmt.Errorf("tell the host of the filter's listener: %w", err)
	}
	number, _ := Here.Number(knockCall)
	got, _, errno := unix.Syscall(uintptr(number), knockNumber, 0, 0)
	if errno != 0 || got != knockAnswer {
		return fmt.Errorf("the host does not listen to the filter: %d, %w", got, errno)
	}
	return nil
}

// InstallForHost is InstallNoticed for a process whose host has set NoticeEnv: it
// tells over NoticeFD, and closes that. Where the kernel gives no listener
// (before Linux 5.7) the filter kills without a word.
func (p Profile) InstallForHost(stage Stage) error {
	return forHost(func() (int, error) { return p.InstallListener(stage) }, func() error { return p.Install(stage) })
}

// InstallThreadForHost is InstallForHost for the calling thread, which the caller
// has locked, and the program that it executes: that starts with neither the
// pipe nor the listener.
func (p Profile) InstallThreadForHost(stage Stage, params Params) error {
	table, err := p.Table(stage, params)
	if err != nil {
		return err
	}
	loud, err := table.notifying().Assemble(Here)
	if err != nil {
		return err
	}
	silent, err := table.Assemble(Here)
	if err != nil {
		return err
	}
	return forHost(loud.InstallThreadListener, silent.InstallThread)
}

func forHost(loud func() (fd int, err error), silent func() error) error {
	defer unix.Close(NoticeFD)
	installed := false
	err := noticed(loud, func(fd int) error {
		installed = true
		line := strconv.Itoa(fd) + "\n"
		n, err := unix.Write(NoticeFD, []byte(line))
		if err == nil && n != len(line) {
			err = io.ErrShortWrite
		}
		return err
	})
	if err != nil && !installed {
		return silent()
	}
	return err
}

// InstallThreadListener puts the filter in force for the calling thread, which
// the caller has locked, and what that executes.
func (f Filter) InstallThreadListener() (fd int, err error) { return f.installListener(0) }

// Listener receives the calls that a filter answers with Notify. It is the
// kernel's word: nothing in here can be made up by the process that is watched.
type Listener struct {
	file *os.File
	conn syscall.RawConn
}

// listenerLink is what /proc shows of a listener; nothing else can be called so.
const listenerLink = "anon_inode:seccomp notify"

// TakeListener copies a listener out of another process. It needs the right to
// trace that process: root, the owner of its user namespace, or its own user
// where it is dumpable. A descriptor that is not a listener is refused.
func TakeListener(pidfd, fd int) (*Listener, error) {
	own, err := unix.PidfdGetfd(pidfd, fd, 0)
	if err != nil {
		return nil, fmt.Errorf("take descriptor %d of the process: %w", fd, err)
	}
	refuse := func(err error) (*Listener, error) {
		_ = unix.Close(own)
		return nil, fmt.Errorf("take descriptor %d of the process: %w", fd, err)
	}
	if to, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(own)); err != nil {
		return refuse(err)
	} else if to != listenerLink {
		return refuse(fmt.Errorf("it is %q, not %q", to, listenerLink))
	}
	// Waiting is the runtime's poller's, which takes no thread.
	if err := unix.SetNonblock(own, true); err != nil {
		return refuse(err)
	}
	file := os.NewFile(uintptr(own), "seccomp listener")
	conn, err := file.SyscallConn()
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return &Listener{file, conn}, nil
}

// Close lets go of the listener, and ends a Receive that waits.
func (l *Listener) Close() error { return l.file.Close() }

// SetDeadline is when a Receive that waits gives up, with os.ErrDeadlineExceeded.
func (l *Listener) SetDeadline(t time.Time) error { return l.file.SetReadDeadline(t) }

// Notification is a call that waits for an answer.
type Notification struct {
	ID   uint64
	TID  int // the thread, as this process sees it; 0 if it does not
	Call Call
}

// ErrWithdrawn means that a call was put to the listener and is no longer there:
// a signal has ended its thread, or interrupted it, and then it makes the call
// again.
var ErrWithdrawn = errors.New("the call has been withdrawn")

// Receive waits for a call. It returns io.EOF when no process is left that the
// filter applies to, and ErrWithdrawn where there was one.
func (l *Listener) Receive() (n Notification, err error) {
	failed := l.conn.Read(func(fd uintptr) (done bool) {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		for {
			if _, err = unix.Poll(poll, 0); !errors.Is(err, unix.EINTR) {
				break
			}
		}
		switch {
		case err != nil:
		case poll[0].Revents == 0:
			return false
		case poll[0].Revents&unix.POLLIN == 0:
			err = io.EOF
		default: // then receiving does not wait
			n, err = notifReceive(int(fd))
		}
		return true
	})
	switch {
	case failed != nil:
		return Notification{}, failed
	case errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EINTR):
		return Notification{}, ErrWithdrawn
	case err != nil && err != io.EOF:
		err = fmt.Errorf("receive from a seccomp listener: %w", err)
	}
	return n, err
}

// isKnock reports whether the call is what InstallNoticed makes.
func (c Call) isKnock() bool {
	n, ok := Here.Number(knockCall)
	return ok && c.Number == n && c.Args[0] == knockNumber
}

// Greet waits for the knock of InstallNoticed, which is the first call there is,
// and answers it. From then on every call that is received is a violation.
func (l *Listener) Greet() error {
	for {
		n, err := l.Receive()
		switch {
		case errors.Is(err, ErrWithdrawn):
			continue
		case err != nil:
			return err
		case !n.Call.isKnock():
			return fmt.Errorf("the process makes the call %s before it has greeted", Here.Name(n.Call.Number))
		}
		if err := l.Answer(n.ID, knockAnswer, 0); !errors.Is(err, ErrWithdrawn) {
			return err
		}
	}
}

// Continue lets the call happen. The caller may have changed by now what its
// pointers point to: this is for watching, not for deciding.
func (l *Listener) Continue(id uint64) error {
	return l.answer(id, 0, 0, unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE)
}

// Answer gives the call a result without making it: an errno, or if that is 0
// the value. With ErrWithdrawn the thread has not got it, and if it lives it
// makes the call again.
func (l *Listener) Answer(id uint64, value int64, errno Errno) error {
	return l.answer(id, value, -int32(errno), 0)
}

func (l *Listener) answer(id uint64, value int64, errno int32, flags uint32) (err error) {
	if failed := l.conn.Control(func(fd uintptr) { err = notifSend(int(fd), id, value, errno, flags) }); failed != nil {
		return failed
	}
	if errors.Is(err, unix.ENOENT) {
		return ErrWithdrawn
	}
	return err
}
