// Package nethttp lets libraries that want an *http.Client work inside a guest.
//
//	client := &http.Client{Transport: nethttp.Transport{}}
//	response, err := client.Get("https://api.example.org/")
//
// Every request goes through guest.Fetch, so the policy decides about it, and
// about each redirect that the client follows. Request bodies are read into
// memory before they are sent (at most 2 MiB); answers are streamed. Upgrades,
// trailers and CONNECT do not exist, and the host sets the credentials.
//
// A request's context is looked at before each step. It cannot interrupt one: a
// guest stands still while the host works for it, for as long as the policy allows.
//
// The package is apart because net/http makes a module 8 MB larger.
package nethttp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/ringfence/ringfence/pluginkit/guest"
)

// maxBody is the largest request body that a host takes.
const maxBody = 2 << 20

// Transport is an http.RoundTripper over guest.Fetch. Its errors unwrap to
// those of package guest.
type Transport struct{}

// RoundTrip sends one request. It follows no redirects: the client does.
func (Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	body, err := readBody(request)
	if err != nil {
		return nil, err
	}
	if request.Host != "" && request.Host != request.URL.Host {
		return nil, fmt.Errorf("nethttp: the Host %q is not that of %s, and a guest cannot choose it", request.Host, request.URL)
	}
	if err := context.Cause(request.Context()); err != nil {
		return nil, err
	}
	answer, err := guest.Fetch(guest.Request{
		Method:     request.Method,
		URL:        request.URL.String(),
		Header:     guest.Header(request.Header),
		Body:       body,
		NoRedirect: true,
	})
	if err != nil {
		return nil, err
	}
	return &http.Response{
		Status:        fmt.Sprintf("%d %s", answer.Status, http.StatusText(answer.Status)),
		StatusCode:    answer.Status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        http.Header(answer.Header),
		Body:          bodyUntil{request.Context(), answer.Body},
		ContentLength: answer.Length,
		Request:       request,
	}, nil
}

// readBody takes the whole body and closes it, as a RoundTripper must.
func readBody(request *http.Request) ([]byte, error) {
	if request.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(io.LimitReader(request.Body, maxBody+1))
	if err = errors.Join(err, request.Body.Close()); err != nil {
		return nil, err
	}
	if len(body) > maxBody {
		return nil, fmt.Errorf("nethttp: the request body has more than %d bytes: %w", maxBody, guest.ErrLimit)
	}
	return body, nil
}

// bodyUntil is an answer's body that ends with the request's context.
type bodyUntil struct {
	ctx context.Context
	io.ReadCloser
}

func (b bodyUntil) Read(p []byte) (int, error) {
	if err := context.Cause(b.ctx); err != nil {
		return 0, err
	}
	return b.ReadCloser.Read(p)
}
