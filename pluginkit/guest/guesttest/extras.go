package guesttest

import (
	"encoding/json"
	"fmt"

	"github.com/ringfence/ringfence/pluginkit/guest"
	"github.com/ringfence/ringfence/pluginkit/internal/registry"
)

// Read reads the registered resource of that URI and returns what a host gets, as
// JSON.
func Read(uri string) ([]byte, error) {
	return extra("resource", uri, map[string]any{"uri": uri})
}

// ReadTemplate reads a URI through the registered template, with these parts.
func ReadTemplate(template, uri string, parts map[string]string) ([]byte, error) {
	return extra("template", template, map[string]any{"uri": uri, "variables": parts})
}

// Prompt fills the registered prompt of that name and returns its messages as
// JSON.
func Prompt(name string, arguments map[string]string) ([]byte, error) {
	return extra("prompt", name, map[string]any{"arguments": arguments})
}

// Complete asks for completions of an argument of a prompt and returns them as
// JSON.
func Complete(prompt, argument, value string) ([]byte, error) {
	return CompleteRequest(guest.CompletionRequest{Prompt: prompt, Argument: argument, Value: value})
}

// CompleteRequest is Complete for templates, too, and with arguments that have a
// value already.
func CompleteRequest(r guest.CompletionRequest) ([]byte, error) {
	return extra("completion", "", map[string]any{
		"prompt": r.Prompt, "template": r.Template, "argument": r.Argument, "value": r.Value, "others": r.Others,
	})
}

func extra(list, key string, arguments map[string]any) ([]byte, error) {
	number, ok := registry.Find(list, key)
	if !ok {
		return nil, fmt.Errorf("there is no %s %q", list, key)
	}
	encoded, err := json.Marshal(arguments)
	if err != nil {
		return nil, err
	}
	return outcome(registry.Call(nil, number, encoded, nil))
}
