package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/ringfence/ringfence/host/internal/rundir"
	"github.com/ringfence/ringfence/host/internal/sandbox"
	"github.com/ringfence/ringfence/host/internal/stage"
)

// maxThreads is the GOMAXPROCS of a sandbox: one for the guest, one for
// everything else.
const maxThreads = 2

// lazyFactory stages the sandbox program when it is first needed: copying and
// hashing it takes milliseconds that a policy error should not cost.
type lazyFactory struct {
	opts Options
	dir  *rundir.Dir

	once    sync.Once
	factory *sandbox.Factory
	build   string
	err     error
}

// get returns the factory and the digest of the program and its libraries,
// which is part of the key of everything compiled with them.
func (l *lazyFactory) get() (*sandbox.Factory, string, error) {
	l.once.Do(func() { l.factory, l.build, l.err = l.stage() })
	return l.factory, l.build, l.err
}

func (l *lazyFactory) stage() (*sandbox.Factory, string, error) {
	program := l.opts.Sandbox
	if _, err := os.Stat(program); errors.Is(err, fs.ErrNotExist) {
		return nil, "", fmt.Errorf("the sandbox program is not at %s: build it with `make`, or keep it beside the ringfence binary", program)
	}
	libraries, err := filepath.Glob(filepath.Join(filepath.Dir(program), "lib", "*.so"))
	if err != nil {
		return nil, "", err
	}
	items := []stage.Item{{Path: program, Exec: true}}
	for _, lib := range libraries {
		items = append(items, stage.Item{Path: lib, As: filepath.Join("lib", filepath.Base(lib))})
	}
	dir, err := l.dir.Sub("program")
	if err != nil {
		return nil, "", err
	}
	copies, err := stage.Stage(dir, items...)
	if err != nil {
		return nil, "", fmt.Errorf("copy the sandbox program: %w", err)
	}
	var digests []string
	for _, c := range copies {
		digests = append(digests, c.SHA256)
	}
	return &sandbox.Factory{
		Executable:  copies[0].Path,
		Dir:         l.dir,
		Logger:      l.opts.Logger.Named("sandbox"),
		Threads:     min(maxThreads, runtime.NumCPU()),
		LoadTimeout: l.opts.StartTimeout,
	}, strings.Join(digests, "+"), nil
}
