package wire

import "github.com/ringfence/ringfence/pluginkit/internal/guestjson"

// What a guest writes as JSON (docs/guest-abi.md), and what it is answered, both
// for a sandbox that passes it on. The host checks what it means.

var fileOperations = map[string]FileOperation{
	"stat": FileOperation_FILE_STAT, "list": FileOperation_FILE_LIST, "read": FileOperation_FILE_READ,
	"write": FileOperation_FILE_WRITE, "append": FileOperation_FILE_APPEND, "rename": FileOperation_FILE_RENAME,
	"remove": FileOperation_FILE_REMOVE, "make_folder": FileOperation_FILE_MAKE_FOLDER, "stage": FileOperation_FILE_STAGE,
}

// ParseFiles reads a request for files. Staged is the guest's own handle.
func ParseFiles(request []byte) (*Files, error) {
	r, err := guestjson.ParseFiles(request)
	if err != nil {
		return nil, err
	}
	return &Files{Operation: fileOperations[r.Operation], Workspace: r.Workspace, Path: r.Path, To: r.To, Offset: r.Offset, Length: r.Length,
		After: r.After, Staged: r.Staged, Absent: r.Absent, Version: r.Version}, nil
}

var stateOperations = map[string]StateOperation{
	"get": StateOperation_STATE_GET, "set": StateOperation_STATE_SET, "delete": StateOperation_STATE_DELETE, "list": StateOperation_STATE_LIST,
}

// ParseState reads a request for state.
func ParseState(request []byte) (*State, error) {
	r, err := guestjson.ParseState(request)
	if err != nil {
		return nil, err
	}
	return &State{Operation: stateOperations[r.Operation], Key: r.Key, Absent: r.Absent, Version: r.Version, After: r.After, Length: r.Length}, nil
}

// HeadJSON is the head of an answer that is not to an HTTP request.
func (r *CapabilityReply) HeadJSON() ([]byte, error) {
	head := guestjson.Head{Status: r.GetStatus(), More: r.GetMore(), Bytes: max(r.GetBodyBytes(), uint64(len(r.GetData())))}
	for _, e := range r.GetEntries() {
		head.Entries = append(head.Entries, guestjson.Entry{
			Name: e.GetName(), Folder: e.GetFolder(), Size: e.GetSize(), Modified: e.GetModifiedNs() / 1000, Version: e.GetVersion(),
		})
	}
	return head.JSON()
}
