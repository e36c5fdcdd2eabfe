package broker

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"

	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/wire"
)

// sized serves as many bytes as the path says: the low byte of the offset.
func sized(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.URL.Path[1:])
	_, _ = w.Write(pattern(0, n))
}

func pattern(from, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte((from + i) * 7 >> 3)
	}
	return b
}

func TestBodiesAreReadAtAnyOffset(t *testing.T) {
	srv := serve(t, sized)
	k := newKit(t, allow(srv.URL, ""))
	for _, size := range []int{0, 1, 1000, spoolMemory, spoolMemory + 1, 5<<20 + 3} {
		r := k.get(srv.URL + "/" + strconv.Itoa(size))
		want(t, r, wire.Code_CODE_OK, "")
		h := r.GetHandle()
		if !r.GetUnsized() && r.GetBodyBytes() != uint64(size) || h == 0 || h > math.MaxInt64 {
			t.Fatalf("%d bytes: body_bytes %d, handle %d", size, r.GetBodyBytes(), h)
		}
		for _, off := range []int{size - 1, size / 2, 0, size / 3} {
			if off < 0 {
				continue
			}
			n := min(pluginkit.MaxPiece, size-off)
			if got := k.read(h, uint64(off), pluginkit.MaxPiece); got.GetCode() != wire.Code_CODE_OK || !bytes.Equal(got.GetData(), pattern(off, n)) {
				t.Errorf("%d bytes, offset %d: %v, %d bytes", size, off, got.GetCode(), len(got.GetData()))
			}
		}
		if got := k.read(h, uint64(size), 10); got.GetCode() != wire.Code_CODE_OK || len(got.GetData()) > 0 {
			t.Errorf("%d bytes, at the end: %v", size, got)
		}
		for _, off := range []uint64{uint64(size) + 1, math.MaxInt64, math.MaxUint64} {
			want(t, k.read(h, off, 10), wire.Code_CODE_INVALID, fmt.Sprintf("a read at %d of %d bytes", off, size))
		}
		if got := k.read(h, 0, 1); got.GetBodyBytes() != uint64(size) {
			t.Errorf("%d bytes: at the end they are %d", size, got.GetBodyBytes())
		}
		want(t, k.read(h, 0, pluginkit.MaxPiece+1), wire.Code_CODE_INVALID, "1048577 bytes (maximum 1048576)")
		want(t, k.close(h), wire.Code_CODE_OK, "")
		want(t, k.read(h, 0, 1), wire.Code_CODE_NOT_FOUND, "")
		want(t, k.close(h), wire.Code_CODE_NOT_FOUND, "")
	}
}

func TestForeignAndGuessedHandlesAreRefused(t *testing.T) {
	srv := serve(t, sized)
	k := newKit(t, allow(srv.URL, ""))
	mine := k.get(srv.URL + "/5").GetHandle()
	other := k.b.Call(context.Background(), "call-2")
	defer other.Close()
	for _, h := range []uint64{mine} {
		r := other.Handle(context.Background(), &wire.CapabilityRequest{Op: &wire.CapabilityRequest_BodyRead{BodyRead: &wire.BodyRead{Handle: h, Length: 5}}})
		want(t, r, wire.Code_CODE_NOT_FOUND, "")
		r = other.Handle(context.Background(), &wire.CapabilityRequest{Op: &wire.CapabilityRequest_BodyClose{BodyClose: &wire.BodyClose{Handle: h}}})
		want(t, r, wire.Code_CODE_NOT_FOUND, "")
	}
	for _, h := range []uint64{0, 1, mine + 1, mine - 1, mine | 1<<63, math.MaxUint64} {
		want(t, k.read(h, 0, 5), wire.Code_CODE_NOT_FOUND, "")
	}
	if got := k.read(mine, 0, 5); len(got.GetData()) != 5 {
		t.Errorf("the handle's owner got %v", got)
	}
}

func TestOpenHandlesAreBounded(t *testing.T) {
	hits := 0
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) { hits++; sized(w, r) })
	k := newKit(t, allow(srv.URL, ""))
	var last uint64
	for range 16 {
		r := k.get(srv.URL + "/5")
		want(t, r, wire.Code_CODE_OK, "")
		last = r.GetHandle()
	}
	want(t, k.get(srv.URL+"/5"), wire.Code_CODE_LIMIT, "16 responses are open (maximum 16)")
	if hits != 16 {
		t.Errorf("%d requests were sent", hits)
	}
	k.close(last)
	want(t, k.get(srv.URL+"/5"), wire.Code_CODE_OK, "")
}

