package host

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ringfence/ringfence/host/internal/audit"
	"github.com/ringfence/ringfence/host/internal/beacon"
	"github.com/ringfence/ringfence/host/internal/jail"
	"github.com/ringfence/ringfence/host/internal/modcache"
	"github.com/ringfence/ringfence/host/internal/rundir"
	"github.com/ringfence/ringfence/host/internal/sandbox"
	"github.com/ringfence/ringfence/host/internal/supervise"
	"github.com/ringfence/ringfence/policies"
)

// Options are what a policy does not say. The zero value is ready to use.
type Options struct {
	// Sandbox is the path of ringfence-plugin-wasm. Empty: beside the running
	// executable.
	Sandbox string
	// Logger gets what the host does. nil: nothing is logged.
	Logger hclog.Logger
	// GuestLog gets the log lines of tools; they are printable, bounded, and
	// not to be believed. It may be called by several goroutines. nil: they go
	// to Logger.
	GuestLog func(GuestRecord)
	// Progress is told of compilations, which take seconds. It may be called
	// by several goroutines. nil: nobody is told.
	Progress func(Progress)
	// NoRing keeps calls on gRPC, for comparison, or to find out whether the ring
	// is to blame for something.
	NoRing bool
	// NoWindows keeps the ring's pages out of the memory of guests, for comparison.
	NoWindows bool
	// NoSpin has both ends of a ring sleep whenever they wait, for comparison.
	NoSpin bool
	// RootCAs are the certificate authorities for HTTPS. nil: the system's.
	RootCAs *x509.CertPool
	// State is the folder for what plugins keep. Empty: "state" in the policy's
	// state_dir.
	State string
	// Transport answers the requests that the policy has allowed, their
	// credentials added, in place of the network: for tests. nil: the network.
	Transport http.RoundTripper
	// CompileTimeout bounds one compilation. 0: two minutes.
	CompileTimeout time.Duration
	// StartTimeout bounds the start of a sandbox, its first instance included.
	// 0: 30 seconds.
	StartTimeout time.Duration
}

// GuestRecord is one log line of a tool.
type GuestRecord struct {
	Plugin, Tool string
	Level        hclog.Level
	Message      string
}

// Progress is a step of a compilation.
type Progress struct {
	Plugin string
	// Phase is "compiling" or "serialising", printable, at most 40 bytes.
	Phase string
	// Bytes is the size of the module.
	Bytes int
	// Done says that the compilation is over, Err how it failed.
	Done bool
	Err  error
}

const (
	defaultCompileTimeout = 2 * time.Minute
	defaultStartTimeout   = 30 * time.Second
	// closeTimeout is how long Close waits for killed processes to be gone.
	closeTimeout = 5 * time.Second
)

// Host runs the tools of one policy.
type Host struct {
	policy *policies.Policy
	opts   Options
	id     string
	log    hclog.Logger

	audit *audit.Log
	// recorder is audit, for all who record.
	recorder audit.Recorder
	dir      *rundir.Dir
	cache    *modcache.Cache
	factory  *lazyFactory
	beacon   *beacon.Beacon
	pool     *supervise.Pool[*sandbox.Sandbox]
	plugins  map[string]*plugin

	calls  atomic.Uint64
	active sync.WaitGroup // calls that are under way
	follow sync.WaitGroup // goroutines that live as long as sandboxes do
	idle   sync.Once      // starts watchIdle

	mu     sync.Mutex
	closed bool

	// ctx ends when the host is closed; it ends starts and compilations.
	ctx  context.Context
	stop context.CancelFunc
}

// Open makes a host for a policy: the state folder, the audit log and the run
// folder, in which it first removes what a host that died left behind. It starts
// no process; the first call of a plugin does.
func Open(policy *policies.Policy, opts Options) (*Host, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	id := make([]byte, 6)
	rand.Read(id)
	h := &Host{policy: policy, opts: opts, id: hex.EncodeToString(id), log: opts.Logger, plugins: make(map[string]*plugin)}
	h.ctx, h.stop = context.WithCancel(context.Background())
	if err := h.open(policy.Settings()); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	for _, p := range policy.Plugins() {
		h.plugins[p.Name()] = newPlugin(h, p)
	}
	return h, nil
}

