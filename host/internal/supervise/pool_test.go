package supervise

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ringfence/ringfence/internal/waiting"
)

// fake is a sandbox that lives until it is killed.
type fake struct {
	done  chan struct{}
	stuck bool
	slow  chan struct{} // Kill waits for it, when it is not nil
	id    int
}

func (f *fake) Done() <-chan struct{} { return f.done }
func (f *fake) Idle(ctx context.Context) bool {
	if f.stuck {
		<-ctx.Done()
	}
	return !f.stuck
}
func (f *fake) Kill() {
	if !isDead(f) {
		close(f.done)
	}
	if f.slow != nil {
		<-f.slow
	}
}

type starter struct{ n int }

func (s *starter) start(context.Context) (*fake, error) {
	s.n++
	return &fake{done: make(chan struct{}), id: s.n}, nil
}

func acquire(t *testing.T, p *Pool[*fake], plugin string, max int, s *starter) *Lease[*fake] {
	t.Helper()
	l, err := p.Acquire(t.Context(), plugin, max, 0, s.start)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func newPool(t *testing.T, max int) *Pool[*fake] {
	t.Helper()
	p := New[*fake](max)
	t.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
		goleak.VerifyNone(t)
	})
	return p
}

func TestASandboxIsReusedByTheNextCall(t *testing.T) {
	p, s := newPool(t, 4), &starter{}
	for range 10 {
		acquire(t, p, "a", 1, s).Release(true)
	}
	if s.n != 1 {
		t.Fatalf("started %d sandboxes for calls one after another", s.n)
	}
}

// The next call's guest gets ready on the processor that a goroutine would take.
func TestASandboxThatIsIdleIsFreeWithoutAGoroutine(t *testing.T) {
	p, s := newPool(t, 4), &starter{}
	l := acquire(t, p, "a", 1, s)
	l.Release(true)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) != 1 {
		t.Error("it is not free yet")
	}
}

func TestADeadSandboxIsReplaced(t *testing.T) {
	p, s := newPool(t, 4), &starter{}
	l := acquire(t, p, "a", 1, s)
	l.Release(true)
	p.ending.Wait()
	l.Sandbox.Kill() // dies while idle
	second := acquire(t, p, "a", 1, s)
	if second.Sandbox.id != 2 {
		t.Fatal("a dead sandbox was handed out")
	}
	second.Release(false)
	if third := acquire(t, p, "a", 1, s); third.Sandbox.id != 3 || !isDead(second.Sandbox) {
		t.Fatal("a sandbox that must not be reused was, or lives on")
	}
}

func TestAStuckSandboxIsKilledAndReplaced(t *testing.T) {
	p, s := newPool(t, 4), &starter{}
	l := acquire(t, p, "a", 1, s)
	l.Sandbox.stuck = true
	l.Release(true)
	second := acquire(t, p, "a", 1, s) // waits for the grace to end
	if second.Sandbox.id != 2 || !isDead(l.Sandbox) {
		t.Fatal("the stuck sandbox was handed out, or lives on")
	}
}

func TestAPluginHasNoMoreThanItsProcesses(t *testing.T) {
	p, s := newPool(t, 10), &starter{}
	a, b := acquire(t, p, "a", 2, s), acquire(t, p, "a", 2, s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Acquire(ctx, "a", 2, 0, s.start); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want to wait for one of two", err)
	}
	a.Release(true)
	c := acquire(t, p, "a", 2, s)
	if c.Sandbox != a.Sandbox || b.Sandbox == a.Sandbox {
		t.Fatal("calls share a sandbox, or a third was started")
	}
}

func TestAnIdleSandboxMakesRoomForAnotherPlugin(t *testing.T) {
	p, s := newPool(t, 2), &starter{}
	old, busy := acquire(t, p, "a", 1, s), acquire(t, p, "b", 1, s)
	old.Release(true)
	p.ending.Wait()
	c := acquire(t, p, "c", 1, s)
	if !isDead(old.Sandbox) || isDead(busy.Sandbox) || isDead(c.Sandbox) {
		t.Fatal("the idle one should have made room, and only it")
	}
}

func TestAFailedStartFreesItsPlace(t *testing.T) {
	p, s := newPool(t, 1), &starter{}
	failure := errors.New("no")
	if _, err := p.Acquire(t.Context(), "a", 1, 0, func(context.Context) (*fake, error) { return nil, failure }); !errors.Is(err, failure) {
		t.Fatalf("got %v", err)
	}
	acquire(t, p, "b", 1, s)
}

