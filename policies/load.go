package policies

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

const (
	// maxFileSize bounds one policy file. A policy is read by people: 10 000
	// rules fit into one megabyte.
	maxFileSize = 1 << 20
	// maxFiles bounds a policy directory.
	maxFiles = 256
)

// Options says where the values of variables come from.
type Options struct {
	// Vars are values given on the command line (--var name=value). They win
	// over the environment and over defaults.
	Vars map[string]string
	// LookupEnv reads the environment; nil means os.LookupEnv. The env()
	// function, RINGFENCE_VAR_name and the home directory go through it.
	LookupEnv func(string) (string, bool)
	// AllowUnset turns unset variables, empty secrets and missing secret files
	// into warnings, for validating a policy on a machine that has none of the
	// secrets. What could not be resolved grants nothing.
	AllowUnset bool
}

func (o Options) lookupEnv(name string) (string, bool) {
	if o.LookupEnv != nil {
		return o.LookupEnv(name)
	}
	return os.LookupEnv(name)
}

// sourceFile is one policy file as it was read.
type sourceFile struct {
	name string // as the user named it
	dir  string // absolute; relative paths in the file start here
	text []byte
}

// Load reads one HCL file, or every *.hcl file of a directory: sorted by name,
// not recursive, hidden files left out (editors leave half-written ones).
//
// A fault of the policy is a *DiagnosticsError; a file that cannot be read is
// an error that wraps the one of the operating system.
func Load(path string, opts Options) (*Policy, error) {
	names, err := policyFiles(path)
	if err != nil {
		return nil, err
	}
	sources := make([]sourceFile, 0, len(names))
	for _, name := range names {
		text, err := readBounded(name, maxFileSize)
		if err != nil {
			return nil, fmt.Errorf("reading policy: %w", err)
		}
		src, err := newSource(name, text)
		if err != nil {
			return nil, err
		}
		sources = append(sources, src)
	}
	return build(sources, opts)
}

// Parse reads a policy from memory. Relative paths in it start at the folder
// of filename, which need not exist.
func Parse(filename string, src []byte, opts Options) (*Policy, error) {
	s, err := newSource(filename, src)
	if err != nil {
		return nil, err
	}
	if len(src) > maxFileSize {
		return nil, fmt.Errorf("reading policy: %s has %d bytes (maximum %d)", filename, len(src), maxFileSize)
	}
	return build([]sourceFile{s}, opts)
}

func newSource(name string, text []byte) (sourceFile, error) {
	dir, err := filepath.Abs(filepath.Dir(name))
	if err != nil {
		return sourceFile{}, fmt.Errorf("finding the folder of policy %s: %w", name, err)
	}
	return sourceFile{name: name, dir: dir, text: text}, nil
}

// policyFiles lists the files that make up the policy at path.
func policyFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no policy at %q: name an .hcl file or a folder of them: %w", path, fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("looking for a policy: %w", err)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("listing policy folder: %w", err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() || strings.HasPrefix(e.Name(), ".") || filepath.Ext(e.Name()) != ".hcl" {
			continue
		}
		names = append(names, filepath.Join(path, e.Name()))
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("no policy in folder %q: it has no .hcl file: %w", path, fs.ErrNotExist)
	}
	if len(names) > maxFiles {
		return nil, fmt.Errorf("policy folder %q has %d .hcl files (maximum %d)", path, len(names), maxFiles)
	}
	sort.Strings(names)
	return names, nil
}

// readBounded reads a regular file of at most limit bytes. Anything else is
// refused before it is opened: opening a named pipe would wait for ever, and a
// device never ends.
func readBounded(name string, limit int64) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file (%s)", name, info.Mode().Type())
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("%s has more than %d bytes", name, limit)
	}
	return text, nil
}

// digest is a SHA-256 over names and contents. Lengths go in first, so that no
// two different sets of files read as the same bytes. Only base names count:
// a policy that is copied to another folder keeps its digest.
func digest(sources []sourceFile) string {
	h := sha256.New()
	field := func(b []byte) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(b)))
		h.Write(n[:])
		h.Write(b)
	}
	for _, s := range sources {
		field([]byte(filepath.Base(s.name)))
		field(s.text)
	}
	return hex.EncodeToString(h.Sum(nil))
}
