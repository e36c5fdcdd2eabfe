package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/pluginkit/guest"
	"github.com/ringfence/ringfence/pluginkit/guest/guesttest"
)

func TestContentTypes(t *testing.T) {
	tests := []struct{ name, contentType, body, want, failure string }{
		{"json", "application/json; charset=utf-8", `{"a": 1}`, `{"a": 1}`, ""},
		{"problem json", "application/problem+json", `{}`, `{}`, ""},
		{"markdown", "text/markdown", "# A *title*\n", "# A *title*\n", ""},
		{"csv", "text/csv", "a,b\n1,<b>\n", "a,b\n1,<b>\n", ""},
		{"feed", "application/atom+xml", "<feed><title>x</title></feed>", "<feed><title>x</title></feed>", ""},
		{"text in an old encoding", "text/plain; charset=iso-8859-15", "10 \xa4", "10 €", ""},
		{"invisible characters", "text/plain", "a\u202eb\U000e0041c", "abc", ""},
		{"xhtml", "application/xhtml+xml", `<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body><p>x<br/>y</p></body></html>`, "x  \ny", ""},
		{"html without a type", "", "\n<!DOCTYPE html><p>x", "x", ""},
		{"text without a type", "", "hello", "hello", ""},
		{"bytes without a type", "", "\x00\x01\x02\x03", "", `is a file of the type "application/octet-stream" (4 bytes), which webfetch does not read`},
		{"bytes that are a page", "application/octet-stream", "<html><p>x", "x", ""},
		{"a broken parameter", "text/html; charset=utf-8; =", "<p>ü", "ü", ""},
		{"an unknown charset", "text/html; charset=nope", "<p>ü", "ü", ""},
		{"pdf", "application/pdf", "%PDF-1.7 …", "", "is a PDF (application/pdf, 12 bytes), which webfetch does not read: it reads HTML, JSON, XML and other text"},
		{"pdf that says html", "text/html", "%PDF-1.7", "", "is a PDF"},
		{"image", "image/svg+xml", "<svg><text>x</text></svg>", "<svg><text>x</text></svg>", ""},
		{"picture", "image/png", "\x89PNG\r\n\x1a\n", "", "is an image file (image/png, 8 bytes)"},
		{"film", "video/mp4", "....", "", "is a video file (video/mp4, 4 bytes)"},
		{"archive", "application/zip", "PK\x03\x04", "", `of the type "application/zip"`},
		{"empty", "text/html", "", "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			serve(t, map[string]http.HandlerFunc{"/": body(test.contentType, test.body)})
			page, err := call(t, `{"url":"https://site.test/"}`)
			if test.failure != "" {
				if err == nil || !strings.Contains(err.Error(), test.failure) {
					t.Errorf("got %v, want %s", err, test.failure)
				}
				return
			}
			if err != nil || page.Content != test.want {
				t.Errorf("got %q, %v; want %q", page.Content, err, test.want)
			}
		})
	}
}

func TestAddresses(t *testing.T) {
	host := serve(t, map[string]http.HandlerFunc{"/": body("text/plain", "ok")})
	tests := []struct{ address, want, failure string }{
		{" https://site.test/a?b=c#part ", "https://site.test/a?b=c", ""},
		{"http://site.test:8080", "http://site.test:8080/", ""},
		{"site.test/a", "", `did you mean \"https://site.test/a\"?`},
		{"//site.test/a", "", `did you mean \"https://site.test/a\"?`},
		{"file:///etc/passwd", "", `the scheme of \"file:///etc/passwd\" is \"file\"; https and http are allowed`},
		{"https:///a", "", "names no host"},
		{"https://a b/", "", "url: "},
		{"", "", "has no scheme"},
	}
	for _, test := range tests {
		_, err := call(t, fmt.Sprintf(`{"url":%q}`, test.address))
		if test.failure != "" {
			if !errors.Is(err, guesttest.ErrBadArguments) || !strings.Contains(fmt.Sprintf("%q", err.Error()), test.failure) {
				t.Errorf("%s: got %v, want %s", test.address, err, test.failure)
			}
		} else if last := host.Requests[len(host.Requests)-1]; err != nil || last.URL.String() != test.want {
			t.Errorf("%s: asked for %s, %v", test.address, last.URL, err)
		}
	}
}

func TestRedirects(t *testing.T) {
	serve(t, map[string]http.HandlerFunc{
		"/old":     func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/new/page", http.StatusFound) },
		"/new/":    body("text/html", `<p><a href="next">Next</a>`),
		"/loop":    func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", http.StatusFound) },
		"/nowhere": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusFound) },
	})
	page, err := call(t, `{"url":"https://site.test/old"}`)
	if err != nil || page.URL != "https://site.test/new/page" || page.Links[0].URL != "https://site.test/new/next" {
		t.Errorf("got %+v, %v", page, err)
	}
	for address, want := range map[string]string{"loop": "more than 10 redirects", "nowhere": "sends elsewhere without saying where"} {
		if _, err := call(t, `{"url":"https://site.test/`+address+`"}`); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestAnswersThatAreNoSuccess(t *testing.T) {
	for status, want := range map[int]string{
		401: "does not let this program in", 403: "does not let this program in", 404: "There is no such page", 410: "gone for good",
		418: "does not answer this request", 429: `asked too often. Wait before the next try. It says: Retry-After "120"`, 503: "has trouble",
	} {
		serve(t, map[string]http.HandlerFunc{"/": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "120")
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(status)
			fmt.Fprintf(w, "<title>Sorry</title><p style='display:none'>HIDDEN</p><h1>Status %d</h1>%s", status, strings.Repeat("more ", 1000))
		}})
		_, err := call(t, `{"url":"https://site.test/"}`)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), fmt.Sprintf("begins: Sorry Status %d more", status)) ||
			strings.Contains(err.Error(), "HIDDEN") || len(err.Error()) > 700 {
			t.Errorf("%d: %v", status, err)
		}
	}
}

func TestRefusalsOfTheHostAreKept(t *testing.T) {
	(&guesttest.Host{Refuse: func(*http.Request) error { return fmt.Errorf("no rule names this host: %w", guest.ErrDenied) }}).Use(t)
	if _, err := call(t, `{"url":"https://site.test/"}`); err == nil || !strings.Contains(err.Error(), "denied by the policy: no rule names this host") {
		t.Errorf("got %v", err)
	}
}

func TestParts(t *testing.T) {
	var text strings.Builder
	for i := range 100 {
		fmt.Fprintf(&text, "line %02d äöü\n", i)
	}
	serve(t, map[string]http.HandlerFunc{"/": body("text/plain", text.String())})
	var whole strings.Builder
	start, parts := 0, 0
	for {
		page, err := call(t, fmt.Sprintf(`{"url":"https://site.test/","max_chars":250,"start":%d}`, start))
		if err != nil || page.Chars != 1200 {
			t.Fatalf("%d characters, %v", page.Chars, err)
		}
		whole.WriteString(page.Content)
		parts++
		if page.Next == 0 {
			break
		}
		if !strings.HasSuffix(page.Content, "\n") {
			t.Errorf("a part ends within a line: %q", page.Content)
		}
		start = page.Next
	}
	if whole.String() != text.String() || parts != 5 {
		t.Errorf("%d parts: %q", parts, whole.String())
	}
	if _, err := call(t, `{"url":"https://site.test/","start":1200}`); !errors.Is(err, guesttest.ErrBadArguments) || !strings.Contains(err.Error(), "the content has 1200 characters; 1200 is beyond its end") {
		t.Errorf("got %v", err)
	}
}
