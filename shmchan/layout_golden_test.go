package shmchan

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden file")

// The bytes are the contract with every other implementation: both files of a
// channel with two lanes, after each side has sent a message on the second one and
// released its peer's, and the creator has begun one in fragments.
func TestTheMemoryHasNotChanged(t *testing.T) {
	if os.Getpagesize() != 4096 {
		t.Skip("the golden file is for pages of 4096 bytes, as the header says")
	}
	config := Config{Epoch: 7, Lanes: []LaneConfig{
		{Outbound: RingConfig{Data: MinData, Slots: 4}, Inbound: RingConfig{Data: 2 * MinData, Slots: 8}},
		{Outbound: RingConfig{Data: MinData, Slots: 16}, Inbound: RingConfig{Data: MinData, Slots: 8}},
	}}
	a, b := newPipe(t, config)
	ctx := within(t, 10*time.Second)
	for _, way := range []struct {
		from, to *Channel
		text     string
	}{{a, b, "arguments"}, {b, a, "result"}} {
		must(t, way.from.Lane(1).Producer().Send(ctx, Header{Kind: 3, Call: 0x01020304}, []byte(way.text)))
		_, _, err := way.to.Lane(1).Consumer().Recv(ctx, nil)
		must(t, err)
	}
	w, err := a.Lane(1).Producer().Writer(ctx, Header{Kind: 4, Call: 5}, 12)
	must(t, err)
	_, err = w.Write([]byte("in two"))
	must(t, err)
	r, err := b.Lane(1).Consumer().Reader(ctx)
	must(t, err)
	var got strings.Builder
	dump(&got, "creator", a.pair.out.mem)
	dump(&got, "attacher", b.pair.out.mem)
	must(t, r.Close())
	if *update {
		must(t, os.WriteFile("testdata/layout.golden", []byte(got.String()), 0o644))
	}
	want, err := os.ReadFile("testdata/layout.golden")
	must(t, err)
	if got.String() != string(want) {
		t.Errorf("the memory has changed, which breaks every other implementation:\n%s\nwant\n%s", &got, want)
	}
}

// dump writes the words that are not zero.
func dump(to *strings.Builder, file string, mem []byte) {
	fmt.Fprintf(to, "%s: %d bytes\n", file, len(mem))
	for at := 0; at < len(mem); at += 8 {
		if word := mem[at : at+8]; !bytes.Equal(word, make([]byte, 8)) {
			fmt.Fprintf(to, "%6x  % x\n", at, word)
		}
	}
}
