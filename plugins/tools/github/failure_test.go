package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/pluginkit/guest"
	"github.com/ringfence/ringfence/pluginkit/guest/guesttest"
)

func TestFailures(t *testing.T) {
	at := func(key, value string) http.Header { return http.Header{key: {value}} }
	rate := http.Header{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {"1767227400"}, "X-Ratelimit-Limit": {"60"}}
	const noToken = ` The request went without a token, since the policy grants none named "github": only public data can be read, and only 60 times an hour.`
	tests := []struct {
		name   string
		answer answer
		secret bool
		want   string
	}{
		{"bad token", answer{status: 401, file: "error_401"}, true,
			"issue 7 of octo-org/octo-repo: GitHub does not accept the token that the host sent: it is wrong, expired or revoked. Only the operator can replace it. (401: Bad credentials)"},
		{"rate limit without a token", answer{status: 403, file: "error_403_rate", header: rate}, false,
			"It is renewed at 2026-01-01T00:30:00Z, in 30m0s." + noToken},
		{"rate limit", answer{status: 429, file: "error_429", header: rate}, true,
			"issue 7 of octo-org/octo-repo: GitHub's rate limit is used up (429: API rate limit exceeded for user ID 583231). It is renewed at 2026-01-01T00:30:00Z, in 30m0s."},
		{"rate limit without a time", answer{status: 429, file: "error_429", header: at("X-Ratelimit-Remaining", "0")}, true, "It is renewed at"},
		{"secondary limit", answer{status: 403, file: "error_403_secondary", header: at("Retry-After", "60")}, true, "Wait 1m0s, then ask less often."},
		{"secondary limit without a time", answer{status: 403, file: "error_403_secondary"}, true, "Wait at least a minute, then ask less often."},
		{"forbidden", answer{status: 403, file: "error_403"}, true,
			"The token may not do this. Its owner has to grant it access to the repository. (403: Resource not accessible by personal access token)"},
		{"single sign-on", answer{status: 403, file: "error_403_sso", header: at("X-Github-Sso", "required; url=https://github.com/orgs/octo-org/sso?x")}, true,
			"The organisation demands single sign-on for this token: required; url=https://github.com/orgs/octo-org/sso?x."},
		{"too large", answer{status: 403, file: "error_403_too_large"}, true,
			"issue 7 of octo-org/octo-repo: It is larger than the API hands out (100 MB). (403: This API returns blobs up to 100 MB in size. The requested blob is too large to fetch via the API, but you can always clone the repository via Git in order to obtain it; Blob data: too_large)"},
		{"not found", answer{status: 404, file: "error_404"}, true,
			"issue 7 of octo-org/octo-repo: It does not exist, or the token may not see it. Check the spelling of the arguments. (404: Not Found)"},
		{"not found without a token", answer{status: 404, file: "error_404"}, false, "Check the spelling of the arguments." + noToken},
		{"gone", answer{status: 410, file: "error_410"}, true, "(410: Issues has been disabled in this repository)"},
		{"validation", answer{status: 422, file: "error_422"}, true, "bad arguments: issue 7 of octo-org/octo-repo: GitHub does not take these arguments. " +
			"Change them as it says. (422: Validation Failed; The listed users and repositories cannot be searched either because the resources do not exist or you do not have permission to view them.; Issue labels: missing_field)"},
		{"validation in words", answer{status: 422, file: "error_422_text"}, true, "(422: Validation Failed; Only the first 1000 search results are available)"},
		{"down", answer{status: 502, body: "<html><body>\n <h1>Unicorn!</h1></body></html>"}, true,
			"GitHub itself has trouble. Try again in a minute. (502: <html><body> <h1>Unicorn!</h1></body></html>)"},
		{"empty", answer{status: 503}, true, "(503: no reason given)"},
		{"redirect to nowhere", answer{status: 301, file: "moved"}, true, "It has moved, and GitHub did not say where."},
		{"odd", answer{status: 418, body: "short and stout"}, true, "This was not expected. (418: short and stout)"},
		{"not the API", answer{body: "<html>welcome</html>"}, true, "answered with something that is not the API's JSON; is GITHUB_API_URL right?"},
		{"huge", answer{body: `"` + strings.Repeat("x", maxAnswer) + `"`}, true, "the answer is too large; ask for fewer with per_page"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			host := use(t, api{"/repos/octo-org/octo-repo/issues/7": test.answer})
			if !test.secret {
				host.Secrets = nil
			}
			_, err := guesttest.Call("get_issue", `{`+octo+`,"number":7}`)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
			if errors.Is(err, guesttest.ErrBadArguments) != (test.answer.status == 422) {
				t.Errorf("whose fault is %v?", err)
			}
		})
	}
}

