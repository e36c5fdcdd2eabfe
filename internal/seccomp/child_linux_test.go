//go:build amd64 || arm64

package seccomp

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// What is installed cannot be taken back, so each test installs in a child: this
// test binary again, which finds in its environment what it has to do.
const (
	envDo     = "SECCOMP_TEST_DO"     // a name in deeds
	envStages = "SECCOMP_TEST_STAGES" // "wasm", "wasm 1", "wasm 12": a profile and its stages
)

// deeds are what a child can do. A deed says what came of it.
var deeds = map[string]func() string{}

func TestMain(m *testing.M) {
	name := os.Getenv(envDo)
	if name == "" {
		os.Exit(m.Run())
	}
	deed, ok := deeds[name]
	if !ok {
		fmt.Println("no such deed")
		os.Exit(2)
	}
	profile, stages, _ := strings.Cut(os.Getenv(envStages), " ")
	if name != "nothing" {
		prepare()
	}
	for _, stage := range stages {
		if err := Profile(profile).Install(Stage(stage - '0')); err != nil {
			fmt.Println("install:", err)
			os.Exit(2)
		}
	}
	fmt.Println(deed())
	os.Exit(0)
}

type outcome struct {
	said string
	end  syscall.WaitStatus
	text string // all of the output, for failures
}

// killed says that a filter ended the process.
func (o outcome) killed() bool { return o.end.Signaled() && o.end.Signal() == syscall.SIGSYS }

func perform(t *testing.T, deed, stages string) outcome {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = []string{envDo + "=" + deed, envStages + "=" + stages, "GOMAXPROCS=2", "GOTRACEBACK=single", "TMPDIR=" + os.TempDir()}
	child.Dir = t.TempDir()
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	var out bytes.Buffer
	child.Stdout, child.Stderr = &out, &out
	_ = child.Run()
	said := strings.TrimSpace(out.String())
	if i := strings.LastIndexByte(said, '\n'); i >= 0 {
		said = said[i+1:]
	}
	return outcome{said, child.ProcessState.Sys().(syscall.WaitStatus), out.String()}
}

// have is what a child has when the filter comes, as a sandbox has its
// connection, its module and its ring.
var have struct {
	memfd, pipe, client, waiting, pidfd, parent int
	pair                                        [2]int
	window                                      []byte // of memfd, shared
	early                                       chan struct{}
	result                                      chan string
}

func prepare() {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	var err error
	have.parent = os.Getppid()
	have.memfd, err = unix.MemfdCreate("ring", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	must(err)
	must(unix.Ftruncate(have.memfd, 4096))
	have.window, err = unix.Mmap(have.memfd, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	must(err)
	copy(have.window, "ring")
	must(os.WriteFile("victim", nil, 0o600))
	var pipe [2]int
	must(unix.Pipe(pipe[:]))
	have.pipe = pipe[0]
	have.pair, err = unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	must(err)
	must(unix.Sendmsg(have.pair[0], []byte{1}, unix.UnixRights(have.memfd), nil, 0))
	have.waiting, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	must(err)
	must(unix.Bind(have.waiting, &unix.SockaddrUnix{Name: "listener"}))
	must(unix.Listen(have.waiting, 5))
	first, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	must(err)
	must(unix.Connect(first, &unix.SockaddrUnix{Name: "listener"}))
	have.client, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	must(err)
	have.pidfd, err = unix.PidfdOpen(os.Getpid(), 0)
	must(err)
	have.early, have.result = make(chan struct{}), make(chan string)
	ready := make(chan struct{})
	go locked(func() {
		close(ready)
		<-have.early
		_, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		have.result <- said(err)
	})
	<-ready
}

// locked runs f on a thread of its own.
func locked(f func()) {
	runtime.LockOSThread()
	f()
}
