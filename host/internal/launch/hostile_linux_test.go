package launch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// outside is a socket of somebody else's, such as docker.sock, that no
// connection may reach.
type outside struct {
	path  string
	tcp   string
	taken atomic.Int32
}

func newOutside(t *testing.T, dir string) *outside {
	t.Helper()
	o := &outside{path: filepath.Join(dir, "outside")}
	for _, network := range []string{"unix", "tcp"} {
		address := map[string]string{"unix": o.path, "tcp": "127.0.0.1:0"}[network]
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		if network == "tcp" {
			o.tcp = l.Addr().String()
		}
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				o.taken.Add(1)
				_ = c.Close()
			}
		}()
	}
	return o
}

func (o *outside) untouched(t *testing.T) {
	t.Helper()
	time.Sleep(5 * time.Millisecond) // an accept under way
	if n := o.taken.Load(); n != 0 {
		t.Errorf("%d connections reached a socket outside", n)
	}
}

// checkError wants an error of the class, in one line of bounded length.
func checkError(t *testing.T, err, class error, text string) {
	t.Helper()
	if !errors.Is(err, class) || !strings.Contains(fmt.Sprint(err), text) {
		t.Errorf("error = %v\nwant %v with %q", err, class, text)
	}
	if s := fmt.Sprint(err); len(s) > 1600 || strings.ContainsAny(s, "\n\x00\x1b") {
		t.Errorf("error of %d bytes, not one short clean line: %q", len(s), clip(s, 400))
	}
}

// Every way to start badly ends in a typed error, in bounded time, with
// nothing left of the process, and without a connection to anywhere else.
func TestBadStart(t *testing.T) {
	const quick = 700 * time.Millisecond
	for _, c := range []struct {
		name    string
		args    []string
		timeout time.Duration
		class   error
		text    string
	}{
		{"certificate while TLS is off", []string{"certificate"}, 0, ErrHandshake, "certificate"},
		{"socket of docker", []string{"line", "1|1|unix|OUTSIDE|grpc|\n"}, 0, ErrHandshake, "address must be"},
		{"TCP address", []string{"line", "1|1|tcp|TCP|grpc|\n"}, 0, ErrHandshake, "network must be unix"},
		{"TCP as unix", []string{"line", "1|1|unix|TCP|grpc|\n"}, 0, ErrHandshake, "address must be"},
		{"way up", []string{"line", "1|1|unix|./../../../../outside|grpc|\n"}, 0, ErrHandshake, "address must be"},
		{"way up bare", []string{"line", "1|1|unix|../x|grpc|\n"}, 0, ErrHandshake, "address must be"},
		{"the folder itself", []string{"line", "1|1|unix|./.|grpc|\n"}, 0, ErrHandshake, "address must be"},
		{"abstract socket", []string{"line", "1|1|unix|@x|grpc|\n"}, 0, ErrHandshake, "address must be"},
		{"symlink to another socket", []string{"symlink", "OUTSIDE"}, 0, ErrHandshake, "is no socket"},
		{"hard link to another socket", []string{"hardlink", "OUTSIDE"}, 0, ErrHandshake, "names, want 1"},
		{"folder replaced by symlink", []string{"folder-symlink", "OUTSIDE"}, 0, ErrHandshake, "open socket"},
		{"regular file", []string{"regular-file"}, 0, ErrHandshake, "is no socket"},
		{"named pipe", []string{"named-pipe"}, 0, ErrHandshake, "is no socket"},
		{"no socket", []string{"line", "1|1|unix|./none|grpc|\n"}, 0, ErrHandshake, "open socket"},
		{"another process serves", []string{"other-process"}, 0, ErrPeer, "launched process"},
		{"prints nothing", []string{"never"}, quick, ErrStartTimeout, "handshake line"},
		{"stops itself", []string{"stopped"}, quick, ErrStartTimeout, "handshake line"},
		{"closes stdout", []string{"closes-stdout"}, 0, ErrHandshake, "closed its standard output"},
		{"half a line", []string{"line", "1|1|unix|./s|gr"}, quick, ErrStartTimeout, "handshake line"},
		{"empty line", []string{"line", "\n"}, 0, ErrHandshake, "want core"},
		{"garbage", []string{"line", "\x01\x1b[2J\xff\xfe garbage\n"}, 0, ErrHandshake, `\x1b[2J\xff\xfe`},
		{"carriage return", []string{"line", "1|1|unix|./s|grpc|\r\n"}, 0, ErrHandshake, "certificate"},
		{"100k fields", []string{"many-fields"}, 0, ErrHandshake, "no end of line in the first 4096"},
		{"1 MB without a line", []string{"unbroken-before"}, 0, ErrHandshake, "no end of line"},
		{"wrong core version", []string{"line", "2|1|unix|./s|grpc|\n"}, 0, ErrHandshake, "core protocol version"},
		{"wrong version", []string{"line", "1|7|unix|./s|grpc|\n"}, 0, ErrHandshake, "rebuild it"},
		{"huge version", []string{"line", "1|99999999999999999999|unix|./s|grpc|\n"}, 0, ErrHandshake, "another protocol version"},
		{"net/rpc", []string{"line", "1|1|unix|./s|netrpc|\n"}, 0, ErrHandshake, "protocol must be grpc"},
		{"old net/rpc", []string{"line", "1|1|unix|./s\n"}, 0, ErrHandshake, "want core"},
		{"multiplexing field", []string{"line", "1|1|unix|./s|grpc||true\n"}, 0, ErrHandshake, "want core"},
		{"exits with 0", []string{"exit", "0"}, 0, ErrDied, "exited with code 0; it printed: last words"},
		{"exits with 3", []string{"exit", "3"}, 0, ErrDied, "exited with code 3"},
		{"exits after the line", []string{"exits-after-line"}, 0, ErrDied, "exited with code 5"},
		{"server says nothing", []string{"silent"}, quick, ErrStartTimeout, "health check"},
		{"server speaks no HTTP/2", []string{"garbage"}, 0, ErrHandshake, "HTTP/2"},
		{"server says goodbye without end", []string{"goaway"}, quick, nil, ""},
		{"server floods pings", []string{"ping-flood"}, quick, nil, ""},
		{"endless headers", []string{"endless-headers"}, 2 * time.Second, nil, ""},
		{"not in health", []string{"ill"}, 0, ErrHandshake, "status 2"},
		{"unknown way", []string{"no-such-way"}, 0, ErrDied, "usage"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			o := newOutside(t, w.dir.Path()+"/..")
			args := append([]string(nil), c.args...)
			for i := range args {
				args[i] = strings.NewReplacer("OUTSIDE", o.path, "TCP", o.tcp).Replace(args[i])
			}
			s := w.spec(args...)
			if c.timeout != 0 {
				s.StartTimeout = c.timeout
			}
			began := time.Now()
			p, err := Start(t.Context(), s)
			if err == nil {
				p.Kill()
				t.Fatal("started")
			}
			if took := time.Since(began); took > s.StartTimeout+2*time.Second {
				t.Errorf("took %v", took)
			}
			if confinement != nil && refusedInside[c.name] != "" {
				c.class, c.text = ErrDied, refusedInside[c.name]
			}
			if c.class == nil { // how it fails is a race; that it does is not
				c.class = ErrStartTimeout
				if errors.Is(err, ErrHandshake) {
					c.class = ErrHandshake
				}
			}
			checkError(t, err, c.class, c.text)
			o.untouched(t)
		})
	}
}

