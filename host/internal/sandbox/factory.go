package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/ringfence/ringfence/host/internal/jail"
	"github.com/ringfence/ringfence/host/internal/launch"
	"github.com/ringfence/ringfence/host/internal/manifest"
	"github.com/ringfence/ringfence/host/internal/printable"
	"github.com/ringfence/ringfence/host/internal/rundir"
	"github.com/ringfence/ringfence/host/internal/transport"
	"github.com/ringfence/ringfence/host/internal/transport/grpccall"
	"github.com/ringfence/ringfence/host/internal/transport/ringcall"
	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/ringwire"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/shmchan"
)

// Factory starts sandbox processes of one host.
type Factory struct {
	// Executable is the staged copy of ringfence-plugin-wasm, or of a native
	// plugin, and Loader the path of its ELF interpreter; their folder is the
	// sandbox's root.
	Executable, Loader string
	// Seccomp names the filter that the jail installs before it executes a native
	// plugin; "" for ringfence-plugin-wasm, which brings its own.
	Seccomp string
	// Jail confines every sandbox, and Ready has a process of it at hand.
	Jail  *jail.Jail
	Ready *launch.Ready
	// Dir is the host's private run folder.
	Dir *rundir.Dir
	// Logger gets what sandboxes print, as the words of somebody nobody trusts.
	Logger hclog.Logger
	// Threads is the sandbox's GOMAXPROCS.
	Threads int
	// NoRing keeps calls on gRPC.
	NoRing bool
	// LoadTimeout bounds everything between the start of a process and its
	// readiness: the launch, the negotiation, the first instance.
	LoadTimeout time.Duration
	// Beside is what a process may use beside its guest, in bytes: the wall
	// behind the limits that the sandbox sets itself, which end a guest
	// politely; here the kernel kills.
	Beside uint64

	// deaf says that the host cannot hear from filters here.
	deaf atomic.Bool
	// rings is for a native plugin, whose factory is its own.
	rings rings
}

// Plan is what a sandbox will run.
type Plan struct {
	Plugin       string
	Engine       string   // pluginkit.EngineNative for a native plugin
	Artifact     *os.File // sealed; stays the caller's; nil for a native plugin
	ArtifactSize int64
	GuestMemory  uint64 // bytes; of a native plugin, the whole process
	Session      bool
	// Ring is the channel that the policy wants for calls.
	Ring Ring
	// NoWindows keeps the ring's pages out of the guest's memory.
	NoWindows   bool
	SessionIdle time.Duration
	Env         [][2]string
	Workspaces  []jail.Workspace // of a native plugin
}

// Start starts a sandbox and loads its module.
func (f *Factory) Start(ctx context.Context, plan Plan) (*Sandbox, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, f.LoadTimeout, fmt.Errorf("%w: not ready within %s", ErrStart, f.LoadTimeout))
	defer cancel()
	spec, filters := f.spec(plan.Plugin), withGuest
	s := &Sandbox{Engine: plan.Engine, log: f.Logger, gone: make(chan struct{})}
	if plan.Ring.NoSpin {
		spec.Env = append(spec.Env, ringwire.NoSpinEnv+"=1")
	}
	spec.Notices = !f.deaf.Load()
	if plan.Engine == pluginkit.EngineNative {
		f.native(&spec, plan)
		filters = ofTrampoline
		spec.Notices = spec.Notices && f.Jail != nil // it is the jail's filter that gives notice
		if !f.NoRing {
			f.bringRing(s, &spec, plan)
		}
	} else {
		spec.Memory = plan.GuestMemory + 2*uint64(plan.ArtifactSize) + f.Beside
		spec.Files = map[int]*os.File{pluginkit.ModuleFD: plan.Artifact}
		spec.Channel = !f.NoRing
	}
	err := s.launch(ctx, f, spec)
	if err != nil {
		return nil, err
	}
	channel, err := s.load(ctx, plan, f.NoRing)
	if err == nil {
		err = s.confined(f.Jail != nil, filters)
	}
	if err != nil {
		err = s.explain(ctx, err)
		s.Kill()
		return nil, err
	}
	s.cpu = cpuWatch{clock: s.process.CPUTime, idle: s.rest}
	defer s.ready()
	if channel == nil {
		f.withoutRing(s)
		s.transport = grpccall.New(s.process.Conn(), plan.Ring.Rate)
		f.Logger.Info("calls go over gRPC", "plugin", plan.Plugin, "why", s.reason)
		return s, nil
	}
	s.transport = ringcall.New(channel, s.ring.pressure)
	f.Logger.Debug("calls go over the ring", "plugin", plan.Plugin, "bytes", s.ring.shape.Ring)
	return s, nil
}

