package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"

	"github.com/ringfence/ringfence/pluginkit"
)

// errOurTimeout tells our own bound from a deadline of the caller's.
var errOurTimeout = errors.New("start timeout")

// Start launches a sandbox process and connects to it. It returns when the
// process has answered a health check, or with an error that says why not;
// then the process, its descriptors and its folder are gone.
func Start(ctx context.Context, s Spec) (*Process, error) {
	p, err := start(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("launch %s: %w", clip(quote(s.Name), 100), err)
	}
	return p, nil
}

func start(ctx context.Context, s Spec) (*Process, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if s.StartTimeout == 0 {
		s.StartTimeout = DefaultStartTimeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.StartTimeout, errOurTimeout)
	defer cancel()
	notices, err := s.notices()
	if err != nil {
		return nil, err
	}
	defer notices.close()
	channel, err := s.withChannel()
	if err != nil {
		return nil, err
	}
	l := &launcher{ctx: ctx, spec: &s, notices: notices, channel: channel, waiting: "the process to execute"}
	defer s.Ready.refill() // for the next one, and in nobody's way
	p, err := l.launch()
	if err == nil {
		return p, nil
	}
	err = l.abandon(err)
	channel.Close()
	return nil, err
}

// launcher is one Start under way. It is the runner.Runner that go-plugin asks
// to run the process; what go-plugin gets to see is a canonical handshake line
// and an empty standard error, so that nothing the process prints reaches code
// that trusts it.
type launcher struct {
	ctx     context.Context
	spec    *Spec
	folder  string   // name in the run folder
	notices *notices // nil if nobody asked for any
	waiting string   // what Start waits for, for the timeout's message

	p       *Process
	channel *Channel // nil without
	socket  string
	failed  error // what go-plugin was told only the end of
}

var _ runner.Runner = (*launcher)(nil)

func (l *launcher) launch() (*Process, error) {
	if err := l.ctx.Err(); err != nil {
		return nil, context.Cause(l.ctx)
	}
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  pluginkit.Handshake,
		Plugins:          plugin.PluginSet{},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Logger:           hclog.NewNullLogger(),
		SkipHostEnv:      true,
		StartTimeout:     l.spec.StartTimeout + time.Minute, // ours ends first
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: l.spec.Dir.Path()},
		RunnerFunc: func(_ hclog.Logger, cmd *exec.Cmd, dir string) (runner.Runner, error) {
			return l, l.prepare(cmd.Env, dir)
		},
	})
	// Client.Client is never called: the broker and the stdio copier that it
	// starts take whatever the plugin sends, without bounds. Client.Kill is
	// not either, since it connects first. The client's goroutines end with
	// the process.
	if _, err := client.Start(); err != nil {
		if l.failed != nil {
			err = l.failed
		}
		return nil, err
	}
	if err := l.connect(); err != nil {
		return nil, err
	}
	return l.p, nil
}

// prepare is called by go-plugin when it has made the socket folder, mode 0700,
// in the run folder.
func (l *launcher) prepare(env []string, dir string) error {
	l.folder = filepath.Base(dir)
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	s := l.spec
	l.p = &Process{
		name: s.Name, spec: s, channel: l.channel, folder: folder, uid: os.Geteuid(), printed: newPrinted(s),
		line: make(chan greeted, 1), done: make(chan struct{}), clean: make(chan struct{}),
		fork: forkSpec{path: filepath.Clean(s.Path), argv: append([]string{s.Path}, s.Args...), dir: dir,
			env: s.environment(env, pluginkit.Handshake.MagicCookieKey)},
	}
	if err := l.p.confine(dir); err != nil {
		_ = folder.Close()
		l.p, l.failed = nil, err
		return err
	}
	l.p.release = func() {
		// The process may have given its folder another name.
		now, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(int(folder.Fd())))
		if err == nil && filepath.Dir(now) == s.Dir.Path() {
			_ = s.Dir.Remove(filepath.Base(now))
		}
		_ = s.Dir.Remove(l.folder)
		_ = folder.Close()
		switch {
		case l.p.blank == nil:
		case l.p.child == nil:
			l.p.blank.drop()
		default:
			l.p.blank.cell.Close()
		}
	}
	return nil
}

