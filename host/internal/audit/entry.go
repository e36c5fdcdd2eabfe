package audit

import (
	"bytes"
	"encoding/json"
	"time"
	"unicode/utf8"
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
	Kind     string // "compile", "launch", "end", "call", "result", "http", "http_response", "secret_exists", "ask", "answer", "files", "state", "invoke", "limit"
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

// record is the form in the file. The order of its fields is part of the format.
type record struct {
	V        int      `json:"v"`
	Time     string   `json:"time"`
	Seq      uint64   `json:"seq"`
	Host     string   `json:"host"`
	Plugin   string   `json:"plugin,omitempty"`
	Call     string   `json:"call,omitempty"`
	Kind     string   `json:"kind"`
	Decision string   `json:"decision"`
	Rule     string   `json:"rule,omitempty"`
	Reason   string   `json:"reason,omitempty"`
	Details  *Details `json:"details,omitempty"`
}

// encode gives the line of an entry.
func encode(e Entry, host string, seq uint64, now time.Time) ([]byte, error) {
	r := record{
		V:        Version,
		Time:     now.UTC().Format("2006-01-02T15:04:05.000000000Z"),
		Seq:      seq,
		Host:     bounded(host, maxName),
		Plugin:   bounded(e.Plugin, maxName),
		Call:     bounded(e.Call, maxName),
		Kind:     bounded(e.Kind, maxName),
		Decision: bounded(string(e.Decision), maxName),
		Rule:     bounded(e.Rule, maxRule),
		Reason:   bounded(e.Reason, maxReason),
	}
	if d := e.Details; d != (Details{}) {
		d.Tool, d.Method, d.Secret, d.Cause = bounded(d.Tool, maxName), bounded(d.Method, maxName), bounded(d.Secret, maxName), bounded(d.Cause, maxName)
		d.Key, d.Parent = bounded(d.Key, maxName), bounded(d.Parent, maxName)
		d.Workspace, d.Path, d.To = bounded(d.Workspace, maxName), bounded(d.Path, maxPath), bounded(d.To, maxPath)
		d.URL = bounded(RedactURL(d.URL), maxURL)
		r.Details = &d
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return nil, err
	}
	return ascii(b.Bytes()), nil
}

const ellipsis = "…"

// bounded cuts s so that its encoded form has at most so many bytes.
func bounded(s string, most int) string {
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

// ascii writes every character beyond printable ASCII as a JSON escape: C1
// controls and direction marks are as dangerous to a terminal as ESC, which JSON
// escapes itself. Outside strings JSON has no such characters.
func ascii(line []byte) []byte {
	out := make([]byte, 0, len(line)+64)
	for len(line) > 1 {
		r, n := utf8.DecodeRune(line)
		switch {
		case r > 0xffff:
			r -= 0x10000
			out = appendEscape(out, 0xd800+r>>10)
			out = appendEscape(out, 0xdc00+r&0x3ff)
		case r >= 0x7f:
			out = appendEscape(out, r)
		default:
			out = append(out, byte(r))
		}
		line = line[n:]
	}
	return append(out, '\n')
}

func appendEscape(b []byte, r rune) []byte {
	const hex = "0123456789abcdef"
	return append(b, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}
