package wasmbin

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckGuestAcceptsAGuest(t *testing.T) {
	g := newGuest()
	g.addImport(ModuleRingfence, "http", "iiii:I")
	g.addImport(ModuleWASI, "proc_exit", "i:")
	if err := mustParse(t, g.bytes()).CheckGuest(); err != nil {
		t.Fatal(err)
	}
}

func TestCheckGuestSaysWhatToDo(t *testing.T) {
	for _, c := range []struct {
		name, says string
		change     func(*guestModule)
	}{
		{"unknown import", "imports env.host_log, which Ringfence does not provide", func(g *guestModule) { g.addImport("env", "host_log", ":") }},
		{"many unknown imports", "env.a, env.b, env.c and 2 more", func(g *guestModule) {
			for _, n := range []string{"a", "b", "c", "d", "e"} {
				g.addImport("env", n, ":")
			}
		}},
		{"unknown name of a known module", "imports ringfence.shell", func(g *guestModule) { g.addImport(ModuleRingfence, "shell", ":") }},
		{"hostile import name", `imports env."\x1b]0;x\a"`, func(g *guestModule) { g.addImport("env", "\x1b]0;x\a", ":") }},
		{"wrong signature of an import", "ringfence.log as (i32) -> (), which is (i32, i32, i32) -> ()", func(g *guestModule) { g.addImport(ModuleRingfence, "log", "i:") }},
		{"import that is not a function", "as a global, which is a function", func(g *guestModule) { g.imports = [][]byte{imp(ModuleRingfence, "log", 3, 0x7f, 0)} }},
		{"browser build of Go", "built for browsers: build it with GOOS=wasip1", func(g *guestModule) { g.addImport("gojs", "runtime.wasmExit", "i:") }},
		{"WASI preview 2", "preview 2", func(g *guestModule) { g.addImport("wasi:cli/stdout@0.2.0", "get-stdout", ":i") }},
		{"WASI command", "-buildmode=c-shared", func(g *guestModule) { g.addFunc("_start", ":", 5) }},
		{"object file", "link it first", func(g *guestModule) { g.tail = custom("linking") }},
		{"another ABI version", "ringfence_abi_2", func(g *guestModule) { g.exports[1] = exp("ringfence_abi_2", 0, 0) }},
		{"missing exports", "does not export ringfence_free, ringfence_call: it is not a Ringfence tool; build it with pluginkit/guest", func(g *guestModule) { g.exports = g.exports[:4] }},
		{"wrong signature of an export", "ringfence_call as a function () -> (), which must be a function (i32, i32, i32) -> i32", func(g *guestModule) { g.exports[5] = exp("ringfence_call", 0, 0) }},
		{"export of the wrong kind", "ringfence_free as a memory", func(g *guestModule) { g.exports[4] = exp("ringfence_free", 2, 0) }},
		{"memory not exported", "does not export its memory", func(g *guestModule) { g.exports = g.exports[1:] }},
		{"wrong _initialize", "_initialize", func(g *guestModule) { g.addFunc("_initialize", "i:", 5) }},
		{"imported memory", "imports its memory", func(g *guestModule) { g.memories, g.imports = nil, [][]byte{imp("env", "memory", 2, 0, 1)} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGuest()
			c.change(g)
			err := mustParse(t, g.bytes()).CheckGuest()
			var ge *GuestError
			if !errors.As(err, &ge) || !strings.Contains(ge.Reason, c.says) || strings.ContainsAny(ge.Reason, "\n\x1b") {
				t.Fatalf("got %v, want one line with %q", err, c.says)
			}
		})
	}
}

func TestProvidedIsAllOfPreview1AndRingfence(t *testing.T) {
	count := make(map[string]int)
	for _, f := range Provided() {
		count[f.Module]++
		if got, ok := Lookup(f.Module, f.Name); !ok || !got.Equal(f.Type) {
			t.Errorf("%s.%s is not found by name", f.Module, f.Name)
		}
	}
	if count[ModuleWASI] != 46 || count[ModuleRingfence] != 14 {
		t.Errorf("got %v, want 46 functions of preview 1 and 14 of ringfence", count)
	}
}

const goGuest = `package main

import ("fmt"; "os")

//go:wasmexport ringfence_abi_1
func abi() {}

//go:wasmexport ringfence_describe
func describe() int64 { return 0 }

//go:wasmexport ringfence_alloc
func alloc(size, align int32) int32 { return 0 }

//go:wasmexport ringfence_free
func free(p int32) {}

//go:wasmexport ringfence_call
func call(tool, p, n int32) int32 { fmt.Fprintln(os.Stderr, "called"); return 0 }

func main() {}
`

func buildGo(t *testing.T, mode string) []byte {
	t.Helper()
	dir := t.TempDir()
	src, out := filepath.Join(dir, "main.go"), filepath.Join(dir, "out.wasm")
	if err := os.WriteFile(src, []byte(goGuest), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-buildmode="+mode, "-o", out, src)
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the guest: %v\n%s", err, msg)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestModulesOfTheGoToolchain(t *testing.T) {
	if testing.Short() {
		t.Skip("builds with the Go toolchain")
	}
	m := mustParse(t, buildGo(t, "c-shared"))
	if err := m.CheckGuest(); err != nil {
		t.Errorf("a Go reactor: %v", err)
	}
	if len(m.Producers.Language) == 0 || m.Producers.Language[0].Name != "Go" || m.GoBuildID == "" {
		t.Errorf("producers %+v, build id %q", m.Producers, m.GoBuildID)
	}
	out, err := m.Limit(2048, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	if got := mustParse(t, out); got.Memory.Max != 2048 || got.CheckGuest() != nil {
		t.Errorf("after Limit: %+v, %v", *got.Memory, got.CheckGuest())
	}
	command := mustParse(t, buildGo(t, "exe"))
	if err := command.CheckGuest(); err == nil || !strings.Contains(err.Error(), "c-shared") {
		t.Errorf("a Go command: %v", err)
	}
}
