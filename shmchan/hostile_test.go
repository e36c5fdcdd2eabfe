package shmchan

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"
)

// forger is a peer that writes what it likes into its own region.
type forger struct {
	region *region
	geo    *ringGeometry
	pair   *pair
}

func (f *forger) slot(index int, offset, length, header, seq uint64) {
	ownSlots(f.region.mem, f.geo)[index].set(offset, length, header, seq)
}
func (f *forger) head(n uint64) { f.region.counter(0, offHead).Store(n) }
func (f *forger) tail(n uint64) { f.region.counter(0, offTail).Store(n) }

// Each row is a peer that breaks one rule. The victim is the creator; the
// forger writes the attacher's region behind the back of its channel.
func TestViolations(t *testing.T) {
	send := func(t *testing.T, a *Channel) error { // fills the ring until it must look at the tail
		for {
			if err := a.Lane(0).Producer().Send(context.Background(), Header{}, make([]byte, 5000)); err != nil {
				return err
			}
		}
	}
	recv := func(t *testing.T, a *Channel) error {
		var held []Frame
		for {
			f, err := a.Lane(0).Consumer().Peek(within(t, 10*time.Second))
			if err != nil {
				return err
			}
			held = append(held, f) // never released: what is live stays live
		}
	}
	assemble := func(t *testing.T, a *Channel) error {
		_, _, err := a.Lane(0).Consumer().Recv(within(t, 10*time.Second), nil)
		return err
	}
	flag := func(f flags) uint64 { return packHeader(Header{}, f) }
	tests := []struct {
		name  string
		what  string // in ViolationError.What
		forge func(f *forger)
		do    func(*testing.T, *Channel) error
	}{
		{"head beyond the slots", "head", func(f *forger) { f.head(9) }, recv},
		{"head at 2^62", "head", func(f *forger) { f.head(1 << 62) }, recv},
		{"head steps back", "head", func(f *forger) {
			f.slot(0, 0, 0, 0, 1)
			f.slot(1, 0, 0, 0, 2)
			f.slot(2, 0, 0, 0, 99)
			f.head(3)
		}, func(t *testing.T, a *Channel) error {
			c := a.Lane(0).Consumer()
			for range 2 {
				if _, err := c.Peek(context.Background()); err != nil {
					return err
				}
			}
			f := &forger{region: a.pair.in}
			f.head(1)
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.ch.fail(c.ring.look())
		}},
		{"tail beyond the head", "tail", func(f *forger) { f.tail(1 << 20) }, send},
		{"tail at 2^62", "tail", func(f *forger) { f.tail(1 << 62) }, send},
		{"length 0xffffffff", "length", func(f *forger) { f.slot(0, 0, 0xffffffff, 0, 1); f.head(1) }, recv},
		{"length 2^64-1 at offset 64", "length", func(f *forger) { f.slot(0, 64, 1<<64-1, 0, 1); f.head(1) }, recv},
		{"start beyond the area", "offset", func(f *forger) { f.slot(0, MinData+64, 0, 0, 1); f.head(1) }, recv},
		{"end beyond the area", "offset", func(f *forger) { f.slot(0, MinData-64, 65, 0, 1); f.head(1) }, recv},
		{"offset 2^28", "offset", func(f *forger) { f.slot(0, 1<<28, 1, 0, 1); f.head(1) }, recv},
		{"offset not aligned", "alignment", func(f *forger) { f.slot(0, 8, 8, 0, 1); f.head(1) }, recv},
		{"over a borrowed frame", "over bytes", func(f *forger) { f.slot(0, 0, 128, 0, 1); f.slot(1, 64, 64, 0, 2); f.head(2) }, recv},
		{"the same frame twice", "over bytes", func(f *forger) { f.slot(0, 0, 128, 0, 1); f.slot(1, 0, 128, 0, 2); f.head(2) }, recv},
		{"wrapped onto a borrowed frame", "over bytes", func(f *forger) {
			f.slot(0, 64, 128, 0, 1)
			f.slot(1, MinData-64, 64, 0, 2)
			f.slot(2, 0, 65, 0, 3)
			f.head(3)
		}, recv},
		{"sequence gap", "sequence", func(f *forger) { f.slot(0, 0, 0, 0, 2); f.head(1) }, recv},
		{"sequence of an unwritten slot", "sequence", func(f *forger) { f.head(1) }, recv},
		{"sequence again", "sequence", func(f *forger) { f.slot(0, 0, 0, 0, 1); f.slot(1, 0, 0, 0, 1); f.head(2) }, recv},
		{"reserved bits", "reserved", func(f *forger) { f.slot(0, 0, 0, 1<<16, 1); f.head(1) }, recv},
		{"unknown flag", "flags", func(f *forger) { f.slot(0, 0, 0, 0x8000, 1); f.head(1) }, recv},
		{"two flags", "flags", func(f *forger) { f.slot(0, 0, 0, flag(flagTotal|flagMore), 1); f.head(1) }, recv},
		{"declared total beyond the cap", "declared total", func(f *forger) { f.slot(0, 1<<20+1, 0, flag(flagTotal), 1); f.head(1) }, assemble},
		{"declared total 2^63", "declared total", func(f *forger) { f.slot(0, 1<<63, 0, flag(flagTotal), 1); f.head(1) }, assemble},
		{"declared total 0", "declared total", func(f *forger) { f.slot(0, 0, 0, flag(flagTotal), 1); f.head(1) }, assemble},
		{"prologue with bytes", "length", func(f *forger) { f.slot(0, 100, 1, flag(flagTotal), 1); f.head(1) }, assemble},
		{"prologue in a message", "middle", func(f *forger) {
			f.slot(0, 100, 0, flag(flagTotal), 1)
			f.slot(1, 100, 0, flag(flagTotal), 2)
			f.head(2)
		}, assemble},
		{"fragment without a prologue", "not begun", func(f *forger) { f.slot(0, 0, 64, flag(flagMore), 1); f.head(1) }, assemble},
		{"abort without a prologue", "not begun", func(f *forger) { f.slot(0, 0, 0, flag(flagAbort), 1); f.head(1) }, assemble},
		{"fragment longer than the rest", "fragment", func(f *forger) {
			f.slot(0, 100, 0, flag(flagTotal), 1)
			f.slot(1, 0, 101, flag(flagMore), 2)
			f.head(2)
		}, assemble},
		{"message shorter than declared", "fragment", func(f *forger) {
			f.slot(0, 100, 0, flag(flagTotal), 1)
			f.slot(1, 0, 99, 0, 2)
			f.head(2)
		}, assemble},
		{"message that never ends", "bring the message on", func(f *forger) {
			f.slot(0, 100, 0, flag(flagTotal), 1)
			f.slot(1, 0, 0, flag(flagMore), 2)
			f.head(2)
		}, assemble},
		{"fragment of another message", "header", func(f *forger) {
			f.slot(0, 100, 0, flag(flagTotal), 1)
			f.slot(1, 0, 50, packHeader(Header{Call: 9}, flagMore), 2)
			f.head(2)
		}, assemble},
		{"switch that was not prepared", "switch", func(f *forger) { f.slot(0, 0, 0, flag(flagSwitch), 1); f.head(1) }, recv},
		{"epoch changes", "epoch", func(f *forger) {
			wordAt(f.region.mem, offEpoch).Store(7)
			f.slot(0, 0, 0, 0, 1)
			f.head(1)
		}, recv},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := newPipe(t, smallConfig())
			tt.forge(&forger{region: b.pair.out, geo: &b.pair.outRings()[0], pair: b.pair})
			err := tt.do(t, a)
			var v *ViolationError
			if !errors.As(err, &v) || !errors.Is(err, ErrViolation) || !bytes.Contains([]byte(v.What), []byte(tt.what)) {
				t.Fatalf("got %v (want a violation of %q)", err, tt.what)
			}
			if <-a.Done(); a.Err() != err {
				t.Fatalf("the channel ended with %v", a.Err())
			}
		})
	}
}