func (h *Host) open(settings policies.Settings) error {
	h.pool = supervise.New[*sandbox.Sandbox](settings.MaxSandboxes)
	var err error
	// The run folder comes first: it is what checks that nobody else can write
	// to the state folder, before anything in there is opened.
	if h.dir, err = rundir.Open(settings.StateDir); errors.Is(err, rundir.ErrUnsupported) {
		return fmt.Errorf("run sandboxes: %w: they need Linux", err)
	} else if err != nil {
		return fmt.Errorf("the state folder cannot be used: %w (to use another one, set state_dir in the policy's ringfence block)", err)
	}
	if h.audit, err = audit.Open(AuditPath(settings), h.id); err != nil {
		return err
	}
	h.recorder = logged{h.audit, h.log}
	if swept := h.dir.Swept(); swept.Folders+len(swept.Killed)+len(swept.Problems) > 0 {
		h.log.Info("removed what a host that died left behind", "folders", swept.Folders, "killed", swept.Killed, "problems", swept.Problems)
	}
	if h.cache, err = OpenCache(settings); err != nil {
		return err
	}
	h.factory = &lazyFactory{opts: h.opts, dir: h.dir, level: jail.Level(settings.Isolation)}
	h.beacon, err = beacon.Light(h.dir.Path(), func() any {
		return HostStatus{Host: h.id, PID: os.Getpid(), Sandboxes: h.Status()}
	})
	return err
}

// AuditPath is where a host with these settings keeps its audit log.
func AuditPath(settings policies.Settings) string {
	return filepath.Join(settings.StateDir, "audit.jsonl")
}

func (o Options) withDefaults() (Options, error) {
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	if o.CompileTimeout == 0 {
		o.CompileTimeout = defaultCompileTimeout
	}
	if o.StartTimeout == 0 {
		o.StartTimeout = defaultStartTimeout
	}
	if o.Sandbox == "" {
		self, err := os.Executable()
		if err != nil {
			return o, fmt.Errorf("find the sandbox program: %w", err)
		}
		o.Sandbox = filepath.Join(filepath.Dir(self), "ringfence-plugin-wasm")
	}
	return o, nil
}

// Close ends all calls and sandboxes and removes everything that belongs to
// this run. It may be called more than once, and before Open has succeeded.
func (h *Host) Close() error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil
	}
	h.closed = true
	h.mu.Unlock()
	h.stop()
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	var errs []error
	if h.beacon != nil {
		h.beacon.Close()
	}
	if h.pool != nil {
		errs = append(errs, h.pool.Close(ctx))
	}
	h.active.Wait()
	await(ctx, &h.follow) // they write to the audit log
	for _, p := range h.plugins {
		p.close()
	}
	if h.factory != nil {
		h.factory.close()
	}
	if h.dir != nil {
		errs = append(errs, h.dir.Close())
	}
	if h.audit != nil {
		errs = append(errs, h.audit.Close())
	}
	return errors.Join(errs...)
}

// await waits for a group, or until ctx ends.
func await(ctx context.Context, group *sync.WaitGroup) {
	done := make(chan struct{})
	go func() {
		group.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// enter counts a call, so that Close can wait for it.
func (h *Host) enter() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return ErrClosed
	}
	h.active.Add(1)
	return nil
}

// record puts a decision into the audit log. What is not on record must not be
// done.
func (h *Host) record(tool string, e audit.Entry) error {
	if err := h.recorder.Record(e); err != nil {
		return &CallError{Kind: ErrAudit, Tool: tool, Detail: err.Error(), Err: err}
	}
	return nil
}
