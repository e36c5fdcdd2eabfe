package shmchan

import (
	"encoding/binary"
	"errors"
	"testing"
)

func FuzzDescriptor(f *testing.F) {
	g := ringGeometry{slots: 8, data: MinData, maxMessage: 1 << 20}
	f.Fuzz(func(t *testing.T, offset, length, header, seq uint64) {
		var fr frame
		err := fr.check(offset, length, header, seq, 1, &g)
		if err != nil {
			if !errors.Is(err, ErrViolation) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		if seq != 1 || fr.offset > MinData || fr.length > MinData-fr.offset || fr.length > MinData/2 || fr.offset%dataAlign != 0 {
			t.Fatalf("accepted %+v", fr)
		}
		if !fr.data() && (fr.length != 0 || fr.total > uint64(g.maxMessage)) {
			t.Fatalf("accepted %+v", fr)
		}
	})
}

// FuzzRing plays a peer that publishes whatever it likes, a descriptor of 32
// bytes at a time: the reader gets messages within the area and within what
// they declared, or a typed error, and borrowed frames never overlap.
func FuzzRing(f *testing.F) {
	f.Fuzz(func(t *testing.T, script []byte) {
		config := hastyConfig()
		a, b, err := Pipe(config)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		defer b.Close()
		peer := &forger{region: b.pair.out, geo: &b.pair.outRings()[0]}
		c := a.Lane(0).Consumer()
		var held []Frame
		for n := 0; len(script) >= slotSize && n < 64; n++ {
			word := func(i int) uint64 { return binary.LittleEndian.Uint64(script[8*i:]) }
			peer.slot(n%8, word(0), word(1), word(2), word(3))
			peer.head(uint64(n + 1))
			script = script[slotSize:]
			fr, err := c.Peek(expired())
			if err != nil {
				if a.Err() != nil && !errors.Is(a.Err(), ErrViolation) {
					t.Fatalf("ended with %v", a.Err())
				}
				continue
			}
			if fr.Len() > MinData/2 || fr.Offset()+int64(fr.Len()) > fr.Total() || fr.Total() > max(int64(fr.Len()), config.Lanes[0].Inbound.MaxMessage) {
				t.Fatalf("offset %d, %d bytes, total %d", fr.Offset(), fr.Len(), fr.Total())
			}
			for i := range held {
				if overlap(held[i].Bytes(), fr.Bytes()) {
					t.Fatalf("frame %d lies over frame %d", fr.Sequence(), held[i].Sequence())
				}
			}
			if held = append(held, fr); len(held) > 4 {
				must(t, held[0].Release())
				held = held[1:]
			}
		}
	})
}

// overlap compares places by what is written there: the heap of a Pipe is
// writable from both sides.
func overlap(a, b []byte) bool {
	if len(a) == 0 || len(b) == 0 {
		return false
	}
	clear(a)
	for i := range b {
		b[i] = 1
	}
	for _, v := range a {
		if v != 0 {
			return true
		}
	}
	return false
}
