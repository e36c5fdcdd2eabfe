package policies

import (
	"bytes"
	"sort"

	"github.com/hashicorp/hcl/v2"
)

// The writer of diagnostics reads a file from its start, character by character,
// for each of them, and prints every line that one is about whole. A policy of a
// stranger can have 60 000 lines or one of a megabyte, so it gets an excerpt.
const (
	maxLines    = 12     // of one diagnostic
	maxLineText = 400    // bytes of one line
	maxLine     = 10_000 // the last line that is shown, not only named
)

// excerpts returns copies of the diagnostics and of the files they are about, in
// which all other lines are empty, long ones are cut, and what follows the last one
// is left out. Lines keep their numbers.
func excerpts(files map[string]*hcl.File, diags hcl.Diagnostics) (map[string]*hcl.File, hcl.Diagnostics) {
	short := make(hcl.Diagnostics, len(diags))
	wanted := map[string]map[int]bool{}
	for i, d := range diags {
		c := *d
		c.Subject, c.Context = firstLines(d.Subject), firstLines(d.Context)
		short[i] = &c
		for _, r := range []*hcl.Range{c.Subject, c.Context} {
			if r == nil {
				continue
			}
			if wanted[r.Filename] == nil {
				wanted[r.Filename] = map[int]bool{}
			}
			for line := r.Start.Line; line <= r.End.Line; line++ {
				wanted[r.Filename][line] = true
			}
		}
	}
	out := make(map[string]*hcl.File, len(wanted))
	for name, lines := range wanted {
		file := files[name]
		if file == nil {
			continue
		}
		e := excerptOf(file.Bytes, lines)
		out[name] = &hcl.File{Bytes: e.text, Nav: navigator{e, file.Nav}}
		for _, d := range short {
			e.move(d.Subject, name)
			e.move(d.Context, name)
		}
	}
	return out, short
}

// firstLines copies a range, up to maxLines of it.
func firstLines(r *hcl.Range) *hcl.Range {
	if r == nil {
		return nil
	}
	c := *r
	if c.End.Line-c.Start.Line >= maxLines {
		c.End = c.Start
	}
	return &c
}

// excerpt is a text of which only some lines are left.
type excerpt struct {
	text []byte
	// was and is are where each line began and begins; kept is how much of it is left.
	was, is, kept []int
}

func excerptOf(text []byte, lines map[int]bool) excerpt {
	var e excerpt
	last := 0
	for line := range lines {
		last = max(last, line)
	}
	for begin := 0; begin <= len(text) && len(e.was) < min(last, maxLine); {
		line, _, more := bytes.Cut(text[begin:], []byte("\n"))
		e.was, e.is = append(e.was, begin), append(e.is, len(e.text))
		begin += len(line) + 1
		if !lines[len(e.was)] {
			line = nil
		}
		if len(line) > maxLineText {
			line = bytes.ToValidUTF8(line[:maxLineText], nil)
			line = append(line[:len(line):len(line)], "…"...)
		}
		e.kept = append(e.kept, len(line))
		if e.text = append(e.text, line...); !more {
			break
		}
		e.text = append(e.text, '\n')
	}
	return e
}

// move points a range into the excerpt.
func (e *excerpt) move(r *hcl.Range, name string) {
	if r == nil || r.Filename != name {
		return
	}
	for _, p := range []*hcl.Pos{&r.Start, &r.End} {
		if i := p.Line - 1; i >= 0 && i < len(e.was) {
			p.Byte = e.is[i] + min(max(p.Byte-e.was[i], 0), e.kept[i])
		} else {
			p.Byte = len(e.text) + 1
		}
	}
}

// navigator tells the writer in which block a place is, for places in the excerpt.
type navigator struct {
	excerpt
	whole any
}

// ContextString is what the writer asks for.
func (n navigator) ContextString(offset int) string {
	whole, ok := n.whole.(interface{ ContextString(offset int) string })
	line := sort.SearchInts(n.is, offset+1) - 1
	if !ok || line < 0 || offset > len(n.text) {
		return ""
	}
	return whole.ContextString(n.was[line] + offset - n.is[line])
}
