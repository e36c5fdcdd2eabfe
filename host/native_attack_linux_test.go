package host_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/internal/attack"
	"github.com/ringfence/ringfence/internal/orders"
)

const hostilePolicy = `
plugin "writer" {
  source = "PLUGIN"
  env    = { RINGED = "1" }
  workspace "w" {
    path   = "DIR/work"
    access = "write"
  }
}
plugin "reader" {
  source = "PLUGIN"
  workspace "w" {
    path = "DIR/work"
  }
}
plugin "narrow" {
  source  = "PLUGIN"
  env     = { RINGED = "1" }
  seccomp = "wasm"
}
`

// hostileDeed is an attack by a native plugin that a policy names: what comes of
// it in the jail (of several words one must come), and what refuses it. Where
// there is no "ok" outside of the jail, the word there is another one at least.
type hostileDeed struct{ name, refused, layer string }

const sigsys = "SIGSYS"

var hostileDeeds = []hostileDeed{
	{"open a host file by path", "ENOENT", "root"},
	{"open a host file by dotdot", "ENOENT", "root"},
	{"open a host file through its process", "ENOENT", "root"},
	{"open its own process in proc", "ENOENT", "root"},
	{"openat2 past the root", "ENOSYS", "filter"},
	{"watch the host's files", sigsys, "filter"},
	{"mount over a host folder", sigsys, "filter"},
	{"chroot", sigsys, "filter"},
	{"connect TCP", "EAFNOSUPPORT", "filter"},
	{"listen on TCP", "EAFNOSUPPORT", "filter"},
	{"send UDP", "EAFNOSUPPORT", "filter"},
	{"netlink", "EAFNOSUPPORT", "filter"},
	{"connect to an abstract socket", "EPERM", "filter"},
	{"connect to a socket with a path", "EPERM", "filter"},
	{"a pair of sockets", sigsys, "filter"},
	{"execve", sigsys, "filter"},
	{"execveat of a memfd", sigsys, "filter"},
	{"fork bomb", sigsys, "filter"},
	{"vfork", sigsys, "filter"},
	{"clone into a user namespace", sigsys, "filter"},
	{"unshare a network", sigsys, "filter"},
	{"trace another sandbox", sigsys, "filter"},
	{"read the memory of another sandbox", sigsys, "filter"},
	{"read the memory of the host", sigsys, "filter"},
	{"hold the host by a pidfd", sigsys, "filter"},
	{"signal the host", sigsys, "filter"},
	{"signal everybody", sigsys, "filter"},
	{"become dumpable", "EINVAL", "filter"},
	{"outlive the host by prctl", "EINVAL", "filter"},
	{"allow core dumps", "EPERM", "RLIMIT_CORE"},
	{"setuid", sigsys, "filter"},
	{"bpf", sigsys, "filter"},
	{"io_uring", sigsys, "filter"},
	{"userfaultfd", sigsys, "filter"},
	{"keyctl", sigsys, "filter"},
	{"perf_event_open", sigsys, "filter"},
	{"memfd", sigsys, "filter"},
	{"map writable code", sigsys, "filter"},
	{"make memory executable", sigsys, "filter"},
	{"map shared memory", sigsys, "filter"},
	{"make files for ever", "EACCES", "its socket's folder is closed"},
	{"follow a link out of the workspace", "ELOOP", "mount, nosymfollow"},
	{"follow a folder out of the workspace", "ELOOP", "mount, nosymfollow"},
	{"leave the workspace by dotdot", "ENOENT", "root"},
	{"make a set-user-ID file", "EPERM", "filter"},
	{"make a set-group-ID file", "EPERM", "filter"},
	{"make a file set-user-ID", "EPERM", "filter"},
	{"make a file set-user-ID by its path", sigsys, "filter"},
	{"give a file away", sigsys, "filter"},
	{"give a file capabilities", sigsys, "filter"},
	{"make a huge file", "EFBIG", "RLIMIT_FSIZE"},
	{"map a file of the workspace as code", "EPERM", "mount, noexec"},
	{"make a symbolic link in the workspace", sigsys, "filter"},
	{"make a second name of a file", sigsys, "filter"},
	{"make a pipe in the workspace", sigsys, "filter"},
	{"make a socket in the workspace", "EACCES", "Landlock"},
	{"make a device by a rename", "EINVAL", "filter"},
	{"open its closed folder again", "EACCES", "Landlock: it may not open the folder"},
	{"have the kernel run a packet filter", "EPERM", "filter"},
	{"hold its peer by a pidfd", "EPERM", "filter"},
	{"tie another sandbox to a processor", "EPERM", "filter"},
	{"rewrite a set-user-ID file in memory", sigsys, "filter"},
	{"rewrite it under a number of the ring", "EPERM", "filter"},
	{"rewrite it under the other number of the ring", "EPERM", "filter"},
	{"rewrite it where the ring was closed", "EPERM", "filter"},
	{"rewrite it where an execution closes the ring", sigsys, "filter"},
}

// Each is made by a plugin that a policy names, through the whole host, in a
// process of its own that gives nothing up by itself.
func TestNativeHostilePlugin(t *testing.T) {
	g := openNative(t, hostilePolicy)
	for _, d := range hostileDeeds {
		t.Run(d.name, func(t *testing.T) {
			g := *g
			g.t = t
			want := strings.Fields(d.refused)
			if got := g.attack("writer", d.name); !slices.Contains(want, got) {
				t.Errorf("in the jail: %q, want %q by %s", got, d.refused, d.layer)
			}
			if got := g.free(d.name); slices.Contains(want, got) {
				t.Errorf("without the jail it comes to %q as well", got)
			}
		})
	}
}

