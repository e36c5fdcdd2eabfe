package nethttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/pluginkit/guest"
	"github.com/ringfence/ringfence/pluginkit/guest/guesttest"
	"github.com/ringfence/ringfence/pluginkit/guest/nethttp"
)

var client = &http.Client{Transport: nethttp.Transport{}}

func useHost(t *testing.T) *guesttest.Host {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Got", r.Header.Get("X-Sent"))
		fmt.Fprintf(w, "%s %s", r.Method, body)
	})
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/echo", http.StatusFound) })
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://evil.test/", http.StatusFound)
	})
	return (&guesttest.Host{Handler: mux, Refuse: func(r *http.Request) error {
		if r.URL.Host != "api.test" {
			return guest.ErrDenied
		}
		return nil
	}}).Use(t)
}

func TestRoundTrip(t *testing.T) {
	useHost(t)
	request, err := http.NewRequest("PUT", "https://api.test/echo", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Sent", "this")
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || string(body) != "PUT hello" || response.Status != "200 OK" || response.Header.Get("X-Got") != "this" || response.ContentLength != 9 {
		t.Errorf("got %q, %v, %+v", body, err, response)
	}
}

func TestRedirectsAreTheClients(t *testing.T) {
	host := useHost(t)
	response, err := client.Get("https://api.test/moved")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if len(host.Requests) != 2 || response.Request.URL.Path != "/echo" {
		t.Errorf("%d requests, the last one to %s", len(host.Requests), response.Request.URL)
	}
	if _, err := client.Get("https://api.test/away"); !errors.Is(err, guest.ErrDenied) {
		t.Errorf("a redirect to a host that is not allowed: %v", err)
	}
}

func TestRefusedBeforeTheHost(t *testing.T) {
	host := useHost(t)
	large, _ := http.NewRequest("POST", "https://api.test/echo", strings.NewReader(strings.Repeat("x", 2<<20+1)))
	if _, err := client.Do(large); !errors.Is(err, guest.ErrLimit) {
		t.Errorf("a body over the limit: %v", err)
	}
	other, _ := http.NewRequest("GET", "https://api.test/echo", nil)
	other.Host = "evil.test"
	if _, err := client.Do(other); err == nil || !strings.Contains(err.Error(), "a guest cannot choose it") {
		t.Errorf("another Host: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	late, _ := http.NewRequestWithContext(ctx, "GET", "https://api.test/echo", nil)
	if _, err := client.Do(late); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context: %v", err)
	}
	if len(host.Requests) != 0 {
		t.Errorf("%d requests reached the host", len(host.Requests))
	}
}
