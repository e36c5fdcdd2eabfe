package main

import (
	"bytes"
	"fmt"
	"os"

	"github.com/ringfence/ringfence/internal/pingpong"
)

// The marks between which updateDoc writes. They are comments in Markdown.
var (
	docBegin = []byte("<!-- ringbench: begin -->\n")
	docEnd   = []byte("<!-- ringbench: end -->\n")
)

// updateDoc replaces what stands between the marks of a document, so that
// nobody copies figures by hand.
func updateDoc(name string, report *pingpong.Report) error {
	doc, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	before, rest, ok := bytes.Cut(doc, docBegin)
	_, after, ok2 := bytes.Cut(rest, docEnd)
	if !ok || !ok2 {
		return fmt.Errorf("%s: no marks %q and %q", name, docBegin, docEnd)
	}
	var b bytes.Buffer
	b.Write(before)
	b.Write(docBegin)
	b.WriteString("\n")
	if err := report.MarkdownTables(&b); err != nil {
		return err
	}
	b.WriteString("\n")
	b.Write(docEnd)
	b.Write(after)
	return os.WriteFile(name, b.Bytes(), 0o666)
}
