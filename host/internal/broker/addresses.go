package broker

import (
	"fmt"
	"net/netip"

	"code.dny.dev/ssrf"
)

// addressError says that an address may not be connected to.
type addressError struct{ host, why string }

func (e *addressError) Error() string { return e.host + " " + e.why }

// prohibited are the ranges that no name may lead to. The ssrf library follows
// IANA's registries; this list holds what must stay refused whatever a later
// version of it thinks, with words for the audit log. IPv4 addresses in IPv6
// clothes (mapped, NAT64, 6to4, Teredo) are refused whole: what they lead to
// depends on the network.
var prohibited = []struct {
	prefix netip.Prefix
	what   string
}{
	{netip.MustParsePrefix("169.254.169.254/32"), "a cloud's metadata address"},
	{netip.MustParsePrefix("fd00:ec2::/32"), "a cloud's metadata address"},
	{netip.MustParsePrefix("100.100.100.200/32"), "a cloud's metadata address"},
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback"},
	{netip.MustParsePrefix("::1/128"), "loopback"},
	{netip.MustParsePrefix("0.0.0.0/8"), "unspecified"},
	{netip.MustParsePrefix("::/128"), "unspecified"},
	{netip.MustParsePrefix("10.0.0.0/8"), "private"},
	{netip.MustParsePrefix("172.16.0.0/12"), "private"},
	{netip.MustParsePrefix("192.168.0.0/16"), "private"},
	{netip.MustParsePrefix("fc00::/7"), "private (unique local)"},
	{netip.MustParsePrefix("100.64.0.0/10"), "shared by a carrier (CGNAT)"},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local"},
	{netip.MustParsePrefix("fe80::/10"), "link-local"},
	{netip.MustParsePrefix("fec0::/10"), "site-local"},
	{netip.MustParsePrefix("192.0.0.0/24"), "reserved for protocols"},
	{netip.MustParsePrefix("198.18.0.0/15"), "reserved for benchmarks"},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast"},
	{netip.MustParsePrefix("ff00::/8"), "multicast"},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved"},
	{netip.MustParsePrefix("::ffff:0:0/96"), "IPv4 in IPv6 (mapped)"},
	{netip.MustParsePrefix("64:ff9b::/96"), "IPv4 in IPv6 (NAT64)"},
	{netip.MustParsePrefix("64:ff9b:1::/48"), "IPv4 in IPv6 (NAT64)"},
	{netip.MustParsePrefix("2002::/16"), "IPv4 in IPv6 (6to4)"},
	{netip.MustParsePrefix("2001::/32"), "IPv4 in IPv6 (Teredo)"},
}

// registries checks addresses only: ports are the policy's to decide.
var registries = ssrf.New(ssrf.WithAnyPort())

// checkPublic returns an *addressError unless the address is one of the public
// internet. It wants addresses without a mapping (netip.Addr.Unmap).
func checkPublic(a netip.Addr) error {
	if !a.IsValid() || a.Zone() != "" {
		return &addressError{a.String(), "is an address with a zone, or none"}
	}
	for _, p := range prohibited {
		if p.prefix.Contains(a) {
			return &addressError{a.String(), fmt.Sprintf("is %s (%s)", p.what, p.prefix)}
		}
	}
	if err := registries.SafeAddr(a); err != nil {
		return &addressError{a.String(), "is not public: " + err.Error()}
	}
	return nil
}
