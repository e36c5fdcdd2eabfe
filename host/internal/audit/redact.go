package audit

import "strings"

// RedactURL removes from a URL what may be secret: the values of query
// parameters (their names stay), the user's name and password, the fragment. It
// works on text, so that a URL that nothing can parse is treated alike.
func RedactURL(raw string) string {
	raw, _, _ = strings.Cut(raw, "#")
	base, query, hasQuery := strings.Cut(raw, "?")
	if scheme, rest, ok := strings.Cut(base, "//"); ok {
		authority, path := rest, ""
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			authority, path = rest[:i], rest[i:]
		}
		if i := strings.LastIndexByte(authority, '@'); i >= 0 {
			authority = authority[i+1:]
		}
		base = scheme + "//" + authority + path
	}
	if !hasQuery {
		return base
	}
	params := strings.Split(query, "&")
	for i, p := range params {
		name, _, hasValue := strings.Cut(p, "=")
		if !hasValue || !isName(name) { // all of it may be the value
			name = ""
		}
		params[i] = name + "=*"
	}
	return base + "?" + strings.Join(params, "&")
}

// isName reports whether text looks like the name of a parameter and not like a
// value that stands where a name should: "?token;x=1", "?a?b=1".
func isName(s string) bool {
	const longest = 64
	other := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_.-~[]%", r))
	}
	return len(s) <= longest && strings.IndexFunc(s, other) < 0
}
