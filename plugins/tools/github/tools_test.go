package main

import (
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

const octo = `"owner":"octo-org","repo":"octo-repo"`

func TestListIssues(t *testing.T) {
	host := use(t, api{"/repos/octo-org/octo-repo/issues": {file: "issues", header: http.Header{"Link": {
		`<https://api.github.com/repositories/1296269/issues?per_page=4&page=1>; rel="prev", ` +
			`<https://api.github.com/repositories/1296269/issues?per_page=4&page=3>; rel="next", ` +
			`<https://api.github.com/repositories/1296269/issues?per_page=4&page=9>; rel="last"`}}}})
	var got IssueList
	call(t, "list_issues", `{`+octo+`,"labels":["bug","help wanted"],"page":2,"per_page":4,"state":"all","body_chars":12}`, &got)
	if got.Next != 3 || got.Skipped != 1 || len(got.Issues) != 3 {
		t.Fatalf("got %+v", got)
	}
	first := got.Issues[0]
	if first.Number != 1347 || first.Author != "octocat" || !reflect.DeepEqual(first.Labels, []string{"bug", "help wanted"}) ||
		!reflect.DeepEqual(first.Assignees, []string{"hubot", "monalisa"}) || first.Milestone != "v1.0" || first.Comments != 2 ||
		!strings.HasPrefix(first.Body, "I'm having a… [") || first.URL != "https://github.com/octo-org/octo-repo/issues/1347" {
		t.Errorf("got %+v", first)
	}
	if second := got.Issues[1]; second.Author != "ghost" || second.Body != "" {
		t.Errorf("an issue without a text and an author: %+v", second)
	}
	if third := got.Issues[2]; third.State != "closed" || third.StateReason != "not_planned" || third.ClosedAt == nil || !third.Locked {
		t.Errorf("a closed issue: %+v", third)
	}
	request := host.Requests[0]
	want := url.Values{"state": {"all"}, "sort": {"created"}, "direction": {"desc"}, "labels": {"bug,help wanted"}, "page": {"2"}, "per_page": {"4"}}
	if !reflect.DeepEqual(request.URL.Query(), want) {
		t.Errorf("asked for %s", request.URL)
	}
	if h := request.Header; h.Get("Accept") != mediaJSON || h.Get("X-GitHub-Api-Version") != "2022-11-28" || h.Get("Authorization") != "" || request.Host != "api.github.com" {
		t.Errorf("asked with %v", h)
	}
}

// TestListIssuesOfALongList: beyond the first thousands of entries GitHub answers
// only to the cursor of its own Link header.
func TestListIssuesOfALongList(t *testing.T) {
	host := use(t, api{"/repos/octo-org/octo-repo/issues": {file: "issues", header: http.Header{"Link": {
		`<https://api.github.com/repositories/1296269/issues?per_page=100&page=12&after=Y3Vyc29yOnYyOpLPAAABl%3D%3D>; rel="next"`}}}})
	var got IssueList
	call(t, "list_issues", `{`+octo+`,"page":11,"per_page":100,"after":"Y3Vyc29yOnYyOpLPAAABk=="}`, &got)
	if got.Next != 12 || got.After != "Y3Vyc29yOnYyOpLPAAABl==" {
		t.Errorf("the next page is %d after %q", got.Next, got.After)
	}
	if q := host.Requests[0].URL.Query(); q.Get("after") != "Y3Vyc29yOnYyOpLPAAABk==" || q.Get("page") != "11" {
		t.Errorf("asked for %v", q)
	}
}

func TestGetIssue(t *testing.T) {
	use(t, api{
		"/repos/octo-org/octo-repo/issues/1347":          {file: "issue"},
		"/repos/octo-org/octo-repo/issues/1347/comments": {file: "comments"},
	})
	var got IssueDetail
	call(t, "get_issue", `{`+octo+`,"number":1347,"body_chars":30}`, &got)
	if got.Issue.Title != "Found a bug" || len(got.Comments) != 2 || got.Next != 0 {
		t.Fatalf("got %+v", got)
	}
	if c := got.Comments[0]; c.Author != "monalisa" || c.Body != "Me too" || c.URL != "https://github.com/octo-org/octo-repo/issues/1347#issuecomment-1" {
		t.Errorf("got %+v", c)
	}
	if c := got.Comments[1]; c.Author != "ghost" || c.Body != "Gone, but not forgotten. xxxxx… [195 more characters]" {
		t.Errorf("got %+v", c)
	}
}

func TestSearchIssues(t *testing.T) {
	host := use(t, api{"/search/issues": {file: "search"}})
	var got SearchResult
	call(t, "search_issues", `{"query":"repo:octo-org/octo-repo is:issue \"a&b=c\"","sort":"updated"}`, &got)
	if got.Total != 2048 || !got.Incomplete || len(got.Items) != 2 || got.Items[0].Repository != "octo-org/octo-repo" ||
		got.Items[0].Number != 1347 || got.Items[0].PullRequest || !got.Items[1].PullRequest {
		t.Errorf("got %+v", got)
	}
	if q := host.Requests[0].URL.Query(); q.Get("q") != `repo:octo-org/octo-repo is:issue "a&b=c"` || q.Get("sort") != "updated" || q.Get("order") != "desc" {
		t.Errorf("asked for %v", q)
	}
}

func TestListPullRequests(t *testing.T) {
	host := use(t, api{"/repos/octo-org/octo-repo/pulls": {file: "pulls"}})
	var got PullList
	call(t, "list_pull_requests", `{`+octo+`,"state":"all","head":"octocat:new-topic","base":"main"}`, &got)
	if len(got.PullRequests) != 2 {
		t.Fatalf("got %+v", got)
	}
	first, second := got.PullRequests[0], got.PullRequests[1]
	if first.Head != (Branch{"new-topic", "6dcb09b5b57875f334f61aebed695e2e4193db5e", "octocat/octo-repo"}) ||
		first.Base.Repository != "octo-org/octo-repo" || first.Merged || !reflect.DeepEqual(first.Reviewers, []string{"monalisa"}) {
		t.Errorf("got %+v", first)
	}
	if !second.Merged || !second.Draft || second.Author != "ghost" || second.Head.Repository != "" || second.State != "closed" {
		t.Errorf("from a fork that is gone: %+v", second)
	}
	if q := host.Requests[0].URL.Query(); q.Get("head") != "octocat:new-topic" || q.Get("base") != "main" {
		t.Errorf("asked for %v", q)
	}
}

func TestGetPullRequest(t *testing.T) {
	use(t, api{
		"/repos/octo-org/octo-repo/pulls/1350":       {file: "pull"},
		"/repos/octo-org/octo-repo/pulls/1350/files": {file: "pull_files", header: http.Header{"Link": {`<https://api.github.com/x?page=2>; rel="next"`}}},
		"/repos/octo-org/octo-repo/pulls/1345":       {file: "pull_merged"},
		"/repos/octo-org/octo-repo/pulls/1345/files": {body: "[]"},
	})
	var got PullDetail
	call(t, "get_pull_request", `{`+octo+`,"number":1350,"patch_chars":100}`, &got)
	if got.Mergeable == nil || !*got.Mergeable || got.MergeableState != "clean" || got.Commits != 3 || got.ChangedFiles != 5 || got.Next != 2 || len(got.Files) != 3 {
		t.Fatalf("got %+v", got)
	}
	if f := got.Files[0]; f.Path != "main.go" || f.Additions != 103 || !strings.HasSuffix(f.Patch, " more characters]") || len(f.Patch) > 140 {
		t.Errorf("got %+v", f)
	}
	if f := got.Files[1]; f.Status != "renamed" || f.Previous != "docs/alt.md" || f.Patch != "" {
		t.Errorf("got %+v", f)
	}
	got = PullDetail{}
	call(t, "get_pull_request", `{`+octo+`,"number":1345}`, &got)
	if !got.PullRequest.Merged || got.MergedBy != "monalisa" || got.Mergeable != nil || len(got.Files) != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestGetFile(t *testing.T) {
	base := "/repos/octo-org/octo-repo/contents"
	large := strings.Repeat("0123456789\n", 200_000)
	host := use(t, api{
		base + "/cmd/main.go":         {file: "file"},
		base + "/logo.png":            {file: "file_binary"},
		base + "/empty":               {file: "file_empty"},
		base + "/large.txt":           {file: "file_large"},
		base + "/large.txt raw":       {body: large},
		base + "/bin/latest":          {file: "symlink"},
		base + "/lib/qunit":           {file: "submodule"},
		base + "/lib":                 {file: "directory"},
		base:                          {file: "directory"},
		base + "/a%20b/100%25%3F.txt": {file: "file"},
	})
	tests := []struct {
		name, args string
		want       File
	}{
		{"text", `"path":"cmd/main.go"`, File{Type: "file", Path: "cmd/main.go", Size: 42, Encoding: "utf-8", Content: "package main\n\n// Grüße\nfunc main() {}\n"}},
		{"cut inside a character", `"path":"/cmd/main.go","max_bytes":20`, File{Type: "file", Path: "cmd/main.go", Size: 42, Encoding: "utf-8", Content: "package main\n\n// Gr", Truncated: true}},
		{"binary", `"path":"logo.png","max_bytes":4`, File{Type: "file", Path: "logo.png", Size: 70, Encoding: "base64", Content: "iVBORw==", Truncated: true}},
		{"empty", `"path":"empty"`, File{Type: "file", Path: "empty", Encoding: "utf-8"}},
		{"large", `"path":"large.txt","max_bytes":1000000`, File{Type: "file", Path: "large.txt", Size: 2500000, Encoding: "utf-8", Content: large[:1000000], Truncated: true}},
		{"symlink", `"path":"bin/latest"`, File{Type: "symlink", Path: "bin/latest", Size: 23, Target: "/path/to/symlink/target"}},
		{"submodule", `"path":"lib/qunit"`, File{Type: "submodule", Path: "lib/qunit", Target: "https://github.com/jquery/qunit.git"}},
		{"directory", `"path":"lib/"`, File{Type: "directory", Path: "lib/", Entries: []Entry{
			{"octokit.rb", "file", 625}, {"octokit", "directory", 0}, {"current", "symlink", 7}, {"qunit", "submodule", 0}}}},
		{"root", `"ref":"feature/x"`, File{Type: "directory", Entries: []Entry{
			{"octokit.rb", "file", 625}, {"octokit", "directory", 0}, {"current", "symlink", 7}, {"qunit", "submodule", 0}}}},
		{"escaped", `"path":"a b/100%?.txt"`, File{Type: "file", Path: "cmd/main.go", Size: 42, Encoding: "utf-8", Content: "package main\n\n// Grüße\nfunc main() {}\n"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got File
			call(t, "get_file", `{`+octo+`,`+test.args+`}`, &got)
			got.SHA, got.URL = "", ""
			if test.want.Size == 42 {
				got.Size = 42
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got  %.300v\nwant %.300v", got, test.want)
			}
		})
	}
	if ref := host.Requests[len(host.Requests)-2].URL.Query().Get("ref"); ref != "feature/x" {
		t.Errorf("asked for ref %q", ref)
	}
}

// TestEnterprise: GitHub Enterprise Server has its API under a path.
func TestEnterprise(t *testing.T) {
	t.Setenv("GITHUB_API_URL", "https://ghe.test/api/v3/")
	host := use(t, api{"/api/v3/repos/octo-org/octo-repo/issues": {file: "issues"}})
	var got IssueList
	call(t, "list_issues", `{`+octo+`}`, &got)
	if host.Requests[0].Host != "ghe.test" || len(got.Issues) != 3 {
		t.Errorf("asked %s, got %+v", host.Requests[0].Host, got)
	}
}

// TestRenamed: GitHub answers for a renamed repository with its number.
func TestRenamed(t *testing.T) {
	host := use(t, api{
		"/repos/octo-org/octo-repo/issues": {status: 301, file: "moved", header: http.Header{"Location": {"https://api.github.com/repositories/1296269/issues?page=1"}}},
		"/repositories/1296269/issues":     {file: "issues"},
	})
	var got IssueList
	call(t, "list_issues", `{`+octo+`}`, &got)
	if len(host.Requests) != 2 || len(got.Issues) != 3 {
		t.Errorf("%d requests, got %+v", len(host.Requests), got)
	}
}
