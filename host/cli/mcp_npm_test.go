package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/pluginkit/guest/guesttest"
)

// Programs that nobody here wrote, pinned so that their changes are ours to make.
const (
	inspector   = "@modelcontextprotocol/inspector@2.12.0"
	conformance = "@modelcontextprotocol/conformance@0.1.16"
)

// npx runs a program of npm's. Without npm the test is skipped, unless
// RINGFENCE_NPM=required says that there must be one, as CI does.
func npx(t *testing.T, dir string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	path, missing := exec.LookPath("npx")
	if missing != nil {
		if os.Getenv("RINGFENCE_NPM") == "required" {
			t.Fatal("npx is missing, and RINGFENCE_NPM=required")
		}
		t.Skip("SKIPPED: npx is missing, so no client that nobody here wrote has looked at ringfence mcp; install npm")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, append([]string{"-y"}, args...)...)
	cmd.Dir = dir
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// assistant deploys examples/assistant, with its folder of notes and a server of this
// machine in place of the internet.
func assistant(t *testing.T) *deployment {
	t.Helper()
	internet := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/wiki/Gear":
			w.Header().Set("Content-Type", "text/html")
			http.ServeFile(w, r, "../../plugins/tools/webfetch/testdata/pages/wiki.html")
		case "/repos/octo-org/octo-repo/issues":
			http.ServeFile(w, r, "../../plugins/tools/github/testdata/issues.json")
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(internet.Close)
	text, err := os.ReadFile("../../examples/assistant/ringfence.hcl")
	if err != nil {
		t.Fatal(err)
	}
	policy := strings.NewReplacer("../../bin/tools", "TOOLS", `env("GITHUB_TOKEN")`, `"a-token-for-tests-only"`,
		"en.wikipedia.org", internet.URL, `"api.github.com"`, `"`+internet.URL+`"`,
		`plugin "github" {`, "plugin \"github\" {\n  env = { GITHUB_API_URL = \""+internet.URL+"\" }\n").Replace(string(text))
	d := deploy(t, "ringfence {\n  state_dir = \"STATE\"\n}\n"+policy)
	if err := os.CopyFS(filepath.Join(d.dir, "notes"), os.DirFS("../../examples/assistant/notes")); err != nil {
		t.Fatal(err)
	}
	return d
}

// inspect runs the inspector and returns the JSON that it prints.
func inspect(t *testing.T, d *deployment, into any, args ...string) {
	t.Helper()
	out, errs, err := npx(t, d.dir, append([]string{inspector, "--cli"}, args...)...)
	if err != nil {
		t.Fatalf("inspector %q: %v\n%s\n%s", args, err, out, errs)
	}
	if err := json.Unmarshal([]byte(out), into); err != nil {
		t.Fatalf("inspector %q prints no JSON: %v\n%s\n%s", args, err, out, errs)
	}
}

// A client that nobody here wrote lists and calls the four tools of examples/assistant.
func TestInspectorOverStdioAndHTTP(t *testing.T) {
	d := assistant(t)
	address, token := d.serve("--token-file", filepath.Join(d.dir, "token"))
	ways := map[string][]string{
		"stdio": {filepath.Join(d.bin, "ringfence"), "mcp", "-p", filepath.Join(d.dir, "ringfence.hcl")},
		"http":  {address, "--transport", "http", "--header", "Authorization: Bearer " + token},
	}
	page := regexp.MustCompile(`http://127[^"]*`).FindString(d.policy()) + "/wiki/Gear"
	for name, server := range ways {
		t.Run(name, func(t *testing.T) {
			var listed struct {
				Tools []struct {
					Name        string
					InputSchema json.RawMessage
					Annotations struct{ ReadOnlyHint bool }
				}
			}
			inspect(t, d, &listed, append(server, "--method", "tools/list")...)
			names := map[string]bool{}
			for _, tool := range listed.Tools {
				names[tool.Name] = tool.Annotations.ReadOnlyHint && len(tool.InputSchema) > 0
			}
			for _, tool := range []string{"run", "list_issues", "fetch", "search", "read"} {
				if !names[tool] {
					t.Errorf("%s is missing in %v, or not read-only", tool, names)
				}
			}
			if names["create"] || names["append"] || len(names) != 13 {
				t.Errorf("the tools are %v", names)
			}
			calls := []struct {
				tool string
				args []string
				want string
			}{
				{"run", []string{"program=map(.+1)|.[]", "input=[1,2]"}, `"outputs":[2,3]`},
				{"list_issues", []string{"owner=octo-org", "repo=octo-repo"}, `"title":"Found a bug"`},
				{"fetch", []string{"url=" + page}, "A **gear** is a rotating [machine part]"},
				{"create", []string{"title=Seen over " + name, "text=An inspector was here."}, `"name":"seen-over-` + name + `"`},
				{"search", []string{"query=inspector " + name}, `"total":1`},
			}
			for _, c := range calls {
				arguments := append(server[:len(server):len(server)], "--method", "tools/call", "--tool-name", c.tool)
				for _, a := range c.args {
					arguments = append(arguments, "--tool-arg", a)
				}
				var called struct {
					StructuredContent json.RawMessage
					IsError           bool
				}
				inspect(t, d, &called, arguments...)
				var compact bytes.Buffer
				if err := json.Compact(&compact, called.StructuredContent); err != nil || called.IsError || !strings.Contains(compact.String(), c.want) {
					t.Errorf("%s answers %s (%v)", c.tool, compact.String(), err)
				}
			}
		})
	}
}

// policy is the text of the deployment's policy.
func (d *deployment) policy() string {
	d.t.Helper()
	text, err := os.ReadFile(filepath.Join(d.dir, "ringfence.hcl"))
	if err != nil {
		d.t.Fatal(err)
	}
	return string(text)
}

// serve starts ringfence mcp over HTTP and returns its address and token.
func (d *deployment) serve(args ...string) (address, token string) {
	d.t.Helper()
	cmd := d.command(append([]string{"mcp", "--http", "127.0.0.1:0"}, args...)...)
	errs, err := cmd.StderrPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	lines := make(chan string, 1024)
	d.t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		for range lines { // until it has said its last word
		}
		if err := cmd.Wait(); err != nil {
			d.t.Errorf("ringfence mcp ended with %v", err)
		}
	})
	go scan(errs, lines)
	for line := range lines {
		if _, after, ok := strings.Cut(line, "serving MCP at "); ok {
			address = after
			break
		}
	}
	if written, err := os.ReadFile(filepath.Join(d.dir, "token")); err == nil {
		return address, strings.TrimSpace(string(written))
	}
	_, token, _ = strings.Cut(<-lines, "for this run: ")
	return address, token
}

