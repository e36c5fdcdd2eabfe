package shmchan

import (
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"testing"
	"unsafe"
)

// FuzzHeader overwrites words of the control pages before they are verified.
// What is accepted must be what was agreed.
func FuzzHeader(f *testing.F) {
	config := smallConfig()
	g, err := config.geometry()
	must(f, err)
	f.Add(uint16(offMagic), uint64(0), false)
	f.Add(uint16(offSize), uint64(1<<62), true)
	f.Add(uint16(laneBase(0)+offSlots), uint64(1<<28), false)
	f.Add(uint16(offEpoch), uint64(2), true)
	f.Fuzz(func(t *testing.T, off uint16, value uint64, second bool) {
		p, _ := pipePairs(g, 1)
		mem := p.out.mem
		if second {
			mem = p.in.mem
		}
		word := wordAt(mem, int(off)%4096&^7)
		was := word.Load()
		word.Store(value)
		_, err := verify(p.out, p.in, g, true)
		if err != nil && !errors.Is(err, ErrViolation) {
			t.Fatalf("untyped error %v", err)
		}
		fixed := was != 0 // every word of the header that is set is fixed
		if fixed && value != was && err == nil {
			t.Fatalf("word %d: %d was accepted for %d", int(off)%4096&^7, value, was)
		}
	})
}

// FuzzSpan lets a peer choose where its messages lie. Whatever the book-keeping
// calls free must be clear of every live message.
func FuzzSpan(f *testing.F) {
	f.Add([]byte{0x02, 0x12, 0xff, 0x40, 0xff, 0x00, 0xff})
	f.Add([]byte{0x10, 0x00, 0x10, 0xfe, 0x10, 0x00})
	f.Fuzz(func(t *testing.T, program []byte) {
		type interval struct{ lo, hi uint64 }
		var live []interval
		var s span
		for len(program) > 1 {
			a, b := program[0], program[1]
			program = program[2:]
			if a >= 0xf0 {
				n := min(int(b)%4, len(live))
				live = live[n:]
				lo := uint64(0)
				if len(live) > 0 {
					lo = live[0].lo
				}
				s.drop(n, lo)
				continue
			}
			start := uint64(a % 32)
			end := min(start+uint64(b%16), 32)
			if !s.free(start, end) {
				continue
			}
			for _, l := range live {
				if start < l.hi && end > l.lo {
					t.Fatalf("[%d, %d) is called free over [%d, %d): %+v, live %v", start, end, l.lo, l.hi, s, live)
				}
			}
			s.add(start, end)
			live = append(live, interval{start, end})
			if s.live != len(live) || s.used(32) > 32 {
				t.Fatalf("%+v with %d live", s, len(live))
			}
		}
	})
}

// script is a fuzzer's input, read as numbers. At its end it gives zeros.
type script struct{ rest []byte }

func (s *script) byte() byte {
	if len(s.rest) == 0 {
		return 0
	}
	b := s.rest[0]
	s.rest = s.rest[1:]
	return b
}

// word is a small number, one near a limit, or any.
func (s *script) word() uint64 {
	switch b := s.byte(); {
	case b < 0xe0:
		return uint64(b)
	case b < 0xf0:
		n := uint64(s.byte()) | uint64(s.byte())<<8
		return n << (4 * (b & 3)) // offsets and lengths
	case b < 0xf8:
		return uint64(1) << (s.byte() % 64)
	case b < 0xfc:
		return -uint64(s.byte())
	}
	var raw [8]byte
	for i := range raw {
		raw[i] = s.byte()
	}
	return binary.LittleEndian.Uint64(raw[:])
}

// duel is a victim, all of whose calls may be made at any time, and a peer that
// writes what the script says. Nothing in it waits.
type duel struct {
	t       *testing.T
	script  script
	victim  *Channel
	regions []*region // the peer's
	held    []Frame
	open    []Reservation
	reader  *Reader
	writer  *Writer
	buf     []byte
	sent    uint64
}

// forge writes one word of a region, most often one that is looked at.
func (d *duel) forge() {
	r := d.regions[int(d.script.byte())%len(d.regions)]
	slots := int(d.victim.lanes[0].consumer.ring.geo.slotsOff)
	off := 0
	switch kind := d.script.byte(); {
	case kind < 0x40:
		off = []int{laneBase(0) + offHead, laneBase(0) + offTail, offEpoch, laneBase(0) + offReaderParked, laneBase(0) + offWriterParked}[int(kind)%5]
	case kind < 0xf0:
		off = slots + int(kind)%32*8
	default:
		off = (int(d.script.byte()) | int(d.script.byte())<<8) &^ 7
	}
	wordAt(r.mem, off).Store(d.script.word())
}

