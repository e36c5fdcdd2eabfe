package serve

import (
	"fmt"

	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/plugins/wasm/internal/guest"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Compile implements wire.SandboxServer. A module that eats the memory limit
// ends the process; one that takes for ever is the host's to end.
func (s *Server) Compile(request *wire.CompileRequest, stream wire.Sandbox_CompileServer) error {
	if request.MaxMemoryBytes == 0 || request.MaxArtifactBytes == 0 {
		return status.Error(codes.InvalidArgument, "compiling needs limits of memory and artifact")
	}
	if request.ModuleBytes > pluginkit.MaxModule {
		return status.Errorf(codes.InvalidArgument, "a module of %d bytes (at most %d)", request.ModuleBytes, pluginkit.MaxModule)
	}
	if err := s.become(compiler); err != nil {
		return err
	}
	e, err := s.engine(request.Engine)
	if err != nil {
		return err
	}
	defer e.Close()
	// Before anything of the module is looked at.
	if err := s.config.Limit(compileLimits(request.MaxMemoryBytes)); err != nil {
		return status.Errorf(codes.Internal, "set the limits of the process: %v", err)
	}
	module, err := s.config.Module(request.ModuleBytes)
	if err != nil {
		return status.Errorf(codes.FailedPrecondition, "take the module: %v", err)
	}
	defer module.Close()
	if err := stream.Send(progress("compiling")); err != nil {
		return err
	}
	artifact, err := e.Compile(module.Bytes())
	switch {
	case err != nil:
		return stream.Send(compileFailure(failure(guest.FailureOf(err))))
	case uint64(len(artifact)) > request.MaxArtifactBytes:
		return stream.Send(compileFailure(tooLarge(len(artifact), request.MaxArtifactBytes)))
	}
	if err := stream.Send(progress("serialising")); err != nil {
		return err
	}
	return pieces(uint64(len(artifact)), func(offset, n uint64) error {
		return stream.Send(&wire.CompileChunk{Kind: &wire.CompileChunk_Data{Data: artifact[offset : offset+n]}})
	})
}

func progress(phase string) *wire.CompileChunk {
	return &wire.CompileChunk{Kind: &wire.CompileChunk_Progress{Progress: &wire.CompileProgress{Phase: phase}}}
}

func tooLarge(have int, limit uint64) *wire.Failure {
	return &wire.Failure{
		Kind:    wire.FailureKind_FAILURE_LIMIT,
		Message: fmt.Sprintf("the compiled code has %d bytes (at most %d)", have, limit),
	}
}

func compileFailure(f *wire.Failure) *wire.CompileChunk {
	return &wire.CompileChunk{Kind: &wire.CompileChunk_Failure{Failure: f}}
}
