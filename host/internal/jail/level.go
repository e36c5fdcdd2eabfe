package jail

import (
	"errors"
	"fmt"
	"strings"
)

// Level is how much of the jail a policy insists on.
type Level string

const (
	// Strict: every layer.
	Strict Level = "strict"
	// Standard: what BestEffort demands, and (namespaces with a root of its own,
	// or Landlock with rules for TCP, ABI 4).
	Standard Level = "standard"
	// BestEffort: seccomp, no_new_privs, limits, no capabilities, death with the
	// host, no descriptors of the host's, clean signals, a session of its own, not
	// dumpable.
	BestEffort Level = "best_effort"
)

// landlockTCP is the first version of Landlock that knows TCP.
const landlockTCP = 4

// ErrLevel means that this machine does not give what the level demands.
var ErrLevel = errors.New("this machine does not isolate as the policy demands")

// LevelError names what is missing. It answers errors.Is(err, ErrLevel).
type LevelError struct {
	Level   Level
	Missing []Layer
}

func (e *LevelError) Error() string {
	var parts []string
	for _, l := range e.Missing {
		part := l.Name + ": " + l.Why
		if l.Fix != "" {
			part += " (" + l.Fix + ")"
		}
		parts = append(parts, part)
	}
	return fmt.Sprintf("%s (isolation = %q); missing: %s", ErrLevel, e.Level, strings.Join(parts, "; "))
}

// Is makes the error answer to ErrLevel.
func (e *LevelError) Is(target error) bool { return target == ErrLevel }

// Layer is one layer of the jail on this machine.
type Layer struct {
	Name string `json:"name"`
	// On says that sandboxes have it.
	On bool `json:"on"`
	// Note says how, such as Landlock's version.
	Note string `json:"note,omitempty"`
	// Why says why not, Fix how to get it.
	Why string `json:"why,omitempty"`
	Fix string `json:"fix,omitempty"`
}

// Names of layers, as they are reported.
const (
	Namespaces   = "namespaces"
	UserNS       = "user namespace"
	OwnRoot      = "own root"
	OwnUID       = "own uid"
	Capabilities = "no capabilities"
	NoNewPrivs   = "no new privileges"
	Landlock     = "landlock"
	Seccomp      = "seccomp"
	Limits       = "limits"
	Groups       = "control groups"
	PDeath       = "death with the host"
	Descriptors  = "no descriptors"
	Signals      = "clean signals"
	Session      = "own session"
	Opaque       = "not dumpable"
	Workspaces   = "workspaces" // of native plugins
)

// Found is what a machine gives.
type Found struct {
	// Layers are all there are, in the order in which a reader cares.
	Layers []Layer
	abi    int // Landlock's, 0 without
}

func (f *Found) layer(name string) Layer {
	for _, l := range f.Layers {
		if l.Name == name {
			return l
		}
	}
	return Layer{Name: name, Why: "it was not tried"}
}

// Require returns nil or a *LevelError.
func (f *Found) Require(level Level) error {
	e := &LevelError{Level: level}
	need := func(names ...string) {
		for _, n := range names {
			if l := f.layer(n); !l.On {
				e.Missing = append(e.Missing, l)
			}
		}
	}
	need(Seccomp, NoNewPrivs, Limits, Capabilities, PDeath, Descriptors, Signals, Session, Opaque)
	switch level {
	case BestEffort:
	case Standard:
		rooted := f.layer(Namespaces).On && f.layer(OwnRoot).On
		if !rooted && f.abi < landlockTCP {
			need(Namespaces, OwnRoot)
			e.Missing = append(e.Missing, f.tooOld())
		}
	case Strict:
		need(Namespaces, OwnRoot, OwnUID, Landlock, Groups)
	default:
		return fmt.Errorf("isolation %q is not a level: want %q, %q or %q", level, Strict, Standard, BestEffort)
	}
	if len(e.Missing) == 0 {
		return nil
	}
	return e
}

// RequireNative returns nil or a *LevelError for a plugin that is a program of the
// machine's own. Landlock alone, which does for an engine without files, does not
// hold such a program: it governs neither modes (fchmod) nor stat, nor who may
// bind an abstract socket that others of the machine will connect to.
func (f *Found) RequireNative(level Level) error {
	e := &LevelError{Level: level}
	for _, n := range []string{Namespaces, OwnRoot} {
		if l := f.layer(n); !l.On {
			e.Missing = append(e.Missing, l)
		}
	}
	if len(e.Missing) == 0 || level == BestEffort {
		return nil
	}
	return fmt.Errorf("a native plugin has no engine around it, and Landlock alone does not hold it: %w", e)
}

// tooOld is Landlock's layer where it is there but does not know TCP.
func (f *Found) tooOld() Layer {
	l := f.layer(Landlock)
	if l.On {
		l.Why = fmt.Sprintf("it has ABI %d, %d is needed where there is no root of its own", f.abi, landlockTCP)
		l.Fix = "Linux 6.7 or newer"
	}
	return l
}
