package host

import (
	"cmp"
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
	"github.com/ringfence/ringfence/host/internal/launch"
	"github.com/ringfence/ringfence/host/internal/rundir"
	"github.com/ringfence/ringfence/host/internal/sandbox"
	"github.com/ringfence/ringfence/host/internal/stage"
	"github.com/ringfence/ringfence/internal/orders"
)

// unleveled is the level of whoever only wants to see what there is. It is not
// the zero value, which demands a level.
const unleveled jail.Level = "unleveled"

// maxThreads is the GOMAXPROCS of a sandbox: one for the guest, one for
// everything else.
const maxThreads = 2

// besideGuest is what a sandbox process may use beside its guest's memory and
// compiled code, in bytes. Tests lower it.
var besideGuest uint64 = 1 << 30

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

	jailing     sync.Once
	confinement *jail.Jail
	ready       *launch.Ready
	jailErr     error
}

// get returns the factory and the digest of the program and its libraries,
// which is part of the key of everything compiled with them.
func (l *lazyFactory) get() (*sandbox.Factory, string, error) {
	l.once.Do(func() { l.factory, l.build, l.err = l.stage() })
	return l.factory, l.build, l.err
}

func (l *lazyFactory) stage() (*sandbox.Factory, string, error) {
	program := l.opts.Sandbox
	if err := built(program); err != nil {
		return nil, "", err
	}
	// The jail mostly waits for children that try its layers, and the program is 40 MB
	// to copy and hash: one after the other they are a fifth of a first call.
	copied := make(chan programCopy, 1)
	go func() { copied <- l.copyProgram(program) }()
	confinement, err := l.jail()
	p := <-copied
	if err = cmp.Or(err, p.err); err != nil {
		return nil, "", err
	}
	return l.made(confinement, p.path, p.loader), p.build, nil
}

func built(path string) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the sandbox program is not at %s: build it with `make`, or keep it beside the ringfence binary", path)
	}
	return nil
}

// jail is the jail of all processes of this host, made when it is first needed.
func (l *lazyFactory) jail() (*jail.Jail, error) {
	l.jailing.Do(func() { l.confinement, l.jailErr = l.openJail() })
	return l.confinement, l.jailErr
}

// openJail stages the trampoline, tries the layers, and refuses a machine that
// does not give what the policy demands.
func (l *lazyFactory) openJail() (*jail.Jail, error) {
	trampoline := filepath.Join(filepath.Dir(l.opts.Sandbox), orders.Trampoline)
	if err := built(trampoline); err != nil {
		return nil, err
	}
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
	if l.level != unleveled {
		if err := confinement.Found().Require(l.level); err != nil {
			_ = confinement.Close()
			return nil, err
		}
	}
	// The first process is made while programs are copied.
	l.ready = launch.Keep(confinement)
	return confinement, nil
}

// programCopy is the staged sandbox program, its loader within its root, and the
// digest of all that is in there.
type programCopy struct {
	path, loader, build string
	err                 error
}

// copyProgram stages the sandbox program with everything that it loads: in its root
// there will be nothing else.
func (l *lazyFactory) copyProgram(path string) programCopy {
	needs, err := dynlink.Of(path, filepath.Join(filepath.Dir(path), jail.LibraryFolder))
	if err != nil {
		return programCopy{err: err}
	}
	copies, err := l.copies("program", append([]stage.Item{{Path: path, Exec: true}}, libraries(needs)...)...)
	if err != nil {
		return programCopy{err: err}
	}
	var digests []string
	for _, c := range copies {
		digests = append(digests, c.SHA256)
	}
	return programCopy{path: copies[0].Path, loader: needs.Loader, build: strings.Join(digests, "+")}
}

// libraries are the items of what a program loads.
func libraries(needs dynlink.Needs) (items []stage.Item) {
	if needs.Loader != "" {
		items = append(items, stage.Item{Path: needs.Loader, As: needs.Loader[1:], Exec: true})
	}
	for _, name := range slices.Sorted(maps.Keys(needs.Libraries)) {
		items = append(items, stage.Item{Path: needs.Libraries[name], As: filepath.Join(jail.LibraryFolder, name)})
	}
	return items
}

// made is the factory of a staged program.
func (l *lazyFactory) made(confinement *jail.Jail, program, loader string) *sandbox.Factory {
	return &sandbox.Factory{
		Executable:  program,
		Loader:      loader,
		Jail:        confinement,
		Ready:       l.ready,
		Dir:         l.dir,
		Logger:      l.opts.Logger.Named("sandbox"),
		Threads:     min(maxThreads, runtime.NumCPU()),
		LoadTimeout: l.opts.StartTimeout,
		Beside:      besideGuest,
		NoRing:      l.opts.NoRing,
	}
}

// copies stages the items in a folder of that name, which becomes a root.
func (l *lazyFactory) copies(name string, items ...stage.Item) ([]stage.File, error) {
	dir, err := l.dir.Sub(name)
	if err != nil {
		return nil, err
	}
	copies, err := stage.Stage(dir, append(items, stage.Item{Folder: true, As: jail.SocketFolder})...)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("copy a program: %w", err), l.dir.Remove(name))
	}
	return copies[:len(items)], nil
}

// close gives up the jail, when no sandbox will be started any more.
func (l *lazyFactory) close() {
	l.once.Do(func() { l.err = ErrClosed })
	l.jailing.Do(func() { l.jailErr = ErrClosed })
	if l.confinement != nil {
		l.ready.Close()
		_ = l.confinement.Close()
	}
}
