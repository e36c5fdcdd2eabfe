package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/ringfence/ringfence/host/internal/dynlink"
	"github.com/ringfence/ringfence/host/internal/jail"
	"github.com/ringfence/ringfence/host/internal/rundir"
	"github.com/ringfence/ringfence/host/internal/sandbox"
	"github.com/ringfence/ringfence/host/internal/stage"
	"github.com/ringfence/ringfence/internal/orders"
)

// maxThreads is the GOMAXPROCS of a sandbox: one for the guest, one for
// everything else.
const maxThreads = 2

// lazyFactory stages the sandbox program when it is first needed: copying and
// hashing it takes milliseconds that a policy error should not cost.
type lazyFactory struct {
	opts  Options
	dir   *rundir.Dir
	level jail.Level

	once    sync.Once
	factory *sandbox.Factory
	build   string
	err     error

	confinement *jail.Jail
}

// get returns the factory and the digest of the program and its libraries,
// which is part of the key of everything compiled with them.
func (l *lazyFactory) get() (*sandbox.Factory, string, error) {
	l.once.Do(func() { l.factory, l.build, l.err = l.stage() })
	return l.factory, l.build, l.err
}

func (l *lazyFactory) stage() (*sandbox.Factory, string, error) {
	program := l.opts.Sandbox
	trampoline := filepath.Join(filepath.Dir(program), orders.Trampoline)
	for _, path := range []string{program, trampoline} {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, "", fmt.Errorf("the sandbox program is not at %s: build it with `make`, or keep it beside the ringfence binary", path)
		}
	}
	confinement, err := l.jail(trampoline)
	if err != nil {
		return nil, "", err
	}
	factory, build, err := l.program(program)
	if err != nil {
		_ = confinement.Close()
		return nil, "", err
	}
	factory.Jail, l.confinement = confinement, confinement
	return factory, build, nil
}

// jail stages the trampoline, tries the layers, and refuses a machine that does
// not give what the policy demands.
func (l *lazyFactory) jail(trampoline string) (*jail.Jail, error) {
	copies, err := l.copies("jail", stage.Item{Path: trampoline, As: orders.Trampoline, Exec: true})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), l.opts.StartTimeout)
	defer cancel()
	confinement, err := jail.Open(ctx, copies[0].Path)
	if err != nil {
		return nil, fmt.Errorf("build the jail: %w", err)
	}
	if err := confinement.Found().Require(l.level); err != nil {
		_ = confinement.Close()
		return nil, err
	}
	return confinement, nil
}

// program stages the sandbox program with everything that it loads: in its root
// there will be nothing else.
func (l *lazyFactory) program(path string) (*sandbox.Factory, string, error) {
	needs, err := dynlink.Of(path, filepath.Join(filepath.Dir(path), jail.LibraryFolder))
	if err != nil {
		return nil, "", err
	}
	items := []stage.Item{{Path: path, Exec: true}}
	if needs.Loader != "" {
		items = append(items, stage.Item{Path: needs.Loader, As: needs.Loader[1:], Exec: true})
	}
	for _, name := range slices.Sorted(maps.Keys(needs.Libraries)) {
		items = append(items, stage.Item{Path: needs.Libraries[name], As: filepath.Join(jail.LibraryFolder, name)})
	}
	copies, err := l.copies("program", items...)
	if err != nil {
		return nil, "", err
	}
	var digests []string
	for _, c := range copies {
		digests = append(digests, c.SHA256)
	}
	return &sandbox.Factory{
		Executable:  copies[0].Path,
		Loader:      needs.Loader,
		Dir:         l.dir,
		Logger:      l.opts.Logger.Named("sandbox"),
		Threads:     min(maxThreads, runtime.NumCPU()),
		LoadTimeout: l.opts.StartTimeout,
		NoRing:      l.opts.NoRing,
	}, strings.Join(digests, "+"), nil
}

// copies stages the items in a folder of that name, which becomes a root.
func (l *lazyFactory) copies(name string, items ...stage.Item) ([]stage.File, error) {
	dir, err := l.dir.Sub(name)
	if err != nil {
		return nil, err
	}
	copies, err := stage.Stage(dir, append(items, stage.Item{Folder: true, As: jail.SocketFolder})...)
	if err != nil {
		return nil, fmt.Errorf("copy the sandbox program: %w", err)
	}
	return copies[:len(items)], nil
}

// close gives up the jail, when no sandbox will be started any more.
func (l *lazyFactory) close() {
	l.once.Do(func() { l.err = ErrClosed })
	if l.confinement != nil {
		_ = l.confinement.Close()
	}
}
