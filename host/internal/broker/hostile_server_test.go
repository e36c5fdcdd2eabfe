package broker

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/ringfence/ringfence/pluginkit/wire"
)

// rawServer answers every connection by hand, for what net/http would not send.
func rawServer(t *testing.T, answer func(net.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = c.Read(make([]byte, 4096)) // the request
				answer(c)
			}()
		}
	}()
	return "http://" + ln.Addr().String()
}

// untilClosed keeps a connection open until the broker gives it up.
func untilClosed(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

func TestHostileServers(t *testing.T) {
	text := func(s string) func(net.Conn) {
		return func(c net.Conn) { _, _ = io.WriteString(c, s) }
	}
	endless := func(head, piece string) func(net.Conn) {
		return func(c net.Conn) {
			_, err := io.WriteString(c, head)
			for block := strings.Repeat(piece, 1000); err == nil; {
				_, err = io.WriteString(c, block)
			}
		}
	}
	for _, a := range []struct {
		attack string
		answer func(net.Conn)
		code   wire.Code
		says   string
	}{
		{"slowloris: no head", untilClosed, wire.Code_CODE_TIMEOUT, "did not answer in time"},
		{"slowloris: half a head", func(c net.Conn) { text("HTTP/1.1 200 OK\r\nX-")(c); untilClosed(c) }, wire.Code_CODE_TIMEOUT, "did not answer in time"},
		{"slowloris: half a body", func(c net.Conn) { text("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab")(c); untilClosed(c) }, wire.Code_CODE_TIMEOUT, "in the middle of a response"},
		{"endless body", endless("HTTP/1.1 200 OK\r\n\r\n", "x"), wire.Code_CODE_LIMIT, "over 100000 bytes (maximum 100000)"},
		{"endless chunks", endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n"), wire.Code_CODE_LIMIT, "(maximum 100000)"},
		{"a length that is too long", text("HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n"), wire.Code_CODE_LIMIT, "9999999 bytes (maximum 100000)"},
		{"endless head", endless("HTTP/1.1 200 OK\r\n", "X-A: b\r\n"), wire.Code_CODE_LIMIT, "head is over 65536"},
		{"one huge header", endless("HTTP/1.1 200 OK\r\nX-A: ", "y"), wire.Code_CODE_LIMIT, "head is over 65536"},
		{"endless 100 Continue", endless("", "HTTP/1.1 100 Continue\r\n\r\n"), wire.Code_CODE_LIMIT, "head is over 65536"},
		{"body cut short", text("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"), wire.Code_CODE_UNAVAILABLE, "ended the connection too early"},
		{"no answer", text(""), wire.Code_CODE_UNAVAILABLE, "ended the connection too early"},
		{"not HTTP", text("SSH-2.0-OpenSSH\r\n"), wire.Code_CODE_UNAVAILABLE, "failed"},
		{"switching protocols unasked", text("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), wire.Code_CODE_UNAVAILABLE, "status 101"},
		{"an encoding that hides from the search", text("HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\nx"), wire.Code_CODE_UNAVAILABLE, "Content-Encoding"},
		{"gzip twice", text("HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\nContent-Length: 1\r\n\r\nx"), wire.Code_CODE_UNAVAILABLE, "Content-Encoding"},
		{"gzip that is none", text("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 12\r\n\r\nabcdefghijkl"), wire.Code_CODE_UNAVAILABLE, "gzip"},
		{"bomb of empty gzip members", func(c net.Conn) {
			endless("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", string(packed(nil)))(c)
		}, wire.Code_CODE_LIMIT, "(maximum 100000)"},
		{"smuggled second answer", text("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc"), wire.Code_CODE_UNAVAILABLE, ""},
	} {
		t.Run(a.attack, func(t *testing.T) {
			url := rawServer(t, a.answer)
			k := newKit(t, allow(url, credentialBlock), func(c *Config) {
				c.Limits = Limits{ResponseBody: 100_000, Head: 300 * time.Millisecond, Idle: 300 * time.Millisecond}
			})
			r := k.get(url + "/")
			want(t, r, a.code, a.says)
			if s := k.log.summary(); !strings.HasPrefix(s, "http allow, http_response ") || strings.HasSuffix(s, "response allow") {
				t.Errorf("records: %s", s)
			}
			// Without a credential the body is pulled, and ends in the same way.
			k = newKit(t, allow(url, ""), func(c *Config) {
				c.Limits = Limits{ResponseBody: 100_000, Head: 300 * time.Millisecond, Idle: 300 * time.Millisecond}
			})
			if r = k.get(url + "/"); r.GetCode() == wire.Code_CODE_OK {
				r = k.whole(r)
			}
			want(t, r, a.code, a.says)
			if s := k.log.summary(); strings.HasSuffix(s, "allow") {
				t.Errorf("records: %s", s)
			}
		})
	}
}

func packed(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = z.Write(b)
	_ = z.Close()
	return out.Bytes()
}

func TestGzipBombStaysBounded(t *testing.T) {
	bomb := packed(make([]byte, 64<<20))
	srv := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(bomb)
	})
	// A disk of hardly more than one body: unpacking must end at the limit.
	k := newKit(t, allow(srv.URL, ""), func(c *Config) { c.Limits = Limits{ResponseBody: 32 << 20, Disk: 32<<20 + 64<<10} })
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	want(t, k.whole(k.get(srv.URL+"/")), wire.Code_CODE_LIMIT, "over 33554432 bytes (maximum 33554432)")
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 16<<20 {
		t.Errorf("a bomb of %d bytes took %d bytes of memory", len(bomb), grown)
	}
}

func TestResponsesComeDecompressed(t *testing.T) {
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		if r.Method != "HEAD" {
			_, _ = w.Write(packed([]byte("plain text")))
		}
	})
	k := newKit(t, allow(srv.URL, ""))
	r := k.get(srv.URL + "/")
	want(t, r, wire.Code_CODE_OK, "")
	if p := k.read(r.GetHandle(), 0, 100); string(p.GetData()) != "plain text" || strings.Contains(fmt.Sprint(r.GetHeaders()), "Content-Encoding") {
		t.Errorf("got %q, headers %v", p.GetData(), r.GetHeaders())
	}
	want(t, k.send(context.Background(), "HEAD", srv.URL+"/"), wire.Code_CODE_OK, "")
}

