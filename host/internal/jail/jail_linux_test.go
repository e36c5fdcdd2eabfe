package jail

import (
	"errors"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/internal/orders"
)

// outside is what a host has and a sandbox may not reach.
type outside struct {
	secret, folder     string
	tcp, udp, path, ab string
}

func newOutside(t *testing.T) outside {
	t.Helper()
	dir := t.TempDir()
	// Everybody may: what refuses is the jail.
	for p := dir; strings.HasPrefix(p, os.TempDir()+"/"); p = filepath.Dir(p) {
		if err := os.Chmod(p, 0o755); err != nil && !errors.Is(err, unix.EPERM) {
			t.Fatal(err)
		}
	}
	o := outside{secret: filepath.Join(dir, "secret"), path: filepath.Join(dir, "docker.sock"), folder: filepath.Join(dir, "open")}
	if err := os.WriteFile(o.secret, []byte("hunter2"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Mkdir(o.folder, 0o777), os.Chmod(o.folder, 0o777)); err != nil {
		t.Fatal(err)
	}
	listen := func(network, address string) string {
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		return l.Addr().String()
	}
	o.tcp = listen("tcp", "127.0.0.1:0")
	listen("unix", o.path)
	if err := os.Chmod(o.path, 0o777); err != nil {
		t.Fatal(err)
	}
	o.ab = listen("unix", "@ringfence-jail-test-"+strconv.Itoa(os.Getpid()))
	u, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = u.Close() })
	o.udp = u.LocalAddr().String()
	return o
}

// The layers that tests take away, each from a cell that is otherwise whole.
func noRoot(w *world) func(*Cell) {
	return func(c *Cell) {
		c.closeTrees()
		c.orders.Program, c.orders.Home, c.orders.Mounts = orders.Text(w.program), "/", nil
		noLandlock(c)
		// A uid of its own cannot even come to its program by path.
		if err := os.Chmod(filepath.Dir(filepath.Dir(w.program)), 0o711); err != nil {
			w.t.Fatal(err)
		}
	}
}

func noLandlock(c *Cell) { c.orders.Paths = nil }

func no(flags uintptr) func(*Cell) { return func(c *Cell) { c.flags &^= flags } }

func all(changes ...func(*Cell)) func(*Cell) {
	return func(c *Cell) {
		for _, change := range changes {
			change(c)
		}
	}
}

func noLimit(resource int) func(*Cell) {
	return func(c *Cell) {
		c.orders.Limits = slices.DeleteFunc(c.orders.Limits, func(l orders.Limit) bool { return l.Resource == resource })
	}
}

// keepPrivileges leaves the bounding set and the secure bits: uid 0 of the
// namespace then has all capabilities again after the exec.
func keepPrivileges(c *Cell) { c.orders.Privileged, c.orders.ID = false, 0 }

