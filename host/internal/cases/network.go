package cases

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// network answers requests from a case's canned answers, and nothing else. It takes
// the place of everything below the broker: no name is looked up and no connection
// made, whatever the tool asks for.
type network struct {
	answers []answer

	mu      sync.Mutex
	asked   []string // all requests that the policy let through, in order
	unknown []string // those without an answer
	used    []int    // how often each answer was given
}

func newNetwork(answers []answer) *network {
	return &network{answers: answers, used: make([]int, len(answers))}
}

var errNoAnswer = errors.New("the case has no answer for this request")

// RoundTrip gives the answers for one request in order, the last one again and again.
func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		r.Body.Close()
	}
	line, err := requestLine(r.Method + " " + r.URL.String())
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked = append(n.asked, line)
	chosen := -1
	for i := range n.answers {
		if n.answers[i].request == line {
			if chosen = i; n.used[i] == 0 {
				break
			}
		}
	}
	if chosen < 0 {
		n.unknown = append(n.unknown, line)
		return nil, errNoAnswer
	}
	n.used[chosen]++
	a := &n.answers[chosen]
	if a.failure != "" {
		return nil, errors.New(a.failure)
	}
	body := a.body
	if r.Method == http.MethodHead {
		body = nil
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", a.status, http.StatusText(a.status)), StatusCode: a.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: a.header.Clone(),
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}, nil
}

// problems are requests that came without an answer for them, answers that nobody
// asked for, and, where a case lists its requests, others than these.
func (n *network) problems(want *[]string) (problems []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, line := range n.unknown {
		problems = append(problems, fmt.Sprintf("the tool asked for %s, for which the case has no answer (and the network is not asked)", line))
	}
	for i, count := range n.used {
		if count == 0 {
			problems = append(problems, fmt.Sprintf("nobody asked for the answer %q at line %d", n.answers[i].request, n.answers[i].line))
		}
	}
	if want != nil && !slices.Equal(*want, n.asked) {
		problems = append(problems, "the requests differ:\n"+lines(strings.Join(*want, "\n"), strings.Join(n.asked, "\n")))
	}
	return problems
}

// requestLine brings "GET https://host:443/path?query" into the one spelling that is
// compared. Without a method it is GET.
func requestLine(s string) (string, error) {
	method, address, ok := strings.Cut(strings.TrimSpace(s), " ")
	if !ok {
		method, address = http.MethodGet, method
	}
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil {
		return "", err
	}
	if u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return "", fmt.Errorf("%q is no https or http address", address)
	}
	host := strings.ToLower(u.Host)
	if u.Scheme == "https" {
		host = strings.TrimSuffix(host, ":443")
	} else {
		host = strings.TrimSuffix(host, ":80")
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	if u.RawQuery != "" {
		path += "?" + u.RawQuery
	}
	return strings.ToUpper(method) + " " + u.Scheme + "://" + host + path, nil
}
