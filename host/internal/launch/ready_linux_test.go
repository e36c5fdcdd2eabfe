package launch

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host/internal/jail"
)

// waiting looks at the process that is at hand, without taking it.
func waiting(t *testing.T, r *Ready) *blank {
	t.Helper()
	r.mu.Lock()
	next := r.next
	r.mu.Unlock()
	if next == nil {
		t.Fatal("none is being made")
	}
	select {
	case b := <-next:
		next <- b
		if b == nil {
			t.Fatal("it could not be made")
		}
		return b
	case <-time.After(10 * time.Second):
		t.Fatal("none has been made for 10s")
		return nil
	}
}

// A start takes the process that waits, which becomes as good a plugin as any,
// and the next one is made.
func TestReadyProcessIsTaken(t *testing.T) {
	w := jailed(t)
	r := Keep(confinement.jail)
	defer r.Close()
	for range 2 {
		first := waiting(t, r)
		s := w.spec("good")
		s.Ready = r
		p := w.startSpec(s)
		if p.PID() != first.child.pid {
			t.Errorf("process %d serves, %d was waiting", p.PID(), first.child.pid)
		}
		if got := ask(t, p, "hello"); !strings.Contains(got, "hello") {
			t.Errorf("it answers %q", got)
		}
		p.Kill()
	}
	last := waiting(t, r)
	r.Close()
	if alive(last.child.pid) {
		t.Error("it outlives Close")
	}
	r.refill()
	if r.next != nil {
		t.Error("one is made after Close")
	}
}

// One that somebody killed, or that the kernel did for memory, spoils no start.
func TestDeadReadyProcessIsReplaced(t *testing.T) {
	w := jailed(t)
	r := Keep(confinement.jail)
	defer r.Close()
	first := waiting(t, r)
	if err := unix.Kill(first.child.pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-first.child.dead
	s := w.spec("good")
	s.Ready = r
	if got := ask(t, w.startSpec(s), "hello"); !strings.Contains(got, "hello") {
		t.Errorf("it answers %q", got)
	}
}

// A stopped one cannot hold up a start for longer than its limit.
func TestStoppedReadyProcessTimesOut(t *testing.T) {
	w := jailed(t)
	r := Keep(confinement.jail)
	defer r.Close()
	first := waiting(t, r)
	if err := unix.Kill(first.child.pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	s := w.spec("good")
	s.Ready, s.StartTimeout = r, 300*time.Millisecond
	if _, err := Start(t.Context(), s); err == nil || !strings.Contains(err.Error(), "its jail") {
		t.Errorf("error = %v", err)
	}
	if alive(first.child.pid) {
		t.Error("it is still there")
	}
}

func TestManyTakeOneReadyProcess(t *testing.T) {
	w := jailed(t)
	r := Keep(confinement.jail)
	defer r.Close()
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			s := w.spec("good")
			s.Ready = r
			p, err := Start(context.Background(), s)
			if err != nil {
				t.Error(err)
				return
			}
			p.Kill()
		})
	}
	all.Wait()
}

// hostThatKeepsReady prints the number of a waiting process, and waits itself.
func hostThatKeepsReady(trampoline string) error {
	j, err := jail.Open(context.Background(), trampoline)
	if err != nil {
		return err
	}
	b := Keep(j).take()
	if b == nil {
		return fmt.Errorf("none was made")
	}
	fmt.Println(b.child.pid)
	time.Sleep(time.Hour)
	return nil
}

// A waiting process is in no run folder's books: it has to die by itself.
func TestReadyProcessDiesWithItsHost(t *testing.T) {
	_ = jailed(t)
	cmd := again(t, "ready", confinement.trampoline)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	pid, _ := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || !alive(pid) {
		t.Fatalf("the host printed %q, %v", line, err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	eventually(t, "it has died", func() bool { return !alive(pid) }, func() string { return line })
}
