package policies

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// env is a fixed environment, so that no test depends on the machine's.
func env(pairs ...string) func(string) (string, bool) {
	m := map[string]string{"HOME": "/home/tester"}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return func(name string) (string, bool) {
		v, ok := m[name]
		return v, ok
	}
}

func parse1(t testing.TB, src string, opts Options) *Policy {
	t.Helper()
	if opts.LookupEnv == nil {
		opts.LookupEnv = env()
	}
	p, err := Parse("/etc/ringfence/test.hcl", []byte(src), opts)
	if err != nil {
		var wrong *DiagnosticsError
		if errors.As(err, &wrong) {
			var b strings.Builder
			_ = wrong.Render(&b, 0, false)
			t.Fatalf("policy is refused:\n%s", b.String())
		}
		t.Fatal(err)
	}
	return p
}

func refused(t testing.TB, src string, opts Options) *DiagnosticsError {
	t.Helper()
	if opts.LookupEnv == nil {
		opts.LookupEnv = env()
	}
	_, err := Parse("/etc/ringfence/test.hcl", []byte(src), opts)
	var wrong *DiagnosticsError
	if !errors.As(err, &wrong) {
		t.Fatalf("policy gives %v (want a *DiagnosticsError):\n%s", err, src)
	}
	return wrong
}

func rendered(t testing.TB, wrong *DiagnosticsError) string {
	t.Helper()
	var b strings.Builder
	if _, err := wrong.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestDesignExample(t *testing.T) {
	p := parse1(t, `
ringfence {
  max_sandboxes = 2 * cpus()
  state_dir     = "~/state"
}
variable "github_token" {
  default   = env("GITHUB_TOKEN")
  sensitive = true
}
secret "github" {
  value = var.github_token
}
plugin "github" {
  source   = "./github.wasm"
  sha256   = "9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08"
  engine   = "wasmer"
  lifetime = "session"
  limits {
    memory       = "100001KiB"
    cpu_time     = "5s"
    call_timeout = "1m30s"
    fuel         = 0
    processes    = 2

    message_timeout = "2s"
    ring            = "1100KiB"
    ring_max        = "2MiB"
    ring_rate       = "8MiB"
  }
  http {
    allow "api.github.com" {
      methods = ["GET"]
      paths   = ["/repos/*/*/issues", "/search/**"]
      credential "github" {
        bearer = true
      }
    }
    rate = "60/m"
  }
  env = {
    LANG  = "C"
    DEBUG = 1
  }
}
plugin "empty" {
  source = "/opt/empty.wasm"
}
`, Options{LookupEnv: env("GITHUB_TOKEN", "ghp_token")})

	if got := p.Settings().StateDir; got != "/home/tester/state" {
		t.Errorf("StateDir = %q", got)
	}
	if len(p.Plugins()) != 2 || p.Plugins()[0].Name() != "empty" {
		t.Errorf("Plugins are not sorted: %v", p.Plugins())
	}
	if len(p.Warnings()) != 0 {
		t.Errorf("warnings: %v", p.Warnings())
	}
	g, ok := p.Plugin("github")
	if !ok {
		t.Fatal("no plugin github")
	}
	if _, ok := p.Plugin("nothing"); ok {
		t.Error("found a plugin that is not declared")
	}
	want := Limits{Memory: 100001 << 10 / wasmPage * wasmPage, CPUTime: 5 * time.Second, CallTimeout: 90 * time.Second, Processes: 2,
		MessageTimeout: 2 * time.Second, Ring: 1088 << 10, RingMax: 2 << 20, RingRate: 8 << 20}
	if diff := cmp.Diff(want, g.Limits()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]EnvVar{{"DEBUG", "1"}, {"LANG", "C"}}, g.Env()); diff != "" {
		t.Error(diff)
	}
	if g.Source() != "/etc/ringfence/github.wasm" || g.Engine() != "wasmer" || g.Lifetime() != LifetimeSession || g.DeclRange() != "test.hcl:13" {
		t.Errorf("plugin is %q %q %q %q", g.Source(), g.Engine(), g.Lifetime(), g.DeclRange())
	}
	if g.SHA256() != strings.ToLower("9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08") {
		t.Errorf("SHA256 = %q", g.SHA256())
	}
	if n, per, ok := g.HTTP().Rate(); n != 60 || per != time.Minute || !ok {
		t.Errorf("Rate = %d, %s, %v", n, per, ok)
	}
	if s := g.Secrets(); len(s) != 1 || s[0].Name() != "github" {
		t.Errorf("Secrets = %v", s)
	}
	if d := g.HTTP().Decide("GET", "https://api.github.com/repos/a/b/issues"); !d.Allowed || d.Rule != "test.hcl:31" || d.Credential == nil {
		t.Errorf("decision is %+v", d)
	}
}

// The rings may grow to 16 MiB unless the policy says otherwise, and never shrink.
func TestRingMax(t *testing.T) {
	for text, want := range map[string][2]uint64{
		`ring = "64MiB"`:                        {64 << 20, 64 << 20},
		`ring = "64KiB"`:                        {64 << 10, 16 << 20},
		`ring_max = "4MiB"`:                     {4 << 20, 4 << 20},
		"ring = \"1MiB\"\n ring_max = \"1GiB\"": {1 << 20, 1 << 30},
	} {
		p := parse1(t, "plugin \"a\" {\n source = \"a.wasm\"\n limits {\n "+text+"\n }\n}", Options{LookupEnv: env("XDG_STATE_HOME", "/var/xdg")})
		a, _ := p.Plugin("a")
		if l := a.Limits(); l.Ring != want[0] || l.RingMax != want[1] {
			t.Errorf("%s: %d, %d", text, l.Ring, l.RingMax)
		}
	}
	_, err := Parse("test.hcl", []byte("plugin \"a\" {\n source = \"a.wasm\"\n limits {\n ring_max = \"1MiB\"\n }\n}"), Options{})
	if err == nil || !strings.Contains(err.Error(), "ring_max is less than ring") {
		t.Error(err)
	}
}

