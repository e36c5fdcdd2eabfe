package broker

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/ringfence/ringfence/pluginkit/wire"
)

// A server that tells what it knows bit by bit is read bit by bit: nothing waits for
// the end of its answer.
func TestBodiesComeAsTheyAreSent(t *testing.T) {
	next := make(chan string)
	srv := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_ = http.NewResponseController(w).Flush()
		for text := range next {
			_, _ = io.WriteString(w, text)
			_ = http.NewResponseController(w).Flush()
		}
	})
	k := newKit(t, allow(srv.URL, ""))
	r := k.get(srv.URL + "/") // before a byte of the body
	want(t, r, wire.Code_CODE_OK, "")
	if !r.GetUnsized() || r.GetStatus() != 200 {
		t.Errorf("%v", r)
	}
	offset := uint64(0)
	for _, text := range []string{"one", "and two"} {
		next <- text
		var got string
		for len(got) < len(text) {
			p := k.read(r.GetHandle(), offset, 1000)
			want(t, p, wire.Code_CODE_OK, "")
			got, offset = got+string(p.GetData()), offset+uint64(len(p.GetData()))
		}
		if got != text {
			t.Errorf("%q, want %q", got, text)
		}
	}
	close(next)
	if p := k.read(r.GetHandle(), offset, 1000); p.GetCode() != 0 || len(p.GetData()) != 0 || p.GetBodyBytes() != offset {
		t.Errorf("the end: %v", p)
	}
	if p := k.read(r.GetHandle(), 0, 3); string(p.GetData()) != "one" {
		t.Errorf("read again: %v", p)
	}
	if got := k.log.summary(); got != "http allow, http_response allow, http_body allow" {
		t.Errorf("on record is %q", got)
	}
	if last := k.log.entries[2].Details; last.Received != int64(offset) || last.Duration == 0 {
		t.Errorf("on record is %+v", last)
	}
}

// A credential must not come back, so all of the body is searched before any of it is
// given away.
func TestBodiesThatAreSearchedComeWhole(t *testing.T) {
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(make([]byte, 200_000))
		_, _ = io.WriteString(w, r.Header.Get("Authorization"))
	})
	k := newKit(t, allow(srv.URL, credentialBlock))
	want(t, k.get(srv.URL+"/"), wire.Code_CODE_DENIED, "withheld")
	if len(k.s.bodies) > 0 {
		t.Error("there is a body")
	}
}

// Of an endless body there comes what the guest has asked for, and a piece more.
func TestNothingComesThatNobodyPulls(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.ProtoMajor == 2 != http2 {
				t.Errorf("%s", r.Proto)
			}
			for piece := make([]byte, 64<<10); ; {
				if _, err := w.Write(piece); err != nil {
					return // the broker gave it up
				}
			}
		}))
		srv.EnableHTTP2 = http2
		srv.StartTLS()
		t.Cleanup(srv.Close)
		k := newKit(t, allow(srv.URL, ""), func(c *Config) {
			c.RootCAs = srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
		})
		for range 16 {
			r := k.get(srv.URL + "/")
			want(t, r, wire.Code_CODE_OK, "")
			if p := k.read(r.GetHandle(), 0, 10); len(p.GetData()) != 10 {
				t.Fatalf("%v", p)
			}
		}
		if used := k.b.limits.Memory - k.b.quota.memory; used > 16*streamPiece || k.b.quota.disk != k.b.limits.Disk {
			t.Errorf("HTTP/2 %t: 160 bytes were pulled, and %d of memory and %d of disk are used", http2, used, k.b.limits.Disk-k.b.quota.disk)
		}
		k.s.Close()
		if got := k.log.summary(); strings.Count(got, "http_body allow") != 16 {
			t.Errorf("on record is %q", got)
		}
		for _, e := range k.log.entries {
			if e.Kind == "http_body" && (e.Reason != errGivenUp.Error() || e.Details.Received == 0 || e.Details.Received > streamPiece) {
				t.Errorf("on record is %+v", e)
			}
		}
	}
}

// What a guest leaves open ends with its call, and what it closes ends then: the
// connection goes, also under a read that waits.
func TestAnOpenBodyEndsWithItsHandle(t *testing.T) {
	for name, end := range map[string]func(k *kit, handle uint64){
		"closed":              func(k *kit, handle uint64) { want(k.t, k.close(handle), wire.Code_CODE_OK, "") },
		"the end of the call": func(k *kit, _ uint64) { k.s.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			gone := make(chan struct{})
			url := rawServer(t, func(c net.Conn) {
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab")
				untilClosed(c)
				close(gone)
			})
			k := newKit(t, allow(url, ""))
			r := k.get(url + "/")
			if r.GetUnsized() || r.GetBodyBytes() != 9 {
				t.Errorf("the length was announced: %v", r)
			}
			k.read(r.GetHandle(), 0, 2)
			pulling := k.s.bodies[r.GetHandle()].stream.pulling
			var readers sync.WaitGroup
			for range 3 { // one pulls, the others wait for it
				readers.Go(func() {
					if p := k.read(r.GetHandle(), 2, 5); p.GetCode() == wire.Code_CODE_OK {
						t.Errorf("it ends well: %v", p)
					}
				})
			}
			for len(pulling) == 0 {
				runtime.Gosched()
			}
			end(k, r.GetHandle())
			readers.Wait()
			<-gone
		})
	}
}
