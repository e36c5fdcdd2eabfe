package guest_test

import (
	"testing"

	"github.com/ringfence/ringfence/pluginkit/guest/guesttest"
)

// TestSize: every megabyte of a module is a second of its user's first call.
func TestSize(t *testing.T) {
	_, module := guesttest.Build(t, "testdata/nothing")
	const budget = 3_000_000
	if module.Size > budget {
		t.Errorf("a tool that does nothing has %d bytes (maximum %d)", module.Size, budget)
	}
	t.Logf("a tool that does nothing has %d bytes", module.Size)
	for _, i := range module.Imports {
		if i.Module != "wasi_snapshot_preview1" {
			t.Errorf("it imports %s.%s, which it does not use", i.Module, i.Name)
		}
	}
	for _, name := range []string{"memory", "_initialize", "ringfence_abi_1", "ringfence_describe", "ringfence_alloc", "ringfence_free", "ringfence_call"} {
		if _, ok := module.Export(name); !ok {
			t.Errorf("it does not export %s", name)
		}
	}
}