// frame writes a whole descriptor with the sequence that is due, and shows it:
// most peers that get far behave well most of the time.
func (d *duel) frame() {
	r := d.regions[len(d.regions)-1]
	ring := d.victim.lanes[0].consumer.ring
	if ring.pair.in != r {
		r = d.regions[0]
	}
	d.sent = max(d.sent, ring.head)
	if ring.head == 0 && d.sent > uint64(len(ring.slots)) {
		d.sent = 0 // a new epoch
	}
	f := flags(d.script.byte() & 0x1f)
	offset, length := d.script.word(), d.script.word()
	if d.script.byte()&1 == 0 {
		offset = align(offset)
	}
	ownSlots(r.mem, ring.geo)[d.sent%uint64(len(ring.slots))].set(offset, length, packHeader(Header{}, f), d.sent+1)
	d.sent++
	wordAt(r.mem, laneBase(0)+offHead).Store(d.sent)
}

func (d *duel) check(err error) {
	var v *ViolationError
	switch {
	case err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrShortWrite) || errors.Is(err, io.ErrUnexpectedEOF):
	case errors.As(err, &v):
		if d.victim.Err() == nil {
			d.t.Fatalf("the channel lives on after %v", err)
		}
	default:
		for _, known := range []error{expired().Err(), ErrTimeout, ErrClosed, ErrPeerClosed, ErrAborted, ErrConcurrentUse, ErrTooLarge, ErrReplacing, ErrReleased, ErrCommitted, ErrAbandoned} {
			if errors.Is(err, known) {
				return
			}
		}
		d.t.Fatalf("untyped error %v", err)
	}
}

// borrowed checks that a frame lies in its data area, clear of the others.
func (d *duel) borrowed(f Frame) {
	if f.Len() > len(f.ring.data)/2 || f.Offset()+int64(f.Len()) > f.Total() || f.Total() > max(f.ring.geo.maxMessage, int64(len(f.ring.data)/2)) {
		d.t.Fatalf("%d bytes at %d of %d", f.Len(), f.Offset(), f.Total())
	}
	at := func(f Frame) (lo, hi uintptr) {
		lo = uintptr(unsafe.Pointer(unsafe.SliceData(f.data)))
		return lo, lo + uintptr(len(f.data))
	}
	lo, hi := at(f)
	base := uintptr(unsafe.Pointer(unsafe.SliceData(f.ring.data)))
	if f.Len() > 0 && (lo < base || hi > base+uintptr(len(f.ring.data))) {
		d.t.Fatal("outside the data area")
	}
	for _, h := range d.held {
		if a, b := at(h); h.ring == f.ring && lo < b && a < hi {
			d.t.Fatalf("frames %d and %d overlap", h.seq, f.seq)
		}
	}
	d.held = append(d.held, f)
	if live := slices.DeleteFunc(slices.Clone(d.held), func(h Frame) bool { return h.ring != f.ring }); len(live) > len(f.ring.slots) {
		d.t.Fatalf("%d frames borrowed of %d slots", len(live), len(f.ring.slots))
	}
}

func (d *duel) receive(how byte) {
	c := d.victim.Lane(0).Consumer()
	switch how % 4 {
	case 0:
		f, err := c.Peek(expired())
		if d.check(err); err == nil {
			d.borrowed(f)
		}
	case 1:
		var err error
		if _, d.buf, err = c.Recv(expired(), d.buf); err == nil && int64(len(d.buf)) > c.ring.geo.maxMessage {
			d.t.Fatalf("a message of %d bytes", len(d.buf))
		}
		d.check(err)
	case 2:
		if d.reader == nil {
			var err error
			d.reader, err = c.Reader(expired())
			d.check(err)
			return
		}
		_, err := d.reader.Read(make([]byte, 100))
		if d.check(err); err != nil {
			d.check(d.reader.Close())
			d.reader = nil
		}
	case 3:
		if len(d.held) > 0 {
			i := int(d.script.byte()) % len(d.held)
			d.check(d.held[i].Release())
			d.held = slices.Delete(d.held, i, i+1)
		}
	}
}

