package audit

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"
	"unicode/utf8"
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

// reference is encode by package json.
func reference(e Entry, host string, seq uint64, now time.Time) ([]byte, error) {
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

// TestEncodeWritesWhatPackageJSONDoes, each field by itself and all of them.
func TestEncodeWritesWhatPackageJSONDoes(t *testing.T) {
	hostile := "a\"\\\b\f\n\r\t\x00\x1f\x7f\x80\xff<>&é\u2028\u202e😀"
	details := []Details{
		{}, {Tool: hostile}, {Method: hostile}, {URL: hostile}, {URL: "#"}, {URL: "https://u:p@h/?a=b"}, {Status: 404}, {Status: -1}, {Sent: 1 << 62}, {Received: 1}, {Secret: hostile},
		{Workspace: hostile}, {Path: hostile}, {To: hostile}, {Key: hostile}, {Parent: hostile}, {Cause: hostile}, {Duration: time.Hour}, {Duration: -1},
		{Tool: "t", Method: "m", URL: "u", Status: 1, Sent: 2, Received: 3, Secret: "s", Workspace: "w", Path: "p", To: "o", Key: "k", Parent: "c", Cause: "x", Duration: 4},
	}
	entries := []Entry{{}, {Plugin: hostile}, {Call: hostile}, {Kind: hostile}, {Decision: Decision(hostile)}, {Rule: hostile}, {Reason: hostile}}
	for _, d := range details {
		entries = append(entries, Entry{Plugin: "p", Call: "c1", Kind: "call", Decision: Allow, Details: d})
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 60_000, time.FixedZone("x", 3600))
	for _, e := range entries {
		want, err := reference(e, "h"+hostile, 1<<63, now)
		if err != nil {
			t.Fatal(err)
		}
		if got := encode(e, "h"+hostile, 1<<63, now); !bytes.Equal(got, want) {
			t.Errorf("%+v:\n%s\nwant\n%s", e, got, want)
		}
	}
}
