package launch

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/ringfence/ringfence/host/internal/rundir"
	"github.com/ringfence/ringfence/pluginkit"
)

// helperWay makes the test binary act as another program: tests that must not
// take the test process with them, or that need a host to kill, run it again.
const helperWay = "LAUNCH_TEST_HELPER"

// again runs the test binary as a helper.
func again(t *testing.T, way string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], append([]string{hostile}, args...)...)
	cmd.Env = append(os.Environ(), helperWay+"="+way)
	return cmd
}

func helper() {
	hostile = os.Args[1]
	var err error
	switch os.Getenv(helperWay) {
	case "bare":
		err = bare(os.Args[2:])
	case "host":
		err = hostThatIsKilled(os.Args[2])
	case "stdin":
		err = hostWithStdin(os.Args[2])
	case "ready":
		err = hostThatKeepsReady(os.Args[2])
	case "thread":
		err = hostWithThreads(os.Args[2])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// bareClient is go-plugin as it comes.
func bareClient(dir string, args ...string) *plugin.Client {
	cmd := exec.Command(hostile, args...)
	cmd.Dir = dir // of the plugin's sockets
	return plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  pluginkit.Handshake,
		Plugins:          plugin.PluginSet{},
		Cmd:              cmd,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Logger:           hclog.New(&hclog.LoggerOptions{Output: io.Discard, Level: hclog.Trace}),
	})
}

func bare(args []string) error {
	client := bareClient(args[0], args[1:]...)
	defer client.Kill()
	if _, err := client.Client(); err != nil {
		return err
	}
	time.Sleep(500 * time.Millisecond) // its log parser runs beside
	return nil
}

// Evidence for what this package is for: go-plugin by itself does not survive
// these plugins. Should a version do, the defence can be thought over.
func TestBareGoPluginPanics(t *testing.T) {
	for _, way := range []string{"stderr-json", "certificate"} {
		t.Run(way, func(t *testing.T) {
			out, err := again(t, "bare", t.TempDir(), way).CombinedOutput()
			if err == nil || !strings.Contains(string(out), "panic: ") {
				t.Errorf("it survived: %v\n%s", err, clip(string(out), 500))
			}
		})
	}
}

func TestBareGoPluginDialsAnything(t *testing.T) {
	o := newOutside(t, t.TempDir())
	_ = again(t, "bare", t.TempDir(), "line", "1|1|unix|"+o.path+"|grpc|\n").Run()
	eventually(t, "the outside socket is dialled", func() bool { return o.taken.Load() > 0 }, func() string { return "" })
}

// hostThatIsKilled starts an obedient and a disobedient sandbox, prints their
// numbers, and waits.
func hostThatIsKilled(base string) error {
	dir, err := rundir.Open(base)
	if err != nil {
		return err
	}
	for _, way := range []string{"good", "outlive"} {
		p, err := Start(context.Background(), Spec{Name: way, Path: hostile, Args: []string{way}, Dir: dir})
		if err != nil {
			return err
		}
		fmt.Println(p.PID())
	}
	fmt.Println(dir.Path())
	time.Sleep(time.Hour)
	return nil
}

// kill -9 of the host: what obeys dies at once, what does not dies with the
// next start, which removes everything else too.
func TestHostKilled(t *testing.T) {
	base := t.TempDir()
	cmd := again(t, "host", base)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	var got []string
	for len(got) < 3 && lines.Scan() {
		got = append(got, lines.Text())
	}
	if len(got) < 3 {
		t.Fatalf("the host printed %q", got)
	}
	good, _ := strconv.Atoi(got[0])
	outlive, _ := strconv.Atoi(got[1])

	other, err := rundir.Open(base) // a second host leaves the first alone
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if s := other.Swept(); s.Folders != 0 || len(s.Killed) != 0 {
		t.Fatalf("swept a living host: %+v", s)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	eventually(t, "the sandbox died with its host", func() bool { return !alive(good) }, func() string { return "" })
	if !alive(outlive) {
		t.Fatal("the disobedient sandbox died too: the test proves nothing")
	}
	next, err := rundir.Open(base)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	if s := next.Swept(); s.Folders != 1 || len(s.Killed) != 1 || s.Killed[0] != outlive || len(s.Problems) != 0 {
		t.Errorf("swept %+v", s)
	}
	eventually(t, "the other sandbox is dead", func() bool { return !alive(outlive) }, func() string { return "" })
	if _, err := os.Stat(got[2]); !os.IsNotExist(err) {
		t.Errorf("the dead host's folder is still there: %v", err)
	}
}

func alive(pid int) bool {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	return err == nil && !strings.Contains(string(b), ") Z ")
}

// hostWithStdin starts a plugin that reads its standard input to the end, and
// then reads its own.
func hostWithStdin(base string) error {
	dir, err := rundir.Open(base)
	if err != nil {
		return err
	}
	defer dir.Close()
	p, err := Start(context.Background(), Spec{Name: "look", Path: hostile, Args: []string{"look"}, Dir: dir})
	if err != nil {
		return err
	}
	defer p.Kill()
	var out wrapperspb.StringValue
	if err := p.Conn().Invoke(context.Background(), "/test.Echo/Call", wrapperspb.String("stdin x"), &out); err != nil {
		return err
	}
	rest, err := io.ReadAll(os.Stdin)
	fmt.Printf("plugin read %s, host read %s", out.Value, rest)
	return err
}

func TestPluginDoesNotReadHostsStdin(t *testing.T) {
	cmd := again(t, "stdin", t.TempDir())
	cmd.Stdin = strings.NewReader("a request of the assistant")
	out, err := cmd.CombinedOutput()
	if want := "plugin read 0 <nil>, host read a request of the assistant"; err != nil || string(out) != want {
		t.Errorf("%v, %q, want %q", err, out, want)
	}
}

// hostWithThreads has goroutines end locked threads all the time, as a program
// does that changes its namespaces, while a sandbox runs.
func hostWithThreads(base string) error {
	dir, err := rundir.Open(base)
	if err != nil {
		return err
	}
	defer dir.Close()
	var all []*Process
	for range 6 {
		p, err := Start(context.Background(), Spec{Name: "good", Path: hostile, Args: []string{"good"}, Dir: dir})
		if err != nil {
			return err
		}
		defer p.Kill()
		all = append(all, p)
	}
	endThreads(100)
	time.Sleep(100 * time.Millisecond) // the signal, if there is one, has come
	for _, p := range all {
		select {
		case <-p.Done():
			return fmt.Errorf("a thread of the host ended and the sandbox with it: %v", p.Exit())
		default:
		}
	}
	return nil
}

// The signal for the death of the parent means its thread: no thread that Go
// may end has forked the sandbox.
func TestSandboxSurvivesThreadsOfHost(t *testing.T) {
	if out, err := again(t, "thread", t.TempDir()).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
