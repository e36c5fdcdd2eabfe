// Package scaffold writes the beginning of a tool: `ringfence new`. What it writes
// is in files/, as templates.
package scaffold

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"text/template"
)

//go:embed all:files
var files embed.FS

// Plan is what to write.
type Plan struct {
	Name    string // of the plugin, its folder and its module file
	Dir     string // the folder to write to; it is made
	Module  string // the path of the Go module
	SDK     string // an absolute folder to build the SDK from; "": the released one
	Version string // of the released SDK
}

var (
	name   = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)
	module = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._~-]*(/[A-Za-z0-9._~-]+)*$`)
)

// ErrExists means that something is in the way. Nothing was written.
var ErrExists = errors.New("already there")

// Check says what is wrong with a plan.
func (p Plan) Check() error {
	switch {
	case !name.MatchString(p.Name):
		return fmt.Errorf("%q cannot be the name of a plugin: it starts with a small letter and has up to 63 small letters, digits, - and _%s", p.Name, p.suggestion())
	case !module.MatchString(p.Module):
		return fmt.Errorf("%q cannot be the path of a Go module; write one such as example.com/%s", p.Module, p.Name)
	case p.SDK != "" && !isCheckout(p.SDK):
		return fmt.Errorf("%s is not a checkout of ringfence (it has no go.mod that says so)", p.SDK)
	case p.SDK == "" && !IsRelease(p.Version):
		return errors.New("there is no SDK to build against: this ringfence is neither a release nor in the checkout that it was built from. " +
			"Say where a checkout is with --sdk DIR")
	}
	return nil
}

// released are versions that `go get` finds: tags of this module, and not what
// `git describe` makes of a commit behind one.
var released = regexp.MustCompile(`^v[01]\.\d+\.\d+(-(alpha|beta|rc)\.?\d+)?$`)

// IsRelease reports whether the SDK of a version can be had without a checkout.
func IsRelease(version string) bool { return released.MatchString(version) }

// Checkout finds the checkout that a program was built in, or "": the program's
// folder, or the one above it. It looks no further: from there on, what is found
// depends on where the program lies, and a folder that others can write to may be
// among them.
func Checkout(program string) string {
	bin := filepath.Dir(program)
	for _, dir := range []string{filepath.Dir(bin), bin} {
		if isCheckout(dir) {
			return dir
		}
	}
	return ""
}

func isCheckout(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	return err == nil && strings.HasPrefix(string(text), "module github.com/ringfence/ringfence\n")
}

var other = regexp.MustCompile(`[^a-z0-9_-]+`)

// suggestion is the nearest name that would do.
func (p Plan) suggestion() string {
	near := strings.Trim(strings.TrimLeft(other.ReplaceAllString(strings.ToLower(p.Name), "-"), "0123456789_-"), "-")
	if near = near[:min(len(near), 63)]; !name.MatchString(near) {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", near)
}

// Write writes the files and returns their paths inside the folder. It overwrites
// nothing: if any of them is there, it writes none.
func (p Plan) Write() ([]string, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	made := map[string][]byte{}
	var paths []string
	err := fs.WalkDir(files, "files", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := p.fill(path)
		if err != nil {
			return err
		}
		to := strings.TrimSuffix(strings.TrimPrefix(path, "files/"), ".tmpl")
		to = strings.NewReplacer("NAME", p.Name, "dot.", ".").Replace(to)
		made[to] = text
		paths = append(paths, to)
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(paths)
	for _, path := range paths {
		switch _, err := os.Lstat(filepath.Join(p.Dir, path)); {
		case err == nil:
			return nil, fmt.Errorf("%s is %w; nothing was written (choose another --dir)", filepath.Join(p.Dir, path), ErrExists)
		case errors.Is(err, syscall.ENOTDIR):
			return nil, fmt.Errorf("something on the way to %s is a file; nothing was written (choose another --dir)", filepath.Join(p.Dir, path))
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
	}
	for _, path := range paths {
		if err := create(filepath.Join(p.Dir, path), made[path]); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

func (p Plan) fill(path string) ([]byte, error) {
	text, err := files.ReadFile(path)
	if err != nil {
		return nil, err
	}
	// The brackets of templates are common in Go and Make.
	t, err := template.New(path).Delims("{%", "%}").Option("missingkey=error").Parse(string(text))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = t.Execute(&out, p)
	return out.Bytes(), err
}

// create writes a file that must not be there, even if it came just now.
func create(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}
