package host_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/internal/attack"
)

// A plain go-plugin program that speaks the wire protocol and answers Negotiate
// with UNIMPLEMENTED works, over gRPC.
func TestNativePluginThatDoesNotNegotiate(t *testing.T) {
	g := openNative(t, "plugin \"p\" {\n  source = \"PLUGIN\"\n}\n")
	large := `{"a":"` + strings.Repeat("x", 3<<20) + `"}`
	for _, arguments := range []string{`{}`, `{"a":[1,2,{"b":"ü"}]}`, large} {
		result, err := g.Call(t.Context(), "p.echo", []byte(arguments))
		if err != nil {
			t.Fatal(err)
		}
		if string(result.JSON) != arguments || result.Transport != "grpc" {
			t.Errorf("%d bytes came back over %s", len(result.JSON), result.Transport)
		}
	}
	if s := g.Status(); len(s) == 1 && !strings.Contains(s[0].Reason, "does not negotiate") {
		t.Errorf("%+v", s)
	}
	tools, err := g.Tools(t.Context(), "p")
	if err != nil || len(tools) != 6 || tools[0].Name != "p.attack" {
		t.Errorf("%v, %v", tools, err)
	}
}

// The ring of a plugin that does not take it does no harm, and status says why its
// calls do not go over it.
func TestNativePluginOfAnotherLayout(t *testing.T) {
	g := openNative(t, "plugin \"p\" {\n  source   = \"PLUGIN\"\n  lifetime = \"session\"\n  env      = { RINGED = \"1\" }\n}\n")
	if result, err := g.Call(t.Context(), "p.echo", []byte(`{"a":1}`)); err != nil || result.Transport != "grpc" {
		t.Fatalf("%+v, %v", result, err)
	}
	if s := g.Status(); len(s) != 1 || !strings.Contains(s[0].Reason, "knows the layouts [99]") {
		t.Errorf("%+v", s)
	}
}

// What a native plugin sees: the variables that the policy names and the host's
// few, no file but its own, and no uid of the machine's.
func TestNativePluginSeesLittle(t *testing.T) {
	t.Setenv("RINGFENCE_TEST_SECRET", "hunter2")
	g := openNative(t, `
plugin "p" {
  source = "PLUGIN"
  env = {
    LANG       = "C"
    GOMEMLIMIT = "50MiB"
  }
  workspace "w" {
    path = "DIR/work"
  }
}
`)
	result, err := g.Call(t.Context(), "p.look", nil)
	if err != nil {
		t.Fatal(err)
	}
	var seen struct {
		Environment []string
		Uid         int
		Cwd, Root   string
	}
	if err := json.Unmarshal(result.JSON, &seen); err != nil {
		t.Fatal(err)
	}
	environment := strings.Join(seen.Environment, "\n")
	for _, want := range []string{"LANG=C", "GOMEMLIMIT=50MiB", "RINGFENCE_WORKSPACE_w=/workspace/w"} {
		if !strings.Contains(environment, want) {
			t.Errorf("no %s in %q", want, seen.Environment)
		}
	}
	if strings.Contains(environment, "hunter2") || strings.Contains(environment, "PATH=") || strings.Count(environment, "GOMEMLIMIT") != 1 {
		t.Errorf("the environment is %q", seen.Environment)
	}
	if seen.Uid != 0 || seen.Cwd != "/s" || !strings.Contains(seen.Root, "permission denied") {
		t.Errorf("%+v", seen)
	}
}

// lifetime = "call" is a process for each call, "session" one for many.
func TestNativeLifetime(t *testing.T) {
	g := openNative(t, `
plugin "call" {
  source = "PLUGIN"
}
plugin "session" {
  source   = "PLUGIN"
  lifetime = "session"
}
`)
	for plugin, want := range map[string][]string{"call": {`{"calls":1}`, `{"calls":1}`}, "session": {`{"calls":1}`, `{"calls":2}`}} {
		for i := range want {
			result, err := g.Call(t.Context(), plugin+".count", nil)
			if err != nil {
				t.Fatal(err)
			}
			if string(result.JSON) != want[i] {
				t.Errorf("%s, call %d: %s, want %s", plugin, i+1, result.JSON, want[i])
			}
		}
	}
}

// A native plugin asks the same broker, which decides the same.
func TestNativeFetch(t *testing.T) {
	var authorization string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { authorization = r.Header.Get("Authorization") }))
	defer server.Close()
	g := openNative(t, fmt.Sprintf(`
secret "s" {
  value = "hunter2hunter2hunter2"
}
plugin "p" {
  source = "PLUGIN"
  http {
    allow %q {
      paths = ["/allowed"]
      credential "s" {
        bearer = true
      }
    }
  }
}
plugin "none" {
  source = "PLUGIN"
}
`, server.URL))
	for _, c := range []struct{ call, path, want string }{
		{"p.fetch", "/allowed", "CODE_OK 200"},
		{"p.fetch", "/denied", "CODE_DENIED"},
		{"none.fetch", "/allowed", "CODE_DENIED"},
	} {
		result, err := g.Call(t.Context(), c.call, []byte(fmt.Sprintf(`{"url":%q}`, server.URL+c.path)))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(result.JSON), c.want) {
			t.Errorf("%s of %s: %s, want %s", c.call, c.path, result.JSON, c.want)
		}
	}
	if authorization != "Bearer hunter2hunter2hunter2" {
		t.Errorf("the credential that arrived is %q", authorization)
	}
}

