//go:build amd64 || arm64

package seccomp

import (
	"errors"
	"fmt"
	"io"
	"os"

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
// the process first.
func (p Profile) InstallListener(stage Stage) (fd int, err error) {
	table, err := p.Table(stage, Params{PID: os.Getpid()})
	if err != nil {
		return -1, err
	}
	f, err := table.notifying().Assemble(Here)
	if err != nil {
		return -1, err
	}
	fd, err = f.install(unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_TSYNC | unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH)
	if err != nil {
		return -1, fmt.Errorf("seccomp profile %s, stage %d, with a listener: %w", p, stage, err)
	}
	return fd, nil
}

// InstallThreadListener puts the filter in force for the calling thread, which
// the caller has locked, and what that executes. A call that has been received
// from the listener is not interrupted by signals, so that each shows once.
func (f Filter) InstallThreadListener() (fd int, err error) {
	return f.install(unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
}

// Listener receives the calls that a filter answers with Notify.
type Listener struct{ fd int }

// TakeListener copies a listener out of another process. It needs the right to
// trace that process: root, the owner of its user namespace, or its own user
// where it is dumpable.
func TakeListener(pidfd, fd int) (*Listener, error) {
	own, err := unix.PidfdGetfd(pidfd, fd, 0)
	if err != nil {
		return nil, fmt.Errorf("take descriptor %d of the process: %w", fd, err)
	}
	return &Listener{own}, nil
}

// Close lets go of the listener.
func (l *Listener) Close() error { return unix.Close(l.fd) }

// Notification is a call that waits for an answer.
type Notification struct {
	ID   uint64
	TID  int // the thread, as this process sees it; 0 if it does not
	Call Call
}

// Receive waits for a call. It returns io.EOF when no process is left that the
// filter applies to.
func (l *Listener) Receive() (Notification, error) {
	for {
		poll := []unix.PollFd{{Fd: int32(l.fd), Events: unix.POLLIN}}
		_, err := unix.Poll(poll, -1)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return Notification{}, err
		case poll[0].Revents&unix.POLLIN == 0:
			return Notification{}, io.EOF
		}
		n, err := notifReceive(l.fd)
		switch {
		case errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EINTR):
			continue // the thread was killed, or a signal took it out of the call
		case err != nil:
			return Notification{}, fmt.Errorf("receive from a seccomp listener: %w", err)
		}
		return n, nil
	}
}

// Continue lets the call happen. The caller may have changed by now what its
// pointers point to: this is for watching, not for deciding.
func (l *Listener) Continue(id uint64) error {
	return answered(notifSend(l.fd, id, 0, 0, unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE))
}

// Answer gives the call a result without making it: an errno, or if that is 0
// the value.
func (l *Listener) Answer(id uint64, value int64, errno Errno) error {
	return answered(notifSend(l.fd, id, value, -int32(errno), 0))
}

// answered forgives that the thread is gone.
func answered(err error) error {
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}
