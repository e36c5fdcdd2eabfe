package jail

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/internal/orders"
)

// attempt is what a child found when it locked itself down in one way.
type attempt struct {
	way   way
	err   error // it could not even be started, or not be given what it needs
	lines map[string]orders.Line
	ended string // how, if not by itself
}

func (a attempt) holds(layer string) bool {
	l, ok := a.lines[layer]
	return a.err == nil && ok && l.Error == ""
}

// works reports whether sandboxes can be started in this way: a trampoline gives
// up at the first layer that it cannot put on, so each of those that only this
// way needs must hold.
func (a attempt) works() bool { return a.why() == "" }

// why is the first layer of the way that does not hold, in words.
func (a attempt) why() string {
	if a.err != nil {
		return a.err.Error()
	}
	for _, layer := range []string{orders.Root, orders.Names, orders.Capabilities, orders.Identity} {
		if l := a.lines[layer]; l.Error != "" {
			return l.Error
		}
		if !a.holds(layer) {
			return "the trial did not get as far as its " + layer
		}
	}
	return ""
}

// probe finds the strongest way that works and fills in what was found.
// Versions of kernels and settings of distributions are not looked at: whether a
// layer works is known when it has worked.
func (j *Jail) probe(ctx context.Context, root string) error {
	dir, err := os.MkdirTemp("", "ringfence-probe")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	noIDs := ownIDs()
	j.ownIDs, j.landlock = noIDs == nil, true
	ways := []way{userNS, neither}
	if os.Geteuid() == 0 {
		ways = []way{userNS, realRoot, neither}
	}
	var failed []attempt
	for _, w := range ways {
		a := j.try(ctx, w, dir, root)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if w != neither && !a.works() {
			failed = append(failed, a)
			continue
		}
		if a.err != nil {
			return fmt.Errorf("try the jail: %w", a.err)
		}
		groups, noGroups := findGroups()
		if groups != nil {
			groups.sweep()
		}
		j.way, j.groups, j.landlock = w, groups, a.holds(orders.Landlock)
		j.found = found(a, failed, noIDs, groups, noGroups)
		return nil
	}
	return errors.New("try the jail: nothing could be tried")
}

// try runs the trampoline in one way, with every layer ordered and nothing to
// execute.
func (j *Jail) try(ctx context.Context, w way, dir, root string) attempt {
	a := attempt{way: w, lines: map[string]orders.Line{}}
	folder, err := os.Open(dir)
	if err != nil {
		a.err = err
		return a
	}
	defer folder.Close()
	program := root + "/" + orders.Trampoline
	c, err := j.blank(w)
	if err != nil {
		a.err = err
		return a
	}
	defer c.Close()
	a.err = c.furnish(Room{Program: program, Socket: folder, SocketDir: dir, Args: []string{orders.Trampoline}})
	if a.err != nil {
		return a
	}
	c.orders.Probe = true
	lines, ended, err := c.run(ctx)
	a.err, a.ended = err, ended
	for _, l := range lines {
		a.lines[l.Layer] = l
	}
	return a
}

// run forks the trampoline and waits for its end, of which it says how it came
// if it was not by itself.
func (c *Cell) run(ctx context.Context) (lines []orders.Line, ended string, err error) {
	cmd := c.Command()
	pidfd := -1
	cmd.Sys.PidFD = &pidfd
	cmd.Sys.Pdeathsig = 0 // of a thread that may end; the pipes end a child whose host has gone
	var pid int
	for try := 0; ; try++ {
		pid, _, err = syscall.StartProcess(cmd.Path, cmd.Args, &syscall.ProcAttr{Env: cmd.Env, Files: cmd.Files, Sys: cmd.Sys})
		if !errors.Is(err, unix.ETXTBSY) || try > 200 {
			break
		}
	}
	if err != nil {
		return nil, "", fmt.Errorf("clone: %w", err)
	}
	stop := context.AfterFunc(ctx, func() {
		_ = unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0)
		c.Interrupt()
	})
	defer stop()
	c.Started(pid)
	null := c.jail.null.Fd()
	err = c.Order([]uintptr{null, null, null})
	if err == nil {
		lines, err = orders.ReadReport(c.host)
	}
	if err != nil {
		_ = unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0)
	}
	var status unix.WaitStatus
	for {
		_, werr := unix.Wait4(pid, &status, 0, nil)
		if !errors.Is(werr, unix.EINTR) {
			break
		}
	}
	_ = unix.Close(pidfd)
	if status.Signaled() {
		ended = unix.SignalName(status.Signal())
	}
	if err == nil && len(lines) == 0 {
		err = ErrNoReport
	}
	return lines, ended, err
}

