package mcp

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/modelcontextprotocol/go-sdk/auth"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"golang.org/x/net/netutil"
)

// Path is where HTTP clients find the server.
const Path = "/mcp"

// shortestToken is what a token has at least, in bytes.
const shortestToken = 16

// ServeHTTP serves clients over streamable HTTP until ctx ends. The listener must
// be one on loopback; whoever connects must have the token, and closes it.
//
// A browser on this machine can be made to send requests here by any website: that
// is what the token, the Host and the Origin are checked for, before anything of
// the request's body is read.
func (s *Server) ServeHTTP(ctx context.Context, l net.Listener, token string) error {
	if !isLoopback(l.Addr()) {
		return fmt.Errorf("%s is not a loopback address", l.Addr())
	}
	if err := CheckToken(token); err != nil {
		return err
	}
	base, stop := context.WithCancel(ctx)
	defer stop()
	server := &http.Server{
		Handler:           s.handler(token),
		ReadHeaderTimeout: s.times.header,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		BaseContext:       func(net.Listener) context.Context { return base },
		ErrorLog:          s.opts.Logger.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(netutil.LimitListener(l, maxConnections)) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	s.stop() // calls end first
	stop()
	err := server.Close()
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return err
}

// CheckToken reports why a text cannot be a bearer token.
func CheckToken(token string) error {
	if len(token) < shortestToken || len(token) > 1<<10 {
		return fmt.Errorf("a token of %d bytes (%d to %d are allowed)", len(token), shortestToken, 1<<10)
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return errors.New("a token has printable ASCII characters only, and no spaces")
	}
	return nil
}

func isLoopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// requestKey is where an HTTP request travels to the handler of its message.
const requestKey = "request"

// handler is the chain that a request passes. What comes first costs least.
func (s *Server) handler(token string) http.Handler {
	protocol := sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return s.sdk }, &sdk.StreamableHTTPOptions{
		SessionTimeout: sessionTimeout, MaxRequestBodyBytes: maxMessage,
	})
	want := sha256.Sum256([]byte(token))
	authorize := auth.RequireBearerToken(func(_ context.Context, given string, r *http.Request) (*auth.TokenInfo, error) {
		// Digests have one length, and so the comparison takes one time.
		if got := sha256.Sum256([]byte(given)); subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			return nil, auth.ErrInvalidToken
		}
		return &auth.TokenInfo{Extra: map[string]any{requestKey: r}}, nil
	}, &auth.RequireBearerTokenOptions{AllowMissingExpiration: true})
	authorized := authorize(s.bounded(s.tracked(protocol)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Attack: without a token, a body is announced and never sent. net/http waits
		// for it before it answers a refusal, and the connection would be taken for ever.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.times.body))
		w.Header().Set("X-Content-Type-Options", "nosniff")
		switch {
		case !isLocalName(r.Host):
			http.Error(w, "the Host is not this server's", http.StatusForbidden)
		case !localOrigins(r.Header.Values("Origin")):
			http.Error(w, "the Origin is not on this machine", http.StatusForbidden)
		case r.URL.Path != Path:
			http.NotFound(w, r)
		case len(r.Header.Values("Authorization")) > 1:
			http.Error(w, "more than one Authorization", http.StatusBadRequest)
		default:
			w.Header().Set("WWW-Authenticate", `Bearer realm="ringfence"`) // removed where the token is right
			authorized.ServeHTTP(w, r)
		}
	})
}

// isLocalName reports whether a host, with or without a port, is a name of this
// machine that no name server answers for.
func isLocalName(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	} else {
		name = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && ip.Zone() == "" && ip.Unmap().IsLoopback()
}

// localOrigins reports whether a request comes from a page of this machine, or
// from no page.
func localOrigins(origins []string) bool {
	for _, origin := range origins {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || !isLocalName(u.Host) {
			return false
		}
	}
	return len(origins) <= 1
}

// bounded reads the body, for which a client has the time that handler gives it, and
// gives every write of the answer its time: a slow client costs a goroutine, and not
// for long.
func (s *Server) bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Del("WWW-Authenticate")
		control := http.NewResponseController(w)
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxMessage))
		var tooLarge *http.MaxBytesError
		switch {
		case errors.As(err, &tooLarge):
			http.Error(w, fmt.Sprintf("a body of more than %d bytes", maxMessage), http.StatusRequestEntityTooLarge)
			return
		case err != nil:
			http.Error(w, "the body did not come", http.StatusRequestTimeout)
			return
		}
		_ = control.SetReadDeadline(time.Time{})
		if n := messages(body); n > maxBatch {
			http.Error(w, fmt.Sprintf("a batch of more than %d messages", maxBatch), http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(&slowly{ResponseWriter: w, control: control, time: s.times.write}, r)
	})
}

// messages counts what a body holds before anything is made of it: an old version
// of the protocol has batches, and eight megabytes hold a hundred thousand calls.
func messages(body []byte) int {
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return 1
	}
	n := 0
	var message json.RawMessage
	for d.More() && n <= maxBatch && d.Decode(&message) == nil {
		n++
	}
	return n
}

// slowly is a ResponseWriter whose writes end.
type slowly struct {
	http.ResponseWriter
	control *http.ResponseController
	time    time.Duration // of one write
	// first, if set, is called before anything is written.
	first func()
}

// WriteHeader implements http.ResponseWriter.
func (w *slowly) WriteHeader(status int) {
	w.begin()
	w.ResponseWriter.WriteHeader(status)
}

func (w *slowly) begin() {
	if f := w.first; f != nil {
		w.first = nil
		f()
	}
}

func (w *slowly) Write(b []byte) (int, error) {
	w.begin()
	_ = w.control.SetWriteDeadline(time.Now().Add(w.time))
	return w.ResponseWriter.Write(b)
}

// FlushError implements what http.ResponseController looks for.
func (w *slowly) FlushError() error {
	_ = w.control.SetWriteDeadline(time.Now().Add(w.time))
	return w.control.Flush()
}

// Flush implements http.Flusher.
func (w *slowly) Flush() { _ = w.FlushError() }

const sessionHeader = "Mcp-Session-Id"

// tracked keeps the sessions in number, and ends the calls of one that ends.
func (s *Server) tracked(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get(sessionHeader)
		switch {
		case id == "" && r.Method == http.MethodPost:
			s.begin(next, w, r)
			return
		case r.Method == http.MethodDelete:
			s.clients.end(id)
		default:
			defer s.clients.use(id, r.Method == http.MethodGet, time.Now)()
		}
		next.ServeHTTP(w, r)
	})
}

// begin serves a message that makes a session.
func (s *Server) begin(next http.Handler, w http.ResponseWriter, r *http.Request) {
	s.clients.sweep(func() map[string]bool {
		live := map[string]bool{}
		for session := range s.sdk.Sessions() {
			live[session.ID()] = true
		}
		return live
	})
	evicted, ok := s.clients.reserve(time.Now())
	if !ok {
		http.Error(w, fmt.Sprintf("%d sessions are in use (maximum %d)", maxSessions, maxSessions), http.StatusServiceUnavailable)
		return
	}
	if evicted != "" {
		s.opts.Logger.Info("a session made room for another", "session", evicted)
		for session := range s.sdk.Sessions() {
			if session.ID() == evicted {
				go closeSession(session)
			}
		}
	}
	// The client knows its session as soon as it has the headers.
	known := sync.OnceFunc(func() { s.clients.made(w.Header().Get(sessionHeader), time.Now()) })
	defer known()
	if slow, ok := w.(*slowly); ok {
		slow.first = known
	}
	next.ServeHTTP(w, r)
}