// A socket that changes places with a symlink while we look is connected to as
// what it was when it was checked, or not at all.
func TestSwappedSocket(t *testing.T) {
	w := newWorld(t)
	o := newOutside(t, w.dir.Path()+"/..")
	ways := map[string]int{}
	for range 60 {
		p, err := Start(t.Context(), w.spec("swap", o.path))
		if err == nil {
			ways["connected to the right one"]++
			p.Kill()
			continue
		}
		checkError(t, err, ErrHandshake, "no socket")
		ways["refused"]++
	}
	t.Log(ways)
	o.untouched(t)
}

func TestStartHonoursContext(t *testing.T) {
	t.Run("cancelled before", func(t *testing.T) {
		w := newWorld(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := Start(ctx, w.spec("good"))
		checkError(t, err, context.Canceled, "")
	})
	for _, way := range []string{"never", "stopped", "silent"} {
		t.Run("cancelled during "+way, func(t *testing.T) {
			w := newWorld(t)
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(100*time.Millisecond, cancel)
			began := time.Now()
			_, err := Start(ctx, w.spec(way))
			checkError(t, err, context.Canceled, "")
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
	t.Run("deadline of the caller", func(t *testing.T) {
		w := newWorld(t)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := Start(ctx, w.spec("never"))
		checkError(t, err, context.DeadlineExceeded, "")
		if errors.Is(err, ErrStartTimeout) {
			t.Errorf("the caller's deadline passes for our own: %v", err)
		}
	})
	t.Run("cancelled after", func(t *testing.T) {
		w := newWorld(t)
		ctx, cancel := context.WithCancel(t.Context())
		p, err := Start(ctx, w.spec("good"))
		if err != nil {
			t.Fatal(err)
		}
		defer p.Kill()
		cancel()
		if got, err := echo(t, p, "still"); err != nil || got != "still" {
			t.Errorf("the context of Start ended a running process: %q, %v", got, err)
		}
	})
}

func TestBadSpec(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(*Spec){
		"no folder":            func(s *Spec) { s.Dir = nil },
		"relative path":        func(s *Spec) { s.Path = "hostile" },
		"missing path":         func(s *Spec) { s.Path = "/none" },
		"folder as path":       func(s *Spec) { s.Path = "/tmp" },
		"descriptor 2":         func(s *Spec) { s.Files = map[int]*os.File{2: os.Stderr} },
		"no file":              func(s *Spec) { s.Files = map[int]*os.File{3: nil} },
		"variable without =":   func(s *Spec) { s.Env = []string{"X"} },
		"handshake's variable": func(s *Spec) { s.Env = []string{"PLUGIN_UNIX_SOCKET_DIR=/"} },
		"NUL in a variable":    func(s *Spec) { s.Env = []string{"X=\x00"} },
		"NUL in an argument":   func(s *Spec) { s.Args = []string{"\x00"} },
		"negative timeout":     func(s *Spec) { s.StartTimeout = -1 },
	} {
		t.Run(name, func(t *testing.T) {
			s := w.spec("good")
			change(&s)
			p, err := Start(t.Context(), s)
			if err == nil {
				p.Kill()
				t.Fatal("started")
			}
			checkError(t, err, err, "launch good: ")
		})
	}
}

// The staged file is executed though the host's own staging, in other
// goroutines, may still hold files open for writing at the moment of the fork.
func TestExecutesWhileOthersWrite(t *testing.T) {
	w := newWorld(t)
	path := filepath.Join(t.TempDir(), "busy")
	b, err := os.ReadFile(hostile)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o500); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.EACCES) {
		t.Skip("only root opens it for writing")
	}
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(20*time.Millisecond, func() { _ = unix.Close(fd) })
	s := w.spec("good")
	s.Path = path
	w.startSpec(s)
}
