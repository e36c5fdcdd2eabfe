package shmchan

import (
	"bytes"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// Whoever maps an area a second time sees the bytes of a frame at its place, and
// none of the control page or the descriptors.
func TestPlacesAreWhereTheBytesLie(t *testing.T) {
	config := Config{Lanes: []LaneConfig{
		{Outbound: RingConfig{Data: 64 << 10}, Inbound: RingConfig{Data: 192 << 10}},
		{Outbound: RingConfig{Data: 128 << 10}, Inbound: RingConfig{Data: 64 << 10}},
	}}
	offer, err := Create(config)
	if err != nil {
		t.Fatal(err)
	}
	defer offer.Close()
	host := offer.Channel()
	defer host.Close()
	files := [2]*os.File{offer.Files()[0], offer.Files()[1]}
	peer, err := Attach(files, config)
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	for lane := range config.Lanes {
		for _, way := range []struct {
			from, to *Channel
			file     *os.File
		}{{host, peer, files[0]}, {peer, host, files[1]}} {
			out, in := way.from.Area(lane, true), way.to.Area(lane, false)
			if out != in || out.Epoch != 1 {
				t.Fatalf("lane %d: %+v here, %+v there", lane, out, in)
			}
			mapped, err := unix.Mmap(int(way.file.Fd()), out.Offset, int(out.Size), unix.PROT_READ, unix.MAP_SHARED)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 3 {
				text := bytes.Repeat([]byte{byte('a' + i)}, 1000)
				r, err := way.from.Lane(lane).Producer().Reserve(t.Context(), len(text))
				if err != nil {
					t.Fatal(err)
				}
				copy(r.Bytes(), text)
				at, epoch := r.Place()
				if err := r.Commit(Header{}); err != nil {
					t.Fatal(err)
				}
				f, err := way.to.Lane(lane).Consumer().Peek(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if a, e := f.Place(); a != at || e != epoch || epoch != 1 || !bytes.Equal(mapped[at:at+int64(len(text))], text) {
					t.Errorf("lane %d: written at %d, read at %d", lane, at, a)
				}
				if i == 2 {
					f.Release()
				}
			}
			if err := unix.Munmap(mapped); err != nil {
				t.Fatal(err)
			}
		}
	}
}
