package ringserve

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/ringfence/ringfence/pluginkit/ringwire"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/shmchan"
)

// Log sends a log line, cut at wire.MaxLog. One that cannot be sent is lost
// with the channel. It may be called from any goroutine; after the call's end it
// does nothing.
func (c *Call) Log(level int32, line string) {
	line = line[:min(len(line), wire.MaxLog)]
	producer := c.server.asks.Producer()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	c.talked = true
	room, err := producer.Reserve(context.Background(), ringwire.LogSize+len(line))
	if c.keep(err) != nil {
		return
	}
	ringwire.PutLog(room.Bytes(), level)
	copy(room.Bytes()[ringwire.LogSize:], line)
	_ = c.keep(room.Commit(shmchan.Header{Kind: ringwire.KindLog, Call: c.number}))
}

// errBroken is what every later question gets of a host that broke the protocol.
var errBroken = errors.New("the host broke the protocol")

// Request asks the host for something and waits for the answer, at most until
// the call's context ends. The request's id is set here. It may be called from any
// goroutine: one question is open at a time, and the others wait.
//
// Errors: the context's, and those of the channel.
func (c *Call) Request(request *wire.CapabilityRequest) (*wire.CapabilityReply, error) {
	c.asking.Lock()
	defer c.asking.Unlock()
	if err := c.ctx.Err(); err != nil {
		return nil, err
	}
	c.lastID++
	request.Id = c.lastID
	message, err := proto.Marshal(request)
	if err != nil {
		return nil, err
	}
	if len(message) > wire.MaxMessage {
		return nil, fmt.Errorf("a request of %d bytes (maximum %d)", len(message), wire.MaxMessage)
	}
	q := &question{id: request.Id, answered: make(chan struct{})}
	if err := c.ask(q, ringwire.KindRequest, message); err != nil {
		return nil, err
	}
	return q.reply, nil
}

// Read asks for bytes of something that the host keeps under a handle. The bytes
// are given to sink in order, while Read waits; their number together is
// returned. A read that the host refuses gives a piece with a code, and the
// reason is its text.
//
// Errors: as Request's.
func (c *Call) Read(handle, offset uint64, length uint32, sink func(at uint64, b []byte) error) (piece ringwire.Piece, n uint64, why string, err error) {
	c.asking.Lock()
	defer c.asking.Unlock()
	if err := c.ctx.Err(); err != nil {
		return piece, 0, "", err
	}
	c.lastID++
	message := ringwire.Read{ID: c.lastID, Handle: handle, Offset: offset, Length: length}.Bytes()
	q := &question{id: c.lastID, answered: make(chan struct{}), sink: sink, most: uint64(length)}
	if err := c.ask(q, ringwire.KindRead, message[:]); err != nil {
		return piece, 0, "", err
	}
	return q.piece, q.got, q.why, q.err
}

// Pull reads the call's arguments to their end, for a call whose Inline is nil.
// sink gets them in order, in pieces of any size.
func (c *Call) Pull(sink func(at uint64, b []byte) error) error {
	for at := uint64(0); at < c.ArgumentsBytes; {
		length := uint32(min(c.ArgumentsBytes-at, wire.MaxPiece))
		begin := at
		piece, n, why, err := c.Read(c.Handle, at, length, func(at uint64, b []byte) error { return sink(begin+at, b) })
		switch {
		case err != nil:
			return err
		case piece.Code != wire.Code_CODE_OK:
			return fmt.Errorf("the host does not hand out the arguments: %s", why)
		case n != uint64(length):
			return fmt.Errorf("%w: %d bytes of arguments where %d were asked for", errBroken, n, length)
		}
		at += n
	}
	return nil
}

// question is something asked that waits for its answer.
type question struct {
	id       uint64
	answered chan struct{}

	// Guarded by inbox.mu until answered is closed.
	reply *wire.CapabilityReply

	// Of a Read. sink runs with inbox.mu held: whoever has given up the question
	// has taken it out of the inbox, so the sink is not called any more.
	sink  func(at uint64, b []byte) error
	most  uint64
	piece ringwire.Piece
	why   string
	got   uint64
	err   error
}

func (c *Call) ask(q *question, kind ringwire.Kind, message []byte) error {
	in := &c.server.inbox
	defer in.forget(q)
	if err := c.pose(q, kind, message); err != nil {
		return err
	}
	select {
	case <-q.answered:
		return nil
	case <-c.ctx.Done():
		return c.ctx.Err()
	case <-c.server.channel.Done():
		return c.server.channel.Err()
	}
}

// pose sends a question, unless the call has ended.
func (c *Call) pose(q *question, kind ringwire.Kind, message []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return context.Canceled
	}
	c.talked = true
	c.server.inbox.expect(q)
	return c.keep(c.server.asks.Producer().Send(context.Background(), shmchan.Header{Kind: kind, Call: c.number}, message))
}

// inbox is where the listener finds who waits for what it hears.
type inbox struct {
	mu   sync.Mutex
	call *Call
	open *question
	// cancelled is the last call that the host did not want any more. The lanes are
	// not in step: a Cancel can be heard before the Call that it is for.
	cancelled uint32
}

func (in *inbox) begin(c *Call) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.call = c
	if in.cancelled == c.number {
		c.ctx.end(context.Canceled)
	}
}

func (in *inbox) end(c *Call) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.call == c {
		in.call = nil
	}
}

func (in *inbox) expect(q *question) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.open = q
}

// forget gives up a question, unless it has made room for another one.
func (in *inbox) forget(q *question) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.open == q {
		in.open = nil
	}
}
