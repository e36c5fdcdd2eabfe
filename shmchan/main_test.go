package shmchan

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// roles are what a re-executed test binary can be instead of a test run: the
// other process of a two-process test. Its files are fds 3 and 4.
var roles = map[string]func() error{}

const roleVariable = "SHMCHAN_TEST_ROLE"

func TestMain(m *testing.M) {
	if name := os.Getenv(roleVariable); name != "" {
		if err := roles[name](); err != nil {
			fmt.Fprintln(os.Stderr, name+":", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// inheritedFiles are the memory files of a role's process.
func inheritedFiles() [2]*os.File {
	return [2]*os.File{os.NewFile(3, "out"), os.NewFile(4, "in")}
}

// startRole runs this test binary as another process that holds the files.
func startRole(t testing.TB, role string, files []*os.File, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), roleVariable+"="+role), env...)
	cmd.ExtraFiles = files
	cmd.Stderr = &strings.Builder{}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	return cmd
}

// finishRole waits for a role's process and shows what it complained of.
func finishRole(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Wait(); err != nil {
		t.Fatalf("other process: %v: %s", err, cmd.Stderr)
	}
}

// newPipe is a Pipe that the test closes.
func newPipe(t testing.TB, c Config) (creator, attacher *Channel) {
	t.Helper()
	a, b, err := Pipe(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	return a, b
}

// small is a ring that fills up quickly.
func small() RingConfig {
	return RingConfig{Data: MinData, Slots: 8, MaxMessage: 1 << 20}
}

func smallConfig() Config {
	return Config{Lanes: []LaneConfig{{Outbound: small(), Inbound: small()}}, MessageTimeout: 200 * time.Millisecond}
}

func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
