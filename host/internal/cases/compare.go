package cases

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
)

const maxProblems = 20

// compare lists where two JSON values differ. With partly, objects may have more
// members than wanted.
func compare(path string, want, got any, partly bool) []string {
	c := &comparison{partly: partly}
	c.values(path, want, got)
	if len(c.problems) > maxProblems {
		c.problems = append(c.problems[:maxProblems], fmt.Sprintf("and %d more differences", len(c.problems)-maxProblems))
	}
	return c.problems
}

type comparison struct {
	partly   bool
	problems []string
}

func (c *comparison) values(path string, want, got any) {
	switch w := want.(type) {
	case map[string]any:
		if g, ok := got.(map[string]any); ok {
			c.objects(path, w, g)
			return
		}
	case []any:
		if g, ok := got.([]any); ok {
			c.arrays(path, w, g)
			return
		}
	case string:
		if g, ok := got.(string); ok {
			if w != g {
				c.differ(path, lines(w, g))
			}
			return
		}
	case json.Number:
		if g, ok := got.(json.Number); ok && sameNumber(w, g) {
			return
		}
	default:
		if want == got {
			return
		}
	}
	c.differ(path, lines(written(want), written(got)))
}

func (c *comparison) differ(path, how string) {
	c.problems = append(c.problems, path+" differs:\n"+how)
}

func (c *comparison) objects(path string, want, got map[string]any) {
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if g, ok := got[key]; ok {
			c.values(path+"."+key, want[key], g)
		} else {
			c.differ(path+"."+key, lines(written(want[key]), ""))
		}
	}
	if c.partly {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[key]; !ok {
			c.differ(path+"."+key, lines("", written(got[key])))
		}
	}
}

func (c *comparison) arrays(path string, want, got []any) {
	for i := range max(len(want), len(got)) {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case i >= len(want):
			c.differ(at, lines("", written(got[i])))
		case i >= len(got):
			c.differ(at, lines(written(want[i]), ""))
		default:
			c.values(at, want[i], got[i])
		}
	}
}

// sameNumber compares the values of numbers: 1 is 1.0. Those with an exponent beyond
// all bounds are compared as they are written.
func sameNumber(a, b json.Number) bool {
	if a == b {
		return true
	}
	x, _, err1 := big.ParseFloat(string(a), 10, 512, big.ToNearestEven)
	y, _, err2 := big.ParseFloat(string(b), 10, 512, big.ToNearestEven)
	return err1 == nil && err2 == nil && !x.IsInf() && x.Cmp(y) == 0
}

func written(v any) string {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}

// stringsIn are the texts in a value.
func stringsIn(v any) (all []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, e := range v {
			all = append(all, stringsIn(e)...)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			all = append(all, stringsIn(v[key])...)
		}
	}
	return all
}

// around is how many equal lines are shown before and after those that differ.
const around = 2

// lines shows two texts: what both begin and end with in short, and in between the
// wanted lines with a minus and the others with a plus.
func lines(want, got string) string {
	w, g := split(want), split(got)
	head := 0
	for head < len(w) && head < len(g) && w[head] == g[head] {
		head++
	}
	tail := 0
	for tail < len(w)-head && tail < len(g)-head && w[len(w)-1-tail] == g[len(g)-1-tail] {
		tail++
	}
	var out strings.Builder
	write := func(mark string, list []string) {
		const most = 40
		for i, line := range list {
			if i == most {
				fmt.Fprintf(&out, "    %s… %d more lines\n", mark, len(list)-most)
				return
			}
			fmt.Fprintf(&out, "    %s%s\n", mark, shorten(visible(line), 300))
		}
	}
	if head > around {
		fmt.Fprintf(&out, "      … %d equal lines\n", head-around)
	}
	write("  ", w[max(head-around, 0):head])
	write("- ", w[head:len(w)-tail])
	write("+ ", g[head:len(g)-tail])
	write("  ", w[len(w)-tail:len(w)-tail+min(tail, around)])
	if tail > around {
		fmt.Fprintf(&out, "      … %d equal lines\n", tail-around)
	}
	return strings.TrimSuffix(out.String(), "\n")
}

func split(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}

// visible shows white space at the end of a line, which nobody would see.
func visible(line string) string {
	trimmed := strings.TrimRight(line, " \t\r")
	return trimmed + strings.NewReplacer(" ", "·", "\t", "→", "\r", "␍").Replace(line[len(trimmed):])
}

func indent(s string) string {
	return "    " + strings.ReplaceAll(strings.TrimSuffix(s, "\n"), "\n", "\n    ")
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
