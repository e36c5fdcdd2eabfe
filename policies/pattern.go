package policies

import (
	"errors"
	"fmt"
	"strings"
)

// maxPatternSegments bounds a path pattern.
const maxPatternSegments = 64

// pattern is a path of an allow block: whole segments, never string prefixes,
// so that /v1/messages does not admit /v1/messages_evil.
//
//	/repos/*/issues   * is exactly one segment
//	/v*/models        * inside a segment is any text of that segment
//	/search/**        ** is any number of segments, none included
//	/a/**/z           ** may stand in the middle
//
// A trailing slash counts, except after **.
type pattern struct {
	text     string
	segments []string // canonical
	slash    bool     // ends in "/"
}

const anySegments = "**"

func parsePattern(s string) (pattern, error) {
	switch {
	case s == "":
		return pattern{}, errors.New("a path is empty: write \"/**\" for every path")
	case s[0] != '/':
		return pattern{}, fmt.Errorf("path %s does not start with a slash: write %s", quote(s), quote("/"+s))
	case strings.ContainsRune(s, '?'):
		return pattern{}, fmt.Errorf("path %s has a query: rules match the path only, any query is allowed", quote(s))
	case strings.ContainsRune(s, '#'):
		return pattern{}, fmt.Errorf("path %s has a fragment, which is never sent", quote(s))
	case len(s) > maxURL:
		return pattern{}, fmt.Errorf("path has %d bytes (maximum %d)", len(s), maxURL)
	}
	canonical, err := canonicalPath(s)
	if err != nil {
		return pattern{}, fmt.Errorf("path %s can never match: %s", quote(s), err)
	}
	p := pattern{text: s}
	if canonical == "/" {
		p.slash = true
		return p, nil
	}
	trimmed := strings.TrimSuffix(canonical[1:], "/")
	p.slash = len(trimmed) < len(canonical)-1
	p.segments = strings.Split(trimmed, "/")
	if n := len(p.segments); n > maxPatternSegments {
		return pattern{}, fmt.Errorf("path has %d segments (maximum %d)", n, maxPatternSegments)
	}
	for _, seg := range p.segments {
		if seg != anySegments && strings.Contains(seg, anySegments) {
			return pattern{}, fmt.Errorf("path %s has ** inside a segment: ** stands alone between slashes", quote(s))
		}
	}
	return p, nil
}

// matchSegments walks path (what follows a slash; more says whether there was
// one) along segments. Only the last "**" is ever tried again, which is enough
// and keeps the time at segments × path.
func matchSegments(segments []string, slash bool, path string, more bool) bool {
	i, retry := 0, -1
	var retryPath string
	var retryMore bool
	for {
		switch {
		case i < len(segments) && segments[i] == anySegments:
			if i++; i == len(segments) {
				return true
			}
			retry, retryPath, retryMore = i, path, more
			continue
		case i < len(segments) && more && path != "":
			segment, rest, restMore := strings.Cut(path, "/")
			if matchSegment(segments[i], segment) {
				i, path, more = i+1, rest, restMore
				continue
			}
		case i == len(segments) && path == "" && more == slash:
			return true
		}
		if retry < 0 || !retryMore || retryPath == "" {
			return false
		}
		_, retryPath, retryMore = strings.Cut(retryPath, "/")
		i, path, more = retry, retryPath, retryMore
	}
}

// matchSegment matches one segment that may have stars in it. A star takes
// whole escapes, so that "*0b" does not match "a%20b".
func matchSegment(glob, segment string) bool {
	g, s, star, mark := 0, 0, -1, 0
	for s < len(segment) {
		switch {
		case g < len(glob) && glob[g] == '*':
			star, mark = g, s
			g++
		case g < len(glob) && glob[g] == segment[s]:
			g++
			s++
		case star >= 0:
			mark += unit(segment[mark:])
			g, s = star+1, mark
		default:
			return false
		}
	}
	for g < len(glob) && glob[g] == '*' {
		g++
	}
	return g == len(glob)
}

// unit is the length of the first character of canonical text.
func unit(s string) int {
	if s[0] == '%' && len(s) >= 3 {
		return 3
	}
	return 1
}
