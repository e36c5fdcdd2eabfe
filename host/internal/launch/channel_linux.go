package launch

import (
	"fmt"
	"maps"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/pluginkit"
)

// Channel is the host's end of the socket that a process inherits as
// pluginkit.ChannelFD. The host sends descriptors over it, and never takes any:
// it reads without room for control messages, so that the kernel drops what a
// process attaches. Nothing that comes has a meaning; that anything does, or that
// the other end is gone, is the end of the process.
type Channel struct {
	conn  *net.UnixConn
	child *os.File // until the fork
	gone  chan struct{}
	close sync.Once
}

// newChannel makes both ends. A packet socket keeps the descriptors of one
// message apart from those of the next.
func newChannel() (*Channel, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make the channel's socket: %w", err)
	}
	host := os.NewFile(uintptr(fds[0]), "channel")
	child := os.NewFile(uintptr(fds[1]), "channel of the sandbox")
	defer host.Close() // FileConn makes a copy
	conn, err := net.FileConn(host)
	if err != nil {
		_ = child.Close()
		return nil, fmt.Errorf("make the channel's socket: %w", err)
	}
	return &Channel{conn: conn.(*net.UnixConn), child: child, gone: make(chan struct{})}, nil
}

// withChannel makes the channel of a process that is to have one, and puts the
// process's end among its files.
func (s *Spec) withChannel() (*Channel, error) {
	if !s.Channel {
		return nil, nil
	}
	c, err := newChannel()
	if err != nil {
		return nil, err
	}
	s.Files = maps.Clone(s.Files)
	if s.Files == nil {
		s.Files = map[int]*os.File{}
	}
	s.Files[pluginkit.ChannelFD] = c.child
	return c, nil
}

// forked closes the process's end here, so that the host's end hangs up with the
// process.
func (c *Channel) forked() {
	if c != nil && c.child != nil {
		_ = c.child.Close()
		c.child = nil
	}
}

// Close hangs up.
func (c *Channel) Close() {
	if c != nil {
		c.forked()
		c.close.Do(func() { _ = c.conn.Close() })
	}
}

// sendBound is how long Send waits for room in the socket, which only a process
// that has taken nothing has used up.
const sendBound = time.Second

// Send passes descriptors to the process, in one packet. The files stay the
// caller's.
func (c *Channel) Send(files []*os.File) error {
	fds := make([]int, len(files))
	for i, f := range files {
		fds[i] = int(f.Fd())
	}
	if err := c.conn.SetWriteDeadline(time.Now().Add(sendBound)); err != nil {
		return fmt.Errorf("send %d descriptors: %w", len(files), err)
	}
	_, _, err := c.conn.WriteMsgUnix([]byte{byte(len(files))}, unix.UnixRights(fds...), nil)
	if err != nil {
		return fmt.Errorf("send %d descriptors: %w", len(files), err)
	}
	return nil
}

// Gone is closed when the process has died or has closed its end, which comes to
// the same: then the process is killed. It is the first to tell of a death.
func (c *Channel) Gone() <-chan struct{} { return c.gone }

// listen waits for the end of the other side.
func (c *Channel) listen() {
	defer close(c.gone)
	_, _ = c.conn.Read(make([]byte, 1))
}

// Channel is the socket over which a ring's memory goes to the process; nil if
// its Spec had asked for none.
func (p *Process) Channel() *Channel { return p.channel }

// watchChannel ends a process that has given up its channel.
func (p *Process) watchChannel() {
	p.channel.listen()
	grace := time.NewTimer(lostGrace)
	defer grace.Stop()
	select {
	case <-p.done:
	case <-grace.C: // it is alive, and does not die by itself
		p.child.kill(ErrChannel)
	}
}
