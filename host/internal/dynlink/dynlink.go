// Package dynlink finds what a dynamically linked program needs to run, so that
// it can be copied into a root that holds nothing else.
//
// It reads the ELF files and executes nothing: ldd runs the program's own
// loader, which for a program that nobody trusts is running the program.
package dynlink

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Needs are the files that a program needs beside itself.
type Needs struct {
	// Loader is the absolute path of the ELF interpreter, "" for a static
	// program. The kernel wants it at that path.
	Loader string
	// Libraries are paths by the name under which they are asked for.
	Libraries map[string]string
}

const (
	maxLibraries = 64
	maxName      = 255
)

// standard are the loader's own folders, for the two families of layouts.
var standard = []string{
	"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu",
	"/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib",
}

// Of returns what the program needs, looking for libraries in first and then
// where the system keeps them. It fails if one is missing.
func Of(program string, first ...string) (Needs, error) {
	n, err := search(program, append(first, folders("/etc/ld.so.conf", 0)...))
	if err != nil {
		return Needs{}, fmt.Errorf("what %s needs: %w", program, err)
	}
	return n, nil
}

func search(program string, in []string) (Needs, error) {
	n := Needs{Libraries: map[string]string{}}
	f, err := elf.Open(program)
	if err != nil {
		return n, err
	}
	defer f.Close()
	if n.Loader, err = interpreter(f); err != nil || n.Loader == "" {
		return n, err
	}
	queue, err := f.ImportedLibraries()
	if err != nil {
		return n, err
	}
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		if n.Libraries[name] != "" || name == filepath.Base(n.Loader) {
			continue
		}
		if len(n.Libraries) == maxLibraries {
			return n, fmt.Errorf("more than %d libraries", maxLibraries)
		}
		path, more, err := find(name, in, f.FileHeader)
		if err != nil {
			return n, err
		}
		n.Libraries[name] = path
		queue = append(queue, more...)
	}
	return n, nil
}

// interpreter reads the path out of the program's header.
func interpreter(f *elf.File) (string, error) {
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		b, err := io.ReadAll(io.LimitReader(p.Open(), maxName+1))
		if err != nil {
			return "", err
		}
		path := strings.TrimRight(string(b), "\x00")
		if len(path) > maxName || !loaders.MatchString(path) {
			return "", fmt.Errorf("ELF interpreter %.80q: want a loader of the system, such as /lib64/ld-linux-x86-64.so.2", path)
		}
		return path, isLoader(path, f.FileHeader)
	}
	return "", nil
}

// loaders are where systems keep them. The program chooses the path, and what
// lies there is copied to where the program runs: any other file would be one
// that it wants to read.
var loaders = regexp.MustCompile(`^(/usr)?/lib(32|64|x32)?/(?:[a-z0-9_]+-linux-[a-z0-9]+/)?ld-[A-Za-z0-9_.-]+\.so(\.[0-9]+)?$`)

// isLoader refuses what is no library for the same machine.
func isLoader(path string, like elf.FileHeader) error {
	f, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("ELF interpreter %s: %w", path, err)
	}
	defer f.Close()
	if f.Type != elf.ET_DYN || f.Machine != like.Machine || f.Class != like.Class {
		return fmt.Errorf("ELF interpreter %s is %v for %v, want %v for %v", path, f.Type, f.Machine, elf.ET_DYN, like.Machine)
	}
	return nil
}

// find returns the first file of that name for the same machine, and what it
// needs in turn.
func find(name string, in []string, like elf.FileHeader) (string, []string, error) {
	if name == "" || len(name) > maxName || strings.ContainsRune(name, '/') {
		return "", nil, fmt.Errorf("library %.80q: want a plain name", name)
	}
	for _, dir := range in {
		path := filepath.Join(dir, name)
		f, err := elf.Open(path)
		if err != nil {
			continue // not there, or no library
		}
		more, err := f.ImportedLibraries()
		_ = f.Close()
		if f.Machine == like.Machine && f.Class == like.Class && err == nil {
			return path, more, nil
		}
	}
	return "", nil, fmt.Errorf("library %s: %w", name, errNotFound)
}

var errNotFound = errors.New("not found where the system keeps libraries")

// folders reads the loader's configuration, one include deep, and adds its own.
func folders(config string, depth int) []string {
	var dirs []string
	b, _ := os.ReadFile(config)
	for line := range strings.Lines(string(b)) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), "#")
		if pattern, ok := strings.CutPrefix(line, "include "); ok && depth == 0 {
			files, _ := filepath.Glob(strings.TrimSpace(pattern))
			for _, f := range files {
				dirs = append(dirs, folders(f, depth+1)...)
			}
		} else if filepath.IsAbs(line) {
			dirs = append(dirs, strings.TrimSpace(line))
		}
	}
	if depth == 0 {
		dirs = append(dirs, standard...)
	}
	return dirs
}
