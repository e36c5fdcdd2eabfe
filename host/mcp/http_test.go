package mcp_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/host/mcp"
)

const initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`

// post sends a message as an honest client would, but for what change does.
func post(t testing.TB, target, body string, change func(*http.Request)) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	if change != nil {
		change(r)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return response
}

func TestWhoMayConnect(t *testing.T) {
	d := deploy(t, twoPlugins, mcp.Options{}, host.Options{})
	target := d.listen()
	port := strings.TrimSuffix(target[strings.LastIndex(target, ":"):], mcp.Path)
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	named := func(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }
	for name, tt := range map[string]struct {
		change func(*http.Request)
		want   int
	}{
		"an honest client":         {nil, 200},
		"localhost":                {named("localhost" + port), 200},
		"IPv6 loopback":            {named("[::1]" + port), 200},
		"a page of this machine":   {header("Origin", "http://localhost:6274"), 200},
		"no token":                 {func(r *http.Request) { r.Header.Del("Authorization") }, 401},
		"another token":            {header("Authorization", "Bearer a-token-for-tests-onlY"), 401},
		"a part of the token":      {header("Authorization", "Bearer "+token[:10]), 401},
		"an empty token":           {header("Authorization", "Bearer "), 401},
		"the token as basic":       {header("Authorization", "Basic "+token), 401},
		"two tokens":               {func(r *http.Request) { r.Header.Add("Authorization", "Bearer x") }, 400},
		"a rebound name":           {named("evil.example" + port), 403},
		"a rebound name, no token": {func(r *http.Request) { r.Host = "evil.example"; r.Header.Del("Authorization") }, 403},
		"a name that looks local":  {named("localhost.evil.example" + port), 403},
		"an address that is not":   {named("127.0.0.1.evil.example" + port), 403},
		"all addresses":            {named("0.0.0.0" + port), 403},
		"a page of another site":   {header("Origin", "https://evil.example"), 403},
		"a page without an origin": {header("Origin", "null"), 403},
		"a user in the origin":     {header("Origin", "http://localhost@evil.example"), 403},
		"two origins":              {func(r *http.Request) { r.Header["Origin"] = []string{"http://localhost", "http://localhost"} }, 403},
		"another path":             {func(r *http.Request) { r.URL.Path = "/" }, 404},
		"a form of a browser":      {header("Content-Type", "text/plain"), 415},
		"a forgotten session":      {header("Mcp-Session-Id", "x"), 404},
		"a request to no version":  {header("Mcp-Protocol-Version", "1999-01-01"), 400},
	} {
		t.Run(name, func(t *testing.T) {
			r := post(t, target, initialize, tt.change)
			if r.StatusCode != tt.want {
				body, _ := io.ReadAll(r.Body)
				t.Fatalf("got %d (%s), want %d", r.StatusCode, body, tt.want)
			}
			if tt.want == 401 && r.Header.Get("WWW-Authenticate") == "" {
				t.Error("the client is not told what is wanted")
			}
			if tt.want != 200 && r.Header.Get("Mcp-Session-Id") != "" {
				t.Error("there is a session")
			}
		})
	}
}

func TestServesOnlyLoopbackAndOnlyWithAToken(t *testing.T) {
	d := deploy(t, twoPlugins, mcp.Options{}, host.Options{})
	all, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	if err := d.server.ServeHTTP(t.Context(), all, token); err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("all addresses: %v", err)
	}
	local, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	for _, bad := range []string{"", "short", strings.Repeat("x", 2000), "with a space in the middle", "with-a-line-break\n"} {
		if err := d.server.ServeHTTP(t.Context(), local, bad); err == nil || !strings.Contains(err.Error(), "token") {
			t.Errorf("the token %.20q: %v", bad, err)
		}
	}
}

func TestHugeMessages(t *testing.T) {
	d := deploy(t, twoPlugins, mcp.Options{}, host.Options{})
	target := d.listen()
	huge := `{"x":"` + strings.Repeat("x", mcp.MaxMessage) + `"}`
	if r := post(t, target, huge, nil); r.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a huge body: %d", r.StatusCode)
	}
	if r := post(t, target, huge, func(r *http.Request) { r.ContentLength = -1 }); r.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a huge body of unknown length: %d", r.StatusCode)
	}
	// Nobody without the token gets a byte of a body read.
	r := post(t, target, huge, func(r *http.Request) { r.Header.Set("Authorization", "Bearer no") })
	if r.StatusCode != http.StatusUnauthorized {
		t.Errorf("a huge body without the token: %d", r.StatusCode)
	}
	if r := post(t, target, initialize, func(r *http.Request) { r.Header.Set("X", strings.Repeat("x", 64<<10)) }); r.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a huge header: %d", r.StatusCode)
	}
	deep := `{"jsonrpc":"2.0","id":1,"method":"initialize","params":` + strings.Repeat("[", 1<<20) + strings.Repeat("]", 1<<20) + `}`
	if r := post(t, target, deep, nil); r.StatusCode/100 != 4 {
		body, _ := io.ReadAll(io.LimitReader(r.Body, 200))
		t.Errorf("a deep message: %d %s", r.StatusCode, body)
	}
	batch := "[" + strings.Repeat(`{"jsonrpc":"2.0","id":1,"method":"ping"},`, 100_000) + `{"jsonrpc":"2.0","id":1,"method":"ping"}]`
	if r := post(t, target, batch, func(r *http.Request) { r.Header.Set("Mcp-Protocol-Version", "2025-03-26") }); r.StatusCode != http.StatusBadRequest {
		t.Errorf("a batch of calls: %d", r.StatusCode)
	}
	if r := post(t, target, initialize, nil); r.StatusCode != http.StatusOK {
		t.Errorf("an honest client after that: %d", r.StatusCode)
	}
}

// A client that sends a byte now and then holds a connection, but not for long.
func TestSlowClients(t *testing.T) {
	d := deploy(t, twoPlugins, mcp.Options{}, host.Options{})
	d.server.Hurry(50*time.Millisecond, 50*time.Millisecond, time.Minute)
	u, err := url.Parse(d.listen())
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		begin string
		want  int // or closed without a word
	}{
		"in the head":                  {"POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", http.StatusRequestTimeout},
		"in the body":                  {"POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + token + "\r\nContent-Length: 1000\r\n\r\n{", http.StatusRequestTimeout},
		"in the body, without a token": {"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{", http.StatusUnauthorized},
		"in the body, a rebound name":  {"POST /mcp HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 1000\r\n\r\n{", http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("tcp", u.Host)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			fmt.Fprint(c, tt.begin)
			// The test would time out if the server waited.
			response, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				return // closed without a word
			}
			defer response.Body.Close()
			if response.StatusCode != tt.want {
				t.Errorf("got %d, want %d", response.StatusCode, tt.want)
			}
		})
	}
}

func TestManySessions(t *testing.T) {
	d := deploy(t, twoPlugins, mcp.Options{}, host.Options{})
	target := d.listen()
	first := d.dial(target, nil)
	list(t, first)
	var ids []string
	for range mcp.Sessions + 5 { // clients that connect again and never say goodbye
		r := post(t, target, initialize, nil)
		if r.StatusCode != http.StatusOK {
			t.Fatalf("session %d: %d", len(ids), r.StatusCode)
		}
		_, _ = io.Copy(io.Discard, r.Body)
		ids = append(ids, r.Header.Get("Mcp-Session-Id"))
	}
	ping := func(id string) int {
		return post(t, target, `{"jsonrpc":"2.0","id":2,"method":"ping"}`, func(r *http.Request) {
			r.Header.Set("Mcp-Session-Id", id)
			r.Header.Set("Mcp-Protocol-Version", "2025-11-25")
		}).StatusCode
	}
	eventually(t, "the oldest session made room", func() bool { return ping(ids[0]) == http.StatusNotFound })
	if got := ping(ids[len(ids)-1]); got != http.StatusOK {
		t.Errorf("the newest session: %d", got)
	}
	if _, ok := list(t, first)["run"]; !ok { // its open stream says that it lives
		t.Error("the client that is there lost its session")
	}
}

// Whoever calls and goes away takes the call along.
func TestClientsThatDisappear(t *testing.T) {
	const sleep = `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"sleep","arguments":{"milliseconds":50000}}}`
	d := deploy(t, twoPlugins, mcp.Options{}, host.Options{})
	target := d.listen()
	list(t, d.dial(target, nil))
	begin := func(ctx context.Context) (id string) {
		id = post(t, target, initialize, nil).Header.Get("Mcp-Session-Id")
		r, _ := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(sleep))
		for name, value := range map[string]string{
			"Authorization": "Bearer " + token, "Content-Type": "application/json",
			"Accept": "application/json, text/event-stream", "Mcp-Session-Id": id, "Mcp-Protocol-Version": "2025-11-25",
		} {
			r.Header.Set(name, value)
		}
		go func() {
			if response, err := http.DefaultClient.Do(r); err == nil {
				_, _ = io.Copy(io.Discard, response.Body)
				response.Body.Close()
			}
		}()
		eventually(t, "the tool sleeps", func() bool { return d.busy("rogue") })
		return id
	}
	t.Run("the connection ends", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		begin(ctx)
		cancel()
		eventually(t, "the call is cancelled", func() bool { return !d.busy("rogue") })
	})
	t.Run("the session is deleted", func(t *testing.T) {
		id := begin(t.Context())
		r := post(t, target, "", func(r *http.Request) {
			r.Method = http.MethodDelete
			r.Header.Set("Mcp-Session-Id", id)
		})
		if r.StatusCode != http.StatusNoContent {
			t.Errorf("DELETE: %d", r.StatusCode)
		}
		eventually(t, "the call is cancelled", func() bool { return !d.busy("rogue") })
	})
	t.Run("the pipe ends", func(t *testing.T) {
		toServer, fromServer := d.pipe()
		go io.Copy(io.Discard, fromServer)
		for _, line := range []string{initialize, `{"jsonrpc":"2.0","method":"notifications/initialized"}`, sleep} {
			fmt.Fprintln(toServer, line)
		}
		eventually(t, "the tool sleeps", func() bool { return d.busy("rogue") })
		toServer.Close()
		eventually(t, "the call is cancelled", func() bool { return !d.busy("rogue") })
	})
	t.Run("it cancels", func(t *testing.T) {
		s := d.dial(target, nil)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			_, err := s.CallTool(ctx, &sdk.CallToolParams{Name: "sleep", Arguments: map[string]any{"milliseconds": 50000}})
			ended <- err
		}()
		eventually(t, "the tool sleeps", func() bool { return d.busy("rogue") })
		cancel()
		<-ended
		eventually(t, "the call is cancelled", func() bool { return !d.busy("rogue") })
	})
	if r := call(t, d.dial(target, nil), "run", `{"program": "1", "input": null}`); r.IsError {
		t.Errorf("other calls fail: %q", text(r))
	}
}
