package policies

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// hostLabel is a parsed allow label: [scheme://]host[:port].
type hostLabel struct {
	endpoint endpoint
	wildcard bool
}

// parseHostLabel reads what stands behind allow. It wants the host and nothing
// else; the error says where the rest belongs.
func parseHostLabel(label string) (hostLabel, error) {
	l := hostLabel{endpoint: endpoint{scheme: "https"}}
	if label == "" {
		return l, errors.New("the host is empty: name one, such as \"api.example.com\"")
	}
	if !isASCII(label) {
		return l, nonASCIILabel(label)
	}
	if err := checkBytes(label); err != nil {
		return l, fmt.Errorf("%s is not a host: %w", quote(label), err)
	}
	rest := label
	if scheme, after, ok := strings.Cut(label, "://"); ok {
		if scheme != "https" && scheme != "http" {
			return l, fmt.Errorf("scheme %s is not allowed: write https:// or http://, or nothing for https", quote(scheme))
		}
		l.endpoint.scheme, rest = scheme, after
	}
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		return l, fmt.Errorf("%s has a path: write allow %s { paths = [%s] }", quote(label), quote(label[:len(label)-len(rest)+i]), quote(withSlash(rest[i:])))
	}
	host, wildcard := strings.CutPrefix(rest, "*.")
	l.wildcard = wildcard
	if strings.ContainsRune(host, '*') {
		return l, fmt.Errorf("%s has a star where none is allowed: only \"*.example.com\", for every name below example.com, is", quote(label))
	}
	a, err := parseAuthority(host)
	if err != nil {
		return l, fmt.Errorf("%s is not a host: %w", quote(label), err)
	}
	if l.endpoint.host, l.endpoint.port = a.host, a.port; a.port == 0 {
		l.endpoint.port = defaultPort(l.endpoint.scheme)
	}
	return l, l.check(a)
}

func withSlash(path string) string {
	path, _, _ = strings.Cut(path, "?")
	if path == "" || path == "/" {
		return "/**"
	}
	return path
}

// nonASCIILabel asks for the ASCII form, in which a reviewer sees that a host
// is not the one it looks like.
func nonASCIILabel(label string) error {
	host := label
	if _, after, ok := strings.Cut(label, "://"); ok {
		host = after
	}
	host, _, _ = strings.Cut(strings.TrimPrefix(host, "*."), ":")
	if ascii, err := asciiHost(host); err == nil {
		return fmt.Errorf("%s has letters beyond ASCII: write %s, so that a reader sees which host it is", quote(label), quote(ascii))
	}
	return fmt.Errorf("%s has letters beyond ASCII: write the ASCII form (xn--…), so that a reader sees which host it is", quote(label))
}

func (l hostLabel) check(a authority) error {
	if l.wildcard {
		if a.ip || a.host == "localhost" {
			return fmt.Errorf("\"*.%s\" has a star before an address: an address has no names below it", a.host)
		}
		if suffix, icann := publicsuffix.PublicSuffix(a.host); icann && suffix == a.host {
			return fmt.Errorf("\"*.%s\" would allow every site under .%s, whoever owns it: name the sites", a.host, a.host)
		}
	}
	if addr, err := netip.ParseAddr(a.host); err == nil && addr.IsUnspecified() {
		return fmt.Errorf("%s is not the address of anything: for this machine write \"127.0.0.1\" or \"[::1]\"", a.host)
	}
	return nil
}

// plaintext reports whether requests leave this machine unencrypted.
func (l hostLabel) plaintext() bool {
	if l.endpoint.scheme != "http" || l.endpoint.host == "localhost" {
		return false
	}
	addr, err := netip.ParseAddr(l.endpoint.host)
	return err != nil || !addr.IsLoopback()
}

// linkLocal reports whether the label spells out an address of the link, where
// clouds serve the machine's own credentials (169.254.169.254, fd00:ec2::254).
func (l hostLabel) linkLocal() bool {
	addr, err := netip.ParseAddr(l.endpoint.host)
	return err == nil && (addr.IsLinkLocalUnicast() || addr == netip.MustParseAddr("fd00:ec2::254"))
}
