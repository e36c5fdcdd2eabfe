package modcache

import (
	"runtime"
	"strings"
	"testing"
)

// Code that was compiled for one machine must not be found on another: a state
// folder may be copied, or lie on a disk that several share.
func TestTheKeyNamesTheMachine(t *testing.T) {
	in := Inputs{Module: [32]byte{1}, Engine: "wasmer", Build: "b", MemoryPages: 1, TableElements: 1}
	here := in.Key()
	if here != in.Key() {
		t.Error("the key changes from one time to the next")
	}
	features := cpuFeatures()
	if runtime.GOARCH == "amd64" && !strings.Contains(features, "HasSSE2") {
		t.Fatalf("the processor's features are %s", features)
	}
	if here != in.on(runtime.GOARCH, features) {
		t.Error("the key is not that of this machine")
	}
	for name, other := range map[string]Key{
		"a processor with less": in.on(runtime.GOARCH, strings.Replace(features, "HasSSE2", "", 1)),
		"one with more":         in.on(runtime.GOARCH, features+" HasMore"),
		"another architecture":  in.on("riscv64", features),
	} {
		if other == here {
			t.Errorf("%s has the same key", name)
		}
	}
}