func (d *duel) produce(how byte) {
	p := d.victim.Lane(0).Producer()
	switch n := int(how>>3) * 1000; how % 8 {
	case 0, 1:
		d.check(p.Send(expired(), Header{}, make([]byte, n)))
	case 2:
		d.check(p.Send(expired(), Header{}, make([]byte, MinData)))
	case 3, 4:
		r, err := p.Reserve(expired(), n)
		if d.check(err); err == nil {
			copy(r.Bytes(), "x")
			d.open = append(d.open, r)
		}
	case 5, 6:
		if len(d.open) == 0 {
			return
		}
		r := d.open[0]
		d.open = d.open[1:]
		if how%8 == 5 {
			d.check(r.Commit(Header{}))
		} else {
			d.check(r.Abandon())
		}
	case 7:
		if d.writer == nil {
			var err error
			d.writer, err = p.Writer(expired(), Header{}, int64(n))
			d.check(err)
			return
		}
		if _, err := d.writer.Write(make([]byte, n)); err != nil || n == 0 {
			d.check(err)
			d.check(d.writer.Close())
			d.writer = nil
		}
	}
}

func (d *duel) observe(how byte) {
	switch how % 4 {
	case 0:
		for _, l := range d.victim.Ledger() {
			if l.Offset+l.Length > uint64(MinData) && l.Length > 0 && l.Offset > uint64(4*MinData) {
				d.t.Fatalf("ledger %+v", l)
			}
		}
	case 1:
		s := d.victim.Stats()
		if in := s.Lanes[0].Inbound; in.Used > in.Size || in.Live > in.Slots {
			d.t.Fatalf("stats %+v", in)
		}
	case 2:
		o, err := d.victim.Prepare(smallConfig())
		if d.check(err); err == nil {
			d.regions = append(d.regions, o.pair.out)
		}
	case 3:
		if how > 0xf0 {
			_ = d.victim.Close()
		}
	}
}

// finish ends what is open and sees that all memory was let go of.
func (d *duel) finish(first *pair) {
	_ = d.victim.Close()
	for _, f := range d.held {
		d.check(f.Release())
	}
	for _, r := range d.open {
		_ = r.Abandon()
	}
	if d.reader != nil {
		_ = d.reader.Close()
	}
	if d.writer != nil {
		_ = d.writer.Close()
	}
	if n := first.refs.Load(); n != 0 {
		d.t.Fatalf("%d ring ends hold the memory", n)
	}
	if n := d.victim.pair.refs.Load(); n != 0 {
		d.t.Fatalf("%d ring ends hold the new memory", n)
	}
}

// FuzzPeer is a peer that writes whatever it likes between any two of our calls.
// No call may panic, wait, give a frame outside the data area or over another
// one, or keep memory once the channel has ended.
func FuzzPeer(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0xf5, 62, 2, 0})                               // head 2^62
	f.Add([]byte{2, 0, 0, 0, 1, 0xf5, 62, 2, 0})                         // tail 2^62
	f.Add([]byte{1, 0, 0, 0xf4, 28, 0, 3, 0})                            // length 2^28
	f.Add([]byte{1, 1, 1, 0xf1, 3, 0, 0, 1, 2, 0, 64, 0, 3, 1, 3, 0})    // prologue, fragment
	f.Add([]byte{4, 2, 1, 8, 0, 0, 0, 3, 0, 2, 0, 3, 3, 1, 0, 64, 0, 3}) // switch
	f.Fuzz(func(t *testing.T, program []byte) {
		config := smallConfig()
		if len(program) > 0 && program[0]&0x80 != 0 {
			config.Limits.Messages = 5
		}
		a, b, err := Pipe(config)
		must(t, err)
		first := a.pair
		d := &duel{t: t, script: script{rest: program}, victim: a, regions: []*region{b.pair.out}}
		for range 400 {
			if len(d.script.rest) == 0 {
				break
			}
			switch d.script.byte() & 7 {
			case 0:
				d.forge()
			case 1, 5:
				d.frame()
			case 2:
				d.produce(d.script.byte())
			case 3, 6, 7:
				d.receive(d.script.byte())
			case 4:
				d.observe(d.script.byte())
			}
		}
		d.finish(first)
		_ = b.Close()
	})
}
