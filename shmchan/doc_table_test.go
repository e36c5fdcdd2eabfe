package shmchan

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestEveryNamedTestExists keeps the threat table of docs/shmchan.md honest.
func TestEveryNamedTestExists(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "docs", "shmchan.md"))
	must(t, err)
	files, err := filepath.Glob("*_test.go")
	must(t, err)
	exists := map[string]bool{}
	declaration := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	for _, name := range files {
		source, err := os.ReadFile(name)
		must(t, err)
		for _, m := range declaration.FindAllSubmatch(source, -1) {
			exists[string(m[1])] = true
		}
	}
	named := regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w*)`").FindAllSubmatch(doc, -1)
	if len(named) < 10 {
		t.Errorf("the document names %d tests", len(named))
	}
	for _, m := range named {
		if !exists[string(m[1])] {
			t.Errorf("docs/shmchan.md names %s, which is no test", m[1])
		}
	}
}
