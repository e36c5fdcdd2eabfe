package escape

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host/internal/dynlink"
	"github.com/ringfence/ringfence/host/internal/jail"
	"github.com/ringfence/ringfence/host/internal/launch"
	"github.com/ringfence/ringfence/host/internal/rundir"
	"github.com/ringfence/ringfence/host/internal/stage"
	"github.com/ringfence/ringfence/internal/attack"
	"github.com/ringfence/ringfence/internal/built"
	"github.com/ringfence/ringfence/internal/orders"
	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/wire"
)

// binaries, if set, is a folder with the programs, for somebody who has no Go.
const binaries = "ESCAPE_TEST_BINARIES"

const program = "ringfence-plugin-wasm"

// programs finds the trampoline, the sandbox program and its library.
func programs(t testing.TB) (trampoline, sandbox, libraries string) {
	t.Helper()
	if dir := os.Getenv(binaries); dir != "" {
		return filepath.Join(dir, orders.Trampoline), filepath.Join(dir, program), dir
	}
	bin := built.Bin(t)
	return filepath.Join(bin, orders.Trampoline), built.Escape(t), filepath.Join(bin, "lib")
}

// prison is a host that starts sandboxes.
type prison struct {
	jail    *jail.Jail
	dir     *rundir.Dir
	program string // staged
	loader  string
}

func newPrison(t testing.TB) *prison {
	t.Helper()
	trampoline, sandbox, libraries := programs(t)
	base, err := os.MkdirTemp("", "e") // short, since paths of sockets are
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	dir, err := rundir.Open(base)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(dir.Remove("jail"), dir.Remove("program"), dir.Close()); err != nil {
			t.Error(err)
		}
	})
	staged := func(name string, items ...stage.Item) string {
		into, err := dir.Sub(name)
		if err != nil {
			t.Fatal(err)
		}
		files, err := stage.Stage(into, append(items, stage.Item{Folder: true, As: jail.SocketFolder})...)
		if err != nil {
			t.Fatal(err)
		}
		return files[0].Path
	}
	p := &prison{dir: dir}
	p.jail, err = jail.Open(t.Context(), staged("jail", stage.Item{Path: trampoline, As: orders.Trampoline, Exec: true}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.jail.Close() })
	needs, err := dynlink.Of(sandbox, libraries)
	if err != nil {
		t.Fatal(err)
	}
	p.loader = needs.Loader
	items := []stage.Item{{Path: sandbox, Exec: true}, {Path: needs.Loader, As: needs.Loader[1:], Exec: true}}
	for name, path := range needs.Libraries {
		items = append(items, stage.Item{Path: path, As: filepath.Join(jail.LibraryFolder, name)})
	}
	p.program = staged("program", items...)
	return p
}

// position is where an attack is made, and what is around it.
type position struct {
	jailed  bool
	stage   int    // that the process is in: the attack comes from the compiler in 1, from the guest in 2
	without string // layers of the sandbox's own that are left out
	notices bool   // the host hears of calls that the filter refuses
}

var (
	stageOne   = position{jailed: true, stage: 1}
	stageTwo   = position{jailed: true, stage: 2}
	unfiltered = position{jailed: true, stage: 2, without: "seccomp"}
	free       = position{stage: 2, without: "seccomp limits"}
)

// inmate is one sandbox with an attack in its module.
type inmate struct {
	*launch.Process
	order []byte
}

// start starts a sandbox that is to make an attack.
func (p *prison) start(t testing.TB, at position, name string, w attack.World, files map[int]*os.File, printed func(string)) *inmate {
	t.Helper()
	w.Self, w.Near = "/"+program, "/"+jail.LibraryFolder+"/libc.so.6"
	if !at.jailed {
		w.Self, w.Near = p.program, filepath.Join(filepath.Dir(p.program), w.Near)
	}
	order := attack.Order{Name: name, World: w}.Encode()
	module := memfd(t, order, unix.F_SEAL_WRITE|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL)
	all := map[int]*os.File{pluginkit.ModuleFD: module}
	for fd, f := range files {
		all[fd] = f
	}
	spec := launch.Spec{
		Name: "escape", Path: p.program, Loader: p.loader, Files: all, Dir: p.dir, Memory: 1 << 30,
		Env: []string{"ESCAPE_WITHOUT=" + at.without}, StartTimeout: time.Minute, Stderr: printed, Notices: at.notices,
	}
	if at.jailed {
		spec.Jail = p.jail
	}
	process, err := launch.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(process.Kill)
	return &inmate{process, order}
}

// attack makes it, and says what came of it: what the attack said, or the
// signal or exit code that ended the process.
func (i *inmate) attack(t testing.TB, at position) string {
	t.Helper()
	ask := i.load
	if at.stage == 1 {
		ask = i.compile
	}
	failure, err := ask(t)
	if err == nil {
		said, ok := strings.CutPrefix(failure.GetMessage(), "the module attack: ")
		if !ok {
			t.Fatalf("the sandbox says %v", failure)
		}
		return said
	}
	select {
	case <-i.Done():
	case <-time.After(20 * time.Second):
		t.Fatalf("neither answer nor death: %v", err)
	}
	e := i.Exit()
	switch {
	case e.Killed && errors.Is(e.Cause, launch.ErrConnection):
		return "lost" // another program is in its place, and did not end fast enough
	case e.Signal != 0 && !e.Killed:
		return unix.SignalName(e.Signal)
	case e.Killed:
		return fmt.Sprintf("killed by the host: %v", e.Cause)
	}
	return fmt.Sprintf("exit-%d", e.Code)
}

func (i *inmate) load(t testing.TB) (*wire.Failure, error) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := wire.NewSandboxClient(i.Conn()).Load(ctx, &wire.LoadRequest{
		Engine: "wasmer", ArtifactBytes: uint64(len(i.order)), GuestMemoryBytes: 1 << 20, Lifetime: wire.Lifetime_LIFETIME_CALL,
	})
	return r.GetFailure(), err
}

func (i *inmate) compile(t testing.TB) (*wire.Failure, error) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	stream, err := wire.NewSandboxClient(i.Conn()).Compile(ctx, &wire.CompileRequest{
		Engine: "wasmer", ModuleBytes: uint64(len(i.order)), MaxArtifactBytes: 1 << 20, MaxMemoryBytes: 512 << 20,
	})
	for err == nil {
		var chunk *wire.CompileChunk
		if chunk, err = stream.Recv(); chunk.GetFailure() != nil {
			return chunk.GetFailure(), nil
		}
	}
	if errors.Is(err, io.EOF) {
		t.Fatal("a compilation without a result")
	}
	return nil, err
}

func memfd(t testing.TB, content []byte, seals int) *os.File {
	t.Helper()
	fd, err := unix.MemfdCreate("escape", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "memfd")
	t.Cleanup(func() { _ = f.Close() })
	if _, err := f.Write(content); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		t.Fatal(err)
	}
	return f
}

// oneOf says whether a word is among those.
func oneOf(words, word string) bool { return slices.Contains(strings.Fields(words), word) }