// An operator is told which call a plugin was stopped for.
func TestNativeRefusedCallsHaveNames(t *testing.T) {
	g := openNative(t, hostilePolicy)
	for name, says := range map[string]string{
		"bpf":                `system call "bpf" is not allowed`,
		"unshare a network":  `system call "unshare" is not allowed`,
		"execve":             `system call "execve" is not allowed`,
		"map writable code":  `system call "mmap" with arg2=`,
		"a pair of sockets":  `system call "socketpair" is not allowed`,
		"give a file away":   `system call "fchown" is not allowed`,
		"signal the host":    `system call "kill" is not allowed`,
		"read the workspace": "",
	} {
		world := g.world
		world.Folder = "/workspace/w"
		_, err := g.Call(t.Context(), "writer.attack", attack.Order{Name: name, World: world}.Encode())
		if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%s: %v, want %q", name, err, says)
		}
	}
}

// What the policy grants is there, and no more: of reading, no writing; of the
// narrow filter, no files.
func TestNativeWorkspaceAccess(t *testing.T) {
	g := openNative(t, hostilePolicy)
	for _, c := range []struct{ name, writer, reader, narrow string }{
		{"read the workspace", attack.OK, attack.OK, "ENOENT"},
		{"list the workspace", attack.OK, attack.OK, "ENOENT"},
		{"write to the workspace", attack.OK, "EROFS", "ENOENT"},
		{"change a file", attack.OK, "EROFS", "ENOENT"},
		{"rename a file", attack.OK, "EROFS", sigsys},
		{"make a folder in the workspace", attack.OK, "EROFS", sigsys},
		{"make files for ever", "EACCES", "EACCES", "ENOENT"},
		{"fill the disk", "EACCES", "EACCES", "ENOENT"},
		{"open a file of its own root", attack.OK, attack.OK, "ENOENT"},
		{"map writable code", sigsys, sigsys, sigsys},
	} {
		for plugin, want := range map[string]string{"writer": c.writer, "reader": c.reader, "narrow": c.narrow} {
			if got := g.attack(plugin, c.name); got != want {
				t.Errorf("%s, %s: %q, want %q", plugin, c.name, got, want)
			}
		}
		if got := g.free(c.name); got == c.narrow {
			t.Errorf("%s: without the jail it comes to %q", c.name, got)
		}
	}
}

// What a plugin makes in a workspace is its owner's, as if they had made it.
func TestNativeWorkspaceOwner(t *testing.T) {
	g := openNative(t, hostilePolicy)
	work := filepath.Join(g.dir, "work")
	owner := os.Getuid()
	if owner == 0 {
		owner = 12345
		for _, path := range []string{work, filepath.Join(work, "plain")} {
			if err := os.Chown(path, owner, owner); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := g.attack("writer", "keep a file in the workspace"); got != attack.OK {
		t.Fatal(got)
	}
	info, err := os.Stat(filepath.Join(work, "kept"))
	if err != nil {
		t.Fatal(err)
	}
	if st := info.Sys().(*syscall.Stat_t); int(st.Uid) != owner || info.Mode() != 0o600 {
		t.Errorf("uid %d, mode %v, want %d and 0600", st.Uid, info.Mode(), owner)
	}
}

// The kernel ends a plugin that takes more memory than it may, and the host one
// that computes too long.
func TestNativeLimits(t *testing.T) {
	g := openNative(t, `
plugin "p" {
  source = "PLUGIN"
  limits {
    memory = "64MiB"
  }
}
plugin "busy" {
  source = "PLUGIN"
  limits {
    cpu_time = "200ms"
  }
}
`)
	result, err := g.Call(t.Context(), "p.attack", attack.Order{Name: "eat and touch memory", World: g.world}.Encode())
	if err == nil && string(result.JSON) == `"ENOMEM"` { // no control group, limits of the process instead
		t.Log("refused by RLIMIT_DATA")
	} else if !errors.Is(err, host.ErrMemory) {
		t.Errorf("memory: %v, %+v", err, result)
	}
	if got := g.attack("p", "thread bomb"); got == attack.OK {
		t.Error("threads without end")
	}
	_, err = g.Call(t.Context(), "busy.spin", nil)
	if !errors.Is(err, host.ErrCPUTime) {
		t.Errorf("spinning: %v", err)
	}
	if _, err := g.Call(t.Context(), "p.echo", nil); err != nil {
		t.Errorf("the next call: %v", err)
	}
}

// Everything once more as somebody who may do nothing special.
func TestNativeAsOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("this is it")
	}
	const nobody = 65534
	dir, err := os.MkdirTemp("", "native")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	attacker, trampoline := nativePrograms(t)
	test, own := filepath.Join(dir, "host.test"), filepath.Join(dir, "t")
	for from, to := range map[string]string{os.Args[0]: test, attacker: filepath.Join(dir, "attacker"), trampoline: filepath.Join(dir, orders.Trampoline)} {
		copyFile(t, from, to)
	}
	if err := errors.Join(os.Chmod(dir, 0o755), os.Mkdir(own, 0o700), os.Chown(own, nobody, nobody)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(test, "-test.v", "-test.run=^TestNative", "-test.timeout=9m")
	cmd.Dir = own
	cmd.Env = []string{nativeBinaries + "=" + dir, "TMPDIR=" + own, "HOME=" + own, "PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("as uid %d: %v\n%s", nobody, err, out)
	}
	t.Logf("%d passed, %d skipped", strings.Count(string(out), "--- PASS"), strings.Count(string(out), "--- SKIP"))
}
