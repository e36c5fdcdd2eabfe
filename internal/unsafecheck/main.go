// Command unsafecheck enforces the repository's rule for unsafe code: a file
// that imports unsafe, or links to names by go:linkname, is called *_unsafe.go
// (with a suffix for the system or _test where one is needed), so that a
// reviewer finds all of it by file name.
package main

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

var allowed = regexp.MustCompile(`_unsafe(_[a-z0-9]+)*(_test)?\.go$`)

func main() {
	var bad []string
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != "." || d.Name() == "bin") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, ".pb.go") || allowed.MatchString(path) {
			return nil
		}
		uses, err := usesUnsafe(path)
		if uses {
			bad = append(bad, path)
		}
		return err
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "unsafecheck:", err)
		os.Exit(2)
	}
	if len(bad) > 0 {
		fmt.Fprintf(os.Stderr, "unsafe code outside *_unsafe.go:\n  %s\n", strings.Join(bad, "\n  "))
		os.Exit(1)
	}
}

func usesUnsafe(path string) (bool, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return false, err
	}
	f, err := parser.ParseFile(token.NewFileSet(), path, src, parser.ImportsOnly)
	if err != nil {
		return false, err
	}
	for _, i := range f.Imports {
		if i.Path.Value == `"unsafe"` {
			return true, nil
		}
	}
	return strings.Contains(string(src), "\n//go:linkname "), nil
}
