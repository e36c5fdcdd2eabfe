package ringcall

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/ringfence/ringfence/host/internal/decode"
	"github.com/ringfence/ringfence/host/internal/printable"
	"github.com/ringfence/ringfence/host/internal/transport"
	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/ringwire"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/shmchan"
)

// keptBuffer is how much memory the desk keeps between messages, in bytes.
const keptBuffer = 64 << 10

// desk serves the capabilities lane until the channel ends. One message is served
// after the other: a guest waits for its answer, and one that does not fills its
// ring and waits then.
func (t *Transport) desk() {
	defer close(t.closed)
	defer t.pressure.drop()
	var buf []byte
	for {
		header, message, err := t.asks.Consumer().Recv(context.Background(), buf)
		if errors.Is(err, shmchan.ErrAborted) {
			continue
		}
		if err != nil {
			// A message that began and does not end is nobody's who works.
			if t.channel.Err() == nil {
				_ = t.violate(t.reason(context.Background(), err))
			}
			return
		}
		if err := t.serve(header, message); err != nil {
			if t.channel.Err() == nil {
				_ = t.violate(err)
			}
			return
		}
		if buf = message[:0]; cap(buf) > keptBuffer {
			buf = nil
		}
	}
}

// admit finds the call that a message belongs to. A message of a call that has
// ended, or said that it was the last one, is a violation: what it asks for
// would be done in another call's name.
func (t *Transport) admit(header shmchan.Header) (*running, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.current
	switch {
	case c == nil:
		return nil, transport.Violation("a message of kind %s of call %d, and no call runs", ringwire.KindName(header.Kind), header.Call)
	case c.number != header.Call:
		return nil, transport.Violation("a message of kind %s of call %d (call %d runs)", ringwire.KindName(header.Kind), header.Call, c.number)
	case c.caps == nil:
		return nil, transport.Violation("a message of kind %s while the memory is exchanged, when no guest runs", ringwire.KindName(header.Kind))
	case c.over:
		return nil, transport.Violation("a message of kind %s after the last one of its call", ringwire.KindName(header.Kind))
	}
	c.asked++
	if header.Kind == ringwire.KindDone {
		c.over = true
		if c.done != nil {
			close(c.done)
		}
	}
	return c, nil
}

// serve carries out one message; message is the host's own copy.
func (t *Transport) serve(header shmchan.Header, message []byte) (err error) {
	defer transport.Recover(&err)
	c, err := t.admit(header)
	if err != nil {
		return err
	}
	switch header.Kind {
	case ringwire.KindLog:
		level, text, err := ringwire.ParseLog(message)
		if err != nil {
			return transport.Violation("%v", err)
		}
		c.caps.Log(level, printable.Line(string(text), pluginkit.MaxLog))
		return nil
	case ringwire.KindRequest:
		return t.request(c, message)
	case ringwire.KindRead:
		return t.read(c, message)
	case ringwire.KindDone:
		if len(message) > 0 {
			return transport.Violation("a done with %d bytes (maximum 0)", len(message))
		}
		return nil
	}
	return transport.Violation("a message of kind %s on the capabilities lane", ringwire.KindName(header.Kind))
}

func (t *Transport) request(c *running, message []byte) error {
	request := &wire.CapabilityRequest{}
	if err := decode.Message(message, request); err != nil {
		return transport.Violation("a request of %d bytes: %s", len(message), printable.Line(err.Error(), 200))
	}
	reply := c.caps.Handle(c.ctx, request)
	t.answering.Lock()
	defer t.answering.Unlock()
	out, err := proto.MarshalOptions{}.MarshalAppend(t.out[:0], reply)
	if err == nil && len(out) > pluginkit.MaxMessage {
		err = fmt.Errorf("%d bytes (maximum %d)", len(out), pluginkit.MaxMessage)
	}
	if err != nil { // the host's own mistake, and not the guest's business
		out, err = proto.Marshal(&wire.CapabilityReply{Id: request.GetId(), Code: wire.Code_CODE_INTERNAL, Message: "the host failed"})
		if err != nil {
			return err
		}
	}
	if t.out = out; cap(t.out) > keptBuffer {
		t.out = nil
	}
	return t.asks.Producer().Send(context.Background(), shmchan.Header{Kind: ringwire.KindReply, Call: c.number}, out)
}

// read answers with a piece of the call's arguments, or of a body that the
// guest's capabilities know.
func (t *Transport) read(c *running, message []byte) error {
	r, err := ringwire.ParseRead(message)
	if err != nil {
		return transport.Violation("%v", err)
	}
	piece, data := ringwire.Piece{ID: r.ID}, []byte(nil)
	if c.handle != 0 && r.Handle == c.handle {
		piece, data = c.pull(r)
	} else {
		reply := c.caps.Handle(c.ctx, &wire.CapabilityRequest{Id: r.ID, Op: &wire.CapabilityRequest_BodyRead{
			BodyRead: &wire.BodyRead{Handle: r.Handle, Offset: r.Offset, Length: r.Length}}})
		piece.Code, piece.BodyBytes, data = reply.GetCode(), reply.GetBodyBytes(), reply.GetData()
		if piece.Code != wire.Code_CODE_OK {
			data = []byte(reply.GetMessage())
		}
	}
	if piece.Code == wire.Code_CODE_NOT_FOUND || piece.Code == wire.Code_CODE_INVALID {
		t.mu.Lock()
		t.refused++
		t.mu.Unlock()
	}
	return t.sendPiece(c, piece, data)
}

// pull cuts a piece out of the arguments.
func (c *running) pull(r ringwire.Read) (ringwire.Piece, []byte) {
	size := uint64(len(c.arguments))
	p := ringwire.Piece{ID: r.ID, BodyBytes: size}
	switch {
	case r.Length > pluginkit.MaxPiece:
		p.Code = wire.Code_CODE_INVALID
		return p, fmt.Appendf(nil, "a read of %d bytes (maximum %d)", r.Length, pluginkit.MaxPiece)
	case r.Offset > size:
		p.Code = wire.Code_CODE_INVALID
		return p, fmt.Appendf(nil, "a read at %d of %d bytes", r.Offset, size)
	}
	return p, c.arguments[r.Offset:][:min(uint64(r.Length), size-r.Offset)]
}

func (t *Transport) sendPiece(c *running, piece ringwire.Piece, data []byte) error {
	t.answering.Lock()
	defer t.answering.Unlock()
	header, head := shmchan.Header{Kind: ringwire.KindPiece, Call: c.number}, piece.Bytes()
	producer := t.asks.Producer()
	if n := len(head) + len(data); int64(n) <= producer.Largest() {
		room, err := producer.Reserve(context.Background(), n)
		if err != nil {
			return err
		}
		copy(room.Bytes()[copy(room.Bytes(), head[:]):], data)
		return room.Commit(header)
	}
	w, err := producer.Writer(context.Background(), header, int64(len(head)+len(data)))
	if err != nil {
		return err
	}
	if _, err = w.Write(head[:]); err == nil {
		_, err = w.Write(data)
	}
	return errors.Join(err, w.Close())
}
