package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The exit code follows the level that is asked for, and what is missing for
// one is in the table with the way to get it.
func TestDoctor(t *testing.T) {
	d := deploy(t, simple)
	for _, level := range []string{"strict", "standard", "best_effort"} {
		text := d.run("doctor", "--isolation", level)
		machine := d.run("doctor", "--isolation", level, "--json")
		var v struct {
			Layers []struct {
				Name, Why, Fix string
				On             bool
			}
			Levels  map[string]bool
			Missing map[string][]struct{ Name string }
			Sandbox string
			OK      bool
		}
		if err := json.Unmarshal([]byte(machine.stdout), &v); err != nil {
			t.Fatalf("%v\n%s%s", err, machine.stdout, machine.stderr)
		}
		want := 4
		if v.OK {
			want = 0
		}
		if v.OK != v.Levels[level] || text.code != want || machine.code != want || len(v.Layers) < 10 || text.stderr+machine.stderr != "" {
			t.Errorf("%s: codes %d and %d, %+v, %q", level, text.code, machine.code, v, text.stderr+machine.stderr)
		}
		if took, err := time.ParseDuration(v.Sandbox); err != nil || took <= 0 || !strings.Contains(text.stdout, "a whole sandbox") {
			t.Errorf("the sandbox started in %q\n%s", v.Sandbox, text.stdout)
		}
		for level, on := range v.Levels {
			if on != (len(v.Missing[level]) == 0) {
				t.Errorf("%s: %v, yet %v is missing", level, on, v.Missing[level])
			}
			for _, l := range v.Missing[level] {
				if _, line, _ := strings.Cut(text.stdout, level+`"`); !strings.Contains(line, "for want of: ") || !strings.Contains(line, l.Name) {
					t.Errorf("%s cannot be had for want of %s, which the table does not say:\n%s", level, l.Name, text.stdout)
				}
			}
		}
		for _, l := range v.Layers {
			if !l.On && l.Why == "" {
				t.Errorf("%s is missing, and nobody knows why", l.Name)
			}
			if !strings.Contains(text.stdout, l.Name) {
				t.Errorf("the table has no %s:\n%s", l.Name, text.stdout)
			}
		}
	}
	d.run("doctor", "--isolation", "paranoid").wantLine(t, 2, "strict, standard or best_effort")
}

// A machine may have every layer and its sandboxes not start: that is found, too.
func TestDoctorFindsASandboxThatDoesNotStart(t *testing.T) {
	d := deploy(t, simple)
	for name, from := range map[string]string{
		"ringfence":             filepath.Join(d.bin, "ringfence"),
		"ringfence-jail":        filepath.Join(d.bin, "ringfence-jail"),
		"ringfence-plugin-wasm": filepath.Join(d.bin, "ringfence-jail"), // a program that is not it
	} {
		b, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(filepath.Join(d.dir, name), b, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	d.bin = d.dir
	for _, args := range [][]string{{"doctor", "--isolation", "best_effort"}, {"doctor", "--isolation", "best_effort", "--json"}} {
		got := d.run(args...)
		if got.code != 4 || !strings.Contains(got.stdout, "did not start") || got.stderr != "" {
			t.Errorf("%q: %+v", args, got)
		}
	}
}
