package guesttest_test

import (
	"os/exec"
	"strings"
	"testing"
)

// An author's tests download and compile what this package imports: nothing but the
// standard library, and of this module nothing of hosts and wires.
func TestAuthorsImportLittle(t *testing.T) {
	const module = "github.com/ringfence/ringfence/"
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".", "../nethttp").Output()
	if err != nil {
		t.Fatal(err)
	}
	for path := range strings.Lines(string(out)) {
		path = strings.TrimSpace(path)
		own, is := strings.CutPrefix(path, module)
		if !is || !strings.HasPrefix(own, "pluginkit/guest") && !strings.HasPrefix(own, "pluginkit/internal/") && own != "pluginkit/wasmbin" {
			t.Errorf("it imports %s", path)
		}
	}
}
