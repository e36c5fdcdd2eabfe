package main

import (
	"cmp"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ringfence/ringfence/pluginkit/guest/guesttest"
)

// api answers like GitHub's API, from the recorded shapes in testdata.
type api map[string]answer

type answer struct {
	status int // 0 means 200
	header http.Header
	file   string // in testdata, without .json
	body   string // instead of a file
}

func (a api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	is, ok := a[r.URL.EscapedPath()]
	if raw, large := a[r.URL.EscapedPath()+" raw"]; large && r.Header.Get("Accept") == mediaRaw {
		is = raw
	}
	if !ok {
		is = answer{status: 404, file: "error_404"}
	}
	header := w.Header()
	header.Set("Content-Type", "application/json; charset=utf-8")
	header.Set("X-Github-Media-Type", "github.v3; format=json")
	header.Set("X-Github-Request-Id", "0400:1D3F:1A2B3C:4D5E6F:65A1B2C3")
	header.Set("X-Ratelimit-Limit", "5000")
	header.Set("X-Ratelimit-Remaining", "4999")
	header.Set("X-Ratelimit-Reset", "1767326400")
	header.Set("X-Ratelimit-Resource", "core")
	header.Set("X-Ratelimit-Used", "1")
	for key, values := range is.header {
		header[key] = values
	}
	w.WriteHeader(cmp.Or(is.status, 200))
	body := []byte(is.body)
	if is.file != "" {
		body, _ = os.ReadFile(filepath.Join("testdata", is.file+".json"))
	}
	_, _ = w.Write(body)
}

// use serves a for the length of a test, in which it is 1 January 2026.
func use(t *testing.T, a api) *guesttest.Host {
	t.Helper()
	now = func() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }
	t.Cleanup(func() { now = time.Now })
	return (&guesttest.Host{Handler: a, Secrets: []string{"github"}}).Use(t)
}

// call runs a tool and reads its result.
func call(t *testing.T, tool, args string, result any) {
	t.Helper()
	text, err := guesttest.Call(tool, args)
	if err != nil {
		t.Fatalf("%s %s: %v", tool, args, err)
	}
	if err := json.Unmarshal(text, result); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}
