package bench

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
)

// stream is a peer behind two byte streams: a pipe each way, or the two
// directions of a Unix socket. Both sides know the size of every message, so
// that no framing is measured.
type stream struct {
	*child
	out  io.WriteCloser
	in   io.ReadCloser
	last []byte // the message that asks for an answer
}

func startPipe(size int) (peer, error) {
	theirIn, out, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	in, theirOut, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c, err := spawn(peerRole("pipe", size), theirIn, theirOut)
	if err != nil {
		return nil, err
	}
	return newStream(c, out, in, size), nil
}

func startUnix(size int) (peer, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	conn, err := net.FileConn(ours)
	_ = ours.Close()
	if err != nil {
		return nil, err
	}
	again, err := dup(theirs)
	if err != nil {
		return nil, err
	}
	c, err := spawn(peerRole("unix", size), theirs, again)
	if err != nil {
		return nil, err
	}
	return newStream(c, conn, conn, size), nil
}

func newStream(c *child, out io.WriteCloser, in io.ReadCloser, size int) *stream {
	last := make([]byte, size)
	last[0] = opAck
	return &stream{c, out, in, last}
}

func (s *stream) roundTrip(msg, reply []byte) error {
	msg[0] = opEcho
	// The peer echoes a message only when it has all of it, so never do both
	// sides wait for the other to read.
	if _, err := s.out.Write(msg); err != nil {
		return err
	}
	_, err := io.ReadFull(s.in, reply)
	return err
}

func (s *stream) send(msg []byte) error {
	msg[0] = opSink
	_, err := s.out.Write(msg)
	return err
}

func (s *stream) flush() error {
	if _, err := s.out.Write(s.last); err != nil {
		return err
	}
	_, err := io.ReadFull(s.in, s.last[1:2])
	return err
}

func (s *stream) close() error {
	_ = s.out.Close()
	_ = s.in.Close()
	return s.end()
}

// serveStream is the peer: descriptor 3 to read from, descriptor 4 to write to.
func serveStream(size int) error {
	in, err := openStream(3)
	if err != nil {
		return err
	}
	out, err := openStream(4)
	if err != nil {
		return err
	}
	buf := make([]byte, size)
	for {
		if _, err := io.ReadFull(in, buf); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		switch buf[0] {
		case opEcho:
			_, err = out.Write(buf)
		case opAck:
			_, err = out.Write(buf[:1])
		}
		if err != nil {
			return err
		}
	}
}

// openStream opens an inherited descriptor the way Go programs do: a socket
// through the runtime's poller, a pipe by blocking reads and writes.
func openStream(fd uintptr) (io.ReadWriter, error) {
	f := os.NewFile(fd, fmt.Sprintf("descriptor %d", fd))
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode()&os.ModeSocket == 0 {
		return f, nil
	}
	conn, err := net.FileConn(f)
	return conn, errors.Join(err, f.Close())
}

func (s *stream) echoed(reply []byte) []byte { return reply }
