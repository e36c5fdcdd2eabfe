package cli_test

import (
	"encoding/json"
	"strings"
	"testing"
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
			Levels map[string]bool
			OK     bool
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
