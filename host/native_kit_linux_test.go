package host_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/internal/attack"
	"github.com/ringfence/ringfence/internal/built"
	"github.com/ringfence/ringfence/internal/orders"
	"github.com/ringfence/ringfence/policies"
)

// nativeBinaries, if set, is a folder with the programs, for somebody who has no
// Go.
const nativeBinaries = "NATIVE_TEST_BINARIES"

var buildNative = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "native")
	if err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "attacker"), "./testdata/native")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", errors.New(string(out))
	}
	return dir, nil
})

// nativePrograms finds the attacking plugin and the trampoline.
func nativePrograms(t testing.TB) (attacker, trampoline string) {
	t.Helper()
	if dir := os.Getenv(nativeBinaries); dir != "" {
		return filepath.Join(dir, "attacker"), filepath.Join(dir, orders.Trampoline)
	}
	dir, err := buildNative()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "attacker"), filepath.Join(built.Bin(t), orders.Trampoline)
}

// grounds is a host with a native plugin, and what there is for it to attack.
type grounds struct {
	*host.Host
	t     *testing.T
	dir   string
	path  string // of the plugin's source
	world attack.World
}

// openNative makes a host for a policy in which PLUGIN, DIR and TRAMPOLINE stand
// for paths.
func openNative(t *testing.T, policy string) *grounds {
	t.Helper()
	g, err := tryNative(t, policy)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func tryNative(t *testing.T, policy string) (*grounds, error) {
	t.Helper()
	dir, err := os.MkdirTemp("", "n") // short: paths of sockets lie below
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	attacker, trampoline := nativePrograms(t)
	g := &grounds{t: t, dir: dir, path: filepath.Join(dir, "attacker")}
	copyFile(t, attacker, g.path)
	copyFile(t, trampoline, filepath.Join(dir, orders.Trampoline))
	g.outside()
	text := strings.NewReplacer("PLUGIN", g.path, "DIR", dir).Replace("ringfence {\n  state_dir = \"DIR/state\"\n}\n" + policy)
	p, err := policies.Parse(filepath.Join(dir, "policy", "test.hcl"), []byte(text), policies.Options{})
	if err != nil {
		return nil, err
	}
	g.Host, err = host.Open(p, host.Options{Sandbox: filepath.Join(dir, "ringfence-plugin-wasm")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
		left, err := filepath.Glob(filepath.Join(dir, "state", "run", "*"))
		if err != nil || len(left) > 0 {
			t.Errorf("left behind: %v (%v)", left, err)
		}
	})
	return g, nil
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// outside makes what a machine has: files, a workspace with links out of it,
// listeners, another process. Everybody may use them.
func (g *grounds) outside() {
	g.t.Helper()
	private := filepath.Join(g.dir, "private")
	work := filepath.Join(g.dir, "work")
	g.world = attack.World{
		Host: os.Getpid(), Secret: filepath.Join(private, "secret"), Folder: work,
		Self: "/plugin", Near: "/plugin", Path: filepath.Join(g.dir, "docker.sock"),
	}
	err := errors.Join(os.Mkdir(private, 0o755), os.Mkdir(work, 0o755),
		os.WriteFile(g.world.Secret, []byte("hunter2"), 0o644), os.WriteFile(filepath.Join(work, "plain"), []byte("plain"), 0o644),
		os.WriteFile(filepath.Join(work, "owners"), []byte("plain"), 0o755), os.Chmod(filepath.Join(work, "owners"), 0o755|os.ModeSetuid),
		os.Symlink(g.world.Secret, filepath.Join(work, "link")), os.Symlink(private, filepath.Join(work, "linked")))
	if err != nil {
		g.t.Fatal(err)
	}
	g.world.TCP = g.listen("tcp", "127.0.0.1:0")
	g.listen("unix", g.world.Path)
	g.world.OtherSocket = g.world.Path
	g.world.Unnamed = g.listen("unix", fmt.Sprintf("@ringfence-native-test-%d-%s", os.Getpid(), filepath.Base(g.dir)))
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = udp.Close() })
	g.world.UDP = udp.LocalAddr().String()
	victim := exec.Command("sleep", "600")
	if err := victim.Start(); err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = victim.Process.Kill(); _ = victim.Wait() })
	g.world.Other = victim.Process.Pid
}

func (g *grounds) listen(network, address string) string {
	g.t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	return l.Addr().String()
}

// attack has the plugin make an attack in the jail, and says what came of it.
func (g *grounds) attack(plugin, name string) string {
	g.t.Helper()
	world := g.world
	world.Folder = "/workspace/w"
	result, err := g.Call(g.t.Context(), plugin+".attack", attack.Order{Name: name, World: world}.Encode())
	if err != nil {
		checkError(g.t, err)
		return ending(err)
	}
	var said string
	if err := json.Unmarshal(result.JSON, &said); err != nil {
		g.t.Fatal(err)
	}
	return said
}

var bySignal = regexp.MustCompile(`killed by signal (\d+) `)

// ending is how a process ended that gave no answer.
func ending(err error) string {
	if host.CauseOf(err) == host.CauseSyscall {
		return sigsys
	}
	var signal int
	if m := bySignal.FindStringSubmatch(err.Error()); m != nil {
		_, _ = fmt.Sscan(m[1], &signal)
		return unix.SignalName(unix.Signal(signal))
	}
	if host.CauseOf(err) == host.CauseSyscall {
		return "SIGSYS"
	}
	return err.Error()
}

// free makes the attack outside of any jail.
func (g *grounds) free(name string) string {
	g.t.Helper()
	world := g.world
	world.Self, world.Near = g.path, g.path
	ctx, cancel := context.WithTimeout(g.t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, g.path, "attack", string(attack.Order{Name: name, World: world}.Encode()))
	cmd.Dir = g.t.TempDir()
	out, err := cmd.Output()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		g.t.Fatal(err)
	}
	if len(out) == 0 {
		return fmt.Sprint(cmd.ProcessState)
	}
	return string(out)
}