func TestBodiesOfAPluginShareABoundedQuota(t *testing.T) {
	srv := serve(t, sized)
	k := newKit(t, allow(srv.URL, ""), func(c *Config) { c.Limits = Limits{Memory: 1 << 20, Disk: 5 << 20} })
	one := k.get(srv.URL + "/1000000")
	two := k.get(srv.URL + "/1000000") // no memory left: on disk
	want(t, k.whole(one), wire.Code_CODE_OK, "")
	want(t, k.whole(two), wire.Code_CODE_OK, "")
	three := k.get(srv.URL + "/4900000")
	want(t, k.whole(three), wire.Code_CODE_LIMIT, "more than 5242880 bytes")
	k.close(three.GetHandle())
	if got := k.read(two.GetHandle(), 7, 100); !bytes.Equal(got.GetData(), pattern(7, 100)) {
		t.Error("the second body is damaged")
	}
	k.close(two.GetHandle())
	want(t, k.whole(k.get(srv.URL+"/4900000")), wire.Code_CODE_OK, "")
}

// What a server sent must not be found in a file after the host has died.
func TestSpooledBodiesHaveNoName(t *testing.T) {
	srv := serve(t, sized)
	dir := t.TempDir()
	k := newKit(t, allow(srv.URL, ""), func(c *Config) { c.RunDir = dir })
	want(t, k.whole(k.get(srv.URL+"/3000000")), wire.Code_CODE_OK, "")
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("files %v, %v", entries, err)
	}
	f, err := removedFile(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Errorf("files %v", entries)
	}
}

func TestARunFolderThatIsGoneFailsTheRequest(t *testing.T) {
	srv := serve(t, sized)
	k := newKit(t, allow(srv.URL, ""), func(c *Config) { c.RunDir = "/nonexistent/run" })
	r := k.whole(k.get(srv.URL + "/3000000"))
	if r.GetCode() == wire.Code_CODE_OK || bytes.Contains([]byte(r.GetMessage()), []byte("nonexistent")) {
		t.Errorf("got %v", r)
	}
}

func TestRequestsAtOnceAreBounded(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		<-leave
		_, _ = io.WriteString(w, "done")
	})
	k := newKit(t, allow(srv.URL, ""), func(c *Config) { c.Limits = Limits{Concurrent: 2, PluginConcurrent: 3} })
	var wg sync.WaitGroup
	replies := make(chan *wire.CapabilityReply, 4)
	request := func(s *Session) {
		wg.Go(func() {
			replies <- s.Handle(context.Background(), &wire.CapabilityRequest{Op: &wire.CapabilityRequest_Http{Http: &wire.HttpRequest{Method: "GET", Url: srv.URL + "/"}}})
		})
	}
	request(k.s)
	request(k.s)
	<-entered
	<-entered
	want(t, k.get(srv.URL+"/"), wire.Code_CODE_LIMIT, "3 requests at once in one call (maximum 2)")
	other := k.b.Call(context.Background(), "call-2")
	defer other.Close()
	request(other)
	<-entered
	request(other) // waits for one of the plugin's three slots
	select {
	case <-entered:
		t.Error("four requests of one plugin run at once")
	case r := <-replies:
		t.Errorf("a reply came: %v", r)
	default:
	}
	leave <- struct{}{}
	<-entered // the one that waited
	close(leave)
	wg.Wait()
	for range 4 {
		want(t, <-replies, wire.Code_CODE_OK, "")
	}
}

func TestAClosedSessionAnswers(t *testing.T) {
	k := newKit(t, allow("https://h.example", ""))
	k.s.Close()
	k.s.Close()
	want(t, k.get("https://h.example/"), wire.Code_CODE_CANCELED, "the call has ended")
	want(t, k.read(1, 0, 1), wire.Code_CODE_CANCELED, "")
}

// Everything at once, for the race detector: requests, reads, closes, denials,
// and the end of the session in the middle of it.
func TestHammerASession(t *testing.T) {
	srv := serve(t, sized)
	k := newKit(t, allow(srv.URL, credentialBlock), func(c *Config) { c.Limits.Concurrent = 8 })
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 30 {
				if i == 7 && j == 29 {
					k.s.Close()
				}
				r := k.get(srv.URL + "/" + strconv.Itoa(j*60_000))
				if r.GetCode() == wire.Code_CODE_OK {
					k.read(r.GetHandle(), 5, 1000)
					if i%2 == 0 {
						k.close(r.GetHandle())
					}
				}
				k.exists("nothing")
				_ = k.s.Denials()
			}
		})
	}
	wg.Wait()
}
