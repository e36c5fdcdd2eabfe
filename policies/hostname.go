package policies

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// idnaProfile checks internationalised labels and never maps: a full-width
// "ａｐｉ" or an upper-case "Ü" is an error, not another spelling of the host.
var idnaProfile = idna.New(idna.ValidateLabels(true), idna.CheckHyphens(false), idna.StrictDomainName(true), idna.BidiRule())

// authority is host and port as they were written, canonical.
type authority struct {
	host string // lower-case ASCII, or an IP address without brackets
	port uint16 // 0 when none was written
	ip   bool
}

// parseAuthority reads "host[:port]". Userinfo is refused: in
// "https://api.github.com@evil.example" the host is the second name, and
// people as well as parsers have taken it for the first.
func parseAuthority(s string) (authority, error) {
	if strings.ContainsRune(s, '@') {
		return authority{}, errors.New("it has user information before the host (an @)")
	}
	host, port, err := splitPort(s)
	if err != nil {
		return authority{}, err
	}
	var a authority
	if a.port, err = parsePort(port); err != nil {
		return authority{}, err
	}
	if strings.HasPrefix(host, "[") {
		a.host, err = canonicalIPv6(host)
		a.ip = true
		return a, err
	}
	a.host, a.ip, err = canonicalHost(host)
	return a, err
}

// splitPort cuts the port with its colon off, leaving brackets on the host.
func splitPort(s string) (host, port string, err error) {
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return "", "", errors.New("its IPv6 address has no closing bracket")
		}
		return s[:end+1], s[end+1:], nil
	}
	i := strings.IndexByte(s, ':')
	if i < 0 {
		return s, "", nil
	}
	if strings.IndexByte(s[i+1:], ':') >= 0 {
		return "", "", errors.New("its host has more than one colon (an IPv6 address goes in brackets)")
	}
	return s[:i], s[i:], nil
}

// parsePort reads ":443" or "". One number has one spelling: no sign, no
// leading zero, no empty port.
func parsePort(s string) (uint16, error) {
	if s == "" {
		return 0, nil
	}
	digits, colon := strings.CutPrefix(s, ":")
	if !colon {
		return 0, fmt.Errorf("there is %s after its host", quote(s))
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || n == 0 || digits != strconv.FormatUint(n, 10) {
		return 0, fmt.Errorf("its port %s is not a number from 1 to 65535", quote(digits))
	}
	return uint16(n), nil
}

// canonicalIPv6 reads "[::1]". Zones name an interface of this machine, and an
// IPv4 address in IPv6 clothes (::ffff:127.0.0.1) passes filters that know the
// bare one: both are refused.
func canonicalIPv6(s string) (string, error) {
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	switch {
	case err != nil || !addr.Is6():
		return "", fmt.Errorf("its host %s is not an IPv6 address", quote(s))
	case addr.Zone() != "":
		return "", fmt.Errorf("its address %s has a zone", quote(s))
	case addr.Is4In6():
		return "", fmt.Errorf("its address %s is an IPv4 address in IPv6 form: write %s", quote(s), addr.Unmap())
	}
	return addr.String(), nil
}

// canonicalHost reads a name or a dotted IPv4 address.
func canonicalHost(s string) (host string, ip bool, err error) {
	switch {
	case s == "":
		return "", false, errors.New("its host is empty")
	case len(s) > 1024: // before IDNA, whose cost grows with the length
		return "", false, errors.New("its host is too long")
	case strings.HasSuffix(s, "."):
		return "", false, fmt.Errorf("its host %s ends in a dot", quote(s))
	}
	s, err = asciiHost(lowerASCII(s))
	if err != nil {
		return "", false, err
	}
	if len(s) > 253 {
		return "", false, fmt.Errorf("its host has %d characters (maximum 253)", len(s))
	}
	labels := strings.Split(s, ".")
	for _, l := range labels {
		if err := checkLabel(l); err != nil {
			return "", false, fmt.Errorf("its host %s %w", quote(s), err)
		}
	}
	if !looksNumeric(labels[len(labels)-1]) {
		return s, false, nil
	}
	// The resolver of the C library reads 127.1, 0x7f.1, 0177.0.0.1 and
	// 2130706433 as 127.0.0.1. Only the plain form is taken.
	addr, err := netip.ParseAddr(s)
	if err != nil || addr.String() != s {
		return "", false, fmt.Errorf("its host %s is not a plain IPv4 address", quote(s))
	}
	return s, true, nil
}

// looksNumeric follows the WHATWG URL standard's "ends in a number": no
// top-level domain does.
func looksNumeric(label string) bool {
	if strings.HasPrefix(label, "0x") {
		return true
	}
	return strings.Trim(label, "0123456789") == ""
}

func checkLabel(l string) error {
	switch {
	case l == "":
		return errors.New("has an empty label")
	case len(l) > 63:
		return errors.New("has a label of more than 63 characters")
	case l[0] == '-' || l[len(l)-1] == '-':
		return errors.New("has a label that starts or ends with a hyphen")
	}
	for i := 0; i < len(l); i++ {
		if c := l[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return fmt.Errorf("has the character %s", quote(string(rune(c))))
		}
	}
	return nil
}

// asciiHost turns an internationalised name into its ASCII form and checks the
// ASCII form of one. A homograph ("аpi.github.com" with a Cyrillic а) becomes
// xn--pi-6kc.github.com, which no rule names.
func asciiHost(s string) (string, error) {
	if isASCII(s) && !strings.Contains(s, "xn--") {
		return s, nil
	}
	notValid := fmt.Errorf("its host %s is not a valid internationalised name in its one spelling", quote(s))
	ascii, err := idnaProfile.ToASCII(s)
	if err != nil || !isASCII(ascii) {
		return "", notValid
	}
	unicode, err := idnaProfile.ToUnicode(ascii)
	if err != nil {
		return "", notValid
	}
	if s != unicode && s != ascii { // normalised on the way, or both forms in one name
		return "", notValid
	}
	return ascii, nil
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// lowerASCII leaves everything but A to Z alone: strings.ToLower would turn the
// Kelvin sign into a k.
func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
