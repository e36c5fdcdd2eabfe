package escape

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/internal/attack"
)

// Descriptors that attackers find beside those of a real sandbox.
const (
	ringFD = 3
	dirFD  = 5
	ttyFD  = 6
)

// outside is what a host has: files, listeners, another sandbox. Everybody may
// use them, so that what refuses is the jail.
type outside struct {
	world attack.World
	dir   *os.File
	tty   *os.File
}

func newOutside(t *testing.T, p *prison) *outside {
	t.Helper()
	dir := t.TempDir()
	for p := dir; strings.HasPrefix(p, os.TempDir()+"/"); p = filepath.Dir(p) {
		if err := os.Chmod(p, 0o755); err != nil && !errors.Is(err, unix.EPERM) {
			t.Fatal(err)
		}
	}
	o := &outside{world: attack.World{
		Host: os.Getpid(), Secret: filepath.Join(dir, "secret"), Folder: filepath.Join(dir, "open"),
		Path: filepath.Join(dir, "docker.sock"), Ring: ringFD, Dir: dirFD, TTY: ttyFD,
	}}
	w := &o.world
	if err := errors.Join(os.WriteFile(w.Secret, []byte("hunter2"), 0o644),
		os.Mkdir(w.Folder, 0o777), os.Chmod(w.Folder, 0o777)); err != nil {
		t.Fatal(err)
	}
	w.TCP = listen(t, "tcp", "127.0.0.1:0")
	listen(t, "unix", w.Path)
	if err := os.Chmod(w.Path, 0o777); err != nil {
		t.Fatal(err)
	}
	w.Unnamed = listen(t, "unix", "@ringfence-escape-test-"+strconv.Itoa(os.Getpid()))
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = udp.Close() })
	w.UDP = udp.LocalAddr().String()
	if o.dir, err = os.Open("/"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.dir.Close() })
	o.tty = terminal(t)
	other := p.start(t, stageOne, "sit", *w, nil, nil)
	w.Other = other.PID()
	sockets, err := filepath.Glob(filepath.Join(p.dir.Path(), "*", "plugin*"))
	if err != nil || len(sockets) != 1 {
		t.Fatalf("sockets of the other sandbox: %v, %v", sockets, err)
	}
	w.OtherSocket = sockets[0]
	return o
}

func listen(t *testing.T, network, address string) string {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

// terminal opens one that nobody uses, or /dev/null where there are none.
func terminal(t *testing.T) *os.File {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = slave.Close() })
	return slave
}

// files are what an attacker inherits: in the jail a ring that is sealed, as the
// host seals it, and outside one that is not.
func (o *outside) files(t *testing.T, at position) map[int]*os.File {
	seals := 0
	if at.jailed {
		seals = unix.F_SEAL_FUTURE_WRITE | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL
	}
	return map[int]*os.File{ringFD: memfd(t, make([]byte, 4096), seals), dirFD: o.dir, ttyFD: o.tty}
}
