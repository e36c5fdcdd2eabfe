package launch

import (
	"bytes"
	"context"
	"io"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/ringfence/ringfence/pluginkit/wire"
)

// flooded serves one connection by the rules until a call comes, and writes the
// same bytes over and over from then on. It returns how many have been taken.
func flooded(t *testing.T, flood []byte) (net.Conn, *atomic.Int64) {
	t.Helper()
	listener, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	var taken atomic.Int64
	go func() {
		defer listener.Close()
		c, err := listener.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		f := http2.NewFramer(c, c)
		if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil || f.WriteSettings() != nil {
			return
		}
		for called := false; !called; {
			frame, err := f.ReadFrame()
			if err != nil {
				return
			}
			if s, ok := frame.(*http2.SettingsFrame); ok && !s.IsAck() {
				err = f.WriteSettingsAck()
			}
			if _, called = frame.(*http2.HeadersFrame); err != nil {
				return
			}
		}
		go io.Copy(io.Discard, c)
		for err == nil {
			var n int
			n, err = c.Write(flood)
			taken.Add(int64(n))
		}
	}()
	conn, err := net.Dial("unix", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return conn, &taken
}

func headerBlock(t *testing.T, size int) []byte {
	t.Helper()
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for _, h := range []hpack.HeaderField{{Name: ":status", Value: "200"}, {Name: "content-type", Value: "application/grpc"}, {Name: "x", Value: string(make([]byte, size))}} {
		if err := e.WriteField(h); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// A flood of frames that belong to no call is taken no faster than metered says,
// and what the host is asked for meanwhile still ends in time.
func TestAFloodOfFramesIsTakenSlowly(t *testing.T) {
	small, large := headerBlock(t, 0), headerBlock(t, 6<<10)
	for name, frame := range map[string]func(*http2.Framer) error{
		"pings":           func(f *http2.Framer) error { return f.WritePing(false, [8]byte{}) },
		"settings":        func(f *http2.Framer) error { return f.WriteSettings() },
		"window updates":  func(f *http2.Framer) error { return f.WriteWindowUpdate(0, 1) },
		"resets":          func(f *http2.Framer) error { return f.WriteRSTStream(99, http2.ErrCodeNo) },
		"priorities":      func(f *http2.Framer) error { return f.WritePriority(1, http2.PriorityParam{StreamDep: 5}) },
		"nothing":         func(f *http2.Framer) error { return f.WriteData(1, false, nil) },
		"an unknown kind": func(f *http2.Framer) error { return f.WriteRawFrame(77, 0, 0, nil) },
		"headers of no stream": func(f *http2.Framer) error {
			return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 99, BlockFragment: small, EndHeaders: true})
		},
		"long headers": func(f *http2.Framer) error {
			return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 99, BlockFragment: large, EndHeaders: true})
		},
	} {
		t.Run(name, func(t *testing.T) {
			var flood bytes.Buffer
			for f := http2.NewFramer(&flood, nil); flood.Len() < 64<<10; {
				if err := frame(f); err != nil {
					t.Fatal(err)
				}
			}
			per := new(metered).count(flood.Bytes())
			sock, taken := flooded(t, flood.Bytes())
			conn, err := dial(sock)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 800*time.Millisecond)
			defer cancel()
			began := time.Now()
			_, err = wire.NewSandboxClient(conn).Negotiate(ctx, &wire.Offer{})
			took := time.Since(began)
			if err == nil || took > 2*time.Second {
				t.Errorf("after %s: %v", took, err)
			}
			frames := taken.Load() / int64(flood.Len()) * int64(per)
			const buffered = 64 << 10 // frames that the kernel holds
			if most := int64(framesBurst + took.Seconds()*framesPerSec*1.1 + buffered); frames > most {
				t.Errorf("%d frames were taken in %s (maximum %d)", frames, took, most)
			}
		})
	}
}

func TestFramesAreCountedHoweverTheyArrive(t *testing.T) {
	var b bytes.Buffer
	f := http2.NewFramer(&b, nil)
	for _, err := range []error{
		f.WriteSettings(), f.WritePing(true, [8]byte{}), // 1 each
		f.WriteData(1, false, make([]byte, 16<<10)), f.WriteData(1, false, make([]byte, paidFor)), // 0
		f.WriteData(1, true, []byte("x")), f.WriteData(1, true, nil), // 1 each
		f.WriteRawFrame(77, 0, 0, make([]byte, 10*costs)), // 11
		f.WriteGoAway(0, http2.ErrCodeNo, nil),            // 1
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	const want = 16
	for _, piece := range []int{1, 2, 8, 9, 10, 17, 1000, b.Len()} {
		m, got := newMetered(nil), 0
		for rest := b.Bytes(); len(rest) > 0; {
			n := min(piece, len(rest))
			got += m.count(rest[:n])
			rest = rest[n:]
		}
		if got != want || m.left != 0 || len(m.header) != 0 {
			t.Errorf("in pieces of %d: %d frames, want %d", piece, got, want)
		}
	}
}
