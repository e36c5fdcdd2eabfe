package pingpong

import (
	"errors"
	"io"
	"net"
	"os"
)

// stream is a peer behind two byte streams: a pipe each way, or the two
// directions of a Unix socket. Both sides know the size of every message, so
// that no framing is measured.
type stream struct {
	*child
	out io.WriteCloser
	in  io.ReadCloser
	ack [1]byte
}

func startPipe(size int) (peer, error) {
	theirIn, out, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirIn.Close()
	in, theirOut, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirOut.Close()
	c, err := spawn(peerRole("pipe", size), theirIn, theirOut)
	if err != nil {
		return nil, err
	}
	return &stream{child: c, out: out, in: in}, nil
}

func startUnix(size int) (peer, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	conn, err := net.FileConn(ours)
	_ = ours.Close()
	if err != nil {
		return nil, err
	}
	c, err := spawn(peerRole("unix", size), theirs)
	if err != nil {
		return nil, err
	}
	return &stream{child: c, out: conn, in: conn}, nil
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

func (s *stream) sendLast(msg []byte) error {
	msg[0] = opAck
	if _, err := s.out.Write(msg); err != nil {
		return err
	}
	_, err := io.ReadFull(s.in, s.ack[:])
	return err
}

func (s *stream) close() error {
	_ = s.out.Close()
	_ = s.in.Close()
	return s.end()
}

// serveSocket is the peer behind a socket: descriptor 3, through the runtime's
// poller, as Go programs use one.
func serveSocket(size int) error {
	f := os.NewFile(3, "socket")
	conn, err := net.FileConn(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return serveStream(size, conn, conn)
}

// servePipe is the peer behind pipes: it reads descriptor 3 and writes 4, and
// blocks in both, which is the fastest way.
func servePipe(size int) error {
	return serveStream(size, os.NewFile(3, "in"), os.NewFile(4, "out"))
}

func serveStream(size int, in io.Reader, out io.Writer) error {
	buf := make([]byte, size)
	for {
		_, err := io.ReadFull(in, buf)
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
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

func (s *stream) echoed(reply []byte) []byte { return reply }
