package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ringfence/ringfence/pluginkit/guest"
)

// kind is what can be done with a body.
type kind int

const (
	binary kind = iota
	text
	markup
)

// readBody reads a body up to maxPage, and says whether there was more.
func readBody(response *guest.Response) (body []byte, cut bool, err error) {
	body, err = io.ReadAll(io.LimitReader(response.Body, maxPage+1))
	if err != nil {
		return nil, false, err
	}
	if len(body) > maxPage {
		return body[:maxPage], true, nil
	}
	return body, false, nil
}

// classify tells what a body is by its Content-Type, and by its first bytes where
// that says nothing or is plainly wrong.
func classify(contentType string, body []byte) (kind, string) {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		media, _, _ = strings.Cut(contentType, ";")
		media = strings.ToLower(strings.TrimSpace(media))
	}
	if signature := signatureOf(body); signature != "" {
		return binary, signature
	}
	switch {
	case media == "text/html", media == "application/xhtml+xml":
		return markup, media
	case strings.HasPrefix(media, "text/"), strings.HasSuffix(media, "+json"), strings.HasSuffix(media, "+xml"), textual[media]:
		return text, media
	case media != "" && media != "application/octet-stream" && media != "application/unknown":
		return binary, media
	}
	switch {
	case looksLikeHTML(body):
		return markup, "text/html"
	case !bytes.ContainsRune(body, 0) && utf8.Valid(body[:min(len(body), 4096)&^3]):
		return text, "text/plain"
	}
	return binary, "application/octet-stream"
}

var textual = map[string]bool{
	"application/json": true, "application/xml": true, "application/javascript": true, "application/ecmascript": true,
	"application/x-ndjson": true, "application/jsonl": true, "application/yaml": true, "application/x-yaml": true,
	"application/toml": true, "application/sql": true, "application/graphql": true, "application/x-sh": true,
	"application/x-javascript": true, "application/x-www-form-urlencoded": true,
}

// signatureOf knows the files that servers hand out under any name.
func signatureOf(body []byte) string {
	for _, s := range []struct{ magic, media string }{
		{"%PDF-", "application/pdf"}, {"\x89PNG\r\n\x1a\n", "image/png"}, {"\xff\xd8\xff", "image/jpeg"}, {"GIF8", "image/gif"},
		{"PK\x03\x04", "application/zip"}, {"\x1f\x8b\x08", "application/gzip"}, {"\x7fELF", "application/x-elf"},
		{"\x00asm", "application/wasm"}, {"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"}, {"OggS", "application/ogg"},
	} {
		if bytes.HasPrefix(body, []byte(s.magic)) {
			return s.media
		}
	}
	return ""
}

func looksLikeHTML(body []byte) bool {
	head := bytes.ToLower(bytes.TrimLeft(body[:min(len(body), 1024)], "\xef\xbb\xbf \t\r\n\x00"))
	for _, start := range []string{"<!doctype html", "<html", "<head", "<body", "<title", "<!--", "<h1", "<div", "<p>", "<meta", "<script"} {
		if bytes.HasPrefix(head, []byte(start)) {
			return true
		}
	}
	return false
}

// article names a kind of file for people: "a PDF (application/pdf, at least 3 MiB)".
func article(media string, body []byte) string {
	size := strconv.Itoa(len(body)) + " bytes"
	if len(body) == maxPage {
		size = "more than 3 MiB"
	}
	major, minor, _ := strings.Cut(media, "/")
	switch {
	case minor == "pdf":
		return fmt.Sprintf("a PDF (%s, %s)", media, size)
	case major == "image", major == "audio", major == "video", major == "font":
		return fmt.Sprintf("%s %s file (%s, %s)", map[bool]string{true: "an", false: "a"}[major == "image" || major == "audio"], major, media, size)
	}
	return fmt.Sprintf("a file of the type %s (%s)", strconv.Quote(media), size)
}

// refused is the error for an answer that is no success, with what the server said
// about it and what the caller can do.
func refused(response *guest.Response, k kind, body []byte) error {
	var advice string
	switch status := response.Status; {
	case status == 401, status == 403:
		advice = "The site does not let this program in. Reading it may need a login, or a person."
	case status == 404:
		advice = "There is no such page. Check the address."
	case status == 410:
		advice = "The page is gone for good."
	case status == 429:
		advice = "The site is asked too often. Wait before the next try."
	case status >= 300 && status < 400:
		advice = "The site sends elsewhere without saying where."
	case status >= 500:
		advice = "The site has trouble. Try again later."
	default:
		advice = "The site does not answer this request."
	}
	if after := response.Header.Get("Retry-After"); after != "" && len(after) < 40 {
		advice += " It says: Retry-After " + strconv.Quote(after) + "."
	}
	message := fmt.Sprintf("%s answered with status %d. %s", response.URL, response.Status, advice)
	if said := summary(response, k, body); said != "" {
		message += " The answer begins: " + said
	}
	return errors.New(message)
}

// summary is the visible beginning of a page, in one line.
func summary(response *guest.Response, k kind, body []byte) string {
	if k == binary {
		return ""
	}
	words, _, err := decode(body, response.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	if k == markup {
		page := Page{URL: response.URL}
		if err := page.read(words, Args{Format: "text"}); err != nil {
			return ""
		}
		words = page.Title + " " + page.Content
	}
	words, _ = visibleText(words)
	return shorten(strings.Join(strings.Fields(words), " "), 300)
}

// shorten cuts a text at a number of characters.
func shorten(s string, most int) string {
	count := 0
	for i := range s {
		if count == most {
			return s[:i] + "…"
		}
		count++
	}
	return s
}
