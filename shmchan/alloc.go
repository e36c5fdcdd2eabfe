package shmchan

// span is a stretch of a data area. Two kinds of book-keeping need the same
// question answered, "what is live?": the producer, to hand out what is not, and
// the consumer, to see that the producer did not hand out what is.
//
// Live bytes form one interval that may run over the end of the area and on
// from the bottom, since messages are taken and given back in order.
type span struct {
	lo, hi  uint64 // lo: start of the oldest; hi: end of the newest
	wrapped bool   // hi has gone over the end and lo has not
	live    int    // messages, those without bytes included
}

// place finds room for need bytes in an area of so many: behind the newest
// message, else at the bottom; a message never wraps. It changes nothing.
func (s *span) place(need, size uint64) (start uint64, ok bool) {
	switch {
	case s.live == 0:
		return 0, need <= size
	case s.wrapped:
		return s.hi, need <= s.lo-s.hi
	case need <= size-s.hi:
		return s.hi, true
	default:
		return 0, need <= s.lo
	}
}

// free reports whether [start, end) is clear of everything live.
func (s *span) free(start, end uint64) bool {
	switch {
	case s.live == 0:
		return true
	case s.wrapped:
		return start >= s.hi && end <= s.lo
	default:
		return start >= s.hi || end <= s.lo
	}
}

// add makes [start, end) the newest live stretch.
//
// Preconditions: free(start, end).
func (s *span) add(start, end uint64) {
	if s.live == 0 {
		*s = span{lo: start}
	} else if start < s.hi {
		s.wrapped = true
	}
	s.hi = end
	s.live++
}

// drop forgets the n oldest live stretches; lo is where the oldest of the rest
// starts.
func (s *span) drop(n int, lo uint64) {
	s.live -= n
	if s.live == 0 {
		*s = span{}
		return
	}
	if lo < s.lo {
		s.wrapped = false
	}
	s.lo = lo
}

// used is the number of live bytes in an area of size bytes, the unusable rest
// at its end included.
func (s *span) used(size uint64) uint64 {
	if s.wrapped {
		return size - s.lo + s.hi
	}
	return s.hi - s.lo
}

func align(n uint64) uint64 { return (n + dataAlign - 1) &^ (dataAlign - 1) }
