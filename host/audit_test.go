package host_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/internal/built"
	"github.com/ringfence/ringfence/policies"
)

// What is not on record must not be done.
func TestNothingIsDoneThatCannotBeRecorded(t *testing.T) {
	var arrived atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived.Add(1) }))
	defer server.Close()
	state := built.State(t)
	policy, err := policies.Parse(filepath.Join(t.TempDir(), "test.hcl"), []byte(strings.NewReplacer(
		"STATE", state, "MODULE", built.Tool(t, "rogue"), "SERVER", server.URL).Replace(`
ringfence {
  state_dir = "STATE"
}
plugin "rogue" {
  source = "MODULE"
  http {
    allow "SERVER" {
      paths = ["/**"]
    }
  }
}
`)), policies.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h, err := host.Open(policy, host.Options{Sandbox: filepath.Join(built.Bin(t), "ringfence-plugin-wasm")})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	call := func() error {
		_, err := h.Call(t.Context(), "rogue.fetch", []byte(`{"url":"`+server.URL+`/x"}`))
		return err
	}
	if err := call(); err != nil || arrived.Load() != 1 {
		t.Fatalf("%v, %d requests", err, arrived.Load())
	}
	log := host.AuditPath(policy.Settings())
	if err := errors.Join(os.Rename(log, log+".aside"), os.Mkdir(log, 0o700)); err != nil {
		t.Fatal(err)
	}
	if err := call(); !errors.Is(err, host.ErrAudit) || arrived.Load() != 1 {
		t.Errorf("without an audit log: %v, %d requests", err, arrived.Load())
	}
	if err := errors.Join(os.Remove(log), os.Rename(log+".aside", log)); err != nil {
		t.Fatal(err)
	}
	if err := call(); err != nil || arrived.Load() != 2 {
		t.Errorf("with the log back: %v, %d requests", err, arrived.Load())
	}
}
