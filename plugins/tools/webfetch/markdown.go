package main

import (
	"bytes"
	"strings"

	"github.com/JohannesKaufmann/html-to-markdown/v2/converter"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/base"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/commonmark"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/strikethrough"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/table"
	"golang.org/x/net/html"
)

// render writes a cleaned page.
func render(root *html.Node, format string) (string, error) {
	if format == "text" {
		return plain(root), nil
	}
	return markdown(root)
}

// markdown writes a cleaned page as CommonMark with tables. Cells are not padded: one
// long cell would widen each row of its table.
func markdown(root *html.Node) (string, error) {
	conv := converter.NewConverter(converter.WithPlugins(
		base.NewBasePlugin(),
		commonmark.NewCommonmarkPlugin(
			commonmark.WithListEndComment(false),
			commonmark.WithHorizontalRule("---"),
			commonmark.WithLinkEmptyContentBehavior(commonmark.LinkBehaviorSkip),
			commonmark.WithLinkEmptyHrefBehavior(commonmark.LinkBehaviorSkip),
		),
		strikethrough.NewStrikethroughPlugin(),
		table.NewTablePlugin(
			table.WithCellPaddingBehavior(table.CellPaddingBehaviorMinimal),
			table.WithSkipEmptyRows(true),
			table.WithHeaderPromotion(true),
		),
	))
	conv.Register.UnEscaper(brackets(), converter.PriorityEarly)
	var nodes breath
	conv.Register.Renderer(func(converter.Context, converter.Writer, *html.Node) converter.RenderStatus {
		nodes.every(500)
		return converter.RenderTryNext
	}, converter.PriorityEarly)
	// The converter wants to have a node above what it may remove.
	top := &html.Node{Type: html.ElementNode, Data: "div"}
	if root.Parent != nil {
		root.Parent.RemoveChild(root)
	}
	top.AppendChild(root)
	out, err := conv.ConvertNode(top)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(out)), nil
}

// maxLooks is how many bytes the converter may look through for the partners of
// brackets that have none.
const maxLooks = 10 << 20

// brackets tells the converter which opening brackets have to be escaped: those with a
// closing one in their line, which could be links. The converter itself looks through
// the rest of the line for each; a page of brackets would take it hours. Where it has
// looked enough, those without a partner are escaped, too, which means the same.
func brackets() converter.HandleUnEscapeFunc {
	var seen []byte
	stop, closed, looks := 0, false, 0 // stop: the next end of a line, or closing bracket
	var calls breath
	return func(chars []byte, index int) int {
		calls.every(5000) // the converter makes some garbage at each
		if chars[index] != '[' {
			return -1
		}
		if len(seen) != len(chars) || &seen[0] != &chars[0] || index >= stop {
			seen, stop = chars, len(chars)
			if next := bytes.IndexAny(chars[index:], "\n]"); next >= 0 {
				stop = index + next
			}
			closed = stop < len(chars) && chars[stop] == ']'
		}
		if closed {
			return 1
		}
		if looks += stop - index; looks > maxLooks {
			return 1
		}
		return -1 // it will look, and find none
	}
}
