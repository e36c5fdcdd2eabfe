package cli_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The modules of plugins/wasm/testdata/hostile, each called with the built
// command. What each must end as is tested where they lie; here, that whatever
// one does is one line and an exit code for the user, and leaves nothing behind.
func TestHostileModulesAreOneLineToTheUser(t *testing.T) {
	d := deploy(t, simple)
	assemble := exec.Command("go", "run", "../../plugins/wasm/testdata/hostile/assemble", d.dir)
	if out, err := assemble.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	modules, err := filepath.Glob(filepath.Join(d.dir, "*.wasm"))
	if err != nil || len(modules) < 50 {
		t.Fatalf("only %d modules (%v)", len(modules), err)
	}
	policy := d.expand("ringfence {\n  state_dir = \"STATE\"\n}\n")
	for _, path := range modules {
		name := strings.TrimSuffix(filepath.Base(path), ".wasm")
		policy += fmt.Sprintf("plugin %q {\n  source = %q\n  limits {\n    memory = \"1MiB\"\n    cpu_time = \"1s\"\n    call_timeout = \"5s\"\n  }\n}\n", name, path)
	}
	d.write("ringfence.hcl", policy)
	for _, path := range modules {
		name := strings.TrimSuffix(filepath.Base(path), ".wasm")
		if slices.Contains([]string{"start-loops", "initialize-loops"}, name) {
			continue // each is half a minute until the start is given up
		}
		t.Run(name, func(t *testing.T) {
			out := d.run("call", name, `{"a":1.5}`)
			var said []string
			for line := range strings.Lines(out.stderr) {
				if !strings.HasPrefix(line, "compiled ") {
					said = append(said, line)
				}
			}
			want := []int{0, 1, 2}
			if slices.Contains([]string{"loop", "log-flood", "ten-million-host-calls"}, name) {
				want = []int{0, 4} // its work may need more than its second
			}
			if !slices.Contains(want, out.code) {
				t.Errorf("exit code %d, want one of %v", out.code, want)
			}
			failed := out.code != 0
			if failed != (len(said) == 1) || failed == (out.stdout != "") || failed && !strings.HasPrefix(said[0], "ringfence: "+name) {
				t.Errorf("want a result or one line that names the plugin, got %+v", out)
			}
			out.wantWords(t) // no stack trace
		})
	}
}
