package shmchan

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestFillLevels(t *testing.T) {
	for _, c := range []struct {
		name string
		used []int64 // of 1000
		want []int
	}{
		{"up and down", []int64{0, 799, 800, 899, 900, 1000, 0}, []int{0, 0, 80, 80, 90, 90, 0}},
		{"hovering around 80", []int64{800, 799, 801, 701, 800}, []int{80, 80, 80, 80, 80}},
		{"falls ten points below", []int64{800, 700, 799}, []int{80, 0, 0}},
		{"from 90 to 80", []int64{900, 801, 800, 899, 900}, []int{90, 90, 80, 80, 90}},
		{"straight to 90 and to 0", []int64{950, 700}, []int{90, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var g fillGauge
			var got []int
			last := 0
			for i, u := range c.used {
				level, changed := g.observe(u, 1000, int64(i+1))
				if changed != (level != last) {
					t.Errorf("step %d: level %d after %d, changed = %v", i, level, last, changed)
				}
				last = level
				got = append(got, level)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("levels %v, want %v", got, c.want)
			}
		})
	}
}

// A peer that moves the fill by less than ten points makes at most two events.
func TestFillDoesNotFlap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var g fillGauge
		low := rapid.Int64Range(0, 900).Draw(t, "low")
		events := 0
		for i := range 100 {
			used := low + rapid.Int64Range(0, 99).Draw(t, "used")
			if _, changed := g.observe(used, 1000, int64(i+1)); changed {
				events++
			}
		}
		if events > 2 {
			t.Fatalf("%d events", events)
		}
	})
}

func TestFillSustained(t *testing.T) {
	const second = int64(time.Second)
	var g fillGauge
	for i, step := range []struct {
		used, at int64
		tell     bool
		level    int
		since    time.Duration
	}{
		{85, 1, true, 80, 0},
		{85, 1 + 5*second, false, 80, 5 * time.Second},
		{95, 10 * second, true, 90, 0},
		{81, 10*second + second/2, false, 90, time.Second / 2}, // within the hysteresis
		{95, 11 * second, true, 90, time.Second},
		{95, 12*second - 1, false, 90, 2*time.Second - 1},
		{95, 15 * second, true, 90, 5 * time.Second},
		{80, 16 * second, true, 80, 0},
		{95, 17 * second, true, 90, 0}, // the break starts the time anew
		{0, 18 * second, true, 0, 0},
	} {
		e := FillEvent{Used: step.used, Size: 100, Live: 1, Slots: 100}
		tell := g.gauge(&e, step.at)
		if tell != step.tell || e.Level != step.level || e.For != step.since {
			t.Errorf("step %d: told %v, %+v", i, tell, e)
		}
	}
}

// Both ends hear of a ring that fills up, and of its data area and of its slots
// alike; once when it rises, once when it falls, whatever happens between.
func TestOnFill(t *testing.T) {
	for _, tt := range []struct {
		name string
		size int // of a message
		n    int // messages that fill the ring beyond 90 percent
	}{
		{"data", MinData/6 - dataAlign, 6},
		{"slots", 1, 8},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b := newPipe(t, smallConfig())
			var sender, receiver []FillEvent
			b.config.OnFill = func(e FillEvent) { sender = append(sender, e) }
			a.config.OnFill = func(e FillEvent) { receiver = append(receiver, e) }
			p, c := b.Lane(0).Producer(), a.Lane(0).Consumer()
			for range tt.n {
				must(t, p.Send(t.Context(), Header{}, make([]byte, tt.size)))
			}
			var held []Frame
			for range tt.n {
				f, err := c.Peek(t.Context())
				must(t, err)
				held = append(held, f)
			}
			for _, f := range held {
				must(t, f.Release())
			}
			must(t, p.Send(t.Context(), Header{}, nil)) // sees that all is released
			for who, got := range map[string][]FillEvent{"sender": sender, "receiver": receiver} {
				var levels []int
				for _, e := range got {
					if e.Outbound != (who == "sender") || e.Lane != 0 || e.Size != MinData || e.Slots != 8 || e.Used > e.Size || e.Live > e.Slots {
						t.Errorf("%s: %+v", who, e)
					}
					if e.For == 0 { // no reminder, which a slow machine may get
						levels = append(levels, e.Level)
					}
				}
				if len(levels) < 2 || levels[len(levels)-1] != 0 || slices.Max(levels) != 90 || len(levels) > 4 {
					t.Errorf("%s: levels %v", who, levels)
				}
			}
		})
	}
}

// Whatever a peer writes into its descriptors and its head, the estimate stays
// within the ring.
func TestFillOfALiarIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, err := Pipe(smallConfig())
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		defer b.Close()
		f := &forger{region: b.pair.out, geo: &b.pair.outRings()[0]}
		word := rapid.OneOf(rapid.Uint64(), rapid.Uint64Range(0, MinData), rapid.SampledFrom([]uint64{0, 64, MinData - 64, MinData / 2, 1 << 63}))
		for i := range 8 {
			f.slot(i, word.Draw(t, "offset"), word.Draw(t, "length"), packHeader(Header{}, flags(rapid.SampledFrom([]uint8{0, 2}).Draw(t, "flags"))), uint64(i+1))
		}
		f.head(rapid.OneOf(rapid.Uint64(), rapid.Uint64Range(0, 9)).Draw(t, "head"))
		c := a.Lane(0).Consumer()
		for range 3 {
			if used, live := c.ring.fill(); used > MinData || live > 8 {
				t.Fatalf("%d bytes, %d slots", used, live)
			}
			if _, err := c.Peek(expired()); err != nil {
				return
			}
		}
	})
}
