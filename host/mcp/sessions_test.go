package mcp

import (
	"testing"
	"time"
)

// Two clients begin at once: the one that looks for sessions which have ended must not
// take the other's for one, or its calls would end with it and it would not be counted.
func TestASessionThatBeginsDuringASweepStays(t *testing.T) {
	s := newSessions()
	begin := func(id string) {
		if _, ok := s.reserve(time.Now()); !ok {
			t.Fatal("no room")
		}
		s.made(id, time.Now())
	}
	begin("ended")
	begin("live")
	ended := s.life("ended")
	s.sweep(func() map[string]bool {
		live := map[string]bool{"live": true}
		begin("new")
		return live
	})
	for _, id := range []string{"live", "new"} {
		if life := s.life(id); life == nil || life.Err() != nil {
			t.Errorf("the session %q was forgotten", id)
		}
	}
	if s.life("ended") != nil || ended.Err() == nil {
		t.Error("a session that has ended is still known, or its calls go on")
	}
}
