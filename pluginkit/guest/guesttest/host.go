package guesttest

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/ringfence/ringfence/pluginkit/guest"
	"github.com/ringfence/ringfence/pluginkit/internal/abi"
)

// Host answers a guest's requests. The zero Host has no network and no secrets.
type Host struct {
	// Handler answers Fetch. A nil Handler cannot be reached.
	Handler http.Handler
	// Refuse, if set, sees each request first; an error that it returns is the
	// host's answer: the kind is that of package guest (guest.ErrDenied, …) and
	// guest.ErrHost for others, and the text is the error's.
	Refuse func(*http.Request) error
	// Secrets are the names for which guest.SecretExists is true.
	Secrets []string

	// Workspaces are those that the policy grants, by name.
	Workspaces map[string]*Workspace

	// Kept is what guest.State keeps, and what it begins with. nil denies.
	Kept map[string]string
	// Invokes are the tools that guest.Invoke can call, by alias. Each gets JSON
	// arguments; its result is encoded as JSON. An error is the tool's failure, or
	// its complaint about the arguments if it is an ErrBadArguments, or the host's
	// answer if it is of a kind of package guest (guest.ErrTimeout, …).
	Invokes map[string]func(arguments []byte) (any, error)
	// Deadline, if set, is when the call ends.
	Deadline time.Time

	// Person answers guest.Elicit: what it returns is the person's action, and
	// the form as JSON. nil denies.
	Person func(message, schema string) (action guest.Elicited, form string, err error)
	// Model answers guest.Sample, from the request as JSON. nil denies.
	Model func(request string) (text string, err error)

	// Reports are those of guest.Progress, and Changes the URIs of
	// guest.ResourceUpdated, in order.
	Reports []string
	Changes []string
	// Requests are those that reached Handler, in order.
	Requests []*http.Request
	// Logs are the lines that the guest logged, in order.
	Logs []string
	// MaxOpen is the number of answers that were open at the same time, at most.
	MaxOpen int

	versions map[string]int // of Kept
	sets     int

	open   map[int64]*answer
	last   int64
	reason string
}

type answer struct {
	head []byte
	body []byte
}

// Use puts h in place as the host until the test ends, and fails the test when
// the guest has left an answer open.
func (h *Host) Use(t testing.TB) *Host {
	t.Helper()
	stop := h.Start()
	t.Cleanup(func() {
		stop()
		if len(h.open) > 0 {
			t.Errorf("the guest left %d answers open", len(h.open))
		}
	})
	return h
}

// Start puts h in place as the host until stop is called, where there is no test
// to end: in examples.
func (h *Host) Start() (stop func()) {
	h.open = map[int64]*answer{}
	previous := abi.Use((*seam)(h))
	return func() { abi.Use(previous) }
}

// seam keeps the methods of abi.Host out of the documentation of Host.
type seam Host

var codes = []struct {
	kind error
	code int32
}{
	{guest.ErrDenied, abi.Denied},
	{guest.ErrMalformed, abi.Malformed},
	{guest.ErrNotFound, abi.NotFound},
	{guest.ErrLimit, abi.Limit},
	{guest.ErrTimeout, abi.TimedOut},
	{guest.ErrCancelled, abi.Cancelled},
	{guest.ErrUnreachable, abi.Unreachable},
	{guest.ErrExists, abi.Exists},
	{guest.ErrChanged, abi.Changed},
}

func (s *seam) fail(err error) int32 {
	s.reason = err.Error()
	for _, c := range codes {
		if errors.Is(err, c.kind) {
			return c.code
		}
	}
	return abi.Failed
}

func (s *seam) Log(_ int32, line string) { s.Logs = append(s.Logs, line) }

