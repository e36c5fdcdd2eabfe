package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// bombs are small pages that would become large, deep or slow.
var bombs = map[string]struct{ page, want string }{
	"as deep as the parser goes":    {strings.Repeat("<div class=a>", 500) + "deep", "deep"},
	"deep quotations":               {strings.Repeat("<blockquote>", 400) + strings.Repeat("<p>deep</p>\n", 5000), "deep"},
	"deep lists":                    {strings.Repeat("<ul><li>", 200) + strings.Repeat("<br>deep", 5000), "deep"},
	"deeper than the parser goes":   {strings.Repeat("<div>", 5000) + "deep", "deep"},
	"unclosed formatting":           {strings.Repeat("<font><b>x<p>", 3000) + "deep", "deep"},
	"deep and with attributes":      {strings.Repeat("<div class=a>", 5000) + "deep", ""},
	"a cell that spans the world":   {"<table><tr><td colspan=999999999 rowspan=999999999>x</table>deep", "deep"},
	"many cells that span":          {"<table>" + strings.Repeat("<tr>"+strings.Repeat("<td colspan=50 rowspan=50>x", 20), 500) + "</table>deep", "deep"},
	"one row that widens all":       {"<table><tr>" + strings.Repeat("<td>x", 20000) + strings.Repeat("<tr><td>y", 20000) + "</table>deep", "deep"},
	"one cell that widens a column": {"<table>" + strings.Repeat("<tr><td>y<td>z", 4000) + "<tr><td>" + strings.Repeat("w", 200_000) + "</table>deep", "deep"},
	"nested tables":                 {strings.Repeat("<table><tr><td>", 100) + "x" + strings.Repeat("</table>", 100) + "deep", "deep"},
	"more tags than are parsed":     {"deep" + strings.Repeat("<br>", 700_000), "deep"},
	"an address without end":        {"<a href='/" + strings.Repeat("a", 1<<20) + "'>deep</a>", "deep"},
	"rules without end":             {"<style>" + strings.Repeat(".a,.b,.c{display:none}", 40_000) + "</style><p class='" + strings.Repeat("a ", 100_000) + "'>x</p><p>deep", "deep"},
	"a comment of style that stays": {"<style>/*" + strings.Repeat("{", 100_000) + "</style>deep", "deep"},
	"brackets":                      {strings.Repeat("[", 100_000) + "deep" + strings.Repeat("](x)", 50_000), "deep"},
	"brackets of one kind":          {"deep<p>" + strings.Repeat("[", 2<<20), "deep"},
	"images of one kind":            {"deep<p>" + strings.Repeat("![", 1<<20), "deep"},
	"texts with images between":     {"deep" + strings.Repeat("<img alt=a>b", 100_000), "deep"},
	"texts with scripts between":    {"deep" + strings.Repeat("a<script></script>", 100_000), "deep"},
	"texts with comments between":   {"deep" + strings.Repeat("a<!---->", 100_000), "deep"},
	"lines in a cell":               {"<table><tr><td>deep" + strings.Repeat("a<br>", 140_000), "deep"},
	"rules for all elements":        {"<style>" + strings.Repeat("p{display:block}", 2000) + "</style>deep" + strings.Repeat("<p>x", 140_000), "deep"},
	"rules of one class":            {"<style>" + alike(2000) + "</style>deep" + strings.Repeat("<p class=a>x", 140_000), "deep"},
	"formatting that is repeated":   {"deep" + distinct(400) + strings.Repeat("</p><p>x", 100_000), "deep"},
	"attributes":                    {"deep" + strings.Repeat("<p a b c d e f g>", 140_000), "deep"},
	"stars":                         {strings.Repeat("<b>*</b>_", 20_000) + "deep", "deep"},
}

// distinct are formatting elements that a parser opens again in each paragraph.
func distinct(n int) string {
	var page strings.Builder
	for i := range n {
		fmt.Fprintf(&page, "<b a%d>", i)
	}
	return page.String()
}