// Start is called by go-plugin to start the process.
func (l *launcher) Start(context.Context) error {
	if l.ctx.Err() != nil {
		l.failed = context.Cause(l.ctx)
		return l.failed
	}
	if err := l.p.execute(l.ctx); err != nil {
		l.failed = err
		return err
	}
	// Whoever installs the filter waits for the host to listen: the trampoline
	// before it executes the program, or the program.
	steps := []func() error{l.confined, l.greet}
	if l.spec.Seccomp != "" {
		steps = []func() error{l.greet, l.confined}
	}
	for _, step := range steps {
		if err := step(); err != nil {
			l.failed = err
			return err
		}
	}
	l.waiting = "its handshake line"
	return nil
}

func (l *launcher) confined() error {
	l.waiting = "its jail"
	return l.p.confined(l.ctx)
}

func (l *launcher) greet() error {
	if l.notices == nil {
		return nil
	}
	l.waiting = "the listener of its filter"
	err := l.notices.greet(l.ctx, l.p.child)
	l.p.notified = l.notices.listener != nil
	return err
}

// Stdout is read by go-plugin for the handshake line.
func (l *launcher) Stdout() (r readCloser) { return &lineReader{wait: l.awaitLine} }

// Stderr is parsed by go-plugin as log lines, by a parser that panics; so it
// gets none.
func (l *launcher) Stderr() (r readCloser) {
	return &lineReader{wait: func() (string, error) { return "", os.ErrClosed }}
}

// awaitLine runs in a goroutine of go-plugin's, once; Client.Start does not
// return before it has.
func (l *launcher) awaitLine() (string, error) {
	select {
	case <-l.ctx.Done():
		l.failed = context.Cause(l.ctx)
	case got := <-l.p.line:
		l.failed = got.err
		if got.err == nil {
			l.socket, l.failed = parseHandshake(got.line)
		}
	}
	if l.failed != nil {
		return "", l.failed
	}
	return canonical(l.socket), nil
}

// connect opens the connection that calls go over, and checks that somebody
// answers.
func (l *launcher) connect() error {
	p := l.p
	l.waiting = "its connection"
	sock, err := connect(l.ctx, p.folder, l.socket, p.child.pid, p.uid)
	if err != nil {
		return err
	}
	p.sock = sock
	if p.conn, err = dial(sock); err != nil {
		return err
	}
	l.waiting = "its health check"
	if err := greet(l.ctx, p.conn); err != nil {
		return err
	}
	if err := p.settle(); err != nil {
		return err
	}
	if err := p.recorded(); err != nil {
		return err
	}
	p.serve()
	return nil
}

// abandon clears up after a failed start and makes the error say what matters:
// that the process died says more than that its socket then did not answer.
func (l *launcher) abandon(err error) error {
	if l.p == nil {
		if l.folder != "" {
			_ = l.spec.Dir.Remove(l.folder)
		}
		return l.refine(err, nil)
	}
	p := l.p
	var died *Exit
	if p.child != nil {
		if errors.Is(err, ErrHandshake) && (err == error(errSilent) || l.socket != "") {
			died = p.diedAlone(100 * time.Millisecond)
		}
		p.child.kill(err)
	} else {
		close(p.done)
		p.finish()
	}
	if p.conn != nil {
		_ = p.conn.Close()
	}
	if p.sock != nil {
		_ = p.sock.Close()
	}
	select {
	case <-p.clean:
	case <-time.After(killBound):
	}
	return l.refine(err, died)
}

func (l *launcher) refine(err error, died *Exit) error {
	switch {
	case died != nil:
		return &DiedError{Exit: *died}
	case errors.Is(err, errOurTimeout):
		return &TimeoutError{After: l.spec.StartTimeout, For: l.waiting}
	}
	return err
}

// The rest of runner.Runner.

// Wait returns when the process has ended.
func (l *launcher) Wait(context.Context) error {
	<-l.p.done
	return nil
}

// Kill ends the process. go-plugin calls it when Start fails, also before
// there is a process.
func (l *launcher) Kill(context.Context) error {
	if l.p.child != nil {
		l.p.child.kill(l.failed)
	}
	return nil
}

// ID is the process number.
func (l *launcher) ID() string { return strconv.Itoa(l.p.PID()) }

// Name is for go-plugin's log, which is off.
func (l *launcher) Name() string { return "sandbox" }

// Diagnose has nothing to add.
func (l *launcher) Diagnose(context.Context) string { return "" }

// PluginToHost returns the address as it is; we dial ourselves.
func (l *launcher) PluginToHost(network, address string) (string, string, error) {
	return network, address, nil
}

// HostToPlugin returns the address as it is.
func (l *launcher) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}
