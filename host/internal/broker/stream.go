package broker

import (
	"context"
	"errors"
	"io"

	"github.com/ringfence/ringfence/host/internal/audit"
	"github.com/ringfence/ringfence/pluginkit/wire"
)

// body is what a handle stands for.
type body struct {
	*spool
	stream *stream // what is still on its way into the spool; nil: nothing ever was
}

func newBody(s *spool) *body { return &body{spool: s} }

// close frees the body and gives up what has not come.
func (b *body) close() {
	if b.stream != nil {
		b.stream.close()
	}
	b.spool.Close()
}

// size is the length of the whole body, if it is known.
func (b *body) size() (n uint64, known bool) {
	if b.stream == nil || b.stream.over() {
		return uint64(b.spool.Size()), true
	}
	return uint64(max(b.stream.length, 0)), b.stream.length >= 0
}

// streamPiece is how much is taken from a server at a time, in bytes.
const streamPiece = 32 << 10

// stream takes the body of a response as the guest pulls it: a piece at a time, and
// nothing before the guest asks. What has come stays in the spool, since the guest may
// read any of it again. While nobody pulls, the server waits; nothing of the host does.
type stream struct {
	x      *exchange
	from   io.Reader
	closer io.Closer
	length int64 // as the server has announced it, or -1

	// pulling holds a value while somebody pulls, who alone may use what follows.
	pulling chan struct{}
	piece   []byte
	done    chan struct{} // closed at the end
	failure *refusal      // how it ended; nil: well. Set before done is closed
}

func newStream(x *exchange, from io.Reader, closer io.Closer, length int64) *stream {
	return &stream{x: x, from: from, closer: closer, length: length, pulling: make(chan struct{}, 1), done: make(chan struct{})}
}

func (s *stream) over() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// pull waits until the spool reaches beyond the offset, or nothing comes any more.
//
// Attack: a guest asks for the end of an endless body. What comes until then is
// bounded as the body is.
func (s *stream) pull(ctx context.Context, into *spool, offset uint64) *wire.CapabilityReply {
	// A read that is given up gives up the body.
	defer context.AfterFunc(ctx, func() { s.x.cancel(context.Cause(ctx)) })()
	for uint64(into.Size()) <= offset {
		s.pulling <- struct{}{} // who has it ends with the body's context
		if uint64(into.Size()) <= offset && !s.over() {
			s.take(into)
		}
		<-s.pulling
		if s.over() {
			if s.failure != nil && uint64(into.Size()) <= offset {
				return s.failure.answer()
			}
			return nil
		}
	}
	return nil
}

// take takes one piece. The caller pulls.
func (s *stream) take(into *spool) {
	if s.piece == nil {
		s.piece = make([]byte, streamPiece)
	}
	n, err := s.from.Read(s.piece)
	if into.Size()+int64(n) > s.x.s.b.limits.ResponseBody {
		n, err = 0, errTooLarge
	}
	if n > 0 {
		if _, werr := into.Write(s.piece[:n]); werr != nil {
			err = werr
		}
	}
	switch {
	case err == nil:
	case errors.Is(err, io.EOF):
		s.end(nil)
	default:
		s.end(s.x.failure(err))
	}
}

// end ends the stream and puts that on record. The caller pulls, and the stream is not
// over.
func (s *stream) end(failure *refusal) {
	s.failure = failure
	_ = s.closer.Close()
	s.x.cancel(nil)
	s.piece = nil
	if failure != nil {
		s.x.recordRefusal("http_body", failure)
	} else if err := s.x.s.record(s.x.entry("http_body", audit.Allow, "")); err != nil {
		s.failure = failed(wire.Code_CODE_INTERNAL, unrecorded, err.Error())
	}
	close(s.done)
}

// close gives up what has not come.
func (s *stream) close() {
	s.x.cancel(errGivenUp) // ends the pull that runs
	s.pulling <- struct{}{}
	defer func() { <-s.pulling }()
	if !s.over() {
		s.end(s.x.failure(errGivenUp))
	}
}
