package guest

import (
	"maps"
	"strings"
)

// isRedirect reports whether an answer asks for the same request elsewhere.
func isRedirect(r *Response) bool {
	switch r.Status {
	case 301, 302, 303, 307, 308:
		return r.Header.Get("Location") != ""
	}
	return false
}

// redirected is the request that an answer's Location asks for. Headers that
// a tool meant for one host do not go to another.
func redirected(request Request, location string) Request {
	from, to := request.URL, resolve(request.URL, location)
	if origin(from) != origin(to) {
		request.Header = maps.Clone(request.Header)
		for _, key := range []string{"Authorization", "Cookie", "Proxy-Authorization"} {
			request.Header.Del(key)
		}
	}
	request.URL = to
	return request
}

// resolve makes a reference absolute, as RFC 3986 section 5.2 says. It is no
// check: the host parses what comes out and decides about that. (net/url would
// do it for half a megabyte in every tool.)
func resolve(base, reference string) string {
	reference, _, _ = strings.Cut(reference, "#")
	base, _, _ = strings.Cut(base, "#")
	root := origin(base)
	path, query, hasQuery := strings.Cut(base[len(root):], "?")
	switch {
	case hasScheme(reference):
		return reference
	case strings.HasPrefix(reference, "//"):
		scheme, _, _ := strings.Cut(root, "//")
		return scheme + reference
	case reference == "" && hasQuery:
		return root + path + "?" + query
	case reference == "" || reference[0] == '?':
		return root + path + reference
	}
	target, query, hasQuery := strings.Cut(reference, "?")
	if target[0] != '/' {
		target = path[:strings.LastIndexByte(path, '/')+1] + target
	}
	target = root + withoutDots(target)
	if hasQuery {
		target += "?" + query
	}
	return target
}

// origin is the scheme and authority at the start of an absolute URL.
func origin(url string) string {
	start := strings.Index(url, "://")
	if start < 0 {
		return ""
	}
	if length := strings.IndexAny(url[start+3:], "/?#"); length >= 0 {
		return url[:start+3+length]
	}
	return url
}

func hasScheme(reference string) bool {
	for i, c := range []byte(reference) {
		switch {
		case c|0x20 >= 'a' && c|0x20 <= 'z':
		case c == ':':
			return i > 0
		case i > 0 && (c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.'):
		default:
			return false
		}
	}
	return false
}

// withoutDots removes the segments . and .. from a path.
func withoutDots(path string) string {
	var kept []string
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, segment := range segments {
		last := i == len(segments)-1
		switch segment {
		case "..":
			kept = kept[:max(len(kept)-1, 0)]
		case ".":
		default:
			kept = append(kept, segment)
			continue
		}
		if last {
			kept = append(kept, "")
		}
	}
	return "/" + strings.Join(kept, "/")
}
