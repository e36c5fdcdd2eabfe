package launch

import (
	"context"
	"encoding/binary"
	"net"

	"golang.org/x/time/rate"
)

// Bounds on how fast HTTP/2 frames are taken that bring nothing to a call. A call
// of a few bytes takes six of them.
const (
	framesPerSec = 50_000
	framesBurst  = 100_000
	frameHeader  = 9
	frameData    = 0        // the type of frames that carry messages
	frameMost    = 16 << 10 // bytes; a larger one ends the connection
	paidFor      = 1 << 10  // bytes in a data frame by which it is paid for
	costs        = 64       // bytes in another frame that count as one more frame
)

// metered is a connection on which frames that carry no messages are taken slowly.
//
// A PING, an empty DATA frame, headers of no stream or a frame of a kind that
// nobody knows is quick to write and belongs to no call, so no limit of a call
// ends a flood of them: read as fast as they come, they cost the host a CPU for as
// long as the process lives. Taken slowly, the process that sends them waits in
// its own write.
type metered struct {
	net.Conn
	limit *rate.Limiter

	// Of the frame that is being read. Read is called by one goroutine at a time.
	header []byte // the part of it that has come, shorter than frameHeader
	left   int    // bytes of the content that have not come
}

func newMetered(conn net.Conn) *metered {
	return &metered{Conn: conn, limit: rate.NewLimiter(framesPerSec, framesBurst), header: make([]byte, 0, frameHeader)}
}

// mostRead keeps what one Read has to wait for below framesBurst and a tenth of a
// second: waiting ends by itself, and so needs no end from outside.
const mostRead = 32 << 10

func (m *metered) Read(b []byte) (int, error) {
	n, err := m.Conn.Read(b[:min(len(b), mostRead)])
	if frames := m.count(b[:n]); frames > 0 {
		_ = m.limit.WaitN(context.Background(), frames) // fails for more than the burst only
	}
	return n, err
}

// count follows the frames and returns what those that begin here count for.
func (m *metered) count(b []byte) (frames int) {
	for len(b) > 0 {
		if m.left > 0 {
			n := min(m.left, len(b))
			m.left -= n
			b = b[n:]
			continue
		}
		n := min(frameHeader-len(m.header), len(b))
		m.header = append(m.header, b[:n]...)
		b = b[n:]
		if len(m.header) < frameHeader {
			break
		}
		m.left = int(binary.BigEndian.Uint32(m.header) >> 8) // three bytes of length, one of type
		if m.header[3] != frameData {
			frames += 1 + min(m.left, frameMost)/costs
		} else if m.left < paidFor {
			frames++
		}
		m.header = m.header[:0]
	}
	return frames
}
