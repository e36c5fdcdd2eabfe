package broker

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/wire"
)

// reserve takes a place for the handle that a request will need, so that nothing
// is sent whose answer could not be kept.
func (s *Session) reserve() *refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	if open := len(s.bodies) + s.reserved; open >= s.b.limits.Handles {
		return limited("%d responses are open (maximum %d): close one first", open, s.b.limits.Handles)
	}
	s.reserved++
	return nil
}

func (s *Session) unreserve() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reserved--
}

// keep gives a body a handle: a random number, so that a guest can neither count
// what others do nor guess one, and never 0 or negative as an i64.
func (s *Session) keep(body *body) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		var b [8]byte
		_, _ = rand.Read(b[:]) // never fails (crypto/rand)
		handle := binary.LittleEndian.Uint64(b[:]) >> 1
		if _, taken := s.bodies[handle]; handle != 0 && !taken {
			s.bodies[handle] = body
			return handle
		}
	}
}

func noHandle() *wire.CapabilityReply {
	return answer(wire.Code_CODE_NOT_FOUND, "no open response has this handle in this call")
}

// read answers with a piece of a body: what there is from the offset on, if need be
// after waiting for some. At the end there are no bytes; an offset beyond it is refused.
func (s *Session) read(ctx context.Context, req *wire.BodyRead) *wire.CapabilityReply {
	s.mu.Lock()
	body, ok := s.bodies[req.GetHandle()]
	s.mu.Unlock()
	if !ok {
		return noHandle()
	}
	if req.GetLength() > pluginkit.MaxPiece {
		return answer(wire.Code_CODE_INVALID, fmt.Sprintf("a read of %d bytes (maximum %d)", req.GetLength(), pluginkit.MaxPiece))
	}
	if body.stream != nil && req.GetLength() > 0 {
		if refused := body.stream.pull(ctx, body.spool, req.GetOffset()); refused != nil {
			return refused
		}
	}
	over := body.stream == nil || body.stream.over() // before its size, which is final then
	reply := &wire.CapabilityReply{}
	reply.BodyBytes, _ = body.size()
	size := uint64(body.Size())
	if over && req.GetOffset() > size {
		return answer(wire.Code_CODE_INVALID, fmt.Sprintf("a read at %d of %d bytes", req.GetOffset(), size))
	}
	if req.GetOffset() >= size {
		return reply
	}
	piece := make([]byte, min(uint64(req.GetLength()), size-req.GetOffset()))
	n, err := body.ReadAt(piece, int64(req.GetOffset()))
	switch {
	case errors.Is(err, errSpoolClosed): // by another request of this call, just now
		return noHandle()
	case err != nil && !(errors.Is(err, io.EOF) && n == len(piece)):
		return s.failed("reading a spooled body: " + err.Error())
	}
	reply.Data = piece
	return reply
}

func (s *Session) closeBody(handle uint64) *wire.CapabilityReply {
	s.mu.Lock()
	body, ok := s.bodies[handle]
	delete(s.bodies, handle)
	s.mu.Unlock()
	if !ok {
		return noHandle()
	}
	body.close()
	return &wire.CapabilityReply{}
}