// found puts what was tried into words.
func found(a attempt, failed []attempt, noIDs error, groups *hierarchy, noGroups error) *Found {
	f := &Found{}
	if l := a.lines[orders.Landlock]; a.holds(orders.Landlock) {
		_, _ = fmt.Sscanf(l.Note, "ABI %d", &f.abi)
	}
	add := func(l Layer, why error, fix string) {
		if !l.On {
			l.Why, l.Fix = reason(why), fix
		}
		f.Layers = append(f.Layers, l)
	}
	tried := func(layer string) error {
		if l := a.lines[layer]; l.Error != "" {
			return errors.New(l.Error)
		}
		if a.ended != "" {
			return fmt.Errorf("the trial was ended by %s before", a.ended)
		}
		return errors.New("it was not reported")
	}
	rooted := a.way != neither
	add(Layer{Name: Namespaces, On: rooted, Note: "mount, PID, network, IPC, UTS, cgroup"}, cause(failed), fixNamespaces(failed))
	add(Layer{Name: UserNS, On: a.way == userNS}, cause(failed), fixNamespaces(failed))
	add(Layer{Name: OwnRoot, On: rooted, Note: "read-only, without /proc and /dev"}, cause(failed), fixNamespaces(failed))
	uid := Layer{Name: OwnUID, On: a.way == userNS || rooted && noIDs == nil, Note: "one for each sandbox"}
	if noIDs != nil {
		uid.Note = "by the user namespace; outside it is the host's own"
	}
	add(uid, errors.Join(noIDs, cause(failed)), fixNamespaces(failed))
	add(Layer{Name: Capabilities, On: a.holds(orders.Capabilities) && a.holds(orders.Identity)}, tried(orders.Capabilities), "")
	add(Layer{Name: NoNewPrivs, On: a.holds(orders.NoNewPrivs)}, tried(orders.NoNewPrivs), "")
	add(Layer{Name: Landlock, On: a.holds(orders.Landlock), Note: a.lines[orders.Landlock].Note}, tried(orders.Landlock), fixLandlock)
	add(Layer{Name: Seccomp, On: a.holds(orders.Seccomp), Note: a.lines[orders.Seccomp].Note}, tried(orders.Seccomp), "a kernel with CONFIG_SECCOMP_FILTER")
	add(Layer{Name: Limits, On: a.holds(orders.Limits)}, tried(orders.Limits), "")
	add(Layer{Name: Groups, On: groups != nil, Note: groups.note()}, noGroups, fixGroups)
	add(Layer{Name: PDeath, On: a.holds(orders.Parent)}, tried(orders.Parent), "")
	add(Layer{Name: Descriptors, On: a.holds(orders.Descriptors), Note: "but those of the program"}, tried(orders.Descriptors), "Linux 5.11 or newer")
	add(Layer{Name: Session, On: a.holds(orders.Session), Note: "without a terminal"}, tried(orders.Session), "")
	add(Layer{Name: Opaque, On: a.holds(orders.Opaque), Note: "by the program itself"}, tried(orders.Opaque), "")
	add(Layer{Name: Signals, On: a.holds(orders.Signals), Note: "nothing blocked, nothing ignored"}, tried(orders.Signals), "")
	return f
}

func (h *hierarchy) note() string {
	switch {
	case h == nil:
		return ""
	case h.v2 != "":
		return "v2: memory, processes, CPU"
	}
	return "v1: memory, processes, CPU"
}

// cause is why the strongest way did not work.
func cause(failed []attempt) error {
	var errs []string
	for _, a := range failed {
		errs = append(errs, a.way.String()+": "+a.why())
	}
	if len(errs) == 0 {
		return nil
	}
	return errors.New(strings.Join(errs, ", "))
}

func reason(err error) string {
	if err == nil {
		return "it is not there"
	}
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}

const (
	fixLandlock = "Linux 5.13 or newer with landlock in its lsm= list"
	fixGroups   = "run as root, or in a delegated group: systemd-run --user --scope -p Delegate=yes"
)

// fixNamespaces guesses from the error what is in the way; it is only advice.
func fixNamespaces(failed []attempt) string {
	if len(failed) == 0 {
		return ""
	}
	text := cause(failed).Error()
	switch {
	case strings.Contains(text, unix.ENOSPC.Error()):
		return "sysctl user.max_user_namespaces=1000"
	case os.Geteuid() == 0:
		return "in a container: --cap-add SYS_ADMIN with a seccomp profile that allows unshare and mount"
	}
	for _, s := range []struct{ path, off, fix string }{
		{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1", "an AppArmor profile with the permission userns, or sysctl kernel.apparmor_restrict_unprivileged_userns=0"},
		{"/proc/sys/kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1"},
	} {
		if b, err := os.ReadFile(s.path); err == nil && strings.TrimSpace(string(b)) == s.off {
			return s.fix
		}
	}
	return "allow user namespaces; in a container: a seccomp profile that allows unshare and mount"
}
