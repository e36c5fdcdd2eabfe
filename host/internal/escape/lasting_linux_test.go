package escape

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/internal/attack"
	"github.com/ringfence/ringfence/pluginkit/wire"
)

// The limit of memory is not the filter's: in the jail it is RLIMIT_DATA, and
// behind it the control group. What is mapped without being used goes past a
// process that has neither.
func TestEscapeEatsMemory(t *testing.T) {
	p := newPrison(t)
	o := newOutside(t, p)
	for _, at := range []position{stageOne, stageTwo} {
		for _, name := range []string{"eat memory", "eat and touch memory"} {
			// Go's runtime may be the one that wants memory at that moment.
			if got := p.start(t, at, name, o.world, o.files(t, at), nil).attack(t, at); !oneOf("ENOMEM exit-2", got) {
				t.Errorf("stage %d, %s: %q", at.stage, name, got)
			}
		}
	}
	if got := p.start(t, free, "eat memory", o.world, o.files(t, free), nil).attack(t, free); got != attack.OK {
		t.Errorf("without limits: %q", got)
	}
}

// A sandbox that spins dies when the host wants it to, and another one answers
// meanwhile.
func TestEscapeSpins(t *testing.T) {
	p := newPrison(t)
	o := newOutside(t, p)
	for _, at := range []position{stageOne, stageTwo} {
		begun := make(chan struct{}, 1)
		i := p.start(t, at, "spin", o.world, o.files(t, at), func(line string) {
			if strings.Contains(line, attack.Begun) {
				begun <- struct{}{}
			}
		})
		ended := make(chan string, 1)
		go func() { ended <- i.attack(t, at) }()
		<-begun
		p.answers(t, o)
		i.mustDie(t)
		<-ended
	}
}

// Nobody in a PID namespace can stop its first process; where there is none a
// sandbox can stop itself, and dies all the same.
func TestEscapeStopsItself(t *testing.T) {
	p := newPrison(t)
	o := newOutside(t, p)
	for _, at := range []position{stageOne, stageTwo} {
		i := p.start(t, at, "stop itself", o.world, o.files(t, at), nil)
		if got := i.attack(t, at); got != attack.OK {
			t.Errorf("stage %d: %q", at.stage, got)
		}
	}
	i := p.start(t, free, "stop itself", o.world, o.files(t, free), nil)
	ended := make(chan string, 1)
	go func() { ended <- i.attack(t, free) }()
	waitStopped(t, i.PID())
	p.answers(t, o)
	i.mustDie(t)
	<-ended
}

// answers has another sandbox serve.
func (p *prison) answers(t *testing.T, o *outside) {
	t.Helper()
	other := p.start(t, stageTwo, "clone3", o.world, o.files(t, stageTwo), nil)
	if got := other.attack(t, stageTwo); got != "ENOSYS" {
		t.Errorf("another sandbox answers %q", got)
	}
}

func (i *inmate) mustDie(t *testing.T) {
	t.Helper()
	i.Kill()
	if e := i.Exit(); !e.Killed || e.Signal != unix.SIGKILL {
		t.Errorf("it ended with %v", e)
	}
}

// waitStopped waits until the kernel says that a process has stopped.
func waitStopped(t *testing.T, pid int) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err == nil && strings.Contains(string(b), ") T ") {
			return
		}
	}
	t.Fatal("it did not stop")
}

const envHost = "ESCAPE_TEST_HOST"

// A host that is killed takes its sandboxes with it, those included that have
// done what they can against it. Without the filter the parent-death signal can
// be taken back, and a sandbox lives on.
func TestEscapeOutlivesTheHost(t *testing.T) {
	if where := os.Getenv(envHost); where != "" {
		hostToKill(t, where)
		return
	}
	programs(t) // built now, not by the host that is killed
	for where, dies := range map[string]bool{"jailed": true, "unfiltered": false} {
		t.Run(where, func(t *testing.T) {
			host := exec.Command(os.Args[0], "-test.run=^TestEscapeOutlivesTheHost$")
			host.Env = append(os.Environ(), envHost+"="+where)
			out, err := host.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := host.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(out)
			pid := 0
			for pid == 0 && lines.Scan() {
				if text, ok := strings.CutPrefix(lines.Text(), "sandbox "); ok {
					pid, _ = strconv.Atoi(text)
				}
			}
			if pid == 0 {
				t.Fatal("the host started no sandbox")
			}
			fd, err := unix.PidfdOpen(pid, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(fd)
			_ = host.Process.Kill()
			_ = host.Wait()
			if dies {
				if !ends(fd, 20*time.Second) {
					t.Error("the sandbox outlives its host")
				}
			} else if ends(fd, 500*time.Millisecond) {
				t.Error("without the filter it dies too, so the test proves nothing")
			}
			_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
		})
	}
}

// ends waits until a process has ended.
func ends(pidfd int, within time.Duration) bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, int(within.Milliseconds()))
	return n == 1 && err == nil
}

// hostToKill starts a sandbox that is to outlive it, says so, and waits.
func hostToKill(t *testing.T, where string) {
	at := stageTwo
	if where == "unfiltered" {
		at = unfiltered
	}
	p := newPrison(t)
	begun := make(chan struct{}, 1)
	i := p.start(t, at, "sit after the host", attack.World{}, nil, func(line string) {
		if strings.Contains(line, attack.Begun) {
			begun <- struct{}{}
		}
	})
	go func() {
		_, _ = wire.NewSandboxClient(i.Conn()).Load(context.Background(), &wire.LoadRequest{
			Engine: "wasmer", ArtifactBytes: uint64(len(i.order)), GuestMemoryBytes: 1 << 20, Lifetime: wire.Lifetime_LIFETIME_CALL})
	}()
	<-begun
	fmt.Println("sandbox", i.PID())
	time.Sleep(time.Hour)
}
