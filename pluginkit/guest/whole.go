package guest

import (
	"errors"
	"io"

	"github.com/ringfence/ringfence/pluginkit/internal/abi"
	"github.com/ringfence/ringfence/pluginkit/internal/shape"
)

// whole is the head of an answer that is not to an HTTP request.
type whole struct {
	status  int
	entries []entry
	more    bool
	bytes   int64
}

// entry is a file or folder of a workspace, or a key of the state.
type entry struct {
	name, version string
	folder        bool
	size          int64
	modified      int64 // microseconds since 1970
}

// take reads and closes an answer that a host function has given a handle to, or
// makes an error of its code.
func take(host abi.Host, op string, handle int64) (*whole, []byte, error) {
	if handle <= 0 {
		return nil, nil, hostError(host, op, handle)
	}
	b := &body{host: host, op: op, handle: handle}
	defer b.Close()
	head, err := b.head()
	if err != nil {
		return nil, nil, err
	}
	w, err := parseWhole(head)
	if err != nil {
		return nil, nil, &Error{Op: op, Text: "the head of the answer: " + err.Error(), kind: ErrHost}
	}
	if w.bytes == 0 {
		return w, nil, nil
	}
	data := make([]byte, w.bytes)
	if _, err := io.ReadFull(b, data); err != nil {
		return nil, nil, err
	}
	return w, data, nil
}

// parseWhole reads a head. It ignores members that it does not know.
func parseWhole(text []byte) (*whole, error) {
	value, err := shape.Any(text)
	if err != nil {
		return nil, err
	}
	head, ok := value.(map[string]any)
	if !ok {
		return nil, errors.New("no object")
	}
	w := &whole{status: int(number(head["status"])), bytes: number(head["body_bytes"])}
	w.more, _ = head["more"].(bool)
	list, _ := head["entries"].([]any)
	for _, value := range list {
		m, ok := value.(map[string]any)
		if !ok {
			return nil, errors.New("an entry that is none")
		}
		e := entry{size: number(m["size"]), modified: number(m["modified_us"])}
		e.name, _ = m["name"].(string)
		e.version, _ = m["version"].(string)
		e.folder, _ = m["folder"].(bool)
		w.entries = append(w.entries, e)
	}
	return w, nil
}

// number is a whole number of JSON, or 0.
func number(value any) int64 {
	n, _ := value.(float64)
	return int64(n)
}

// only is the entry of an answer that has one.
func (w *whole) only(op, name string) (entry, error) {
	if len(w.entries) != 1 {
		return entry{}, &Error{Op: op + " " + name, Text: "an answer without an entry", kind: ErrHost}
	}
	return w.entries[0], nil
}
