package orders

import (
	"net"
	"os"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// pair is a connection to the host's side of a socket, and the other side.
func pair(t *testing.T) (*net.UnixConn, int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fds[0]), "host")
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(); _ = unix.Close(fds[1]) })
	return c.(*net.UnixConn), fds[1]
}

func TestOrdersComeAsTheyWent(t *testing.T) {
	host, trampoline := pair(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	want := whole()
	want.Env = append(want.Env, Text(strings.Repeat("x", Max/2))) // more than one read
	sent := make(chan error, 1)
	go func() { sent <- want.Send(host, []int{int(r.Fd()), int(r.Fd()), int(w.Fd())}) }()
	got, fds, err := Receive(trampoline)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%v\n got %+v\nwant %+v", err, got, want)
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	_ = w.Close()
	for _, fd := range fds {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("descriptor %d: flags %#x, %v: an exec would pass it on", fd, flags, err)
		}
	}
	if _, err := unix.Write(fds[2], []byte("it is the pipe")); err != nil {
		t.Error(err)
	}
	b := make([]byte, 100)
	if n, err := r.Read(b); err != nil || string(b[:n]) != "it is the pipe" {
		t.Errorf("%q, %v", b[:n], err)
	}
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}

// A host that dies sends the end instead of orders.
func TestNoOrders(t *testing.T) {
	host, trampoline := pair(t)
	_ = host.Close()
	if o, _, err := Receive(trampoline); err == nil {
		t.Errorf("got %+v", o)
	}
}