// ready notes that the sandbox waits for its first call.
func (s *Sandbox) ready() {
	if cpu, err := s.process.CPUTime(); err == nil {
		s.rest(cpu)
	}
}

// launch starts the process, and hands over the memory that it is to begin with.
func (s *Sandbox) launch(ctx context.Context, f *Factory, spec launch.Spec) (err error) {
	if s.ring != nil {
		defer s.ring.given()
	}
	s.process, err = f.launch(ctx, spec)
	if err != nil {
		if s.ring != nil {
			_ = s.ring.channel.Close()
		}
		return err
	}
	s.client = wire.NewSandboxClient(s.process.Conn())
	go func() {
		<-s.process.Done()
		close(s.gone)
	}()
	return nil
}

// besideCompiler is Factory.Beside for a process that compiles.
const besideCompiler = 256 << 20

// spec is what all processes of the factory have in common.
func (f *Factory) spec(plugin string) launch.Spec {
	return launch.Spec{
		Name:         plugin,
		Path:         f.Executable,
		Loader:       f.Loader,
		Jail:         f.Jail,
		Ready:        f.Ready,
		Seccomp:      f.Seccomp,
		CPUs:         f.Threads,
		Env:          threads(f.Threads),
		Dir:          f.Dir,
		StartTimeout: f.LoadTimeout,
		Logger:       f.Logger.Named(plugin),
	}
}

// launch starts a process, and hears from its filter if it can. A host that may
// not trace its children cannot, and finds that out with the first of them.
func (f *Factory) launch(ctx context.Context, spec launch.Spec) (*launch.Process, error) {
	process, err := launch.Start(ctx, spec)
	if errors.Is(err, launch.ErrNotices) {
		f.deaf.Store(true)
		f.Logger.Warn("refused system calls will not be reported by name", "why", err)
		spec.Notices = false
		process, err = launch.Start(ctx, spec)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStart, ended(err))
	}
	return process, nil
}

// threads bounds the runtime's threads and the compiler's, which otherwise count
// the machine's processors.
func threads(n int) []string {
	return []string{fmt.Sprintf("GOMAXPROCS=%d", n), fmt.Sprintf("RAYON_NUM_THREADS=%d", n)}
}

// load negotiates and loads. It returns the ring that calls go over, or nil for
// gRPC; the ring ends with the process.
func (s *Sandbox) load(ctx context.Context, plan Plan, noRing bool) (*shmchan.Channel, error) {
	channel, err := s.negotiate(ctx, plan, noRing)
	if err != nil {
		return nil, err
	}
	return channel, s.describe(ctx, plan)
}

// describe loads the module, and takes what the guest says about itself.
func (s *Sandbox) describe(ctx context.Context, plan Plan) error {
	request := &wire.LoadRequest{
		Engine:           plan.Engine,
		ArtifactBytes:    uint64(plan.ArtifactSize),
		GuestMemoryBytes: plan.GuestMemory,
		Lifetime:         wire.Lifetime_LIFETIME_CALL,
		SessionIdleMs:    uint64(plan.SessionIdle.Milliseconds()),
	}
	if plan.Session {
		request.Lifetime = wire.Lifetime_LIFETIME_SESSION
	}
	if plan.Engine == pluginkit.EngineNative {
		plan.Env = nil // it came with the process
	}
	for _, v := range plan.Env {
		request.Environment = append(request.Environment, &wire.Variable{Name: v[0], Value: v[1]})
	}
	response, err := s.client.Load(ctx, request)
	if err != nil {
		return err
	}
	if failure := response.GetFailure(); failure != nil {
		return newFailure(failure)
	}
	tools, err := manifest.Parse(response.GetManifest())
	if err != nil {
		return &transport.Failure{Kind: wire.FailureKind_FAILURE_ABI, Message: err.Error()}
	}
	extras, err := manifest.ParseExtras(response.GetManifest(), len(tools))
	if err != nil {
		return &transport.Failure{Kind: wire.FailureKind_FAILURE_ABI, Message: err.Error()}
	}
	s.Tools, s.Extras = tools, extras
	s.windows.Store(response.GetWindows() && s.channel != nil)
	return nil
}

