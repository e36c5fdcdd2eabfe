package cli_test

import (
	"path/filepath"
	"strings"
	"testing"
)

// The first-party tools' own cases pass, in the real sandbox.
func TestTheToolsCasesPass(t *testing.T) {
	folders, err := filepath.Glob("../../plugins/tools/*/cases")
	if err != nil || len(folders) < 3 {
		t.Fatalf("found %v (%v)", folders, err)
	}
	a := newAuthor(t)
	for _, folder := range folders {
		path, err := filepath.Abs(folder)
		if err != nil {
			t.Fatal(err)
		}
		if out, code, _ := a.run(a.dir, "ringfence test "+path); code != 0 || strings.Contains(out, "FAIL") {
			t.Errorf("exit code %d\n%s", code, out)
		}
	}
}
