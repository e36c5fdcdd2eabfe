package examples

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/internal/built"
)

// The program that embeds the host builds by itself and calls a tool.
func TestTheEmbeddingProgramAnswers(t *testing.T) {
	bin := built.Bin(t)
	program := filepath.Join(t.TempDir(), "embed")
	if out, err := exec.Command("go", "build", "-o", program, "./embed").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	state := filepath.Dir(built.State(t))
	run := func(filter, input string) (string, error) {
		cmd := exec.Command(program, "-sandbox", filepath.Join(bin, "ringfence-plugin-wasm"), "embed/ringfence.hcl", filter)
		cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+state)
		cmd.Stdin = strings.NewReader(input)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run(".[] | .name", `[{"name":"a"},{"name":"b"}]`); err != nil || out != "tool jq.run\n\"a\"\n\"b\"\n" {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := run(".[", `[]`); err == nil || !strings.Contains(out, "the program is wrong") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := run(".", `[`); err == nil || !strings.Contains(out, "the input is not JSON") {
		t.Errorf("%v\n%s", err, out)
	}
}
