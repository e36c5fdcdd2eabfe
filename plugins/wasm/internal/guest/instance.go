package guest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/plugins/wasm/internal/engine"
	"github.com/ringfence/ringfence/plugins/wasm/internal/wasi"
)

// The exports of docs/guest-abi.md.
const (
	exportInitialize = "_initialize"
	exportDescribe   = "ringfence_describe"
	exportAlloc      = "ringfence_alloc"
	exportFree       = "ringfence_free"
	exportCall       = "ringfence_call"
)

var exports = []struct {
	name            string
	params, results []engine.ValueType
}{
	{"ringfence_abi_1", nil, nil},
	{exportDescribe, nil, []engine.ValueType{engine.I64}},
	{exportAlloc, []engine.ValueType{engine.I32, engine.I32}, []engine.ValueType{engine.I32}},
	{exportFree, []engine.ValueType{engine.I32}, nil},
	{exportCall, []engine.ValueType{engine.I32, engine.I32, engine.I32}, []engine.ValueType{engine.I32}},
}

// Limits on what is kept of a guest's log lines before its first call begins.
const maxEarlyLines = 64

// Instance is one instantiation of a plugin's module.
type Instance struct {
	engine      engine.Instance
	system      *wasi.System
	log         logger
	words       lastWords
	memoryLimit uint64
	dead        bool
	windows     windows

	early []earlyLine // logged before the first call

	// Of the running call.
	capabilities Capabilities
	handles      map[uint64]Response
	lastHandle   uint64
	held         int // bytes of answers in handles
	lastError    string
}

type earlyLine struct {
	level int
	line  string
}

// newInstance instantiates the module and runs its _initialize.
func newInstance(ctx context.Context, module engine.Module, environ []string, memoryLimit uint64, pages *Pages) (*Instance, *Failure) {
	i := &Instance{memoryLimit: memoryLimit, capabilities: outside{}, handles: map[uint64]Response{}}
	i.log.reset(func(level int, line string) {
		if len(i.early) < maxEarlyLines {
			i.early = append(i.early, earlyLine{level, line})
		}
	})
	i.system = wasi.New(environ, func(stream wasi.Stream, b []byte) {
		if stream == wasi.Stderr {
			i.words.write(b)
		}
		i.log.output(int(stream), b)
	})
	var err error
	if i.engine, err = module.Instantiate(append(i.imports(), i.system.Functions()...)); err != nil {
		i.engine = nil
		return nil, i.fail(ctx, err)
	}
	if most := i.engine.Memory().Maximum(); most > memoryLimit {
		i.close()
		return nil, failuref(wire.FailureKind_FAILURE_MODULE, "the module's memory can grow to %d bytes (limit %d)", most, memoryLimit)
	}
	failure := i.initialize(ctx)
	if failure == nil {
		failure = i.openWindows(func(export string, params ...uint64) (uint64, *Failure) { return i.call(ctx, export, params...) }, pages)
	}
	if failure != nil {
		i.close()
		return nil, failure
	}
	return i, nil
}

func (i *Instance) initialize(ctx context.Context) *Failure {
	for _, e := range exports {
		params, results, ok := i.engine.Signature(e.name)
		if !ok {
			if _, _, command := i.engine.Signature("_start"); command {
				return abi("the module is a WASI command; a plugin is a reactor (with Go: go build -buildmode=c-shared)")
			}
			return abi("the module does not export the function %s of guest ABI 1", e.name)
		}
		if !slices.Equal(params, e.params) || !slices.Equal(results, e.results) {
			return abi("the module's export %s has the type %s, not %s", e.name, typeText(params, results), typeText(e.params, e.results))
		}
	}
	if params, results, ok := i.engine.Signature(exportInitialize); ok {
		if len(params)+len(results) != 0 {
			return abi("the module's export %s has the type %s, not %s", exportInitialize, typeText(params, results), typeText(nil, nil))
		}
		if _, err := i.engine.Call(ctx, exportInitialize); err != nil {
			return i.fail(ctx, err)
		}
	}
	i.log.flush()
	return nil
}

// describe asks for the manifest. It is only bounded here; the host reads it.
func (i *Instance) describe(ctx context.Context) ([]byte, *Failure) {
	packed, failure := i.call(ctx, exportDescribe)
	if failure != nil {
		return nil, failure
	}
	pointer, length := packed>>32, packed&0xffffffff
	if length > pluginkit.MaxManifest {
		return nil, abi("the manifest has %d bytes (at most %d)", length, pluginkit.MaxManifest)
	}
	manifest, fits := i.engine.Memory().Read(pointer, length)
	if !fits {
		return nil, abi("the manifest at %d, %d bytes long, is not in the guest's memory of %d bytes", pointer, length, i.engine.Memory().Size())
	}
	i.log.flush()
	return manifest, nil
}

// call calls an export that returns one value.
func (i *Instance) call(ctx context.Context, export string, params ...uint64) (uint64, *Failure) {
	results, err := i.engine.Call(ctx, export, params...)
	if err == nil && len(results) != 1 {
		err = errors.New("the engine returned no value")
	}
	if err != nil {
		return 0, i.fail(ctx, err)
	}
	return results[0], nil
}

func (i *Instance) close() {
	if i.engine != nil {
		_ = i.closeWindows() // the memory goes, too
		i.engine.Close()
		i.engine = nil
	}
	i.dead = true
}

func typeText(params, results []engine.ValueType) string {
	names := map[engine.ValueType]string{engine.I32: "i32", engine.I64: "i64", engine.F32: "f32", engine.F64: "f64"}
	list := func(types []engine.ValueType) (out []string) {
		for _, t := range types {
			out = append(out, names[t])
		}
		return out
	}
	return fmt.Sprintf("%v -> %v", list(params), list(results))
}
