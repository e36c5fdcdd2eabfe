package guest_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ringfence/ringfence/pluginkit/guest"
	"github.com/ringfence/ringfence/pluginkit/guest/guesttest"
)

func TestFetch(t *testing.T) {
	host := (&guesttest.Host{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Add("X-Two", "1")
		w.Header().Add("X-Two", "2")
		w.Header().Set("X-Long", strings.Repeat("x", 10_000))
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "%s %s %q %q", r.Method, r.URL, r.Header.Values("X-Ask"), body)
	})}).Use(t)
	header := guest.Header{}
	header.Add("x-ask", "a")
	header.Add("X-ASK", `b"\`)
	response, err := guest.Fetch(guest.Request{Method: "POST", URL: "https://api.test/a?b=c", Header: header, Body: []byte("hello")})
	if err != nil {
		t.Fatal(err)
	}
	body, err := response.ReadAll(1000)
	if want := `POST https://api.test/a?b=c ["a" "b\"\\"] "hello"`; err != nil || string(body) != want {
		t.Errorf("got %s, %v; want %s", body, err, want)
	}
	if response.Status != 418 || len(response.Header.Values("x-two")) != 2 || len(response.Header.Get("x-long")) != 10_000 ||
		response.Length != int64(len(body)) || response.URL != "https://api.test/a?b=c" {
		t.Errorf("got %+v", response)
	}
	if host.MaxOpen != 1 {
		t.Errorf("%d answers were open at once", host.MaxOpen)
	}
}

// Of an answer that is still being written nobody knows the length.
func TestFetchOfNoKnownLength(t *testing.T) {
	(&guesttest.Host{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "one, ")
		w.(http.Flusher).Flush()
		_, _ = io.WriteString(w, "two")
	})}).Use(t)
	response, err := guest.Fetch(guest.Request{URL: "https://api.test/"})
	if err != nil || response.Length != -1 {
		t.Fatalf("%+v, %v", response, err)
	}
	if body, err := response.ReadAll(100); string(body) != "one, two" || err != nil {
		t.Errorf("%q, %v", body, err)
	}
}

func TestFetchLargeBody(t *testing.T) {
	const size = 5<<20 + 17
	(&guesttest.Host{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("0123456789abcdef", size/16+1)[:size])
	})}).Use(t)
	for _, limit := range []int64{size, size - 1} {
		response, err := guest.Fetch(guest.Request{URL: "https://api.test/"})
		if err != nil {
			t.Fatal(err)
		}
		body, err := response.ReadAll(limit)
		if limit == size && (err != nil || len(body) != size || !strings.HasSuffix(string(body), "0123456789abcdef0")) {
			t.Errorf("got %d bytes, %v", len(body), err)
		}
		if limit < size && !errors.Is(err, guest.ErrLimit) {
			t.Errorf("over the limit: %v", err)
		}
		if _, err := response.Body.Read(make([]byte, 1)); err == nil {
			t.Error("a closed body can be read")
		}
	}
}

