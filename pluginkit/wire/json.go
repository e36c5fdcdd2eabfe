package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// What a guest writes as JSON (docs/guest-abi.md), and what it is answered, both
// for a sandbox that passes it on. The host checks what it means.

var fileOperations = map[string]FileOperation{
	"stat": FileOperation_FILE_STAT, "list": FileOperation_FILE_LIST, "read": FileOperation_FILE_READ,
	"write": FileOperation_FILE_WRITE, "append": FileOperation_FILE_APPEND, "rename": FileOperation_FILE_RENAME,
	"remove": FileOperation_FILE_REMOVE, "make_folder": FileOperation_FILE_MAKE_FOLDER, "stage": FileOperation_FILE_STAGE,
}

// ParseFiles reads a request for files. Staged is the guest's own handle.
func ParseFiles(request []byte) (*Files, error) {
	var r struct {
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
	if err := strict(request, &r); err != nil {
		return nil, err
	}
	operation, known := fileOperations[r.Operation]
	if !known {
		return nil, fmt.Errorf("unknown operation %.40q", r.Operation)
	}
	return &Files{Operation: operation, Workspace: r.Workspace, Path: r.Path, To: r.To, Offset: r.Offset, Length: r.Length,
		After: r.After, Staged: r.Staged, Absent: r.Absent, Version: r.Version}, nil
}

var stateOperations = map[string]StateOperation{
	"get": StateOperation_STATE_GET, "set": StateOperation_STATE_SET, "delete": StateOperation_STATE_DELETE, "list": StateOperation_STATE_LIST,
}

// ParseState reads a request for state.
func ParseState(request []byte) (*State, error) {
	var r struct {
		Operation string `json:"operation"`
		Key       string `json:"key"`
		Absent    bool   `json:"absent"`
		Version   string `json:"version"`
		After     string `json:"after"`
		Length    uint32 `json:"length"`
	}
	if err := strict(request, &r); err != nil {
		return nil, err
	}
	operation, known := stateOperations[r.Operation]
	if !known {
		return nil, fmt.Errorf("unknown operation %.40q", r.Operation)
	}
	return &State{Operation: operation, Key: r.Key, Absent: r.Absent, Version: r.Version, After: r.After, Length: r.Length}, nil
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

// HeadJSON is the head of an answer that is not to an HTTP request.
func (r *CapabilityReply) HeadJSON() ([]byte, error) {
	type entry struct {
		Name     string `json:"name"`
		Folder   bool   `json:"folder,omitempty"`
		Size     uint64 `json:"size"`
		Modified int64  `json:"modified_us"`
		Version  string `json:"version,omitempty"`
	}
	entries := make([]entry, 0, len(r.GetEntries()))
	for _, e := range r.GetEntries() {
		entries = append(entries, entry{e.GetName(), e.GetFolder(), e.GetSize(), e.GetModifiedNs() / 1000, e.GetVersion()})
	}
	return json.Marshal(struct {
		Status  uint32  `json:"status"`
		Entries []entry `json:"entries"`
		More    bool    `json:"more"`
		Bytes   uint64  `json:"body_bytes"`
	}{r.GetStatus(), entries, r.GetMore(), max(r.GetBodyBytes(), uint64(len(r.GetData())))})
}
