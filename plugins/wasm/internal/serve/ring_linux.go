package serve

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/pluginkit/ringwire"
	"github.com/ringfence/ringfence/shmchan"
)

// RingFrom says how a ring is attached whose memory comes over a descriptor, or
// gives nil when the descriptor is no packet socket: then the host offers none.
// It must be called before there is a filter.
func RingFrom(fd int) func(ringwire.Shape) (*Ring, error) {
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil || kind != unix.SOCK_SEQPACKET {
		return nil
	}
	return func(shape ringwire.Shape) (*Ring, error) {
		files, err := receive(fd)
		if err != nil {
			return nil, err
		}
		shape.NoSpin = os.Getenv(ringwire.NoSpinEnv) != ""
		channel, err := shmchan.Attach(files, shape.Config())
		if err != nil {
			closeFiles(files)
			return nil, err
		}
		return &Ring{channel, files, func() ([2]*os.File, error) { return receive(fd) }}, nil
	}
}

// receive takes the two memory files, which the host has sent before it says so.
func receive(fd int) ([2]*os.File, error) {
	payload, control := make([]byte, 8), make([]byte, unix.CmsgSpace(4*2))
	n, controlled, flags, _, err := unix.Recvmsg(fd, payload, control, unix.MSG_CMSG_CLOEXEC|unix.MSG_DONTWAIT)
	if err != nil {
		return [2]*os.File{}, fmt.Errorf("receive the ring's memory: %w", err)
	}
	fds, err := descriptors(control[:controlled])
	if err == nil && (n != 1 || payload[0] != 2 || len(fds) != 2 || flags&(unix.MSG_CTRUNC|unix.MSG_TRUNC) != 0) {
		err = fmt.Errorf("receive the ring's memory: %d descriptors in a packet of %d bytes (2 in 1)", len(fds), n)
	}
	if err != nil {
		for _, fd := range fds {
			_ = unix.Close(fd)
		}
		return [2]*os.File{}, err
	}
	return [2]*os.File{os.NewFile(uintptr(fds[0]), "ring, host to sandbox"), os.NewFile(uintptr(fds[1]), "ring, sandbox to host")}, nil
}

func descriptors(control []byte) (fds []int, err error) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil, fmt.Errorf("receive the ring's memory: %w", err)
	}
	for i := range messages {
		some, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			return fds, fmt.Errorf("receive the ring's memory: %w", err)
		}
		fds = append(fds, some...)
	}
	return fds, nil
}