// Each attempt is refused, for the reason that its layer gives, and succeeds as
// soon as that layer is gone: it is the layer that stops it.
func TestEscape(t *testing.T) {
	w, o := newWorld(t), newOutside(t)
	self := strconv.Itoa(os.Getpid())
	root := os.Geteuid() == 0
	for _, c := range []struct {
		name    string
		args    []string
		refused error
		off     func(*Cell) // nil: nothing that can be taken away lets it pass
		in      []way       // nil: with namespaces
	}{
		{name: "read a file by path", args: []string{"read", o.secret}, refused: unix.ENOENT, off: noRoot(w)},
		{name: "read a file through dotdot", args: []string{"dotdot"}, refused: unix.ENOENT, off: noRoot(w)},
		{name: "read proc", args: []string{"read", "/proc/1/status"}, refused: unix.ENOENT, off: noRoot(w)},
		{name: "list the host", args: []string{"list", o.folder}, refused: unix.ENOENT, off: noRoot(w)},
		{name: "list its root", args: []string{"list", "/"}, refused: unix.EACCES, off: noLandlock},
		{name: "write beside its socket, more than nothing", args: []string{"write", "x", "1"}, refused: unix.EFBIG, off: noLimit(unix.RLIMIT_FSIZE)},
		{name: "connect TCP", args: []string{"dial", "tcp", o.tcp}, refused: unix.EACCES, off: all(no(unix.CLONE_NEWNET), noLandlock)},
		{name: "connect TCP, by the namespace alone", args: []string{"dial", "tcp", o.tcp}, refused: unix.ENETUNREACH, off: no(unix.CLONE_NEWNET)},
		{name: "send UDP", args: []string{"dial", "udp", o.udp}, refused: unix.ENETUNREACH, off: no(unix.CLONE_NEWNET)},
		{name: "listen on TCP", args: []string{"listen", "tcp", "127.0.0.1:0"}, refused: unix.EACCES, off: all(no(unix.CLONE_NEWNET), noLandlock)},
		{name: "connect to a socket with a path", args: []string{"dial", "unix", o.path}, refused: unix.ENOENT, off: noRoot(w)},
		{name: "connect to an abstract socket", args: []string{"dial", "unix", o.ab}, refused: unix.ECONNREFUSED, off: all(no(unix.CLONE_NEWNET), noLandlock)},
		{name: "signal the host", args: []string{"signal", self}, refused: unix.ESRCH},
		{name: "mount", args: []string{"mount"}, refused: unix.EPERM, off: all(keepPrivileges, noLandlock), in: []way{userNS}},
		{name: "unshare", args: []string{"unshare"}, refused: unix.EPERM, off: keepPrivileges, in: []way{userNS}},
		{name: "sethostname", args: []string{"sethostname"}, refused: unix.EPERM, off: keepPrivileges, in: []way{userNS}},
		{name: "chroot", args: []string{"chroot"}, refused: unix.EPERM, off: keepPrivileges, in: []way{userNS}},
		{name: "fork without end", args: []string{"fork"}, refused: unix.EAGAIN, off: all(noLimit(unix.RLIMIT_NPROC), func(c *Cell) { c.group.unlimit("pids", "pids.max") })},
		{name: "raise a limit", args: []string{"raise"}, refused: unix.EPERM, off: noLimit(unix.RLIMIT_NOFILE)},
		{name: "read a file by path, by Landlock alone", args: []string{"read", o.secret}, refused: unix.EACCES, off: noLandlock, in: []way{neither}},
		{name: "write a file, by Landlock alone", args: []string{"write", o.folder + "/x", "0"}, refused: unix.EACCES, off: noLandlock, in: []way{neither}},
		{name: "connect TCP, by Landlock alone", args: []string{"dial", "tcp", o.tcp}, refused: unix.EACCES, off: noLandlock, in: []way{neither}},
		{name: "connect to an abstract socket, by Landlock alone", args: []string{"dial", "unix", o.ab}, refused: unix.EPERM, off: noLandlock, in: []way{neither}},
		{name: "signal the host, by Landlock alone", args: []string{"signal", self}, refused: unix.EPERM, off: noLandlock, in: []way{neither}},
	} {
		for _, in := range w.ways() {
			if c.in == nil && in == neither || c.in != nil && !slices.Contains(c.in, in) {
				continue
			}
			t.Run(c.name+"/"+in.String(), func(t *testing.T) {
				w := *w
				w.t = t
				whole := func(*Cell) {}
				if strings.Contains(c.name, "namespace alone") || c.args[0] == "dial" && c.args[1] == "udp" {
					whole = noLandlock
				}
				got := w.try(in, whole, c.args...)
				if !strings.HasPrefix(got, "refused: ") || !strings.Contains(got, c.refused.Error()) {
					t.Errorf("got %q, want it refused with %q", got, c.refused)
				}
				if c.off == nil {
					return
				}
				off := c.off
				if c.args[0] == "raise" && !root {
					off = nil // nobody's own hard limit is not for raising either
				}
				if off == nil {
					return
				}
				if got := w.try(in, all(whole, off), c.args...); !strings.HasPrefix(got, "done:") {
					t.Errorf("without the layer: %q, want it done", got)
				}
			})
		}
	}
}

