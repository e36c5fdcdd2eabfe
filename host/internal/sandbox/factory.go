package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
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
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/shmchan"
)

// Factory starts sandbox processes of one host.
type Factory struct {
	// Executable is the staged copy of ringfence-plugin-wasm, and Loader the
	// path of its ELF interpreter; their folder is the sandbox's root.
	Executable, Loader string
	// Jail confines every sandbox.
	Jail *jail.Jail
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
}

// Plan is what a sandbox will run.
type Plan struct {
	Plugin       string
	Engine       string
	Artifact     *os.File // sealed; stays the caller's
	ArtifactSize int64
	GuestMemory  uint64 // bytes
	Session      bool
	// Ring is the channel that the policy wants for calls.
	Ring Ring
	// NoWindows keeps the ring's pages out of the guest's memory.
	NoWindows   bool
	SessionIdle time.Duration
	Env         [][2]string
}

// Start starts a sandbox and loads its module.
func (f *Factory) Start(ctx context.Context, plan Plan) (*Sandbox, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, f.LoadTimeout, fmt.Errorf("%w: not ready within %s", ErrStart, f.LoadTimeout))
	defer cancel()
	memory := plan.GuestMemory + 2*uint64(plan.ArtifactSize) + besideGuest
	process, err := f.launch(ctx, plan.Plugin, plan.Artifact, memory, !f.NoRing)
	if err != nil {
		return nil, err
	}
	s := &Sandbox{process: process, client: wire.NewSandboxClient(process.Conn())}
	channel, err := s.load(ctx, plan, f.NoRing)
	if err != nil {
		err = s.explain(ctx, err)
		s.Kill()
		return nil, err
	}
	if channel == nil {
		s.transport = grpccall.New(process.Conn())
		f.Logger.Info("calls go over gRPC", "plugin", plan.Plugin, "why", s.reason)
		return s, nil
	}
	s.transport = ringcall.New(channel)
	f.Logger.Debug("calls go over the ring", "plugin", plan.Plugin, "bytes", plan.Ring.Bytes)
	return s, nil
}

// What a process may use beside what it was started for, in bytes. These are
// the walls behind the sandbox's own limits, which end a guest politely: the
// kernel kills.
const (
	besideGuest    = 1 << 30
	besideCompiler = 256 << 20
)

func (f *Factory) launch(ctx context.Context, plugin string, module *os.File, memory uint64, channel bool) (*launch.Process, error) {
	process, err := launch.Start(ctx, launch.Spec{
		Name:         plugin,
		Path:         f.Executable,
		Loader:       f.Loader,
		Jail:         f.Jail,
		Channel:      channel,
		Memory:       memory,
		CPUs:         f.Threads,
		Env:          threads(f.Threads),
		Files:        map[int]*os.File{pluginkit.ModuleFD: module},
		Dir:          f.Dir,
		StartTimeout: f.LoadTimeout,
		Logger:       f.Logger.Named(plugin),
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStart, err)
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
	s.Tools, s.windows = tools, response.GetWindows() && s.channel != nil
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
	process, err := f.launch(ctx, job.Plugin+".compile", job.Module, job.MaxMemory+besideCompiler, false)
	if err != nil {
		return err
	}
	defer process.Kill()
	s := &Sandbox{process: process, client: wire.NewSandboxClient(process.Conn())}
	if err := s.compile(ctx, job, w); err != nil {
		return s.explain(ctx, err)
	}
	return nil
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
