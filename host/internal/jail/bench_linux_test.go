package jail

import (
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/internal/orders"
)

// rung is a launch with the layers up to this one.
type rung struct {
	name string
	take func(*Cell) // takes away what comes later
}

// ladder begins with the trampoline alone. Each rung has all of those above it.
func ladder(w *world) []rung {
	const others = unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP
	limits := func(c *Cell) { c.orders.Limits = nil }
	flags := func(keep uintptr) func(*Cell) {
		return func(c *Cell) { c.flags &= keep; c.orders.Names = false }
	}
	privileges := func(c *Cell) { c.orders.Privileged, c.orders.ID = false, 0 }
	root := func(c *Cell) {
		c.closeTrees()
		c.orders.Program, c.orders.Home, c.orders.Mounts = orders.Text(w.program), "/", nil
	}
	whole := func(*Cell) {}
	return []rung{
		{"trampoline", all(limits, flags(0), root, privileges)},
		{"limits", all(flags(0), root, privileges)},
		{"user-ns", all(flags(unix.CLONE_NEWUSER), root, privileges)},
		{"network-ns", all(flags(unix.CLONE_NEWUSER|unix.CLONE_NEWNET), root, privileges)},
		{"other-ns", all(flags(unix.CLONE_NEWUSER|unix.CLONE_NEWNET|others), root, privileges)},
		{"root", privileges},
		{"capabilities", whole},
		{"landlock", whole},
		{"groups", whole},
		{"filter", func(c *Cell) { c.orders.Seccomp = "native" }},
	}
}

// BenchmarkLayers measures what each layer adds to a launch, from before the
// cell is made until the program ends, and its share of what all of them add. The
// program is small and static, so this is the jail's own price; what a plugin's
// launch takes, without a jail and with it, is for BenchmarkSandbox of package
// launch to say. All launches take turns within one run.
func BenchmarkLayers(b *testing.B) {
	w := newWorld(b)
	// On the first rungs a uid of its own could not come to the program.
	w.jail.ownIDs = false
	steps := ladder(w)
	groups := w.jail.groups
	took := make([][]time.Duration, len(steps)+1)
	for b.Loop() {
		for n := range took {
			s := &scope{TB: b}
			w := *w
			w.t = s
			began := time.Now()
			if n == 0 {
				w.bare()
			} else {
				step := steps[n-1]
				w.jail.landlock = n > slices.IndexFunc(steps, func(r rung) bool { return r.name == "landlock" })
				if w.jail.groups = nil; n > slices.IndexFunc(steps, func(r rung) bool { return r.name == "groups" }) {
					w.jail.groups = groups
				}
				w.start(w.jail.way, step.take, "cwd").says(b)
			}
			took[n] = append(took[n], time.Since(began))
			s.end()
		}
	}
	report(b, steps, took)
}

// report takes the median of what a rung took more than the one above it in the
// same round, since the machine's other work differs from round to round. What
// comes out near zero, or below, is less than can be measured so.
func report(b *testing.B, steps []rung, took [][]time.Duration) {
	median := func(d []time.Duration) float64 {
		slices.Sort(d)
		return d[len(d)/2].Seconds() * 1e3
	}
	above := func(n, m int) float64 {
		more := make([]time.Duration, len(took[n]))
		for round := range more {
			more[round] = took[n][round] - took[m][round]
		}
		return median(more)
	}
	total := above(len(steps), 0)
	for n, s := range steps {
		more := above(n+1, n)
		b.ReportMetric(more, s.name+"-ms")
		b.ReportMetric(100*more/total, s.name+"-%")
	}
	b.ReportMetric(total, "jail-ms")
	b.ReportMetric(median(took[0]), "program-alone-ms")
	b.ReportMetric(0, "ns/op")
}

// bare is the same program without a jail.
func (w *world) bare() {
	_ = private(w.t) // as start does
	null, err := os.Open(os.DevNull)
	if err != nil {
		w.t.Fatal(err)
	}
	defer null.Close()
	fds := []uintptr{null.Fd(), null.Fd(), null.Fd()}
	pid, _, err := syscall.StartProcess(w.program, []string{"program", "cwd"}, &syscall.ProcAttr{
		Files: fds, Env: []string{"GOMAXPROCS=2"}, Sys: &syscall.SysProcAttr{Setsid: true}})
	if err != nil {
		w.t.Fatal(err)
	}
	i := &inmate{pid: pid}
	i.wait()
}

// scope ends what one launch leaves, without waiting for the benchmark's end.
type scope struct {
	testing.TB
	after []func()
}

func (s *scope) Cleanup(f func()) { s.after = append(s.after, f) }

func (s *scope) end() {
	for _, f := range slices.Backward(s.after) {
		f()
	}
}
