package main

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// invisible reports whether a character shows nothing, or turns the direction of
// what does: an assistant reads such characters where a person sees none. What joins
// emoji and the letters of scripts is not among them.
func invisible(r rune) bool {
	switch {
	case r < 0x20 && r != '\n' && r != '\t' && r != '\r' && r != '\f', r >= 0x7f && r < 0xa0:
		return true
	case r == 0xad, r == 0x34f, r == 0x61c, r == 0x180e, r == 0x200b, r == 0x200e, r == 0x200f, r == 0xfeff:
		return true
	case r >= 0x202a && r <= 0x202e, r >= 0x2060 && r <= 0x206f, r >= 0xfe00 && r <= 0xfe0d, r >= 0xfff0 && r <= 0xfffb:
		return true
	case r == 0x115f, r == 0x1160, r == 0x3164, r == 0xffa0: // Hangul fillers
		return true
	}
	return r >= 0xe0000 && r <= 0xe0fff
}

// visibleText takes invisible characters out of a text and counts them.
func visibleText(s string) (string, int) {
	if strings.IndexFunc(s, invisible) < 0 {
		return s, 0
	}
	removed := 0
	return strings.Map(func(r rune) rune {
		if invisible(r) {
			removed++
			return -1
		}
		return r
	}, s), removed
}

// hides reports whether an element and all in it is not shown to readers. The whole
// page is never taken for hidden: pages hide themselves until their scripts have run.
func (r *rules) hides(n *html.Node) bool {
	if n.DataAtom == atom.Body || n.DataAtom == atom.Html {
		return false
	}
	open := false
	var style string
	for _, a := range n.Attr {
		switch a.Key {
		case "hidden":
			return true
		case "open":
			open = true
		case "style":
			style = a.Val
		}
	}
	if n.DataAtom == atom.Dialog && !open {
		return true
	}
	own := declarations(style)
	if own["display"] == "none" || concealed(own) {
		return true
	}
	return r.match(n, own["display"] != "")
}

// declarations reads "name: value; …". The last of a name counts.
func declarations(text string) map[string]string {
	if !strings.Contains(text, ":") {
		return nil
	}
	found := map[string]string{}
	for part := range strings.SplitSeq(text, ";") {
		name, value, ok := strings.Cut(part, ":")
		if !ok || len(found) > 100 {
			continue
		}
		value = strings.ToLower(strings.TrimSpace(value))
		value = strings.TrimSpace(strings.TrimSuffix(value, "!important"))
		found[strings.ToLower(strings.TrimSpace(name))] = value
	}
	return found
}

// concealed knows the ways to show nothing other than display.
func concealed(d map[string]string) bool {
	if len(d) == 0 {
		return false
	}
	if v := d["visibility"]; v == "hidden" || v == "collapse" {
		return true
	}
	if v, err := strconv.ParseFloat(d["opacity"], 64); err == nil && v < 0.05 {
		return true
	}
	if size, ok := pixels(d["font-size"]); ok && size < 2 {
		return true
	}
	if indent, ok := pixels(d["text-indent"]); ok && indent < -300 {
		return true
	}
	return bleached(d) || away(d) || shrunk(d)
}

// bleached is text in the colour of nothing, or of its own background.
func bleached(d map[string]string) bool {
	color := plainColor(d["color"])
	if color == "" {
		return false
	}
	background := d["background-color"]
	if background == "" {
		background, _, _ = strings.Cut(d["background"], " ")
	}
	return color == "transparent" || color == plainColor(background)
}

func plainColor(c string) string {
	c = strings.Join(strings.Fields(c), "")
	switch c {
	case "#fff", "#ffffff", "rgb(255,255,255)", "rgba(255,255,255,1)":
		return "white"
	case "#000", "#000000", "rgb(0,0,0)", "rgba(0,0,0,1)":
		return "black"
	}
	if strings.HasPrefix(c, "rgba(") && (strings.HasSuffix(c, ",0)") || strings.HasSuffix(c, ",0.0)")) ||
		strings.HasPrefix(c, "#") && (len(c) == 9 && strings.HasSuffix(c, "00") || len(c) == 5 && strings.HasSuffix(c, "0")) {
		return "transparent"
	}
	return c
}

// away is text placed off the screen.
func away(d map[string]string) bool {
	if p := d["position"]; p == "absolute" || p == "fixed" || p == "relative" {
		for _, side := range []string{"left", "right", "top", "bottom"} {
			if at, ok := pixels(d[side]); ok && at < -300 {
				return true
			}
		}
	}
	for _, side := range []string{"margin-left", "margin-top"} {
		if at, ok := pixels(d[side]); ok && at < -300 {
			return true
		}
	}
	move := strings.Join(strings.Fields(d["transform"]), "")
	return strings.HasPrefix(move, "scale(0)") || strings.HasPrefix(move, "translate") && strings.Contains(move, "(-9999")
}

// shrunk is text in a box that has no room, or is clipped away.
func shrunk(d map[string]string) bool {
	if clip := strings.NewReplacer(" ", "", ",", "", "px", "").Replace(d["clip"]); clip == "rect(0000)" || clip == "rect(1111)" {
		return true
	}
	path := strings.Join(strings.Fields(d["clip-path"]), "")
	if slices.Contains([]string{"inset(50%)", "inset(100%)", "circle(0)", "circle(0px)", "polygon(00,00,00,00)"}, path) {
		return true
	}
	if o := d["overflow"]; o != "hidden" && o != "clip" {
		return false
	}
	for _, side := range []string{"width", "height", "max-width", "max-height"} {
		if size, ok := pixels(d[side]); ok && size < 2 {
			return true
		}
	}
	return false
}

// pixels reads a length, roughly: it is compared with what nobody could read.
func pixels(length string) (float64, bool) {
	number := strings.TrimRight(length, "abcdefghijklmnopqrstuvwxyz%")
	value, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0, false
	}
	switch length[len(number):] {
	case "em", "rem", "ex", "ch", "vw", "vh":
		value *= 16
	case "%":
		value *= 0.16 // of a font size; far off the screen is far in percent, too
		if value < 0 {
			value *= 62.5
		}
	}
	return value, true
}

// letters counts the characters of text in an element.
func letters(n *html.Node) int {
	count := 0
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			count += utf8.RuneCountInString(strings.TrimSpace(d.Data))
		}
	}
	return count
}
