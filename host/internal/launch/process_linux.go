package launch

import (
	"context"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
)

const (
	// killBound is how long Kill waits for the process to be gone.
	killBound = 2 * time.Second
	// politeBound is how long Stop leaves it to end by itself.
	politeBound = time.Second
	// lastWords is how long Done may wait for what a dead process printed.
	lastWords = 5 * time.Millisecond
	// lostGrace is how long a process that lost its connection may take to
	// die by itself, so that Exit tells how it did.
	lostGrace = 200 * time.Millisecond
)

type readCloser = io.ReadCloser

// Process is a running sandbox process. All methods may be called at once and
// at any time.
type Process struct {
	name    string
	spec    *Spec
	fork    forkSpec
	folder  *os.File
	blank   *blank // nil without a jail
	uid     int    // of what the process makes
	printed *printed
	line    chan greeted
	release func()

	child    *child
	channel  *Channel // nil without
	notified bool     // its filter's notices come to the host
	pumps    [2]*pump
	greeting *greeting
	sock     net.Conn
	conn     *grpc.ClientConn
	recorded func() error // waits until the run folder knows the process
	stopping atomic.Bool

	done  chan struct{} // it has ended
	clean chan struct{} // and nothing of it is left
}

// execute forks, or sends orders to what has been forked, and starts the goroutines that live as long as the process.
func (p *Process) execute(ctx context.Context) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	outR, outW, err := newPipe("stdout")
	if err != nil {
		return err
	}
	defer outW.Close()
	errR, errW, err := newPipe("stderr")
	if err != nil {
		_ = outR.Close()
		return err
	}
	defer errW.Close()
	f := p.fork
	f.fds, f.keep = childFiles(p.spec, [3]*os.File{null, outW, errW})
	if p.blank != nil {
		p.child = p.blank.child
	} else if p.child, err = startChild(f); err != nil {
		p.child = nil
		_ = outR.Close()
		_ = errR.Close()
		return err
	}
	stop, dead := context.WithCancel(context.Background())
	p.greeting = &greeting{line: p.line}
	p.pumps[0] = &pump{f: outR, to: p.greeting, stop: stop, done: make(chan struct{})}
	p.pumps[1] = &pump{f: errR, to: &stream{to: p.printed, name: "stderr"}, stop: stop, done: make(chan struct{})}
	for _, q := range p.pumps {
		go q.run()
	}
	// The record is written while the process starts up.
	record := make(chan error, 1)
	go func() { record <- p.spec.Dir.Record(p.child.pid) }()
	p.recorded = sync.OnceValue(func() error { return <-record })
	if p.channel != nil {
		go p.watchChannel()
	}
	go p.bury(dead)
	err = p.order(ctx, f.fds)
	runtime.KeepAlive(f.keep)
	p.channel.forked()
	return err
}

// bury waits for the end of the process and clears up behind it.
func (p *Process) bury(stopPumps func()) {
	<-p.child.dead
	stopPumps()
	for _, q := range p.pumps {
		q.interrupt()
	}
	soon := time.NewTimer(lastWords)
	defer soon.Stop()
wait:
	for _, q := range p.pumps {
		select {
		case <-q.done:
		case <-soon.C:
			break wait
		}
	}
	close(p.done)
	p.channel.Close() // a child of its own may hold the other end
	<-p.child.gone
	for _, q := range p.pumps {
		<-q.done
		_ = q.f.Close()
	}
	_ = p.recorded()
	p.spec.Dir.Forget(p.child.pid)
	p.finish()
}

// finish removes the folder; p.done is closed.
func (p *Process) finish() {
	p.release()
	close(p.clean)
}

// serve starts what goes on beside the calls, once the process has answered.
func (p *Process) serve() {
	ctx, cancel := context.WithCancel(context.Background())
	var stdio sync.WaitGroup
	stdio.Go(func() {
		limit := rate.NewLimiter(drainRate, drainBurst)
		out := &stream{to: p.printed, name: "stdout"}
		err := &stream{to: p.printed, name: "stderr"}
		readStdio(ctx, p.conn, func(cost int) { _ = limit.WaitN(ctx, min(cost, drainBurst)) }, map[uint64]taker{1: out, 2: err})
		out.end()
		err.end()
	})
	go func() {
		defer p.conn.Close()
		defer stdio.Wait()
		defer cancel()
		p.watch()
	}()
}

// watch returns when the connection or the process is lost, and sees to it
// that neither outlives the other for long.
func (p *Process) watch() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-p.done:
			_ = p.sock.Close() // a grandchild may hold the other end
		case <-ctx.Done():
		}
	}()
	for s := p.conn.GetState(); s == connectivity.Ready; s = p.conn.GetState() {
		p.conn.WaitForStateChange(ctx, s)
	}
	grace := lostGrace
	if p.stopping.Load() {
		grace = politeBound
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		p.child.kill(ErrConnection)
		<-p.done
	}
}

// Conn is the gRPC connection to the process. It lives as long as the process
// and is never re-established.
func (p *Process) Conn() *grpc.ClientConn { return p.conn }

// PID is the process number, which is that of its process group and session
// too.
func (p *Process) PID() int {
	if p.child == nil {
		return 0
	}
	return p.child.pid
}

// Done is closed within milliseconds of the end of the process, whoever still
// holds its pipes.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit says how the process ended. It waits for Done.
func (p *Process) Exit() Exit {
	<-p.done
	// The last words usually are in by now; on a busy machine they get a
	// moment more.
	late := time.NewTimer(time.Second)
	defer late.Stop()
	words := true
	for _, q := range p.pumps {
		select {
		case <-q.done:
		case <-late.C:
			words = false
		}
	}
	p.child.mu.Lock()
	e := p.child.exit
	p.child.mu.Unlock()
	e.Stderr, e.Discarded = p.printed.words()
	if words {
		e.Discarded += p.greeting.rest
	}
	return e
}

// diedAlone waits a little for a process that seems to have ended, and says
// how it did.
func (p *Process) diedAlone(bound time.Duration) *Exit {
	timer := time.NewTimer(bound)
	defer timer.Stop()
	select {
	case <-p.done:
		e := p.Exit()
		return &e
	case <-timer.C:
		return nil
	}
}

// CPUTime is the processor time of the process so far, read from outside.
func (p *Process) CPUTime() (time.Duration, error) { return p.child.cpuTime() }

// RSS is the resident memory of the process in bytes, read from outside. It
// fails with ErrDied once the process has ended.
func (p *Process) RSS() (uint64, error) { return p.child.rss() }

// Stop asks the process to end, gives it a second (or less, if ctx ends), and
// kills it then. It returns when the process is gone.
func (p *Process) Stop(ctx context.Context) error {
	p.stopping.Store(true)
	ctx, cancel := context.WithTimeout(ctx, politeBound)
	defer cancel()
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		shutdown(ctx, p.conn)
	}()
	select {
	case <-p.done:
	case <-ctx.Done():
	}
	cancel()
	<-asked
	return p.end()
}

// Kill ends the process and its group at once, stopped or not, and waits up
// to two seconds until nothing of it is left.
func (p *Process) Kill() { _ = p.end() }

// End ends the process at once and does not wait. Exit tells the cause.
func (p *Process) End(cause error) { p.child.kill(cause) }

func (p *Process) end() error {
	p.child.kill(nil)
	timer := time.NewTimer(killBound)
	defer timer.Stop()
	select {
	case <-p.clean:
		return nil
	case <-timer.C:
		return &TimeoutError{After: killBound, For: "the killed process to go"}
	}
}