func TestDefaults(t *testing.T) {
	p := parse1(t, `plugin "a" { source = "a.wasm" }`, Options{LookupEnv: env("XDG_STATE_HOME", "/var/xdg")})
	a, _ := p.Plugin("a")
	if diff := cmp.Diff(Limits{Memory: 128 << 20, CPUTime: 30 * time.Second, CallTimeout: time.Minute, Processes: 1,
		MessageTimeout: 5 * time.Second, Ring: 4 << 20, RingMax: 16 << 20, RingRate: 256 << 20}, a.Limits()); diff != "" {
		t.Error(diff)
	}
	if a.HTTP() != nil || a.SHA256() != "" || a.Lifetime() != LifetimeCall || len(a.Env()) != 0 || len(a.Secrets()) != 0 {
		t.Errorf("plugin without grants has some: %+v", a)
	}
	if got := p.Settings().Isolation; got != IsolationStandard {
		t.Errorf("Isolation = %q", got)
	}
	for _, level := range []Isolation{IsolationStrict, IsolationStandard, IsolationBestEffort} {
		src := "ringfence {\n  isolation = \"" + string(level) + "\"\n}"
		if got := parse1(t, src, Options{}).Settings().Isolation; got != level {
			t.Errorf("Isolation = %q, want %q", got, level)
		}
	}
	if got := p.Settings().StateDir; got != "/var/xdg/ringfence" {
		t.Errorf("StateDir = %q", got)
	}
	homeless := Options{LookupEnv: func(string) (string, bool) { return "", false }}
	if got, want := parse1(t, "", homeless).Settings().StateDir, filepath.Join(os.TempDir(), fmt.Sprint("ringfence-", os.Getuid())); got != want {
		t.Errorf("state_dir without a home = %q, want %q", got, want)
	}
	if p = parse1(t, "", Options{LookupEnv: env("XDG_STATE_HOME", "relative")}); p.Settings().StateDir != "/home/tester/.local/state/ringfence" {
		t.Errorf("StateDir = %q", p.Settings().StateDir)
	}
	if d := a.HTTP().Decide("GET", "https://api.github.com/"); d.Allowed || d.Reason == "" {
		t.Errorf("a nil grant decides %+v", d)
	}
	if _, _, ok := a.HTTP().Rate(); ok {
		t.Error("a nil grant has a rate")
	}
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLoadDirectory(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"b.hcl":      `plugin "b" { source = "b.wasm" }`,
		"a.hcl":      `plugin "a" { source = "sub/a.wasm" }`,
		".#a.hcl":    `half writ`,
		"notes.txt":  `not HCL {`,
		"c.hcl.orig": `not HCL {`,
	})
	if err := os.Mkdir(filepath.Join(dir, "sub.hcl"), 0o700); err != nil {
		t.Fatal(err)
	}
	p, err := Load(dir, Options{LookupEnv: env()})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{filepath.Join(dir, "a.hcl"), filepath.Join(dir, "b.hcl")}, p.Files()); diff != "" {
		t.Error(diff)
	}
	a, _ := p.Plugin("a")
	if a.Source() != filepath.Join(dir, "sub", "a.wasm") {
		t.Errorf("Source = %q", a.Source())
	}
	first := p.Digest()
	if len(first) != 64 {
		t.Errorf("Digest = %q", first)
	}
	write(t, dir, map[string]string{"b.hcl": `plugin "b" { source = "c.wasm" }`})
	if p, err = Load(dir, Options{LookupEnv: env()}); err != nil || p.Digest() == first {
		t.Errorf("a changed file keeps the digest (%v)", err)
	}
}

// TestDigestBoundaries moves bytes from one file to the next: without lengths
// in the hash both policies would have the same digest.
func TestDigestBoundaries(t *testing.T) {
	a := digest([]sourceFile{{name: "a.hcl", text: []byte("xb.hcly")}})
	b := digest([]sourceFile{{name: "a.hcl", text: []byte("x")}, {name: "b.hcl", text: []byte("y")}})
	if a == b {
		t.Error("two different sets of files have one digest")
	}
}

func TestLoadRefusesWhatIsNoPolicy(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	many := filepath.Join(dir, "many")
	for _, d := range []string{empty, many} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(t, dir, map[string]string{"large.hcl": strings.Repeat("#", maxFileSize+1)})
	for i := 0; i <= maxFiles; i++ {
		write(t, many, map[string]string{"f" + strings.Repeat("x", i%200) + string(rune('a'+i%26)) + string(rune('a'+i/26)) + ".hcl": ""})
	}
	for _, tt := range []struct{ name, path, want string }{
		{"missing", filepath.Join(dir, "none.hcl"), "no policy at"},
		{"empty folder", empty, "has no .hcl file"},
		{"too many files", many, "257 .hcl files (maximum 256)"},
		{"too large", filepath.Join(dir, "large.hcl"), "more than 1048576 bytes"},
		{"device", "/dev/zero", "not a regular file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Load(tt.path, Options{}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Load = %v (want %q in it)", err, tt.want)
			}
		})
	}
}
