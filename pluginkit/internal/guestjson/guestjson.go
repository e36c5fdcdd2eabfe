// Package guestjson is what guests ask for in JSON (docs/guest-abi.md), and what they
// are answered. Sandboxes pass it on, in package wire's terms, and guesttest answers
// it in an author's own tests, which need nothing of the wire.
package guestjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// FileOperations are those on the files of a workspace. The first three only read.
var FileOperations = []string{"stat", "list", "read", "write", "append", "rename", "remove", "make_folder", "stage"}

// StateOperations are those on a plugin's state.
var StateOperations = []string{"get", "set", "delete", "list"}

// Files asks for something of a workspace. Staged is the guest's own handle.
type Files struct {
	Operation string `json:"operation"`
	Workspace string `json:"workspace"`
	Path      string `json:"path"`
	To        string `json:"to"`
	Offset    uint64 `json:"offset"`
	Length    uint32 `json:"length"`
	After     string `json:"after"`
	Staged    uint64 `json:"staged"`
	Absent    bool   `json:"absent"`
	Version   string `json:"version"`
}

// State asks for something of the plugin's state.
type State struct {
	Operation string `json:"operation"`
	Key       string `json:"key"`
	Absent    bool   `json:"absent"`
	Version   string `json:"version"`
	After     string `json:"after"`
	Length    uint32 `json:"length"`
}

// Entry is a file, a folder, or a key with its value.
type Entry struct {
	Name     string `json:"name"`
	Folder   bool   `json:"folder,omitempty"`
	Size     uint64 `json:"size"`
	Modified int64  `json:"modified_us"` // microseconds since 1970
	Version  string `json:"version,omitempty"`
}

// Head is the head of an answer that is not to an HTTP request.
type Head struct {
	Status  uint32  `json:"status"`
	Entries []Entry `json:"entries"`
	More    bool    `json:"more"`
	Bytes   uint64  `json:"body_bytes"`
}

// JSON is the head as the guest gets it.
func (h Head) JSON() ([]byte, error) {
	if h.Entries == nil {
		h.Entries = []Entry{}
	}
	return json.Marshal(h)
}

// ParseFiles reads a request for files. Whoever answers checks what it means.
func ParseFiles(request []byte) (r Files, err error) {
	if err = strict(request, &r); err == nil {
		err = known(r.Operation, FileOperations)
	}
	return r, err
}

// ParseState reads a request for state.
func ParseState(request []byte) (r State, err error) {
	if err = strict(request, &r); err == nil {
		err = known(r.Operation, StateOperations)
	}
	return r, err
}

func known(operation string, all []string) error {
	if !slices.Contains(all, operation) {
		return fmt.Errorf("unknown operation %.40q", operation)
	}
	return nil
}

// strict decodes exactly one JSON value. encoding/json makes valid UTF-8 of every
// text, as protocol buffers demand.
func strict(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("text after the end of the object")
	}
	return nil
}
