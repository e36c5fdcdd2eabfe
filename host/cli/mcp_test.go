package cli_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// scan sends each line and closes the channel at the end.
func scan(r io.Reader, lines chan<- string) {
	defer close(lines)
	s := bufio.NewScanner(r)
	for s.Scan() {
		select {
		case lines <- s.Text():
		default: // nobody listens; the process must not wait
		}
	}
}

const rogueOnly = `
ringfence {
  state_dir = "STATE"
}
plugin "rogue" {
  source = "TOOLS/rogue.wasm"
  limits {
    memory   = "64MiB"
    cpu_time = "1s"
  }
}
`

// conversation is what a client of the test writes: it logs at every level, calls
// a tool that logs for ever, and one that crashes.
const conversation = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}
{"jsonrpc":"2.0","method":"notifications/initialized"}
{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"flood","arguments":{}}}
{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"crash","arguments":{}}}
{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"nope","arguments":{}}}
`

// talk runs ringfence mcp, writes the conversation, and ends it when all calls
// are answered.
func (d *deployment) talk(t *testing.T, args ...string) (stdout []string, stderr string) {
	t.Helper()
	cmd := d.command(append([]string{"mcp"}, args...)...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(in, conversation); err != nil {
		t.Fatal(err)
	}
	answers := 0
	for s := bufio.NewScanner(out); s.Scan(); {
		stdout = append(stdout, s.Text())
		if strings.Contains(s.Text(), `"id":`) {
			if answers++; answers == 4 {
				in.Close() // and the server ends
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("ringfence mcp %q ended with %v", args, err)
	}
	return stdout, errs.String()
}

func TestStandardOutputIsTheProtocols(t *testing.T) {
	d := deploy(t, rogueOnly)
	logged := filepath.Join(d.dir, "mcp.log")
	for name, args := range map[string][]string{"to stderr": {"-v"}, "to a file": {"-v", "--log-file", logged}} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr := d.talk(t, args...)
			for _, line := range stdout {
				var message struct{ JSONRPC string }
				if err := json.Unmarshal([]byte(line), &message); err != nil || message.JSONRPC != "2.0" {
					t.Fatalf("on standard output: %.200q", line)
				}
			}
			if len(stdout) < 4 {
				t.Errorf("%d messages: %q", len(stdout), stdout)
			}
			if file, _ := os.ReadFile(logged); len(args) > 1 {
				if !strings.Contains(string(file), "rogue.flood") || stderr != "" {
					t.Errorf("the file has %d bytes, standard error %q", len(file), stderr[:min(len(stderr), 200)])
				}
			} else if !strings.Contains(stderr, "rogue.flood") {
				t.Error("standard error has nothing of the tools' logs")
			}
		})
	}
}

func TestAClientThatWritesNoMessages(t *testing.T) {
	d := deploy(t, rogueOnly)
	for name, input := range map[string]string{
		"no JSON":          "\x1b[2Jhello\n",
		"a line too long":  `{"x":"` + strings.Repeat("x", 9<<20) + `"}` + "\n",
		"something deep":   strings.Repeat("[", 1<<20) + "\n",
		"half of a line":   `{"jsonrpc":`,
		"nothing at all":   "",
		"an answer to all": `{"jsonrpc":"2.0","id":77,"result":{}}` + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			o := d.runWith(strings.NewReader(input), "mcp")
			if o.stdout != "" || strings.ContainsAny(o.stderr, "\x1b") || strings.Contains(o.stderr, "goroutine") || len(o.stderr) > 2000 {
				t.Errorf("standard output %.200q, standard error %.500q", o.stdout, o.stderr)
			}
			if o.code != 0 && o.code != 2 {
				t.Errorf("exit code %d: %s", o.code, o.stderr)
			}
		})
	}
}

func TestMCPUsage(t *testing.T) {
	d := deploy(t, rogueOnly)
	open := d.write("open-token", strings.Repeat("x", 40))
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	fifo := filepath.Join(d.dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	short := d.write("short", "x")
	for name, tt := range map[string]struct {
		args  []string
		words []string
	}{
		"all addresses":           {[]string{"--http", "0.0.0.0:0"}, []string{"loopback"}},
		"a name":                  {[]string{"--http", "example.com:80"}, []string{"loopback"}},
		"no port":                 {[]string{"--http", "127.0.0.1"}, []string{"a port"}},
		"an empty address":        {[]string{"--http", ""}, []string{"--http"}},
		"a token without HTTP":    {[]string{"--token-file", "x"}, []string{"--http"}},
		"a token that all read":   {[]string{"--http", "127.0.0.1:0", "--token-file", open}, []string{"chmod 600"}},
		"a short token":           {[]string{"--http", "127.0.0.1:0", "--token-file", short}, []string{"16"}},
		"a token in a FIFO":       {[]string{"--http", "127.0.0.1:0", "--token-file", fifo}, []string{"not a file"}},
		"a token in no folder":    {[]string{"--http", "127.0.0.1:0", "--token-file", "no/where"}, []string{"no folder"}},
		"JSON of what":            {[]string{"--json"}, []string{"JSON-RPC"}},
		"a mark that is none":     {[]string{"--mark", "loud"}, []string{"text or meta"}},
		"a log in no folder":      {[]string{"--log-file", "no/where"}, []string{"--log-file"}},
		"a policy that is absent": {[]string{"-p", "nope.hcl"}, []string{"nope.hcl"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := d.run(append([]string{"mcp"}, tt.args...)...)
			if o.stdout != "" || o.code != 2 {
				t.Errorf("exit code %d, standard output %q", o.code, o.stdout)
			}
			for _, word := range tt.words {
				if !strings.Contains(o.stderr, word) {
					t.Errorf("standard error does not say %q: %s", word, o.stderr)
				}
			}
		})
	}
}

func TestTheTokenComesFromAFileTheEnvironmentOrNowhere(t *testing.T) {
	d := deploy(t, rogueOnly)
	authorized := func(address, token string) bool {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode != http.StatusUnauthorized
	}
	address, printed := d.serve()
	if !authorized(address, printed) || authorized(address, "x") || len(printed) < 40 {
		t.Errorf("the token that was printed is %q", printed)
	}
	d.env = append(d.env, "RINGFENCE_MCP_TOKEN=from-the-environment")
	address, _ = d.serve()
	if !authorized(address, "from-the-environment") || authorized(address, printed) {
		t.Error("the token of the environment is not taken")
	}
	file := filepath.Join(d.dir, "token")
	address, made := d.serve("--token-file", file)
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 || !authorized(address, made) || authorized(address, "from-the-environment") {
		t.Errorf("the token file is %v (%v)", info, err)
	}
	if again, token := d.serve("--token-file", file); token != made || !authorized(again, made) {
		t.Error("the next start has another token")
	}
}