func (s *seam) HTTP(request, body []byte) int64 {
	var head struct {
		Method  string      `json:"method"`
		URL     string      `json:"url"`
		Headers [][2]string `json:"headers"`
	}
	if err := json.Unmarshal(request, &head); err != nil {
		s.reason = err.Error()
		return abi.Malformed
	}
	r, err := http.NewRequest(head.Method, head.URL, bytes.NewReader(body))
	if err != nil || r.URL.Host == "" {
		s.reason = "bad request for " + head.URL
		return abi.Malformed
	}
	for _, pair := range head.Headers {
		r.Header.Add(pair[0], pair[1])
	}
	if s.Refuse != nil {
		if err := s.Refuse(r); err != nil {
			return int64(s.fail(err))
		}
	}
	if s.Handler == nil {
		return int64(s.fail(guest.ErrUnreachable))
	}
	s.Requests = append(s.Requests, r)
	return s.keep(s.serve(r))
}

func (s *seam) serve(r *http.Request) *answer {
	recorder := httptest.NewRecorder()
	s.Handler.ServeHTTP(recorder, r)
	result := recorder.Result()
	headers := [][2]string{}
	for key, values := range result.Header {
		for _, value := range values {
			headers = append(headers, [2]string{key, value})
		}
	}
	slices.SortFunc(headers, func(a, b [2]string) int { return bytes.Compare([]byte(a[0]), []byte(b[0])) })
	body := recorder.Body.Bytes()
	fields := map[string]any{"status": result.StatusCode, "headers": headers}
	if !recorder.Flushed { // else the host knows no length
		fields["body_bytes"] = len(body)
	}
	head, _ := json.Marshal(fields)
	return &answer{head, body}
}

func (s *seam) keep(a *answer) int64 {
	s.last++
	s.open[s.last] = a
	s.MaxOpen = max(s.MaxOpen, len(s.open))
	return s.last
}

func (s *seam) Head(handle int64, into []byte) int32 {
	a, ok := s.open[handle]
	if !ok {
		return s.fail(guest.ErrNotFound)
	}
	if len(a.head) <= len(into) {
		copy(into, a.head)
	}
	return int32(len(a.head))
}

func (s *seam) Read(handle, offset int64, into []byte) int32 {
	a, ok := s.open[handle]
	if !ok {
		return s.fail(guest.ErrNotFound)
	}
	if len(into) > abi.MaxRead {
		return s.fail(guest.ErrLimit)
	}
	return int32(copy(into, a.body[min(offset, int64(len(a.body))):]))
}

func (s *seam) Close(handle int64) int32 {
	if _, ok := s.open[handle]; !ok {
		return s.fail(guest.ErrNotFound)
	}
	delete(s.open, handle)
	return 0
}

func (s *seam) SecretExists(name string) int32 {
	if slices.Contains(s.Secrets, name) {
		return 1
	}
	return 0
}

func (s *seam) Progress(report []byte) int32 {
	s.Reports = append(s.Reports, string(report))
	return 0
}

func (s *seam) Updated(uri string) int32 {
	s.Changes = append(s.Changes, uri)
	return 0
}

func (s *seam) Ask(kind int32, request []byte) int64 {
	var reply []byte
	var err error = guest.ErrDenied
	switch {
	case kind == abi.AskPerson && s.Person != nil:
		reply, err = s.askPerson(request)
	case kind == abi.AskModel && s.Model != nil:
		var text string
		if text, err = s.Model(string(request)); err == nil {
			reply, err = json.Marshal(map[string]string{"text": text, "model": "test", "stop_reason": "endTurn"})
		}
	}
	if err != nil {
		return int64(s.fail(err))
	}
	return s.keep(&answer{body: reply})
}

func (s *seam) askPerson(request []byte) ([]byte, error) {
	var q struct {
		Message string          `json:"message"`
		Schema  json.RawMessage `json:"schema"`
	}
	if err := json.Unmarshal(request, &q); err != nil {
		return nil, guest.ErrMalformed
	}
	action, form, err := s.Person(q.Message, string(q.Schema))
	if err != nil {
		return nil, err
	}
	reply := map[string]any{"action": action}
	if action == guest.Accepted {
		reply["content"] = json.RawMessage(form)
	}
	return json.Marshal(reply)
}

func (s *seam) Error(into []byte) int32 { return int32(copy(into, s.reason)) }