// net/http ends the whole connection when a head is far over the limit, and the
// request alone when it is a little over.
func TestHugeHeadersOverHTTP2(t *testing.T) {
	for headers, code := range map[int]wire.Code{66: wire.Code_CODE_LIMIT, 200: wire.Code_CODE_UNAVAILABLE} {
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for i := range headers {
				w.Header().Set(fmt.Sprint("X-", i), strings.Repeat("y", 1000))
			}
		}))
		srv.EnableHTTP2 = true
		srv.StartTLS()
		defer srv.Close()
		k := newKit(t, allow(srv.URL, ""), func(c *Config) {
			c.RootCAs = srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
		})
		want(t, k.get(srv.URL+"/"), code, "")
	}
}

func TestHeadersThatAreNotUTF8FitTheWire(t *testing.T) {
	url := rawServer(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nX-A: \xff\xe4\r\nContent-Length: 0\r\n\r\n")
	})
	k := newKit(t, allow(url, ""))
	r := k.get(url + "/")
	want(t, r, wire.Code_CODE_OK, "")
	if _, err := proto.Marshal(r); err != nil {
		t.Error(err)
	}
}

func TestCancellationInTheMiddleOfABody(t *testing.T) {
	for _, c := range []struct {
		name string
		stop func(*kit, context.CancelFunc)
		code wire.Code
	}{
		{"the caller cancels", func(_ *kit, cancel context.CancelFunc) { cancel() }, wire.Code_CODE_CANCELED},
		{"the session closes", func(k *kit, _ context.CancelFunc) { go k.s.Close() }, wire.Code_CODE_CANCELED},
		{"the time is up", func(*kit, context.CancelFunc) {}, wire.Code_CODE_TIMEOUT},
	} {
		t.Run(c.name, func(t *testing.T) {
			started := make(chan struct{}, 1)
			url := rawServer(t, func(c net.Conn) {
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab")
				started <- struct{}{}
				untilClosed(c)
			})
			k := newKit(t, allow(url, ""))
			ctx, cancel := context.WithCancel(context.Background())
			if c.code == wire.Code_CODE_TIMEOUT {
				ctx, cancel = context.WithTimeout(ctx, 200*time.Millisecond)
			}
			defer cancel()
			r := k.get(url + "/")
			want(t, r, wire.Code_CODE_OK, "")
			if p := k.read(r.GetHandle(), 0, 9); string(p.GetData()) != "ab" {
				t.Errorf("before that: %v", p)
			}
			go func() { <-started; c.stop(k, cancel) }()
			want(t, k.readFor(ctx, r.GetHandle(), 2, 9), c.code, "during the request")
		})
	}
}

// What the operating system says about a failure would let a guest map the
// host's network; it is for the log.
func TestFailuresTellTheGuestOnlyWhatItAsked(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + ln.Addr().String()
	_ = ln.Close()
	k := newKit(t, allow(url, credentialBlock))
	r := k.get(url + "/")
	want(t, r, wire.Code_CODE_UNAVAILABLE, "refuses connections")
	if strings.Contains(r.GetMessage(), "dial tcp") || !strings.Contains(k.log.entries[1].Reason, "dial tcp") {
		t.Errorf("guest: %q; log: %q", r.GetMessage(), k.log.entries[1].Reason)
	}
}