// What is staged is what is pinned, and what does not fit says why.
func TestNativeSourcesThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(g *grounds) error
		block  string
		want   string
	}{
		"another digest": {nil, `sha256 = "` + strings.Repeat("ab", 32) + `"`, "but the policy pins " + strings.Repeat("ab", 32)},
		"gone":           {func(g *grounds) error { return os.Remove(g.path) }, ``, "there is no plugin at"},
		"another machine": {func(g *grounds) error {
			return patch(g.path, 18, 8) // e_machine: MIPS
		}, ``, "EM_MIPS"},
		"a module that wants the filter of programs": {func(g *grounds) error {
			return os.WriteFile(g.path, []byte("\x00asm\x01\x00\x00\x00"), 0o644)
		}, `seccomp = "native"`, `seccomp = "native" on a WebAssembly module`},
		"an engine":             {nil, `engine = "wasmer"`, "engine on a native plugin"},
		"no folder":             {nil, "workspace \"w\" {\n path = \"DIR/nowhere\"\n}", "no such file"},
		"a file as a workspace": {nil, "workspace \"w\" {\n path = \"DIR/private/secret\"\n}", "not a folder"},
		"a link to the state": {func(g *grounds) error {
			return os.Symlink(filepath.Join(g.dir, "state"), filepath.Join(g.dir, "link"))
		}, "workspace \"w\" {\n path = \"DIR/link\"\n}", "reaches the host's state_dir"},
	} {
		t.Run(name, func(t *testing.T) {
			g := openNative(t, "plugin \"p\" {\n  source = \"PLUGIN\"\n"+c.block+"\n}\n")
			if c.change != nil {
				if err := c.change(g); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 { // a failed attempt leaves nothing in the way of the next
				_, err := g.Call(t.Context(), "p.echo", nil)
				if !errors.Is(err, host.ErrModule) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want ErrModule with %q", err, c.want)
				}
			}
		})
	}
}

func patch(path string, at int64, b ...byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, at)
	return errors.Join(err, f.Close())
}

// The file may change after it was staged: what was hashed is what runs.
func TestNativeSourceThatIsReplacedLater(t *testing.T) {
	attacker, _ := nativePrograms(t)
	b, err := os.ReadFile(attacker)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b)
	g := openNative(t, "plugin \"p\" {\n  source = \"PLUGIN\"\n  sha256 = \""+hex.EncodeToString(sum[:])+"\"\n}\n")
	if _, err := g.Call(t.Context(), "p.echo", nil); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(g.path+".new", []byte("other"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(g.path+".new", g.path); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Call(t.Context(), "p.echo", nil); err != nil {
		t.Errorf("the second call: %v", err)
	}
}

// A program that needs libraries gets them, and the loader works under the filter;
// the narrow one opens no files, and the host says so instead of letting it die.
func TestNativeDynamicProgram(t *testing.T) {
	if _, err := exec.LookPath("gcc"); err != nil || os.Getenv(nativeBinaries) != "" {
		t.Skip("no C compiler to link with")
	}
	g := openNative(t, `
plugin "wide" {
  source = "PLUGIN"
}
plugin "narrow" {
  source  = "PLUGIN"
  seccomp = "wasm"
}
`)
	build := exec.Command("go", "build", "-o", g.path, "./testdata/native")
	build.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if result, err := g.Call(t.Context(), "wide.echo", []byte(`{"a":1}`)); err != nil || string(result.JSON) != `{"a":1}` {
		t.Errorf("%v, %v", result, err)
	}
	if got := g.attack("wide", "make memory executable"); got != sigsys {
		t.Errorf("its memory becomes executable: %q", got)
	}
	if got := g.attack("wide", "open a file of its own root"); got != attack.OK {
		t.Errorf("its own root: %q", got)
	}
	if _, err := g.Call(t.Context(), "narrow.echo", nil); !errors.Is(err, host.ErrModule) || !strings.Contains(err.Error(), "link it statically") {
		t.Errorf("under the narrow filter: %v", err)
	}
}

// A plugin of pluginkit's has the ring under both filters, in the jail.
func TestNativePluginHasTheRingUnderBothFilters(t *testing.T) {
	if os.Getenv(nativeBinaries) != "" {
		t.Skip("there is no Go to build it with")
	}
	path := filepath.Join(t.TempDir(), "kit")
	build := exec.Command("go", "build", "-o", path, "./internal/sandbox/testdata/native")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	g := openNative(t, fmt.Sprintf(`
plugin "wide" {
  source   = %q
  lifetime = "session"
  workspace "w" {
    path   = "DIR/work"
    access = "write"
  }
}
plugin "narrow" {
  source   = %q
  lifetime = "session"
  seccomp  = "wasm"
}
`, path, path))
	for _, plugin := range []string{"wide", "narrow"} {
		for _, n := range []int{0, 1000, 3 << 20} {
			arguments := `{"text":"` + strings.Repeat("x", n) + `"}`
			result, err := g.Call(t.Context(), plugin+".echo", []byte(arguments))
			if err != nil || string(result.JSON) != arguments || result.Transport != "ring" {
				t.Fatalf("%s: %d bytes over %q: %v", plugin, len(result.JSON), result.Transport, err)
			}
		}
		if result, err := g.Call(t.Context(), plugin+".room", nil); err != nil || string(result.JSON) != fmt.Sprint(2<<20) {
			t.Errorf("%s: %s, %v", plugin, result.JSON, err)
		}
	}
}
