package jail

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestLevels(t *testing.T) {
	everything := []string{Namespaces, UserNS, OwnRoot, OwnUID, Capabilities, NoNewPrivs, Landlock, Seccomp, Limits, Groups, PDeath, Descriptors, Signals, Session, Opaque}
	for _, c := range []struct {
		name    string
		missing []string
		abi     int
		// refuses by level: the layers that the error names
		strict, standard, bestEffort []string
	}{
		{name: "a whole machine", abi: 7},
		{name: "an ordinary user without delegation", missing: []string{Groups}, abi: 7, strict: []string{Groups}},
		{name: "an old kernel with namespaces", missing: []string{Landlock}, strict: []string{Landlock}},
		{name: "root without user namespaces", missing: []string{UserNS}, abi: 7},
		{name: "default Docker", missing: []string{Namespaces, UserNS, OwnRoot, OwnUID, Groups}, abi: 7,
			strict: []string{Namespaces, OwnRoot, OwnUID, Groups}},
		{name: "default Docker, older Landlock", missing: []string{Namespaces, UserNS, OwnRoot, OwnUID, Groups}, abi: 3,
			strict: []string{Namespaces, OwnRoot, OwnUID, Groups}, standard: []string{Namespaces, OwnRoot, Landlock}},
		{name: "neither", missing: []string{Namespaces, UserNS, OwnRoot, OwnUID, Groups, Landlock},
			strict: []string{Namespaces, OwnRoot, OwnUID, Landlock, Groups}, standard: []string{Namespaces, OwnRoot, Landlock}},
		{name: "no seccomp", missing: []string{Seccomp}, abi: 7,
			strict: []string{Seccomp}, standard: []string{Seccomp}, bestEffort: []string{Seccomp}},
		{name: "no close_range", missing: []string{Descriptors}, abi: 7,
			strict: []string{Descriptors}, standard: []string{Descriptors}, bestEffort: []string{Descriptors}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &Found{abi: c.abi}
			for _, name := range everything {
				l := Layer{Name: name, On: !slices.Contains(c.missing, name)}
				if !l.On {
					l.Why, l.Fix = "not here", "get it"
				}
				f.Layers = append(f.Layers, l)
			}
			for level, want := range map[Level][]string{Strict: c.strict, Standard: c.standard, BestEffort: c.bestEffort} {
				err := f.Require(level)
				var refused *LevelError
				if errors.As(err, &refused) != (want != nil) || errors.Is(err, ErrLevel) != (want != nil) {
					t.Errorf("%s: %v, want %q refused", level, err, want)
					continue
				}
				var got []string
				if refused != nil {
					for _, l := range refused.Missing {
						got = append(got, l.Name)
					}
					if text := err.Error(); !strings.Contains(text, `isolation = "`+string(level)+`"`) || !strings.Contains(text, "get it") {
						t.Errorf("%s: the error does not help: %s", level, text)
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s: missing %q, want %q", level, got, want)
				}
			}
		})
	}
	without := &Found{abi: 7}
	for _, name := range everything {
		without.Layers = append(without.Layers, Layer{Name: name, On: name != Namespaces && name != OwnRoot, Why: "not here"})
	}
	for level, want := range map[Level]bool{Strict: false, Standard: false, BestEffort: true} {
		if err := without.RequireNative(level); (err == nil) != want || err != nil && !errors.Is(err, ErrLevel) {
			t.Errorf("a native plugin by Landlock alone, at %s: %v", level, err)
		}
	}
	if err := without.Require(Standard); err != nil {
		t.Errorf("a module by Landlock alone: %v", err)
	}
	if (&Found{}).Require("") == nil || (&Found{}).Require(BestEffort) == nil {
		t.Error("nothing was found, and that is enough")
	}
}
