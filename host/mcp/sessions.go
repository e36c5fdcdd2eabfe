package mcp

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// sessions is what is known of the sessions of HTTP clients: how long each has
// been unused, and what ends its calls. A client that dies says nothing; its
// session makes room for others when there are too many.
type sessions struct {
	mu      sync.Mutex
	byID    map[string]*client
	pending int // being made
}

type client struct {
	life    context.Context
	end     context.CancelFunc
	active  int // messages that are being answered
	streams int // open streams for messages of the server
	used    time.Time
}

func newSessions() *sessions { return &sessions{byID: map[string]*client{}} }

// life is the context that ends with the session, or nil when it is not one of
// an HTTP client.
func (s *sessions) life(id string) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.byID[id]; c != nil {
		return c.life
	}
	return nil
}

// reserve takes a place for a new session. When there is none, the session that
// nobody has used for the longest time has to go; ok is false when all are in use.
func (s *sessions) reserve(now time.Time) (evicted string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.byID)+s.pending < maxSessions {
		s.pending++
		return "", true
	}
	var oldest *client
	for id, c := range s.byID {
		if c.active > 0 {
			continue
		}
		// One with an open stream has a client that lives.
		if oldest == nil || (c.streams > 0) == (oldest.streams > 0) && c.used.Before(oldest.used) || c.streams == 0 && oldest.streams > 0 {
			evicted, oldest = id, c
		}
	}
	if oldest == nil {
		return "", false
	}
	s.remove(evicted)
	s.pending++
	return evicted, true
}

// made puts a new session in the place that was reserved; "" gives it back.
func (s *sessions) made(id string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending--
	if id == "" || s.byID[id] != nil {
		return
	}
	c := &client{used: now}
	c.life, c.end = context.WithCancel(context.Background())
	s.byID[id] = c
}

// use counts a message, or a stream, of a session while it is served.
func (s *sessions) use(id string, stream bool, now func() time.Time) (done func()) {
	count := func(n int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		c := s.byID[id]
		switch {
		case c == nil:
			return
		case stream:
			c.streams += n
		default:
			c.active += n
		}
		c.used = now()
	}
	count(1)
	return func() { count(-1) }
}

// end forgets a session and ends its calls.
func (s *sessions) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(id)
}

// remove does the work of end. The caller holds mu.
func (s *sessions) remove(id string) {
	if c := s.byID[id]; c != nil {
		c.end()
		delete(s.byID, id)
	}
}

// sweep forgets the sessions that the protocol's server has no more. What is live is
// asked for last: a session that begins meanwhile is neither missed nor forgotten.
func (s *sessions) sweep(live func() map[string]bool) {
	s.mu.Lock()
	known := slices.Collect(maps.Keys(s.byID))
	s.mu.Unlock()
	now := live()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range known {
		if !now[id] {
			s.remove(id)
		}
	}
}
