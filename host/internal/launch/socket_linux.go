package launch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// connect opens the socket name in the folder and makes sure that process pid,
// which makes files as uid, serves it.
//
// The folder belongs to the process, so anything may lie there under that name,
// and may change while we look. Each step pins what the next one uses:
//   - the folder is a descriptor from the time it was made, empty;
//   - the entry is opened with O_PATH and O_NOFOLLOW: a symlink to another
//     socket stays a symlink, and is refused;
//   - the connection goes through that descriptor, so what was checked is what
//     is connected to, whatever has been renamed meanwhile;
//   - a second name (hard link) is refused before anything is sent;
//   - the kernel says which process called listen.
func connect(ctx context.Context, folder *os.File, name string, pid, uid int) (*net.UnixConn, error) {
	fd, err := unix.Openat(int(folder.Fd()), name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &HandshakeError{Reason: fmt.Sprintf("open socket %s: %v", name, err)}
	}
	defer unix.Close(fd)
	if err := checkSocket(fd, name, uid); err != nil {
		return nil, err
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", "/proc/self/fd/"+strconv.Itoa(fd))
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		var errno unix.Errno
		if errors.As(err, &errno) {
			err = errno // without the path, which is of this process
		}
		return nil, &HandshakeError{Reason: fmt.Sprintf("connect to socket %s: %v", name, err)}
	}
	unixConn := conn.(*net.UnixConn)
	got, err := peerPID(unixConn)
	if err == nil && got != pid {
		err = &PeerError{Want: pid, Got: got}
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return unixConn, nil
}

func checkSocket(fd int, name string, uid int) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("stat socket %s: %w", name, err)
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFSOCK:
		return &HandshakeError{Reason: fmt.Sprintf("%s is no socket (mode %#o)", name, st.Mode)}
	case int(st.Uid) != uid:
		return &HandshakeError{Reason: fmt.Sprintf("socket %s is owned by uid %d, want %d", name, st.Uid, uid)}
	case st.Nlink != 1:
		return &HandshakeError{Reason: fmt.Sprintf("socket %s has %d names, want 1", name, st.Nlink)}
	}
	return nil
}

// peerPID asks the kernel which process listens at the other end.
func peerPID(conn *net.UnixConn) (int, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("identify the peer: %w", err)
	}
	var cred *unix.Ucred
	var errno error
	if err := raw.Control(func(fd uintptr) {
		cred, errno = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return 0, fmt.Errorf("identify the peer: %w", err)
	}
	if errno != nil {
		return 0, fmt.Errorf("identify the peer: %w", errno)
	}
	return int(cred.Pid), nil
}