// A sandbox can fill its folder with a million files, which then are removed.
func TestASandboxThatIsSlowToKillHoldsUpNobodyElse(t *testing.T) {
	p, s := newPool(t, 3), &starter{}
	bad, idle := acquire(t, p, "bad", 1, s), acquire(t, p, "idle", 1, s)
	idle.Release(true)
	bad.Sandbox.slow = make(chan struct{})
	go bad.Release(false)
	<-bad.Sandbox.done // it is being killed
	acquired := make(chan *Lease[*fake])
	go func() {
		l, err := p.Acquire(t.Context(), "other", 1, 0, s.start)
		if err != nil {
			t.Error(err)
		}
		acquired <- l
	}()
	select {
	case l := <-acquired:
		l.Release(true)
	case <-time.After(5 * time.Second):
		close(bad.Sandbox.slow)
		<-acquired
		t.Fatal("another plugin waits for the killing to end")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := p.Acquire(ctx, "bad", 1, 0, s.start); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v: its own place is free before it is gone", err)
	}
	close(bad.Sandbox.slow)
	if l := acquire(t, p, "bad", 1, s); l.Sandbox == bad.Sandbox || isDead(idle.Sandbox) {
		t.Error("the killed one was handed out, or the idle one had to go")
	}
}

func TestCloseKillsSandboxesInUse(t *testing.T) {
	p, s := New[*fake](2), &starter{}
	l := acquire(t, p, "a", 1, s)
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !isDead(l.Sandbox) {
		t.Fatal("it lives on")
	}
	l.Release(true) // harmless
	if _, err := p.Acquire(t.Context(), "a", 1, 0, s.start); !errors.Is(err, ErrClosed) {
		t.Fatalf("got %v, want ErrClosed", err)
	}
}

// Callers that hold a sandbox and want another one never wait for each other.
func TestHoldersOfAllSandboxesAreNotLeftWaiting(t *testing.T) {
	p := newPool(t, 2)
	s := &starter{}
	first, second := acquire(t, p, "a", 2, s), acquire(t, p, "a", 2, s)
	type outcome struct {
		lease *Lease[*fake]
		err   error
	}
	outcomes := make(chan outcome, 2)
	for range 2 { // one waits, and the other is told
		go func() {
			l, err := p.Acquire(t.Context(), "b", 1, 1, s.start)
			outcomes <- outcome{l, err}
		}()
	}
	if o := <-outcomes; !errors.Is(o.err, ErrStuck) {
		t.Fatalf("got %+v", o)
	}
	second.Release(true) // who was told gives up what it had
	o := <-outcomes
	if o.err != nil {
		t.Fatal(o.err)
	}
	// With somebody at work there is something to wait for.
	busy := acquireLater(p, "c", 1, 0, s)
	o.lease.Release(true)
	third := <-busy
	waiter := acquireLater(p, "d", 1, 1, s)
	third.Release(false)
	(<-waiter).Release(true)
	first.Release(true)

	// Who has given up is not counted any more.
	first, second = acquire(t, p, "a", 2, s), acquire(t, p, "a", 2, s)
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() {
		_, err := p.Acquire(ctx, "b", 1, 1, s.start)
		gone <- err
	}()
	for waits := 0; waits == 0; { // until it is counted
		p.mu.Lock()
		waits = p.waiting
		p.mu.Unlock()
	}
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	waiter = acquireLater(p, "b", 1, 1, s)
	second.Release(true)
	(<-waiter).Release(true)
	first.Release(true)
}

func acquireLater(p *Pool[*fake], plugin string, max, held int, s *starter) <-chan *Lease[*fake] {
	out := make(chan *Lease[*fake], 1)
	go func() {
		l, err := p.Acquire(context.Background(), plugin, max, held, s.start)
		if err != nil {
			panic(err)
		}
		out <- l
	}()
	return out
}

// A plugin that hangs in its start until that is given up takes the time of one start
// from all calls that wait for it, and not of one start from each.
func TestAStartThatFailsFailsForAllWhoWait(t *testing.T) {
	p, s := newPool(t, 4), &starter{}
	starting, fail, broken := make(chan struct{}), make(chan struct{}), errors.New("it hangs")
	starts := 0
	hang := func(context.Context) (*fake, error) {
		starts++
		close(starting)
		<-fail
		return nil, broken
	}
	ended := make(chan error)
	acquire1 := func(ctx context.Context, start func(context.Context) (*fake, error)) {
		_, err := p.Acquire(ctx, "a", 1, 0, start)
		ended <- err
	}
	go acquire1(t.Context(), hang)
	<-starting
	patients := []*waiting.Context{}
	for range 5 {
		ctx := waiting.New(t.Context())
		patients = append(patients, ctx)
		go acquire1(ctx, hang)
	}
	for _, w := range patients {
		<-w.Begun
	}
	close(fail)
	for range 6 {
		if err := <-ended; !errors.Is(err, broken) {
			t.Errorf("%v", err)
		}
	}
	if starts != 1 {
		t.Errorf("started %d times", starts)
	}

	// Who comes later tries again. A caller who gives up has failed alone.
	ctx, cancel := context.WithCancel(t.Context())
	starting = make(chan struct{})
	go acquire1(ctx, func(ctx context.Context) (*fake, error) {
		close(starting)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	<-starting
	patient := waiting.New(t.Context())
	leases := make(chan *Lease[*fake])
	go func() {
		l, err := p.Acquire(patient, "a", 1, 0, s.start)
		if err != nil {
			t.Error(err)
		}
		leases <- l
	}()
	<-patient.Begun
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if l := <-leases; l != nil {
		l.Release(true)
	}
}
