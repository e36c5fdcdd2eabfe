package orders

import (
	"errors"
	"fmt"
	"io"
	"net"

	"golang.org/x/sys/unix"
)

// maxDescriptors is how many descriptors may come with orders.
const maxDescriptors = 64

// Send sends orders with the descriptors that they name: those of Files, then
// the trees of Mounts. It ends this direction of the connection.
func (o *Orders) Send(c *net.UnixConn, descriptors []int) error {
	b, err := o.encode()
	if err != nil {
		return err
	}
	if err := o.check(len(descriptors)); err != nil {
		return err
	}
	// The descriptors go with the first byte, whatever becomes of the others.
	n, _, err := c.WriteMsgUnix(b, unix.UnixRights(descriptors...), nil)
	if err != nil {
		return err
	}
	if _, err := c.Write(b[n:]); err != nil {
		return err
	}
	return c.CloseWrite()
}

// Receive reads orders to their end from a socket, with the descriptors that
// came with them, which close at exec. It keeps clear of the runtime's poller:
// that would open descriptors of its own, on numbers that the program's may be
// meant for.
func Receive(socket int) (*Orders, []int, error) {
	b := make([]byte, Max+1)
	control := make([]byte, unix.CmsgSpace(maxDescriptors*4))
	n, cn, flags, _, err := unix.Recvmsg(socket, b, control, unix.MSG_CMSG_CLOEXEC)
	for errors.Is(err, unix.EINTR) {
		n, cn, flags, _, err = unix.Recvmsg(socket, b, control, unix.MSG_CMSG_CLOEXEC)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("receive orders: %w", err)
	}
	if flags&unix.MSG_CTRUNC != 0 {
		return nil, nil, fmt.Errorf("orders: not all descriptors arrived (maximum %d)", maxDescriptors)
	}
	descriptors, err := rights(control[:cn])
	if err != nil {
		return nil, nil, fmt.Errorf("orders: %w", err)
	}
	if n > 0 {
		rest, err := io.ReadFull(blocking(socket), b[n:])
		if n += rest; err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, nil, fmt.Errorf("receive orders: %w", err)
		}
	}
	o, err := decode(b[:n], len(descriptors))
	return o, descriptors, err
}

func rights(control []byte) ([]int, error) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil || len(messages) == 0 {
		return nil, err
	}
	return unix.ParseUnixRights(&messages[0])
}

// blocking reads from a descriptor without the runtime's poller.
type blocking int

func (fd blocking) Read(b []byte) (int, error) {
	for {
		n, err := unix.Read(int(fd), b)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}
