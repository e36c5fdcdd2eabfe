// Package registry holds the tools of a guest, in the order of their manifest.
package registry

import (
	"errors"
	"strconv"

	"github.com/ringfence/ringfence/pluginkit/guest/internal/abi"
	"github.com/ringfence/ringfence/pluginkit/guest/internal/shape"
)

// Tool is one callable of a guest.
type Tool struct {
	Name, Description string
	// Input is a JSON Schema; Output is one or nil.
	Input, Output []byte
	// Run takes JSON arguments and returns a status of package abi and JSON, or
	// a text that says what went wrong.
	//
	// A result that is built by appending is appended to room, which is empty.
	Run func(arguments, room []byte) (status uint32, result []byte)
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

// Reset forgets all tools and returns a function that brings them back. Tests
// use it.
func Reset() (restore func()) {
	saved := tools
	tools = nil
	return func() { tools = saved }
}

// Manifest is what ringfence_describe answers.
func Manifest() []byte {
	b := []byte(`{"tools":[`)
	for i, t := range tools {
		if i > 0 {
			b = append(b, ',')
		}
		b = shape.AppendString(append(b, `{"name":`...), t.Name)
		b = shape.AppendString(append(b, `,"description":`...), t.Description)
		b = append(append(b, `,"input_schema":`...), t.Input...)
		if t.Output != nil {
			b = append(append(b, `,"output_schema":`...), t.Output...)
		}
		b = append(b, '}')
	}
	return append(b, "]}"...)
}

// Call runs a tool by its number in the manifest. A result that fits room is
// written there where that saves a copy; room may be nil.
func Call(number uint32, arguments, room []byte) (status uint32, result []byte) {
	if uint64(number) >= uint64(len(tools)) {
		return abi.StatusBad, []byte("there is no tool number " + strconv.FormatUint(uint64(number), 10))
	}
	return tools[number].Run(arguments, room[:0:len(room)])
}
