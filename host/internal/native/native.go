// Package native looks at what a plugin's source is, and at native programs,
// without running any of them.
//
// Which kind a source is shows in its first bytes. They are looked at once more by
// whoever takes the file over (package module, or the kernel), since a file can
// change; a wrong guess here is refused there.
package native

import (
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"syscall"

	"github.com/ringfence/ringfence/host/internal/dynlink"
	"github.com/ringfence/ringfence/host/internal/printable"
	"github.com/ringfence/ringfence/host/internal/stage"
	"github.com/ringfence/ringfence/policies"
)

// MaxSize is the largest native plugin, in bytes.
const MaxSize = stage.DefaultMax

// Kind says what the file at path is: an ELF file is a native plugin, everything
// else is taken for a module, which package module then judges.
func Kind(path string) (policies.Kind, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a named pipe would wait for a writer
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("there is no plugin at %s: build it first, or correct its source", path)
	case err != nil:
		return "", fmt.Errorf("read the plugin: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("read the plugin: %w", err)
	}
	if !info.Mode().IsRegular() {
		return policies.KindWASM, nil // package module has words for it
	}
	var magic [len(elf.ELFMAG)]byte
	if _, err := io.ReadFull(f, magic[:]); err == nil && string(magic[:]) == elf.ELFMAG {
		return policies.KindNative, nil
	}
	return policies.KindWASM, nil
}

// Program is what an ELF file says of itself. Names are printable.
type Program struct {
	Machine string
	// Loader is the path of its ELF interpreter, "" for a static program.
	Loader string
	// Libraries are those that it is linked with, and theirs, sorted.
	Libraries []string
	// Go is the version of Go that built it, and Module its main module with the
	// version; "" for other programs. Both are its author's claim.
	Go, Module string
	// Needs are Loader and Libraries as they lie on this machine.
	Needs dynlink.Needs
}

var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// Inspect reads the program at path. An error says why it cannot be a plugin on
// this machine; what could be read stands in the Program all the same.
func Inspect(path string) (Program, error) {
	var p Program
	f, err := elf.Open(path)
	if err != nil {
		return p, fmt.Errorf("%s begins like a program (ELF) and is none that can be read: %s; build it again", path, printable.Line(err.Error(), 200))
	}
	defer f.Close()
	p.Machine = printable.Line(f.Machine.String(), 40)
	if info, err := buildinfo.ReadFile(path); err == nil {
		p.Go = printable.Line(info.GoVersion, 80)
		p.Module = printable.Line(info.Main.Path+" "+info.Main.Version, 200)
	}
	switch {
	case f.Machine != machines[runtime.GOARCH] || f.Class != elf.ELFCLASS64:
		return p, fmt.Errorf("%s is for %s of %s, this machine is %s", path, p.Machine, printable.Line(f.Class.String(), 40), runtime.GOARCH)
	case f.Type != elf.ET_EXEC && f.Type != elf.ET_DYN:
		return p, fmt.Errorf("%s is no program (ELF type %s)", path, printable.Line(f.Type.String(), 40))
	case f.Entry == 0:
		return p, fmt.Errorf("%s is a library, not a program: it has no entry", path)
	}
	if p.Needs, err = dynlink.Of(path); err != nil {
		return p, errors.New(printable.Line(err.Error(), 400))
	}
	p.Loader = p.Needs.Loader
	if f.Type == elf.ET_DYN && p.Static() && library(f) {
		return p, fmt.Errorf("%s is a library, not a program", path)
	}
	for name := range p.Needs.Libraries {
		p.Libraries = append(p.Libraries, printable.Line(name, 80))
	}
	slices.Sort(p.Libraries)
	return p, nil
}

// library reports whether a file without an interpreter is linked as a library: it
// has a name to be asked for by, or others to be loaded with it.
func library(f *elf.File) bool {
	names, err1 := f.DynString(elf.DT_SONAME)
	needs, err2 := f.ImportedLibraries()
	return err1 == nil && len(names) > 0 || err2 == nil && len(needs) > 0
}

// Digest is the SHA-256 of a plugin's file, in hex, and its size in bytes.
func Digest(path string) (digest string, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, fmt.Errorf("read the plugin: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if size, err = io.Copy(h, io.LimitReader(f, MaxSize+1)); err == nil && size > MaxSize {
		err = fmt.Errorf("%s is larger than a plugin may be (maximum %d bytes)", path, int64(MaxSize))
	}
	return hex.EncodeToString(h.Sum(nil)), size, err
}

// Static reports whether the program needs no other file to run.
func (p Program) Static() bool { return p.Loader == "" }

// Check holds a program against the filter that it is to run under.
func (p Program) Check(path string, filter policies.Filter) error {
	if filter == policies.FilterWASM && !p.Static() {
		return fmt.Errorf("%s is dynamically linked, and seccomp = \"wasm\" opens no files, so not its libraries either: link it statically (Go: CGO_ENABLED=0), or remove the line", path)
	}
	return nil
}
