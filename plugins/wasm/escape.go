//go:build escape

package main

import (
	"os"
	"strings"

	"github.com/ringfence/ringfence/internal/attack"
	"github.com/ringfence/ringfence/internal/seccomp"
	"github.com/ringfence/ringfence/plugins/wasm/internal/engine"
	"github.com/ringfence/ringfence/plugins/wasm/internal/serve"
)

// taken gives the process an engine that has been broken, for the escape tests:
// a module or compiled code is the order for an attack, which runs where the
// compiler or the guest would. All else is the real sandbox, but for the layers
// that the test leaves out. It does not return: the main thread makes attacks too.
func taken(c serve.Config) serve.Config {
	c.Engines = map[string]func() engine.Engine{"wasmer": func() engine.Engine { return broken{} }}
	without := os.Getenv("ESCAPE_WITHOUT")
	if strings.Contains(without, "seccomp") {
		c.Confine = func(seccomp.Stage) error { return nil }
	}
	if strings.Contains(without, "limits") {
		c.Limit = func(serve.Limits) error { return nil }
	}
	go serve.Serve(serve.New(c))
	for f := range onMain { // the thread that the host's parent-death signal is on
		f()
		onMain <- nil
	}
	return c
}

var onMain = make(chan func())

func init() {
	attack.OnMainThread = func(f func()) { onMain <- f; <-onMain }
}

// broken is the engine, its module and its instance in one.
type broken struct{ order []byte }

func (broken) Name() string { return "wasmer" }

// Compile attacks in stage one, from the compiler's place.
func (broken) Compile(order []byte) ([]byte, error) { return nil, outcome(order) }

// Load keeps the order, as an engine does the code.
func (broken) Load(order []byte) (engine.Module, error) { return broken{[]byte(string(order))}, nil }

// Instantiate attacks in stage two, from the guest's place.
func (b broken) Instantiate([]engine.HostFunction) (engine.Instance, error) {
	return nil, outcome(b.order)
}

func outcome(order []byte) error {
	return &engine.ModuleError{Reason: "attack: " + attack.Perform(order)}
}

func (broken) Worn() bool { return false }
func (broken) Close()     {}
