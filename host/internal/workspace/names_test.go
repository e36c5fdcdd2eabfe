package workspace

import (
	"os"
	"path"
	"regexp"
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
		}
	}
}
