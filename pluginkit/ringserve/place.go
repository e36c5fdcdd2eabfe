package ringserve

import (
	"context"

	"github.com/ringfence/ringfence/pluginkit/ringwire"
	"github.com/ringfence/ringfence/shmchan"
)

// Place is where bytes lie in the data area of one direction of the calls lane.
type Place struct {
	At, Size uint64
	Epoch    uint64 // of the memory that the area is in
}

// ArgumentsAt is where Inline lies; ok is false when there is none.
func (c *Call) ArgumentsAt() (p Place, ok bool) {
	if c.Handle != 0 || c.released {
		return Place{}, false
	}
	at, epoch := c.frame.Place()
	return Place{At: uint64(at) + ringwire.StartSize, Size: c.ArgumentsBytes, Epoch: epoch}, true
}

// Room reserves the largest room that a result can have in one piece, before it is
// known, and says where it lies. Result uses it if the result fits.
func (c *Call) Room() (Place, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended || c.reserved {
		return Place{}, shmchan.ErrCommitted
	}
	producer := c.server.calls.Producer()
	room, err := producer.Reserve(context.Background(), int(min(uint64(producer.Largest()), c.MaxResult)))
	if c.keep(err) != nil {
		return Place{}, err
	}
	c.room, c.reserved = room, true
	at, epoch := room.Place()
	return Place{At: uint64(at), Size: uint64(len(room.Bytes())), Epoch: epoch}, nil
}

// RoomBytes are the room's bytes, for a result that is written in place by this
// process itself; nil without a room. They are valid until the end of the call.
func (c *Call) RoomBytes() []byte {
	if !c.reserved {
		return nil
	}
	return c.room.Bytes()
}

func (c *Call) abandonRoom() error {
	if !c.reserved {
		return nil
	}
	c.reserved = false
	return c.keep(c.room.Abandon())
}