// alike are rules that all begin with one class.
func alike(n int) string {
	var css strings.Builder
	for i := range n {
		fmt.Fprintf(&css, ".a.b%d{display:none}", i)
	}
	return css.String()
}

// TestBombs: none of them ends the tool, and what is answered stays small. (The same
// pages run inside a sandbox in host/cli.)
func TestBombs(t *testing.T) {
	for name, bomb := range bombs {
		t.Run(name, func(t *testing.T) {
			serve(t, map[string]http.HandlerFunc{"/": body("text/html", bomb.page)})
			for _, format := range []string{"markdown", "text"} {
				page, err := call(t, `{"url":"https://site.test/","max_chars":1000000,"whole_page":true,"format":"`+format+`"}`)
				switch {
				case bomb.want == "" && (err == nil || !strings.Contains(err.Error(), "nests elements too deep")):
					t.Errorf("got %v", err)
				case bomb.want != "" && (err != nil || !strings.Contains(page.Content, bomb.want)):
					t.Errorf("got %.200q, %v", page.Content, err)
				case page.Chars > 2*len(bomb.page)+1000 && page.Chars > 400_000:
					t.Errorf("%d bytes became %d characters", len(bomb.page), page.Chars)
				}
			}
		})
	}
}

// TestHugePage: the beginning of a page is read, and the rest is said to be missing.
func TestHugePage(t *testing.T) {
	paragraph := "<p>" + strings.Repeat("word ", 200) + "</p>\n"
	serve(t, map[string]http.HandlerFunc{"/": body("text/html", "<title>Huge</title>"+strings.Repeat(paragraph, 8<<20/len(paragraph)))})
	page, err := call(t, `{"url":"https://site.test/"}`)
	if err != nil || !page.Cut || page.Title != "Huge" || page.Next < 15_000 || utf8.RuneCountInString(page.Content) > 20_000 || page.Chars < maxPage/2 {
		t.Errorf("cut %v, title %q, next %d, chars %d, %v", page.Cut, page.Title, page.Next, page.Chars, err)
	}
}

// FuzzPage: whatever a page holds, in whatever encoding it claims, there is a result
// or an error, in bounded size, valid UTF-8, without markup that hides and without
// invisible characters.
func FuzzPage(f *testing.F) {
	paths, err := filepath.Glob("testdata/pages/*.html")
	if err != nil {
		f.Fatal(err)
	}
	for i, path := range paths {
		source, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(source, "text/html", i%2 == 0)
	}
	f.Add([]byte("<table><tr><td rowspan=3>a<td colspan=0>b<tr><th>c"), "text/html; charset=utf-16", true)
	f.Fuzz(func(t *testing.T, source []byte, contentType string, whole bool) {
		if len(source) > 1<<16 {
			return
		}
		text, _, err := decode(source, contentType)
		if err != nil {
			return
		}
		if !utf8.ValidString(text) {
			t.Fatal("decoded text is not UTF-8")
		}
		for _, format := range []string{"markdown", "text"} {
			page := Page{URL: "https://site.test/dir/"}
			if err := page.read(text, Args{Format: format, WholePage: whole, MaxLinks: 10}); err != nil {
				if !strings.Contains(err.Error(), "too deep") {
					t.Error(err)
				}
				continue
			}
			if !utf8.ValidString(page.Content) || len(page.Content) > 1<<20+100*len(text) {
				t.Errorf("%d bytes became %d", len(text), len(page.Content))
			}
			if i := strings.IndexFunc(page.Content+page.Title+page.Description, invisible); i >= 0 {
				t.Errorf("an invisible character in %s", strconv.QuoteToASCII(page.Content))
			}
			if strings.Contains(strings.ToLower(page.Content), "](javascript:") || strings.Contains(page.Content, "](data:") {
				t.Errorf("a link that runs: %s", page.Content)
			}
		}
	})
}
