package policies

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestGoldenDiagnostics shows every message as a user sees it. A change of
// wording or of a place is seen in the diff of the .golden files, which
// go test ./policies -run Golden -update rewrites.
func TestGoldenDiagnostics(t *testing.T) {
	files, err := filepath.Glob("testdata/refused/*.hcl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Parse("/policies/"+filepath.Base(file), src, Options{LookupEnv: env()})
			var wrong *DiagnosticsError
			if !errors.As(err, &wrong) {
				t.Fatalf("Parse = %v (want a *DiagnosticsError)", err)
			}
			golden(t, file, wrong.Error()+"\n\n"+rendered(t, wrong))
		})
	}
}

func TestGoldenWarnings(t *testing.T) {
	const file = "testdata/warned/warnings.hcl"
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	settings := "ringfence {\n  max_sandboxes = 100\n}\n" // not the machine's
	p, err := Parse("/policies/warnings.hcl", append(src, settings...), Options{LookupEnv: env()})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := p.RenderWarnings(&out, 0, false); err != nil {
		t.Fatal(err)
	}
	golden(t, file, out.String())
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	name := strings.TrimSuffix(file, ".hcl") + ".golden"
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("diagnostics changed (-want +got):\n%s", diff)
	}
}