// TestDenied: what the host says must reach the person who can change the policy.
func TestDenied(t *testing.T) {
	host := use(t, nil)
	host.Refuse = func(*http.Request) error {
		return fmt.Errorf("%w: no rule of plugin github allows GET /search/issues", guest.ErrDenied)
	}
	_, err := guesttest.Call("search_issues", `{"query":"x"}`)
	if err == nil || !strings.Contains(err.Error(), "no rule of plugin github allows GET /search/issues") {
		t.Errorf("got %v", err)
	}
}

// TestArgumentsStayInTheirPlace: an argument must not choose another path.
func TestArgumentsStayInTheirPlace(t *testing.T) {
	host := use(t, api{})
	tests := []struct{ tool, args, problem string }{
		{"list_issues", `{"owner":"a/b","repo":"c"}`, `owner: "a/b" is not the name of a user or organisation`},
		{"list_issues", `{"owner":"..","repo":"c"}`, `owner: ".." is not`},
		{"list_issues", `{"owner":"","repo":"c"}`, `owner: "" is not`},
		{"list_issues", `{"owner":"a","repo":".."}`, `repo: ".." is not`},
		{"list_pull_requests", `{"owner":"a","repo":"."}`, `repo: "." is not`},
		{"get_issue", `{"owner":"a","repo":"b/../c","number":1}`, `repo: "b/../c" is not`},
		{"get_issue", `{"owner":"a","repo":"b%2f","number":1}`, `repo: "b%2f" is not`},
		{"get_pull_request", `{"owner":"a","repo":"b?x","number":1}`, `repo: "b?x" is not`},
		{"get_pull_request", `{"owner":"a","repo":"b","number":0}`, `number: expected at least 1, got 0`},
		{"get_file", `{"owner":"a","repo":"b","path":"x/../../c"}`, `path: "x/../../c" has the segment ".."`},
		{"get_file", `{"owner":"a","repo":"b","path":"./x"}`, `has the segment "."`},
		{"get_file", `{"owner":"a","repo":"b","path":"x//y"}`, `has the segment ""`},
		{"get_file", `{"owner":"a","repo":"b","path":"x\u0000"}`, `has the segment "x\x00"`},
		{"list_issues", `{"owner":"a","repo":"b","per_page":101}`, `per_page: expected at most 100, got 101`},
		{"list_issues", `{"owner":"a","repo":"b","state":"Open"}`, `state: expected one of open, closed, all, got "Open"`},
	}
	for _, test := range tests {
		if _, err := guesttest.Call(test.tool, test.args); !errors.Is(err, guesttest.ErrBadArguments) || !strings.Contains(err.Error(), test.problem) {
			t.Errorf("%s %s: got %v, want %s", test.tool, test.args, err, test.problem)
		}
	}
	if len(host.Requests) != 0 {
		t.Errorf("%d requests were sent", len(host.Requests))
	}
}

func TestBadBaseURL(t *testing.T) {
	use(t, api{})
	for _, base := range []string{"api.github.com", "ftp://x", "https://", "https://x/?y", "https://x#y"} {
		t.Setenv("GITHUB_API_URL", base)
		if _, err := guesttest.Call("search_issues", `{"query":"x"}`); err == nil || !strings.Contains(err.Error(), "GITHUB_API_URL in the policy's env is") {
			t.Errorf("%s: %v", base, err)
		}
	}
}

func TestModule(t *testing.T) {
	_, module := guesttest.Build(t, ".")
	if module.Size > 6_000_000 {
		t.Errorf("the module has %d bytes", module.Size)
	}
	t.Logf("the module has %d bytes", module.Size)
	for _, i := range module.Imports {
		if i.Module != "ringfence" && i.Module != "wasi_snapshot_preview1" {
			t.Errorf("it imports %s.%s", i.Module, i.Name)
		}
	}
}
