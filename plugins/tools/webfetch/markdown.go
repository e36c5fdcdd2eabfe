package main

import (
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
