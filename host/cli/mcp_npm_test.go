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

const mcpPolicy = `
ringfence {
  state_dir = "STATE"
}
plugin "jq" {
  source = "TOOLS/jq.wasm"
}
plugin "github" {
  source = "TOOLS/github.wasm"
}
`

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

func TestInspectorOverStdioAndHTTP(t *testing.T) {
	d := deploy(t, mcpPolicy)
	address, token := d.serve("--token-file", filepath.Join(d.dir, "token"))
	ways := map[string][]string{
		"stdio": {filepath.Join(d.bin, "ringfence"), "mcp", "-p", filepath.Join(d.dir, "ringfence.hcl")},
		"http":  {address, "--transport", "http", "--header", "Authorization: Bearer " + token},
	}
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
			if !names["run"] || !names["list_issues"] || len(names) != 7 {
				t.Errorf("the tools are %v", names)
			}
			var called struct {
				StructuredContent struct{ Outputs []int }
				IsError           bool
			}
			inspect(t, d, &called, append(server, "--method", "tools/call", "--tool-name", "run",
				"--tool-arg", "program=map(.+1)|.[]", "--tool-arg", "input=[1,2]")...)
			if got := called.StructuredContent.Outputs; called.IsError || len(got) != 2 || got[1] != 3 {
				t.Errorf("run answers %+v", called)
			}
		})
	}
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
