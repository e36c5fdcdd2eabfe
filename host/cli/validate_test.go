package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A policy that is said to be valid must not fail at the first call for what
// could have been read from its files.
func TestValidateReadsTheModulesThatAreThere(t *testing.T) {
	const policy = "ringfence {\n  state_dir = \"STATE\"\n}\nplugin \"x\" {\n  source = \"DIR/x.wasm\"\n  REST\n}\n"
	jq, err := os.ReadFile(filepath.Join(deploy(t, simple).bin, "tools", "jq.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		module, rest string
		says         string // "" when the policy is valid
	}{
		"fit":             {string(jq), "", ""},
		"another digest":  {string(jq), `sha256 = "` + strings.Repeat("0", 64) + `"`, "the policy pins 0000"},
		"too much memory": {string(jq), "limits {\n memory = \"1MiB\"\n }", "limits.memory allows 1048576"},
		"not a module":    {"a text", "", "a text file"},
		"cut short":       {string(jq[:len(jq)/2]), "", "incomplete"},
	} {
		t.Run(name, func(t *testing.T) {
			d := deploy(t, strings.Replace(policy, "REST", tt.rest, 1))
			d.write("x.wasm", tt.module)
			out := d.run("validate")
			if tt.says == "" {
				if out.code != 0 || !strings.Contains(out.stdout, "The policy is valid: 1 plugin") || !strings.Contains(out.stdout, "x.wasm, under wasmer,") {
					t.Errorf("%+v", out)
				}
				return
			}
			out.wantLine(t, 2, "x: unusable module: ringfence.hcl:4: ", tt.says)
			var failed struct {
				OK    bool
				Error struct{ Kind string }
			}
			out = d.run("validate", "--json")
			if err := json.Unmarshal([]byte(out.stdout), &failed); err != nil || failed.OK || failed.Error.Kind != "unusable_module" || out.code != 2 {
				t.Errorf("--json: %v, %+v", err, out)
			}
			d.run("call", "x").wantLine(t, 2, "x: unusable module: ringfence.hcl:4: ", tt.says)
		})
	}
}

func TestValidateOnlyNotesAModuleThatIsNotThere(t *testing.T) {
	d := deploy(t, strings.Replace(simple, "TOOLS/jq.wasm", "DIR/later.wasm", 1))
	if out := d.run("validate"); out.code != 0 || !strings.Contains(out.stdout, "later.wasm, not pinned by sha256, source is not there yet") {
		t.Errorf("%+v", out)
	}
	var valid struct {
		OK      bool
		Plugins []struct {
			There bool `json:"source_exists"`
		}
	}
	out := d.run("validate", "--json")
	if err := json.Unmarshal([]byte(out.stdout), &valid); err != nil || !valid.OK || len(valid.Plugins) != 2 || valid.Plugins[0].There || !valid.Plugins[1].There {
		t.Errorf("%v, %+v", err, out)
	}
}
