package policies

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestPatterns(t *testing.T) {
	for _, tt := range []struct {
		pattern string
		yes, no []string
	}{
		{"/", []string{"/"}, []string{"/a", "/a/"}},
		{"/**", []string{"/", "/a", "/a/", "/a/b/c"}, nil},
		{"/a", []string{"/a"}, []string{"/", "/a/", "/ab", "/a/b", "/A"}},
		{"/a/", []string{"/a/"}, []string{"/a", "/a/b"}},
		{"/a/*", []string{"/a/b", "/a/%3B"}, []string{"/a", "/a/", "/a/b/c", "/a/b/"}},
		{"/a/**", []string{"/a", "/a/", "/a/b", "/a/b/c/"}, []string{"/ab", "/", "/ab/c"}},
		{"/*/b", []string{"/a/b", "/b/b"}, []string{"/b", "/a/a/b"}},
		{"/a/**/z", []string{"/a/z", "/a/b/z", "/a/z/z", "/a/z/b/z"}, []string{"/a/z/", "/a/zz", "/a", "/a/z/b"}},
		{"/a/**/z/", []string{"/a/z/", "/a/b/z/"}, []string{"/a/z"}},
		{"/**/m/**/z", []string{"/m/z", "/a/m/b/z", "/m/m/z/z"}, []string{"/z/m", "/m"}},
		{"/v*/x", []string{"/v/x", "/v1/x", "/v1.2/x"}, []string{"/x", "/1v/x", "/v1/y/x"}},
		{"/*.json", []string{"/a.json", "/.json"}, []string{"/a.jsonx", "/a/b.json"}},
		{"/a*b*c", []string{"/abc", "/aXbYbZc"}, []string{"/acb", "/ab"}},
		{"/*0b", []string{"/a0b", "/%200b"}, []string{"/a%20b"}},
		{"/a*", []string{"/a%20b", "/a"}, []string{"/ba"}},
		{"/a;b", []string{"/a;b"}, []string{"/a%3Bb"}},
	} {
		p, err := parsePattern(tt.pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range tt.yes {
			if !matchOne(p, path) {
				t.Errorf("%s does not match %s", tt.pattern, path)
			}
		}
		for _, path := range tt.no {
			if matchOne(p, path) {
				t.Errorf("%s matches %s", tt.pattern, path)
			}
		}
	}
}

func TestPatternErrors(t *testing.T) {
	for _, tt := range []struct{ pattern, want string }{
		{"", "write \"/**\""},
		{"repos", `write "/repos"`},
		{"/a?x=1", "any query"},
		{"/a#b", "fragment"},
		{"/a/../b", "can never match"},
		{"/a//b", "can never match"},
		{"/a%2Fb", "can never match"},
		{"/a b", "write %20"},
		{"/stra\u00dfe", "can never match"},
		{"/a**", "stands alone"},
		{"/**b/c", "stands alone"},
		{strings.Repeat("/a", 65), "maximum 64"},
	} {
		if _, err := parsePattern(tt.pattern); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("parsePattern(%q) = %v (want %q in it)", tt.pattern, err, tt.want)
		}
	}
}

// matchOne asks the tree with one pattern in it.
func matchOne(p pattern, path string) bool {
	r := &rule{methods: methodGet, patterns: []pattern{p}}
	g := newGrant([]*rule{r})
	return g.match(&target{path: path}, methodGet) == r
}

// obvious is the meaning of a pattern, written without thought of speed.
func obvious(segments []string, slash bool, path []string) bool {
	switch {
	case len(segments) == 0:
		return len(path) == 0 && !slash || slash && len(path) == 1 && path[0] == ""
	case segments[0] == anySegments && len(segments) == 1:
		return true
	case segments[0] == anySegments:
		return obvious(segments[1:], slash, path) || len(path) > 0 && path[0] != "" && obvious(segments, slash, path[1:])
	}
	return len(path) > 0 && path[0] != "" && obviousSegment(segments[0], path[0]) && obvious(segments[1:], slash, path[1:])
}

func obviousSegment(glob, s string) bool {
	switch {
	case glob == "":
		return s == ""
	case glob[0] != '*':
		return s != "" && s[0] == glob[0] && obviousSegment(glob[1:], s[1:])
	}
	return obviousSegment(glob[1:], s) || s != "" && obviousSegment(glob, s[1:])
}

// TestTreeAgreesWithTheObvious compares the tree of many patterns with the
// plain meaning of each, first declared first.
func TestTreeAgreesWithTheObvious(t *testing.T) {
	segment := rapid.SampledFrom([]string{"a", "b", "ab", "*", "**", "a*", "*b", "a*b"})
	name := rapid.SampledFrom([]string{"a", "b", "ab", "aab", "c"})
	rapid.Check(t, func(t *rapid.T) {
		var rules []*rule
		for range rapid.IntRange(1, 6).Draw(t, "rules") {
			text := "/" + strings.Join(rapid.SliceOfN(segment, 0, 5).Draw(t, "pattern"), "/")
			if text != "/" && rapid.Bool().Draw(t, "pattern ends in a slash") {
				text += "/"
			}
			p, err := parsePattern(text)
			if err != nil {
				t.Fatal(err)
			}
			rules = append(rules, &rule{methods: methodGet, patterns: []pattern{p}})
		}
		path := "/" + strings.Join(rapid.SliceOfN(name, 0, 6).Draw(t, "path"), "/")
		if path != "/" && rapid.Bool().Draw(t, "path ends in a slash") {
			path += "/"
		}
		var want *rule
		for i := len(rules) - 1; i >= 0; i-- {
			if p := rules[i].patterns[0]; obvious(p.segments, p.slash, strings.Split(path[1:], "/")) {
				want = rules[i]
			}
		}
		if got := newGrant(rules).match(&target{path: path}, methodGet); got != want {
			t.Fatalf("%s: tree %v, obvious %v", path, patternOf(got), patternOf(want))
		}
	})
}

func patternOf(r *rule) string {
	if r == nil {
		return "none"
	}
	return r.patterns[0].text
}
