package audit

import (
	"strconv"
	"time"
)

// Decision is what the host decided.
type Decision string

// The decisions. Failed means that something allowed went wrong.
const (
	Allow  Decision = "allow"
	Deny   Decision = "deny"
	Failed Decision = "error"
)

// Entry is one decision. Every text in it may come from a guest; none may hold a
// secret.
type Entry struct {
	Plugin   string
	Call     string // the call's id, unique within the host
	Kind     string // "compile", "launch", "end", "call", "result", "http", "http_response", "http_body", "secret_exists", "ask", "answer", "files", "state", "invoke", "invoke_result", "limit"
	Decision Decision
	Rule     string // the line or block of the policy that decided
	Reason   string
	Details  Details
}

// Details are facts about the decision; zero ones are left out.
type Details struct {
	Tool      string        `json:"tool,omitempty"`
	Method    string        `json:"method,omitempty"`
	URL       string        `json:"url,omitempty"` // Record removes query values and user names
	Status    int           `json:"status,omitempty"`
	Sent      int64         `json:"sent_bytes,omitempty"`
	Received  int64         `json:"received_bytes,omitempty"`
	Secret    string        `json:"secret,omitempty"`    // its name
	Workspace string        `json:"workspace,omitempty"` // its name in the policy
	Path      string        `json:"path,omitempty"`      // in the workspace
	To        string        `json:"to,omitempty"`        // the new path of what is renamed
	Key       string        `json:"key,omitempty"`       // of the state
	Parent    string        `json:"parent,omitempty"`    // the call that made this one
	Cause     string        `json:"cause,omitempty"`     // of a failure: a word of package host
	Duration  time.Duration `json:"duration_ns,omitempty"`
}

// Version is the version of the record's format.
const Version = 1

// MaxRecord is the longest record, its line break included, in bytes.
const MaxRecord = 20 << 10

// Longest encoded fields. Together with names, numbers and punctuation they stay
// below MaxRecord.
const (
	maxName   = 512
	maxRule   = 1 << 10
	maxReason = 3 << 10
	maxURL    = 6 << 10
	maxPath   = 1 << 10
)

// encode gives the line of an entry: one JSON object, in ASCII. The order of its fields
// is part of the format. It is on the way of every call, twice, and package json, which
// has to find out what it was given and whose output was then read once more, took
// longer than the kernel takes to write it.
func encode(e Entry, host string, seq uint64, now time.Time) []byte {
	l := line(make([]byte, 0, 384))
	l = append(l, `{"v":`...)
	l = strconv.AppendInt(l, Version, 10)
	l = append(l, `,"time":"`...)
	l = now.UTC().AppendFormat(l, "2006-01-02T15:04:05.000000000Z")
	l = append(l, `","seq":`...)
	l = strconv.AppendUint(l, seq, 10)
	l.must("host", host, maxName)
	l.text("plugin", e.Plugin, maxName)
	l.text("call", e.Call, maxName)
	l.must("kind", e.Kind, maxName)
	l.must("decision", string(e.Decision), maxName)
	l.text("rule", e.Rule, maxRule)
	l.text("reason", e.Reason, maxReason)
	if e.Details != (Details{}) {
		l.details(e.Details)
	}
	return append(l, "}\n"...)
}

// line is the beginning of a record, to which fields are added.
type line []byte

func (l *line) details(d Details) {
	*l = append(*l, `,"details":`...)
	at := len(*l)
	l.text("tool", d.Tool, maxName)
	l.text("method", d.Method, maxName)
	l.text("url", RedactURL(d.URL), maxURL)
	l.number("status", int64(d.Status))
	l.number("sent_bytes", d.Sent)
	l.number("received_bytes", d.Received)
	l.text("secret", d.Secret, maxName)
	l.text("workspace", d.Workspace, maxName)
	l.text("path", d.Path, maxPath)
	l.text("to", d.To, maxPath)
	l.text("key", d.Key, maxName)
	l.text("parent", d.Parent, maxName)
	l.text("cause", d.Cause, maxName)
	l.number("duration_ns", int64(d.Duration))
	if at == len(*l) { // a URL of which nothing may be recorded
		*l = append(*l, '{')
	}
	(*l)[at] = '{' // where the first field has its comma
	*l = append(*l, '}')
}

// text adds a field, unless it is empty.
func (l *line) text(name, value string, most int) {
	if value != "" {
		l.must(name, value, most)
	}
}

// must adds a field, of at most so many bytes when encoded.
func (l *line) must(name, value string, most int) {
	*l = append(append(append(*l, `,"`...), name...), `":"`...)
	*l = append(appendText(*l, bounded(value, most)), '"')
}

// number adds a field, unless it is 0.
func (l *line) number(name string, n int64) {
	if n != 0 {
		*l = append(append(append(*l, `,"`...), name...), `":`...)
		*l = strconv.AppendInt(*l, n, 10)
	}
}

const ellipsis = "…"

// bounded cuts s so that its encoded form has at most so many bytes.
func bounded(s string, most int) string {
	if len(s) <= most/6 { // no byte takes more
		return s
	}
	size, keep := 0, 0 // keep: what fits with an ellipsis behind it
	for i, r := range s {
		if size <= most-encodedLen('…') {
			keep = i
		}
		if size += encodedLen(r); size > most {
			return s[:keep] + ellipsis
		}
	}
	return s
}

// encodedLen is how long a character is in a record.
func encodedLen(r rune) int {
	switch {
	case r == '"', r == '\\':
		return 2
	case r >= ' ' && r < 0x7f:
		return 1
	case r > 0xffff:
		return 12
	}
	return 6
}

// appendText writes the inside of a JSON string in printable ASCII. Characters beyond
// that become escapes: C1 controls and direction marks are as dangerous to a terminal as
// ESC. What is no UTF-8 becomes U+FFFD.
func appendText(b []byte, s string) []byte {
	for _, r := range s {
		switch {
		case r == '"', r == '\\':
			b = append(b, '\\', byte(r))
		case r >= ' ' && r < 0x7f:
			b = append(b, byte(r))
		case r > 0xffff:
			r -= 0x10000
			b = appendEscape(b, 0xd800+r>>10)
			b = appendEscape(b, 0xdc00+r&0x3ff)
		default:
			b = appendControl(b, r)
		}
	}
	return b
}

// appendControl writes the controls that JSON has names for by these.
func appendControl(b []byte, r rune) []byte {
	switch r {
	case '\b':
		return append(b, `\b`...)
	case '\f':
		return append(b, `\f`...)
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	}
	return appendEscape(b, r)
}

func appendEscape(b []byte, r rune) []byte {
	const hex = "0123456789abcdef"
	return append(b, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}
