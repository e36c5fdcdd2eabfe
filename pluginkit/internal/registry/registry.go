// Package registry holds the tools of a plugin, in the order of their manifest.
package registry

import (
	"errors"
	"strconv"

	"github.com/ringfence/ringfence/pluginkit/internal/abi"
	"github.com/ringfence/ringfence/pluginkit/internal/shape"
)

// Tool is one callable of a plugin.
type Tool struct {
	Name, Description string
	Title             string
	Hints             Hints
	// Content says that results are content blocks, and Output the schema of
	// their structured part.
	Content bool
	// Input is a JSON Schema; Output is one or nil.
	Input, Output []byte
	// Run takes what is known of the call and JSON arguments, and returns a status of package abi and JSON, or
	// a text that says what went wrong.
	Run func(call abi.Call, arguments []byte) (status uint32, result []byte)
}

// Hint is what an author says of one effect of a tool.
type Hint uint8

// An author says yes, no, or nothing.
const (
	Unsaid Hint = iota
	No
	Yes
)

// Hints are what an author says of a tool's effects.
type Hints struct{ ReadOnly, Destructive, Idempotent, OpenWorld Hint }

func (h Hints) appendJSON(b []byte) []byte {
	b = append(b, '{')
	for _, hint := range []struct {
		name string
		is   Hint
	}{{"read_only", h.ReadOnly}, {"destructive", h.Destructive}, {"idempotent", h.Idempotent}, {"open_world", h.OpenWorld}} {
		if hint.is == Unsaid {
			continue
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = append(shape.AppendString(b, hint.name), ':')
		b = strconv.AppendBool(b, hint.is == Yes)
	}
	return append(b, '}')
}

var tools []Tool

// Add appends a tool, unless a host would refuse the manifest for it.
func Add(t Tool) error {
	if !validName(t.Name) {
		return errors.New("a name is a small letter and up to 62 small letters, digits, _ or -")
	}
	if len(t.Description) > abi.MaxDescription {
		return tooLarge("the description", len(t.Description), abi.MaxDescription)
	}
	for _, other := range tools {
		if other.Name == t.Name {
			return errors.New("there already is a tool of this name")
		}
	}
	if len(tools) == abi.MaxTools {
		return errors.New("a plugin offers at most " + strconv.Itoa(abi.MaxTools) + " tools")
	}
	tools = append(tools, t)
	if size := len(Manifest()); size > abi.MaxManifest {
		tools = tools[:len(tools)-1]
		return tooLarge("the manifest with this tool", size, abi.MaxManifest)
	}
	return nil
}

func tooLarge(what string, size, limit int) error {
	return errors.New(what + " has " + strconv.Itoa(size) + " bytes (maximum " + strconv.Itoa(limit) + ")")
}

func validName(name string) bool {
	if len(name) > 63 {
		return false
	}
	for i := range len(name) {
		c := name[i]
		letter := c >= 'a' && c <= 'z'
		if i == 0 && !letter || !letter && c != '_' && c != '-' && (c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// Tools returns all tools in order.
func Tools() []Tool { return tools }

// Reset forgets all that is offered and returns a function that brings it back.
// Tests use it.
func Reset() (restore func()) {
	savedTools, savedExtras := tools, extras
	tools, extras = nil, offered{}
	return func() { tools, extras = savedTools, savedExtras }
}

// Manifest is what ringfence_describe answers.
func Manifest() []byte {
	b := []byte(`{"tools":[`)
	for i, t := range tools {
		if i > 0 {
			b = append(b, ',')
		}
		b = shape.AppendString(append(b, `{"name":`...), t.Name)
		if t.Title != "" {
			b = shape.AppendString(append(b, `,"title":`...), t.Title)
		}
		b = shape.AppendString(append(b, `,"description":`...), t.Description)
		if t.Hints != (Hints{}) {
			b = t.Hints.appendJSON(append(b, `,"annotations":`...))
		}
		if t.Content {
			b = append(b, `,"content":true`...)
		}
		b = append(append(b, `,"input_schema":`...), t.Input...)
		if t.Output != nil {
			b = append(append(b, `,"output_schema":`...), t.Output...)
		}
		b = append(b, '}')
	}
	return append(extras.appendJSON(append(b, ']')), '}')
}

// Call runs a tool by its number in the manifest, or what comes after the tools.
func Call(call abi.Call, number uint32, arguments []byte) (status uint32, result []byte) {
	if uint64(number) < uint64(len(tools)) {
		return tools[number].Run(call, arguments)
	}
	if run := extras.at(uint64(number) - uint64(len(tools))); run != nil {
		return run(arguments)
	}
	return abi.StatusBad, []byte("there is no tool number " + strconv.FormatUint(uint64(number), 10))
}
