package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAFileThatIsNoPluginGetsOneLineThatSaysWhatToDo(t *testing.T) {
	jq, err := os.ReadFile(filepath.Join(deploy(t, simple).bin, "tools", "jq.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	// The words must not be in the cases' names: those are in the files' paths.
	for name, tt := range map[string]struct {
		file []byte
		says []string
	}{
		"text":            {[]byte("hello, world\n"), []string{"not a WebAssembly module but a text file"}},
		"WAT":             {[]byte("(module (func))\n"), []string{"wat2wasm"}},
		"empty":           {nil, []string{"an empty file"}},
		"ELF":             {[]byte("\x7fELF\x02\x01\x01"), []string{"begins like a program (ELF)", "build it again"}},
		"component":       {[]byte("\x00asm\x0d\x00\x01\x00\x00"), []string{"a component-model binary", "core module"}},
		"truncated":       {jq[:len(jq)/2], []string{"an incomplete WebAssembly module"}},
		"unknown imports": {assemble(importing("env", "host_log")), []string{"env.host_log"}},
		"no ABI":          {assemble(), []string{"docs/guest-abi.md"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := deploy(t, strings.Replace(simple, "TOOLS/jq.wasm", "DIR/file.wasm", 1))
			d.write("file.wasm", string(tt.file))
			d.run("call", "jq.run", `{"program": ".", "input": 1}`).wantLine(t, 2, append(tt.says, "file.wasm")...)
			if out := d.run("inspect", "file.wasm"); out.code != 2 {
				t.Errorf("inspect: %+v", out)
			}
			if out := d.run("inspect", "file.wasm", "--json"); out.code != 2 || !json.Valid([]byte(out.stdout)) || out.stderr != "" {
				t.Errorf("inspect --json: %+v", out)
			}
		})
	}
	d := deploy(t, strings.Replace(simple, "TOOLS/jq.wasm", "DIR/nowhere.wasm", 1))
	var failure struct {
		Error  struct{ Kind string }
		Tools  []struct{ Name string }
		Failed []struct{ Plugin, Kind, Message string }
	}
	out := d.run("tools", "--json")
	if err := json.Unmarshal([]byte(out.stdout), &failure); err != nil || out.code != 2 || failure.Error.Kind != "unusable_module" {
		t.Errorf("tools --json of one good and one bad plugin: %+v", out)
	}
	if f := failure.Failed; len(failure.Tools) < 10 || len(f) != 1 || f[0].Plugin != "jq" || f[0].Kind != "unusable_module" || !strings.Contains(f[0].Message, "nowhere.wasm") {
		t.Errorf("tools --json lists %v and misses %v", failure.Tools, f)
	}
	if out := d.run("tools"); out.code != 2 || !strings.Contains(out.stdout, "rogue.loop") || !strings.Contains(out.stderr, "nowhere.wasm") {
		t.Errorf("tools of one good and one bad plugin: %+v", out)
	}
	d = deploy(t, strings.Replace(simple, "TOOLS/jq.wasm", "DIR", 1))
	d.run("call", "jq.run").wantLine(t, 2, "is a folder")
	d = deploy(t, strings.Replace(simple, "TOOLS/jq.wasm", "DIR/nowhere.wasm", 1))
	d.run("call", "jq.run").wantLine(t, 2, "no plugin at", "nowhere.wasm")
	d = deploy(t, strings.Replace(simple, "64MiB", "1MiB", 1))
	d.run("call", "rogue.look").wantLine(t, 2, "limits.memory")
}

// assemble makes a module from sections, in their order.
func assemble(sections ...[]byte) []byte {
	module := []byte("\x00asm\x01\x00\x00\x00")
	for _, s := range sections {
		module = append(module, s...)
	}
	return module
}

// importing is a type section with () -> () and an import section with one
// function of that type.
func importing(module, name string) []byte {
	types := section(1, []byte{1, 0x60, 0, 0})
	body := append([]byte{1, byte(len(module))}, module...)
	body = append(append(body, byte(len(name))), name...)
	return append(types, section(2, append(body, 0, 0))...)
}

func section(id byte, body []byte) []byte {
	return append(append([]byte{id}, leb(len(body))...), body...)
}

func leb(n int) (b []byte) {
	for ; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}