// A header that lies is refused before a channel exists.
func TestHeaderLies(t *testing.T) {
	tests := []struct {
		name  string
		off   int
		value uint64
	}{
		{"magic", offMagic, 1}, {"version", offVersion, 2}, {"page size", offPageSize, 1}, {"epoch 0", offEpoch, 0},
		{"lanes", offLanes, 1 << 40}, {"size", offSize, 1 << 62}, {"role", offRole, 2},
		{"slots 0", laneBase(0) + offSlots, 0}, {"slots 2^28", laneBase(0) + offSlots, 1 << 28}, {"data", laneBase(0) + offData, 1 << 62},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config := smallConfig()
			g, err := config.geometry()
			must(t, err)
			a, _ := pipePairs(g, 1)
			if _, err := verify(a.out, a.in, g, true); err != nil {
				t.Fatal(err)
			}
			wordAt(a.out.mem, tt.off).Store(tt.value)
			if _, err := verify(a.out, a.in, g, true); !errors.Is(err, ErrViolation) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func FuzzDescriptor(f *testing.F) {
	f.Add(uint64(0), uint64(0), uint64(0), uint64(1))
	f.Add(uint64(0), uint64(0xffffffff), uint64(0), uint64(1))
	f.Add(uint64(1<<62), uint64(1), uint64(0x0100), uint64(1))
	f.Add(^uint64(0)-63, uint64(64), uint64(0), uint64(1))
	g := ringGeometry{slots: 8, data: MinData, maxMessage: 1 << 20}
	area := make([]byte, g.data)
	f.Fuzz(func(t *testing.T, offset, length, header, seq uint64) {
		var fr frame
		err := fr.check(offset, length, header, seq, 1, &g)
		if err != nil {
			if !errors.Is(err, ErrViolation) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		if fr.data() {
			_ = area[fr.offset : fr.offset+fr.length]
		} else if fr.length != 0 || fr.total > uint64(g.maxMessage) {
			t.Fatalf("accepted %+v", fr)
		}
	})
}
