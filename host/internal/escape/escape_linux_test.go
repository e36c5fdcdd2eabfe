package escape

import (
	"slices"
	"testing"

	"github.com/ringfence/ringfence/internal/attack"
)

func TestEscapeFiles(t *testing.T)     { escape(t, "Files") }
func TestEscapeNetwork(t *testing.T)   { escape(t, "Network") }
func TestEscapeProcesses(t *testing.T) { escape(t, "Processes") }
func TestEscapeKernel(t *testing.T)    { escape(t, "Kernel") }
func TestEscapeMemory(t *testing.T)    { escape(t, "Memory") }

func escape(t *testing.T, kind string) {
	p := newPrison(t)
	o := newOutside(t, p)
	for _, a := range attempts[kind] {
		t.Run(a.name, func(t *testing.T) {
			for _, c := range []struct {
				where string
				at    position
				want  string
			}{
				{"in stage one", stageOne, a.one}, {"in stage two", stageTwo, a.two},
				{"without the filter", unfiltered, a.unfiltered}, {"with neither jail nor filter", free, a.free},
			} {
				if got := p.start(t, c.at, a.name, o.world, o.files(t, c.at), nil).attack(t, c.at); !oneOf(c.want, got) {
					t.Errorf("%s: %q, want %q", c.where, got, c.want)
				}
			}
		})
	}
}

// A refusal that looks like what comes of the attack anyway would prove nothing.
func TestEveryRefusalIsSeen(t *testing.T) {
	seen := map[string]bool{}
	for _, list := range attempts {
		for _, a := range list {
			if seen[a.name] || !slices.Contains(attack.Names(), a.name) {
				t.Errorf("%s: unknown, or there twice", a.name)
			}
			seen[a.name] = true
			const another = "exit-1" // of the program that was executed
			if !arrive[a.name] && !oneOf(a.free, attack.OK) && !oneOf(a.unfiltered, attack.OK) && !oneOf(a.free, another) {
				t.Errorf("%s never succeeds: %q without the filter, %q without anything", a.name, a.unfiltered, a.free)
			}
			if a.two == "ok" || oneOf(a.free, a.two) || a.layer == "" {
				t.Errorf("%s: refused with %q by %q, where without the layers it comes to %q", a.name, a.two, a.layer, a.free)
			}
		}
	}
	for name := range arrive {
		if !seen[name] {
			t.Errorf("%s: no such attempt", name)
		}
	}
	if len(seen) < 40 {
		t.Errorf("%d attempts", len(seen))
	}
}

// Where the kernel has no gate for 32-bit programs there is nothing to refuse.
func TestEscape32Bit(t *testing.T) {
	p := newPrison(t)
	o := newOutside(t, p)
	try := func(at position) string {
		return p.start(t, at, "int 0x80", o.world, o.files(t, at), nil).attack(t, at)
	}
	if got := try(free); got != attack.OK {
		t.Skipf("int 0x80 comes to %q without a filter", got)
	}
	for _, at := range []position{stageOne, stageTwo} {
		if got := try(at); got != killed {
			t.Errorf("stage %d: %q", at.stage, got)
		}
	}
}
