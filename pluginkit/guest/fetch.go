package guest

import (
	"errors"
	"io"
	"strconv"

	"github.com/ringfence/ringfence/pluginkit/internal/abi"
	"github.com/ringfence/ringfence/pluginkit/internal/shape"
)

// Request is an HTTP request that the host sends if the policy allows it.
type Request struct {
	Method string // "" means GET
	URL    string // absolute
	Header Header // credentials are not yours to set: the host adds them
	Body   []byte // at most 2 MiB, since it is judged as a whole before it is sent

	// NoRedirect makes Fetch return a redirect instead of following it.
	NoRedirect bool
}

// Response is the answer to a Request, whatever its status. Close the body.
type Response struct {
	Status int
	Header Header
	// URL is where the answer came from, after redirects.
	URL string
	// Length of the body in bytes, or -1 when the host does not know it.
	Length int64
	// Body is pulled from the server as it is read, through the host, and what the
	// server sends bit by bit comes bit by bit; where the policy injects a credential,
	// the host has taken all of it before. It ends with the call.
	Body io.ReadCloser
}

// maxRedirects is how many redirects Fetch follows, as in net/http.
const maxRedirects = 10

// Fetch sends a request through the host and returns as soon as the answer's
// head is there. An answer with status 400 or 500 is not an error.
//
// Redirects of a GET or HEAD are followed, up to 10. Each is a new request,
// about which the policy decides anew.
//
// Errors are an *Error of one of the kinds ErrDenied, ErrMalformed, ErrLimit,
// ErrTimeout, ErrCancelled, ErrUnreachable, ErrHost and ErrNoSandbox.
func Fetch(request Request) (*Response, error) { return fetch(abi.Current(), request) }

func fetch(host abi.Host, request Request) (*Response, error) {
	if request.Method == "" {
		request.Method = "GET"
	}
	follow := !request.NoRedirect && (request.Method == "GET" || request.Method == "HEAD")
	for hops := 0; ; hops++ {
		response, err := send(host, &request)
		if err != nil || !follow || !isRedirect(response) {
			return response, err
		}
		_ = response.Body.Close()
		if hops == maxRedirects {
			return nil, &Error{Op: request.op(), Text: "more than " + strconv.Itoa(maxRedirects) + " redirects", kind: ErrLimit}
		}
		request = redirected(request, response.Header.Get("Location"))
	}
}

func (r *Request) op() string { return r.Method + " " + r.URL }

// send makes one request without following anything.
func send(host abi.Host, request *Request) (*Response, error) {
	head := shape.AppendString([]byte(`{"method":`), request.Method)
	head = shape.AppendString(append(head, `,"url":`...), request.URL)
	head = request.Header.appendJSON(append(head, `,"headers":`...))
	handle := host.HTTP(append(head, '}'), request.Body)
	if handle <= 0 {
		return nil, hostError(host, request.op(), handle)
	}
	body := &body{host: host, op: request.op(), handle: handle}
	text, err := body.head()
	if err != nil {
		_ = body.Close()
		return nil, err
	}
	response, err := parseHead(text)
	if err != nil {
		_ = body.Close()
		return nil, &Error{Op: request.op(), Text: "the head of the answer: " + err.Error(), kind: ErrHost}
	}
	response.URL, response.Body = request.URL, body
	return response, nil
}

// parseHead reads the head of an answer. It ignores members that it does not
// know, which a later host may send.
func parseHead(text []byte) (*Response, error) {
	value, err := shape.Any(text)
	if err != nil {
		return nil, err
	}
	head, _ := value.(map[string]any)
	status, ok := head["status"].(float64)
	if !ok {
		return nil, errors.New("no status")
	}
	response := &Response{Status: int(status), Header: Header{}, Length: -1}
	if length, ok := head["body_bytes"].(float64); ok {
		response.Length = int64(length)
	}
	pairs, _ := head["headers"].([]any)
	for _, pair := range pairs {
		pair, _ := pair.([]any)
		if len(pair) != 2 {
			return nil, errors.New("a header is not a pair")
		}
		key, _ := pair[0].(string)
		value, _ := pair[1].(string)
		response.Header.Add(key, value)
	}
	return response, nil
}

// ReadAll reads and closes the body. A body of more than limit bytes is an
// error of the kind ErrLimit.
func (r *Response) ReadAll(limit int64) ([]byte, error) {
	defer r.Body.Close()
	all, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err == nil && int64(len(all)) > limit {
		return nil, &Error{Op: r.URL, Text: "the body has more than " + strconv.FormatInt(limit, 10) + " bytes", kind: ErrLimit}
	}
	return all, err
}

// body pulls an answer's body from the host, piece by piece.
type body struct {
	host   abi.Host
	op     string
	handle int64 // 0 when closed
	offset int64
}

func (b *body) head() ([]byte, error) {
	text := make([]byte, 4096)
	for {
		n := int(b.host.Head(b.handle, text))
		switch {
		case n < 0:
			return nil, hostError(b.host, b.op, int64(n))
		case n <= len(text):
			return text[:n], nil
		}
		text = make([]byte, n)
	}
}

func (b *body) Read(p []byte) (int, error) {
	switch {
	case b.handle == 0:
		return 0, errors.New(b.op + ": read of a closed body")
	case len(p) == 0:
		return 0, nil
	}
	p = p[:min(len(p), abi.MaxRead)]
	n := int(b.host.Read(b.handle, b.offset, p))
	switch {
	case n < 0:
		return 0, hostError(b.host, b.op, int64(n))
	case n == 0:
		return 0, io.EOF
	case n > len(p):
		return 0, &Error{Op: b.op, Text: "the host read more than was asked", kind: ErrHost}
	}
	b.offset += int64(n)
	return n, nil
}

func (b *body) Close() error {
	if b.handle == 0 {
		return nil
	}
	code := b.host.Close(b.handle)
	b.handle = 0
	if code < 0 {
		return hostError(b.host, b.op, int64(code))
	}
	return nil
}