// The suite's tools, resources and prompts are those of a plugin in a sandbox.
func TestConformanceSuite(t *testing.T) {
	module, _ := guesttest.Build(t, "../mcp/testdata/conformance")
	d := deploy(t, `
ringfence {
  state_dir = "STATE"
}
plugin "conformance" {
  source = "`+module+`"

  client {
    elicitation = true
    sampling    = true
    rate        = "100/s"
  }
}
`)
	address, token := d.serve("--token-file", filepath.Join(d.dir, "token"))
	target, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	// The suite knows no tokens. All else passes as it comes, hostile Hosts too.
	front := httptest.NewServer(&httputil.ReverseProxy{
		FlushInterval: -1,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: target.Scheme, Host: target.Host})
			r.Out.Host = r.In.Host
			r.Out.Header.Set("Authorization", "Bearer "+token)
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	})
	defer front.Close()
	expected, err := filepath.Abs("testdata/conformance.yml")
	if err != nil {
		t.Fatal(err)
	}
	out, errs, err := npx(t, d.dir, "-p", "node@22", "-p", conformance, "conformance", "server",
		"--suite", "all", "--url", strings.Replace(front.URL, "127.0.0.1", "localhost", 1)+"/mcp", "--expected-failures", expected)
	t.Logf("%s", tail(out, 60))
	if err != nil {
		t.Fatalf("the suite ended with %v; what is expected to fail stands in %s and docs/mcp.md\n%s", err, expected, tail(errs, 40))
	}
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