// newFailure takes a failure from the wire: bounded and printable.
func newFailure(f *wire.Failure) *transport.Failure {
	return &transport.Failure{Kind: f.GetKind(), Message: printable.Line(f.GetMessage(), pluginkit.MaxFailure)}
}

// Compile runs a compilation in a process of its own, which never runs a guest,
// and writes the compiled code to w.
func (f *Factory) Compile(ctx context.Context, job CompileJob, w io.Writer) error {
	ctx, cancel := context.WithTimeoutCause(ctx, job.Timeout,
		fmt.Errorf("%w: the compiler took more than %s; a module that takes this long is damaged or hostile", ErrCompile, job.Timeout))
	defer cancel()
	spec := f.spec(job.Plugin + ".compile")
	spec.Memory = job.MaxMemory + besideCompiler
	spec.Files = map[int]*os.File{pluginkit.ModuleFD: job.Module}
	spec.Notices = !f.deaf.Load()
	process, err := f.launch(ctx, spec)
	if err != nil {
		return err
	}
	defer process.Kill()
	s := &Sandbox{process: process, client: wire.NewSandboxClient(process.Conn()), log: f.Logger}
	err = s.confined(f.Jail != nil, whileCompiling)
	if err == nil {
		err = s.compile(ctx, job, w)
	}
	if err == nil {
		return nil
	}
	if err = s.explain(ctx, err); errors.Is(err, ErrDied) {
		// There is nothing else in the process that it could have died of, and a
		// compiler that ran out of memory says so.
		return fmt.Errorf("%w: the compiler did not survive it: %w%s", ErrCompile, err, lastWords(err))
	}
	return err
}

// CompileJob is one compilation.
type CompileJob struct {
	Plugin      string
	Engine      string
	Module      *os.File // sealed; stays the caller's
	ModuleSize  int64
	Timeout     time.Duration
	MaxMemory   uint64 // of the process, bytes
	MaxArtifact uint64 // bytes
	Progress    func(phase string)
}

func (s *Sandbox) compile(ctx context.Context, job CompileJob, w io.Writer) error {
	if _, err := s.negotiate(ctx, Plan{Engine: job.Engine}, true); err != nil {
		return err
	}
	stream, err := s.client.Compile(ctx, &wire.CompileRequest{
		Engine:           job.Engine,
		ModuleBytes:      uint64(job.ModuleSize),
		MaxArtifactBytes: job.MaxArtifact,
		MaxMemoryBytes:   job.MaxMemory,
	})
	if err != nil {
		return err
	}
	var received uint64
	for {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) && received > 0 {
			return nil
		}
		if errors.Is(err, io.EOF) {
			return transport.Violation("a compilation without a result")
		}
		if err != nil {
			return err
		}
		switch kind := chunk.Kind.(type) {
		case *wire.CompileChunk_Progress:
			job.Progress(printable.Line(kind.Progress.GetPhase(), 40))
		case *wire.CompileChunk_Failure:
			return newFailure(kind.Failure)
		case *wire.CompileChunk_Data:
			if received += uint64(len(kind.Data)); received > job.MaxArtifact {
				return fmt.Errorf("%w: it comes to more than %d bytes", ErrCompile, job.MaxArtifact)
			}
			if _, err := w.Write(kind.Data); err != nil {
				return fmt.Errorf("keep compiled code: %w", err)
			}
		}
	}
}