// What a process has, whatever way it is confined.
func TestWhatAProcessHas(t *testing.T) {
	w := newWorld(t)
	signal.Ignore(unix.SIGHUP, unix.SIGTSTP) // as under nohup
	defer signal.Reset(unix.SIGHUP, unix.SIGTSTP)
	inherited, err := unix.FcntlInt(0, unix.F_DUPFD, 100) // as from a careless parent of the host
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(inherited)
	for _, in := range w.ways() {
		t.Run(in.String(), func(t *testing.T) {
			w := *w
			w.t = t
			rooted := in != neither
			bounding := "bounding 0"
			if in == neither && os.Geteuid() != 0 {
				bounding = "" // without capabilities the set cannot be emptied, nor used
			}
			for _, c := range []struct {
				ask, want string
				when      bool
			}{
				{"privileges", "held 0", true}, {"privileges", bounding, true}, {"privileges", "no_new_privs 1", true},
				{"fds", "done: 0 1 2", true}, {"signals", "0 ignored, mask 0", true}, {"pdeath", "done: 9", true},
				{"limits", "done: 0/0 64/64 0/0 0/0 1048576/1048576", true},
				{"env", "done: GOMAXPROCS=2 SELF=/program", rooted},
				{"cwd", "done: /s", rooted},
				{"pid", "done: 1 0 1 1", rooted},
				{"hostname", "done: sandbox", rooted},
				{"id", "done: 0 0 0 0 []", in == userNS && os.Geteuid() == 0},
				{"id", "done: 1", in == realRoot},
			} {
				if !c.when {
					continue
				}
				if got := w.try(in, nil, c.ask); !strings.Contains(got, c.want) {
					t.Errorf("%s: %q, want %q", c.ask, got, c.want)
				}
			}
		})
	}
}

// A program that brings no filter gets one that is in force before its first
// instruction, and that lets it be executed all the same.
func TestNativeFilter(t *testing.T) {
	w := newWorld(t)
	for _, in := range w.ways() {
		t.Run(in.String(), func(t *testing.T) {
			w := *w
			w.t = t
			native := func(c *Cell) { noLandlock(c); c.flags &^= unix.CLONE_NEWNET; c.orders.Seccomp = "native" }
			without := func(c *Cell) { native(c); c.orders.Seccomp = "" }
			if got := w.try(in, native, "cwd"); !strings.HasPrefix(got, "done: /") {
				t.Errorf("it does not run: %q", got)
			}
			if got := w.try(in, native, "listen", "tcp", "127.0.0.1:0"); !strings.Contains(got, unix.EAFNOSUPPORT.Error()) {
				t.Errorf("it made a TCP socket: %q", got)
			}
			if got := w.try(in, without, "listen", "tcp", "127.0.0.1:0"); !strings.HasPrefix(got, "done:") {
				t.Errorf("without the filter: %q", got)
			}
			i := w.start(in, native, "unshare")
			if got := i.says(t); i.status.Signal() != unix.SIGSYS {
				t.Errorf("unshare: %q, ended with %v, want SIGSYS", got, i.status.Signal())
			}
		})
	}
	if i := w.start(w.jail.way, func(c *Cell) { c.orders.Seccomp = "no such" }, "cwd"); i.err == nil {
		t.Error("a filter that does not exist was left out")
	}
}

// Seccomp counts as there only if a child has installed every stage and each
// gave its answer; a child that the filter ended reports nothing.
func TestSeccompIsTried(t *testing.T) {
	w := newWorld(t)
	if l := w.jail.Found().layer(Seccomp); !l.On || l.Note != "both stages" {
		t.Errorf("%+v", l)
	}
	for name, lines := range map[string]map[string]orders.Line{
		"ended":   {},
		"refused": {orders.Seccomp: {Layer: orders.Seccomp, Error: "function not implemented"}},
	} {
		f := found(attempt{way: neither, lines: lines}, nil, nil, nil, nil)
		if l := f.layer(Seccomp); l.On || l.Why == "" {
			t.Errorf("%s: %+v", name, l)
		}
		if err := f.Require(BestEffort); !errors.Is(err, ErrLevel) {
			t.Errorf("%s: best effort goes without a filter: %v", name, err)
		}
	}
	// A kernel or a container that kills for installing one says so.
	f := found(attempt{way: neither, ended: "SIGSYS"}, nil, nil, nil, nil)
	if l := f.layer(Seccomp); l.On || !strings.Contains(l.Why, "SIGSYS") {
		t.Errorf("%+v", l)
	}
}
