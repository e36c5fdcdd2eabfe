package workspace

import (
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/policies"
)

// The document lists what is refused, kind by kind and in the same order.
func TestTheDocumentListsWhatIsRefused(t *testing.T) {
	text, err := os.ReadFile("../../../docs/workspaces.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, row := range regexp.MustCompile("(?m)^\\| ([^|]+) \\| (`[^|]+) \\|$").FindAllStringSubmatch(string(text), -1) {
		rows = append(rows, row[1]+": "+row[2])
	}
	var want []string
	for _, kind := range sensitive {
		want = append(want, kind.what+": `"+strings.Join(kind.patterns, "` `")+"`")
	}
	if got, want := strings.Join(rows, "\n"), strings.Join(want, "\n"); got != want {
		t.Errorf("docs/workspaces.md has\n%s\nwant\n%s", got, want)
	}
	for _, block := range regexp.MustCompile("(?s)```hcl\n(.*?)```").FindAllSubmatch(text, -1) {
		if _, err := policies.Parse("doc.hcl", block[1], policies.Options{}); err != nil {
			t.Errorf("docs/workspaces.md: %v\n%s", err, block[1])
		}
	}
}

func TestThePatternsCanMatch(t *testing.T) {
	for _, kind := range sensitive {
		for _, pattern := range kind.patterns {
			if fold(pattern) != pattern {
				t.Errorf("%q is not folded, so nothing is like it", pattern)
			}
			if _, err := path.Match(pattern, ""); err != nil || strings.ContainsAny(pattern, "*?[") && strings.Contains(pattern, "/") {
				t.Errorf("%q: a wildcard in a path is not looked up (%v)", pattern, err)
			}
			if strings.ContainsAny(strings.ReplaceAll(pattern, "[0-9]", ""), "?[]\\") {
				t.Errorf("%q: only * and [0-9] are looked up", pattern)
			}
		}
	}
}

// A pattern stands for the names for which it does to path.Match.
func TestPatternsMatchAsTheyDoElsewhere(t *testing.T) {
	for _, kind := range sensitive {
		for _, pattern := range kind.patterns {
			if !strings.Contains(pattern, "*") {
				continue
			}
			list := globs(pattern)
			for _, star := range []string{"", "a", "~1", ".x.", pattern} {
				for _, digit := range []string{"0", "9", "x", ""} {
					exact := strings.NewReplacer("*", star, "[0-9]", digit).Replace(pattern)
					for _, name := range []string{exact, "a" + exact, exact + "a", exact[1:], exact[:len(exact)-1], exact + exact} {
						want, _ := path.Match(pattern, name)
						if got := slices.ContainsFunc(list, func(g glob) bool { return g.match(name) }); got != want {
							t.Errorf("%q and %q: %t, want %t", pattern, name, got, want)
						}
					}
				}
			}
		}
	}
}

// The longest names that there are cost little more than others.
func BenchmarkNames(b *testing.B) {
	w := &Workspace{above: []string{"home", "a", "notes"}}
	for what, name := range map[string]string{
		"short": "notes.md", "long": strings.Repeat("a", 255), "signs": strings.Repeat("\ufdfa", 85), "short names": strings.Repeat("~1", 127),
	} {
		b.Run(what, func(b *testing.B) {
			for b.Loop() {
				w.served([]string{"d", name})
			}
		})
	}
}