func TestRedirects(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if to := r.URL.Query().Get("to"); to != "" {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusMovedPermanently)
			return
		}
		if r.URL.Path == "/loop" {
			w.Header().Set("Location", "/loop")
			w.WriteHeader(http.StatusFound)
			return
		}
		fmt.Fprintf(w, "%s %s", r.URL, r.Header.Get("Authorization"))
	})
	host := (&guesttest.Host{Handler: handler, Refuse: func(r *http.Request) error {
		if r.URL.Host == "evil.test" {
			return fmt.Errorf("%w: no rule allows evil.test", guest.ErrDenied)
		}
		return nil
	}}).Use(t)
	get := func(method, url string) (*guest.Response, error) {
		return guest.Fetch(guest.Request{Method: method, URL: url, Header: guest.Header{"Authorization": {"mine"}}})
	}
	for to, want := range map[string]string{
		"/b":                 "https://api.test/b mine",
		"https://b.test/c":   "https://b.test/c ",
		"https:%2F%2Fb.test": "https://b.test ",
	} {
		response, err := get("", "https://api.test/a?to="+to)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := response.ReadAll(1000); err != nil || string(body) != want {
			t.Errorf("%s: got %s, %v; want %s", to, body, err, want)
		}
	}
	if _, err := get("GET", "https://api.test/?to=https://evil.test/"); !errors.Is(err, guest.ErrDenied) {
		t.Errorf("a redirect to a host that is not allowed: %v", err)
	}
	host.Requests = nil
	if _, err := get("HEAD", "https://api.test/loop"); !errors.Is(err, guest.ErrLimit) || len(host.Requests) != 11 {
		t.Errorf("a loop: %v after %d requests", err, len(host.Requests))
	}
	for _, r := range []guest.Request{
		{Method: "POST", URL: "https://api.test/?to=/b"},
		{URL: "https://api.test/?to=/b", NoRedirect: true},
	} {
		response, err := guest.Fetch(r)
		if err != nil || response.Status != 301 {
			t.Fatalf("%+v was followed: %v", r, err)
		}
		_ = response.Body.Close()
	}
}

func TestFetchErrors(t *testing.T) {
	kinds := []error{guest.ErrDenied, guest.ErrMalformed, guest.ErrNotFound, guest.ErrLimit, guest.ErrTimeout,
		guest.ErrCancelled, guest.ErrUnreachable, guest.ErrHost}
	for _, kind := range kinds {
		t.Run(kind.Error(), func(t *testing.T) {
			(&guesttest.Host{Refuse: func(*http.Request) error { return fmt.Errorf("%w: in other words", kind) }}).Use(t)
			_, err := guest.Fetch(guest.Request{URL: "https://api.test/a"})
			for _, other := range kinds {
				if errors.Is(err, other) != (other == kind) {
					t.Errorf("errors.Is(%v, %v) is wrong", err, other)
				}
			}
			var e *guest.Error
			if !errors.As(err, &e) || e.Op != "GET https://api.test/a" || !strings.Contains(e.Text, "in other words") {
				t.Errorf("got %#v", err)
			}
		})
	}
}

func TestOutsideSandbox(t *testing.T) {
	_, err := guest.Fetch(guest.Request{URL: "https://api.test/"})
	if !errors.Is(err, guest.ErrNoSandbox) || err.Error() != "GET https://api.test/: not inside a sandbox" {
		t.Errorf("Fetch: %v", err)
	}
	if _, err := guest.SecretExists("github"); !errors.Is(err, guest.ErrNoSandbox) {
		t.Errorf("SecretExists: %v", err)
	}
}

func TestSecretExists(t *testing.T) {
	(&guesttest.Host{Secrets: []string{"github"}}).Use(t)
	for name, want := range map[string]bool{"github": true, "gitlab": false} {
		if got, err := guest.SecretExists(name); err != nil || got != want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

type color struct{ R, G int }

func TestLog(t *testing.T) {
	host := (&guesttest.Host{}).Use(t)
	guest.Log(guest.LevelInfo, "plain")
	guest.Log(guest.LevelWarn, "pairs", "n", 1, "s", "two words", "e", errors.New("bad"), "nil", nil, "empty", "", "list", []string{"a"}, "c", color{1, 2})
	guest.Log(guest.LevelError, "odd", "key")
	guest.Log(guest.LevelDebug, "x"+strings.Repeat("é", 20_000))
	want := []string{"plain", `pairs n=1 s="two words" e=bad nil=null empty="" list=["a"] c={"R":1,"G":2}`, "odd !nokey=key"}
	for i, line := range want {
		if host.Logs[i] != line {
			t.Errorf("got %s, want %s", host.Logs[i], line)
		}
	}
	if n := len(host.Logs[3]); n != 16<<10-1 || !utf8.ValidString(host.Logs[3]) {
		t.Errorf("a long line has %d bytes", n)
	}
}
