// Package examples tests that every example is what its README or comment says:
// policies that validate, and tools that answer.
package examples

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/ringfence/ringfence/internal/built"
)

func TestEveryPolicyIsValid(t *testing.T) {
	policies, err := filepath.Glob("*/*.hcl")
	if err != nil || len(policies) == 0 {
		t.Fatalf("no policies found (%v)", err)
	}
	for _, path := range policies {
		t.Run(path, func(t *testing.T) {
			cmd := exec.Command(filepath.Join(built.Bin(t), "ringfence"), "validate", "-p", path)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		})
	}
}

func TestTheQuickstartAnswers(t *testing.T) {
	cmd := exec.Command(filepath.Join(built.Bin(t), "ringfence"), "call", "-p", "quickstart/ringfence.hcl", "jq.run", `{"program": ".a", "input": {"a": 1}}`)
	cmd.Env = append(cmd.Environ(), "GITHUB_TOKEN=unused-by-this-test", "XDG_STATE_HOME="+filepath.Dir(built.State(t)))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
