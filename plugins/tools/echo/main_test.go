package main

import (
	"testing"

	"github.com/ringfence/ringfence/pluginkit/guest/guesttest"
)

func TestEcho(t *testing.T) {
	for tool, want := range map[string]string{"echo": `{"a": 1}`, "head": "8"} {
		if got, err := guesttest.Call(tool, `{"a": 1}`); err != nil || string(got) != want {
			t.Errorf("%s: %s, %v", tool, got, err)
		}
	}
}
