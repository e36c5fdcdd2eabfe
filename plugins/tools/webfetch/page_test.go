package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/pluginkit/guest/guesttest"
)

var update = flag.Bool("update", false, "write the golden files")

// serve answers each path with a function of its own.
func serve(t *testing.T, pages map[string]http.HandlerFunc) *guesttest.Host {
	t.Helper()
	mux := http.NewServeMux()
	for path, page := range pages {
		mux.HandleFunc(path, page)
	}
	return (&guesttest.Host{Handler: mux}).Use(t)
}

// body answers with a body under a type.
func body(contentType, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = nil // else it is guessed
		if contentType != "" {
			w.Header().Set("Content-Type", contentType)
		}
		fmt.Fprint(w, text)
	}
}

// call runs the tool and reads its result.
func call(t *testing.T, args string) (Page, error) {
	t.Helper()
	text, err := guesttest.Call("fetch", args)
	var page Page
	if err == nil {
		if err := json.Unmarshal(text, &page); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
	}
	return page, err
}

// TestPages holds what becomes of the pages in testdata against golden files: the
// fields in the head of each, then the Markdown, then the text.
func TestPages(t *testing.T) {
	paths, err := filepath.Glob("testdata/pages/*.html")
	if err != nil || len(paths) < 15 {
		t.Fatalf("%d pages, %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".html"), func(t *testing.T) {
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			serve(t, map[string]http.HandlerFunc{"/dir/page": body("text/html", string(source))})
			page, err := call(t, `{"url":"https://site.test/dir/page"}`)
			if err != nil {
				t.Fatal(err)
			}
			plain, err := call(t, `{"url":"https://site.test/dir/page","format":"text"}`)
			if err != nil {
				t.Fatal(err)
			}
			content := page.Content
			page.Content = ""
			head, err := json.MarshalIndent(page, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			got := string(head) + "\n=== markdown\n" + content + "\n=== text\n" + plain.Content + "\n"
			golden := strings.TrimSuffix(path, ".html") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// TestHiddenTextIsLeftOut: what a page hides from people does not reach the
// assistant, in no field. Each way of hiding is a line of testdata/pages/hidden.html.
func TestHiddenTextIsLeftOut(t *testing.T) {
	source, err := os.ReadFile("testdata/pages/hidden.html")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, map[string]http.HandlerFunc{"/": body("text/html", string(source))})
	for _, format := range []string{"markdown", "text"} {
		result, err := guesttest.Call("fetch", `{"url":"https://site.test/","whole_page":true,"images":true,"format":"`+format+`"}`)
		if err != nil || strings.Contains(string(result), "HIDDEN") || strings.Contains(string(result), "SElEREVO") {
			t.Errorf("%v\n%s", err, result)
		}
		for _, shown := range []string{"Shown on wide screens", "Shown by the heavier rule", "Shown by its own style", "at 230°C 👩‍🍳", "Script link"} {
			if !strings.Contains(string(result), shown) {
				t.Errorf("%q is missing in %s", shown, result)
			}
		}
	}
	raw, err := call(t, `{"url":"https://site.test/","format":"raw"}`)
	if err != nil || raw.Content != string(source) {
		t.Errorf("the raw format changes the page (%v)", err)
	}
}

func TestWhatIsAround(t *testing.T) {
	source, err := os.ReadFile("testdata/pages/article.html")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, map[string]http.HandlerFunc{"/": body("text/html", string(source))})
	page, err := call(t, `{"url":"https://site.test/","whole_page":true,"images":true,"max_links":3}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"[Subscribe](https://site.test/subscribe)", "![A brass clock with a single hand](https://site.test/img/clock.jpg)", "Imprint", "Lighthouses"} {
		if !strings.Contains(page.Content, part) {
			t.Errorf("%q is missing in\n%s", part, page.Content)
		}
	}
	if len(page.Links) != 3 || page.MoreLinks < 4 {
		t.Errorf("%d links and %d more", len(page.Links), page.MoreLinks)
	}
}

func TestModule(t *testing.T) {
	_, module := guesttest.Build(t, ".")
	if module.Size > 7_500_000 {
		t.Errorf("the module has %d bytes", module.Size)
	}
	for _, i := range module.Imports {
		if i.Module != "ringfence" && i.Module != "wasi_snapshot_preview1" {
			t.Errorf("it imports %s.%s", i.Module, i.Name)
		}
	}
}
