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
		if !hasValue { // all of it may be the value
			name = ""
		}
		params[i] = name + "=*"
	}
	return base + "?" + strings.Join(params, "&")
}
