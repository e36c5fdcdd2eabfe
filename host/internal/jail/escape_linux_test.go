package jail

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/internal/attack"
)

// tries makes an attack of package attack from a program in place of the plugin:
// in the jail with the native filter, in the jail without, and in no jail.
type tries struct {
	w     *world
	world attack.World
}

func newTries(t *testing.T) tries {
	o := newOutside(t)
	// A victim of its own: who is traced, if only for a moment, may be stopped.
	other := exec.Command(filepath.Join(bin, "prisoner"), "sit")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Process.Kill(); _ = other.Wait() })
	return tries{newWorld(t), attack.World{
		Host: os.Getpid(), Other: other.Process.Pid, Secret: o.secret, Folder: o.folder, TCP: o.tcp, UDP: o.udp,
		Path: o.path, Unnamed: o.ab, OtherSocket: o.path, Self: "/program", Near: "/program",
	}}
}

func (a tries) jailed(t *testing.T, name, filter string) string {
	t.Helper()
	w := *a.w
	w.t = t
	order := attack.Order{Name: name, World: a.world}
	i := w.start(w.jail.way, func(c *Cell) { c.orders.Seccomp = filter }, "attack", string(order.Encode()))
	said := i.says(t)
	return word(said, i.status.Signaled(), unix.Signal(i.status.Signal()), i.status.ExitStatus())
}

func (a tries) free(t *testing.T, name string) string {
	t.Helper()
	program := filepath.Join(bin, "prisoner")
	order := attack.Order{Name: name, World: a.world}
	order.World.Self, order.World.Near = program, program
	cmd := exec.Command(program, "attack", string(order.Encode()))
	cmd.Dir = t.TempDir()
	said, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return word(string(said), false, 0, cmd.ProcessState.ExitCode())
}

// word is what came of an attack.
func word(said string, signaled bool, signal unix.Signal, code int) string {
	got, ok := strings.CutPrefix(strings.TrimSpace(said), "done: ")
	switch {
	case ok:
		return got
	case signaled:
		return unix.SignalName(signal)
	}
	return fmt.Sprintf("exit-%d", code)
}

// Each attack is refused for the reason that the table names, and comes to
// something else without the filter, or at the latest without the jail.
func TestEscapeNative(t *testing.T) {
	a := newTries(t)
	for _, n := range natives {
		t.Run(n.name, func(t *testing.T) {
			for _, c := range []struct{ where, got, want string }{
				{"in the jail", a.jailed(t, n.name, "native"), n.refused},
				{"without the filter", a.jailed(t, n.name, ""), n.unfiltered},
				{"without the jail", a.free(t, n.name), n.free},
			} {
				if !slices.Contains(strings.Fields(c.want), c.got) {
					t.Errorf("%s: %q, want %q", c.where, c.got, c.want)
				}
			}
			if slices.Contains(strings.Fields(n.free), n.refused) || n.layer == "" {
				t.Errorf("refused with %q, which it comes to anyway (%q)", n.refused, n.free)
			}
		})
	}
}

// Where there is no control group, limits of the process bound its memory. What
// is mapped is not used, so that a group would not see it.
func TestEscapeEatsMemoryWithoutAGroup(t *testing.T) {
	a := newTries(t)
	a.w.jail.groups = nil
	for _, name := range []string{"eat memory", "eat address space"} {
		if got := a.jailed(t, name, "native"); got != "ENOMEM" {
			t.Errorf("%s, in the jail: %q", name, got)
		}
		if got := a.free(t, name); got != attack.OK {
			t.Errorf("%s, without the jail: %q", name, got)
		}
	}
}
