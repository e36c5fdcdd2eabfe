package ringserve

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/ringfence/ringfence/pluginkit/ringwire"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/shmchan"
)

// listen reads the capabilities lane until the channel ends.
func (s *server) listen() error {
	consumer := s.asks.Consumer()
	var message []byte // of a reply in fragments
	for {
		frame, err := consumer.Peek(context.Background())
		if errors.Is(err, shmchan.ErrAborted) {
			message = message[:0]
			continue
		}
		if err != nil {
			return err
		}
		if frame.Header().Kind == ringwire.KindPiece {
			s.inbox.piece(frame)
		} else if frame.Last() && frame.Offset() == 0 {
			err = s.inbox.hear(frame.Header(), frame.Bytes())
		} else if message = append(message, frame.Bytes()...); frame.Last() {
			err = s.inbox.hear(frame.Header(), message)
			message = nil
		}
		if err = errors.Join(err, frame.Release()); err != nil {
			_ = s.channel.Close()
			return err
		}
	}
}

// hear takes a whole message. One that comes too late for its call, or for a
// question that was given up, is dropped.
func (in *inbox) hear(header shmchan.Header, message []byte) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	switch header.Kind {
	case ringwire.KindCancel:
		if in.cancelled = header.Call; in.call != nil && in.call.number == header.Call {
			in.call.ctx.end(context.Canceled)
		}
		return nil
	case ringwire.KindReply:
		if in.call == nil || in.call.number != header.Call || in.open == nil || in.open.sink != nil {
			return nil
		}
		reply := &wire.CapabilityReply{}
		if err := proto.Unmarshal(message, reply); err != nil {
			return fmt.Errorf("%w: %w", errBroken, err)
		}
		if reply.GetId() == in.open.id {
			in.open.reply = reply
			in.answered()
		}
		return nil
	}
	return fmt.Errorf("%w: a message of kind %s", errBroken, ringwire.KindName(header.Kind))
}

// answered lets the one go on who asked.
func (in *inbox) answered() {
	close(in.open.answered)
	in.open = nil
}

// piece takes one frame of an answer to a Read, and passes its bytes on from
// where they lie.
func (in *inbox) piece(frame shmchan.Frame) {
	in.mu.Lock()
	defer in.mu.Unlock()
	q := in.open
	if in.call == nil || in.call.number != frame.Header().Call || q == nil || q.sink == nil {
		return
	}
	b := frame.Bytes()
	if frame.Offset() == 0 {
		var err error
		if q.piece, err = ringwire.ParsePiece(b); err != nil || q.piece.ID != q.id {
			return // to a question that was given up
		}
		q.got, b = 0, b[ringwire.PieceSize:]
	} else if q.piece.ID != q.id {
		return
	}
	switch {
	case q.err != nil:
	case q.piece.Code != wire.Code_CODE_OK:
		q.why += string(b)
	case uint64(len(b)) > q.most-q.got:
		q.err = fmt.Errorf("%w: more bytes than the %d that were asked for", errBroken, q.most)
	default:
		q.err = q.sink(q.got, b)
		q.got += uint64(len(b))
	}
	if frame.Last() {
		in.answered()
	}
}
