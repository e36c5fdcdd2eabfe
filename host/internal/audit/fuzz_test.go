package audit

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// FuzzRecord holds that whatever a guest names things, a record is one line of
// bounded printable ASCII, is JSON, and has no query values.
func FuzzRecord(f *testing.F) {
	f.Add("p", "no rule", "https://u:p@h/?token=VALUE", uint16(1))
	f.Add("\n{\"v\":1}", "\x1b]0;x\a\u202e\u009b", "//?VALUE#VALUE", uint16(4000))
	f.Add("\xff\xfe", "😀\u2028", "http://VALUE@VALUE@h/VALUE?a=VALUE", uint16(1000))
	f.Fuzz(func(t *testing.T, name, reason, url string, times uint16) {
		reason = strings.Repeat(reason, int(times)%2000+1)
		entry := Entry{Plugin: name, Call: name, Kind: name, Rule: name, Reason: reason, Details: Details{Method: name, URL: url + "?secret=VALUE"}}
		line := encode(entry, name, 1, time.Unix(0, 0))
		if want, err := reference(entry, name, 1, time.Unix(0, 0)); err != nil || !bytes.Equal(line, want) {
			t.Fatalf("%s, package json writes %s, %v", line, want, err)
		}
		if len(line) > MaxRecord || line[len(line)-1] != '\n' {
			t.Fatalf("%d bytes (maximum %d), ends in %q", len(line), MaxRecord, line[len(line)-1])
		}
		if i := bytes.IndexFunc(line[:len(line)-1], func(r rune) bool { return r < ' ' || r > '~' }); i >= 0 {
			t.Fatalf("byte 0x%02x", line[i])
		}
		var r record
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		if _, query, ok := strings.Cut(r.Details.URL, "?"); ok && strings.Contains(withoutNames(query), "VALUE") {
			t.Fatalf("a query value is in %q", r.Details.URL)
		}
	})
}

// withoutNames leaves the values of a query.
func withoutNames(query string) string {
	var values []string
	for _, p := range strings.Split(query, "&") {
		_, value, _ := strings.Cut(p, "=")
		values = append(values, value)
	}
	return strings.Join(values, "&")
}
