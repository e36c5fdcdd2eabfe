package policies

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// maxURL bounds what a guest may ask for, in bytes.
const maxURL = 8 << 10

// target is a URL of which there is only one spelling left. It is what rules
// are matched against and what is sent, so that nothing can be read one way
// here and another way by the server.
type target struct {
	endpoint
	path  string // escaped, starts with "/"
	query string // escaped, without "?"
}

// endpoint is where a connection goes to.
type endpoint struct {
	scheme string // "http" or "https"
	host   string // canonical
	port   uint16
}

// parseTarget reads a guest's URL. Whatever two parsers could disagree about is
// refused, not repaired. net/url is not used: it accepts tabs in some places,
// userinfo, unescaped text and encoded hosts.
func parseTarget(raw string) (target, error) {
	if len(raw) > maxURL {
		return target{}, fmt.Errorf("it has %d bytes (maximum %d)", len(raw), maxURL)
	}
	if err := checkBytes(raw); err != nil {
		return target{}, err
	}
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return target{}, errors.New("it does not start with https:// or http://")
	}
	var t target
	switch t.scheme = lowerASCII(scheme); t.scheme {
	case "https", "http":
	default:
		return target{}, fmt.Errorf("its scheme %s is not https or http", quote(scheme))
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	a, err := parseAuthority(rest[:end])
	if err != nil {
		return target{}, err
	}
	t.host, t.port = a.host, a.port
	if t.port == 0 {
		t.port = defaultPort(t.scheme)
	}
	path, query, _ := strings.Cut(rest[end:], "?")
	if t.path, err = canonicalPath(path); err != nil {
		return target{}, err
	}
	t.query, err = canonicalQuery(query)
	return t, err
}

func defaultPort(scheme string) uint16 {
	if scheme == "http" {
		return 80
	}
	return 443
}

// checkBytes refuses everywhere what RFC 3986 has no place for. Line breaks
// would split the request, tabs and line breaks vanish in browsers' parsers
// ("ht\ttps"), a backslash is a slash to some of them, and a fragment is never
// sent.
func checkBytes(raw string) error {
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c < 0x20, c == 0x7f:
			return fmt.Errorf("it has the control character %#02x", c)
		case c == ' ':
			return errors.New("it has a space: write %20")
		case c == '\\':
			return errors.New("it has a backslash")
		case c == '#':
			return errors.New("it has a fragment (#), which is never sent: leave it out")
		}
	}
	return nil
}

// url builds the canonical URL.
func (t target) url() *url.URL {
	path, _ := url.PathUnescape(t.path) // canonicalPath has checked the escapes
	return &url.URL{
		Scheme:   t.scheme,
		Host:     t.hostPort(),
		Path:     path,
		RawPath:  t.path,
		RawQuery: t.query,
	}
}

// hostPort is "host:port" with the brackets of IPv6.
func (e endpoint) hostPort() string {
	if strings.IndexByte(e.host, ':') >= 0 {
		return "[" + e.host + "]:" + strconv.Itoa(int(e.port))
	}
	return e.host + ":" + strconv.Itoa(int(e.port))
}

// String is "https://api.github.com:443".
func (e endpoint) String() string { return e.scheme + "://" + e.hostPort() }

// isLiteral reports whether the host is spelt as an address of its own, which
// no DNS answer can change.
func (e endpoint) isLiteral() bool {
	if e.host == "localhost" {
		return true
	}
	_, err := netip.ParseAddr(e.host)
	return err == nil
}
