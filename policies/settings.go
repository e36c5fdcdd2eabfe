package policies

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// maxSandboxesAllowed bounds max_sandboxes.
const maxSandboxesAllowed = 4096

// Settings are those of the host, from the ringfence block.
type Settings struct {
	// MaxSandboxes is how many sandbox processes may live at once, 1 to 4096;
	// by default two for each CPU.
	MaxSandboxes int
	// StateDir is the absolute path of the folder for the host's own files; by
	// default $XDG_STATE_HOME/ringfence, else ~/.local/state/ringfence, else,
	// without a home, ringfence-UID among the temporary files.
	StateDir string
	// Isolation is how much of the kernel jail a machine must give; by default
	// IsolationStandard. A machine that gives more is used for all it gives.
	Isolation Isolation
}

// Isolation is a level that the ringfence block demands.
type Isolation string

const (
	// IsolationStrict demands every layer of the jail.
	IsolationStrict Isolation = "strict"
	// IsolationStandard demands seccomp, no_new_privs, limits, and namespaces
	// with a root of their own or Landlock with rules for TCP.
	IsolationStandard Isolation = "standard"
	// IsolationBestEffort demands seccomp, no_new_privs and limits.
	IsolationBestEffort Isolation = "best_effort"
)

// settings decodes the ringfence block, which may be absent (nil).
func (d *decoder) settings(b *hclsyntax.Block) Settings {
	s := Settings{MaxSandboxes: 2 * runtime.NumCPU(), Isolation: IsolationStandard}
	if b == nil {
		s.StateDir = d.defaultStateDir()
		return s
	}
	d.check(b.Body, settingsShape)
	if a := b.Body.Attributes["max_sandboxes"]; a != nil {
		if n, ok := d.integer(a, 1, maxSandboxesAllowed); ok {
			s.MaxSandboxes = n
		}
	}
	if a := b.Body.Attributes["isolation"]; a != nil {
		s.Isolation = d.isolation(a)
	}
	a := b.Body.Attributes["state_dir"]
	if a == nil {
		s.StateDir = d.defaultStateDir()
		return s
	}
	if text, ok := d.text(a, anywhere); ok {
		s.StateDir, _ = d.path(a, text)
	}
	return s
}

func (d *decoder) isolation(a *hclsyntax.Attribute) Isolation {
	text, ok := d.text(a, anywhere)
	switch level := Isolation(text); {
	case !ok:
	case level == IsolationStrict, level == IsolationStandard, level == IsolationBestEffort:
		return level
	default:
		d.errorf(a.Expr.Range(), fmt.Sprintf("unknown isolation %q", text),
			"It is \"strict\" (every layer of the jail), \"standard\" (the default) or \"best_effort\".%s",
			didYouMean(text, []string{"strict", "standard", "best_effort"}))
	}
	return IsolationStandard
}

// defaultStateDir follows the XDG base directory specification, which says to
// ignore a relative path.
func (d *decoder) defaultStateDir() string {
	if dir, ok := d.opts.lookupEnv("XDG_STATE_HOME"); ok && filepath.IsAbs(dir) {
		return filepath.Join(dir, "ringfence")
	}
	if home, ok := d.home(); ok {
		return filepath.Join(home, ".local", "state", "ringfence")
	}
	// Without a home (a container's bare user) state cannot outlive the
	// machine's temporary files anyway. Users share that folder, so the name is
	// the user's own; whoever takes it first is found out when it is opened.
	return filepath.Join(os.TempDir(), "ringfence-"+strconv.Itoa(os.Getuid()))
}

func (d *decoder) home() (string, bool) {
	if home, ok := d.opts.lookupEnv("HOME"); ok && filepath.IsAbs(home) {
		return home, true
	}
	return "", false
}

// path makes the path in an argument absolute: "~/" starts at the home folder,
// anything relative at the folder of the policy file.
func (d *decoder) path(attr *hclsyntax.Attribute, text string) (string, bool) {
	at := attr.Expr.Range()
	switch {
	case text == "":
		d.errorf(at, attr.Name+" is empty", "Write the path of a file, relative to the folder of this policy file.")
		return "", false
	case strings.ContainsRune(text, 0):
		d.errorf(at, attr.Name+" has a NUL character", "No path has one.")
		return "", false
	case strings.Contains(text, "://"):
		d.errorf(at, attr.Name+" is a URL", "Fetching from %q is not supported yet: download the file and write its path.", text)
		return "", false
	case text == "~" || strings.HasPrefix(text, "~/"):
		home, ok := d.home()
		if !ok {
			d.errorf(at, attr.Name+" starts at the home folder, which is not known", "HOME is not set to an absolute path. Write an absolute path instead of %q.", text)
			return "", false
		}
		return filepath.Join(home, text[1:]), true
	case strings.HasPrefix(text, "~"):
		d.errorf(at, attr.Name+" starts at another user's home folder", "Write an absolute path instead of %q.", text)
		return "", false
	case filepath.IsAbs(text):
		return filepath.Clean(text), true
	}
	return filepath.Join(d.dirs[at.Filename], text), true
}
