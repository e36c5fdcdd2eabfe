package wasmer

import (
	"strings"
	"testing"

	"github.com/ringfence/ringfence/plugins/wasm/internal/engine"
	"github.com/ringfence/ringfence/plugins/wasm/internal/engine/enginetest"
)

// A store into a window that cannot be written is an ordinary trap.
func TestStoreIntoLockedWindow(t *testing.T) {
	store := enginetest.Locked(t, func() engine.Engine { return New() })
	if err := store(); err == nil || !strings.Contains(err.Error(), "out of bounds") {
		t.Errorf("%v", err)
	}
	if err := store(); err == nil {
		t.Error("the second one did not trap")
	}
}
