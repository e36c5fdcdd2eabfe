package cli_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// webfetchPolicy lets webfetch read from one server, in as much memory as it has
// by default.
const webfetchPolicy = `
ringfence {
  state_dir = "STATE"
}
plugin "webfetch" {
  source   = "TOOLS/webfetch.wasm"
  lifetime = "session"
  http {
    allow "SERVER" {
      paths = ["/**"]
    }
  }
}
`

// Pages that are made to be too deep, too large or too slow are answered inside the
// sandbox, whose stack and memory are small.
func TestWebfetchTakesBombs(t *testing.T) {
	pages := map[string]string{
		"/deep":    strings.Repeat("<div class=a>", 500) + "<p>deep",
		"/deeper":  strings.Repeat("<div>", 5000) + "<p>deep",
		"/quotes":  strings.Repeat("<blockquote>", 400) + strings.Repeat("<p>deep</p>\n", 1000),
		"/lists":   strings.Repeat("<ul><li>", 200) + strings.Repeat("<br>deep", 1000),
		"/tables":  strings.Repeat("<table><tr><td>", 100) + "deep",
		"/spans":   "<p>deep<table>" + strings.Repeat("<tr>"+strings.Repeat("<td colspan=50 rowspan=50>x", 20), 200),
		"/tags":    "deep" + strings.Repeat("<br>", 700_000),
		"/huge":    "<p>deep" + strings.Repeat("<p>"+strings.Repeat("word ", 200)+"</p>\n", 4000),
		"/rules":   "<style>" + strings.Repeat(".a{display:none}", 100_000) + "</style><p>deep",
		"/inline":  strings.Repeat("<b><i>", 200) + "deep",
		"/nothing": "",
		// These run out of memory if the collector gets no time to work.
		"/links":      "deep" + strings.Repeat("<a href=/x>", 150_000),
		"/lines":      "deep<p>" + strings.Repeat("[<br>", 150_000),
		"/attributes": "deep" + strings.Repeat("<p a b c d e f g>", 150_000),
		"/brackets":   "deep<p>" + strings.Repeat("[", 3<<20),
		"/images":     "deep" + strings.Repeat("<img alt=a>b", 100_000),
		"/formatting": "deep<b a><b b><b c><b d><b e><b f><b g><b h>" + strings.Repeat("</p><p>x", 300_000),
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, pages[r.URL.Path])
	}))
	defer server.Close()
	d := deploy(t, strings.ReplaceAll(webfetchPolicy, "SERVER", server.URL))
	for path, page := range pages {
		out := d.run("call", "webfetch.fetch", fmt.Sprintf(`{"url":%q}`, server.URL+path))
		var got struct{ Content string }
		if out.code != 0 || json.Unmarshal([]byte(out.stdout), &got) != nil || page != "" && !strings.Contains(got.Content, "deep") {
			t.Errorf("%s: exit code %d, %.300s, %.300s", path, out.code, out.stdout, out.stderr)
		}
	}
	out := d.run("call", "webfetch.fetch", `{"url":"https://elsewhere.test/"}`)
	out.wantLine(t, 3, "no rule names this host")
}
