package broker

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/pluginkit/wire"
)

// answers is a resolver that gives another answer each time; the last one stays.
type answers struct {
	lists [][]string
	asked int
	name  string // the last one
}

func (a *answers) LookupNetIP(_ context.Context, _, name string) ([]netip.Addr, error) {
	a.name = name
	list := a.lists[min(a.asked, len(a.lists)-1)]
	a.asked++
	var out []netip.Addr
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out, nil
}

// dials notes where connections would go, and makes none.
type dials struct{ to []string }

var errNoNetwork = errors.New("no network in this test")

func (d *dials) connect(_ context.Context, to netip.AddrPort, check func(netip.Addr) error) (net.Conn, error) {
	d.to = append(d.to, to.String())
	return nil, errors.Join(check(to.Addr()), errNoNetwork)
}

func testDialer(lists ...[]string) (*dialer, *dials, *answers) {
	r := &answers{lists: lists}
	d, to := newDialer(r, time.Second), &dials{}
	d.connect = to.connect
	return d, to, r
}

func TestNamesThatLeadToPrivateAddressesAreRefused(t *testing.T) {
	for attack, addr := range map[string]string{
		"loopback": "127.0.0.1", "all of loopback": "127.8.9.10", "loopback, IPv6": "::1", "loopback, mapped": "::ffff:127.0.0.1",
		"metadata": "169.254.169.254", "metadata, mapped": "::ffff:a9fe:a9fe", "metadata, IPv6": "fd00:ec2::254", "metadata, Alibaba": "100.100.100.200",
		"link-local": "169.254.1.1", "link-local, IPv6": "fe80::1", "link-local with a zone": "fe80::1%eth0", "global with a zone": "2606:4700::1111%eth0",
		"private 10": "10.1.2.3", "private 172.16": "172.31.0.1", "private 192.168": "192.168.1.1", "unique local": "fc00::1", "site-local": "fec0::1",
		"CGNAT": "100.64.0.1", "benchmark": "198.18.0.1", "benchmark, upper half": "198.19.255.255", "protocol assignments": "192.0.0.8",
		"reserved": "240.0.0.1", "broadcast": "255.255.255.255", "multicast": "224.0.0.1", "multicast, IPv6": "ff02::1",
		"unspecified": "0.0.0.0", "this network": "0.1.2.3", "unspecified, IPv6": "::", "IPv4-compatible": "::127.0.0.1",
		"NAT64": "64:ff9b::7f00:1", "NAT64, local": "64:ff9b:1::7f00:1", "6to4": "2002:7f00:1::", "Teredo": "2001::1", "documentation": "2001:db8::1",
	} {
		t.Run(attack, func(t *testing.T) {
			d, to, _ := testDialer([]string{addr})
			_, err := d.dialPublic(context.Background(), "tcp", "api.example.com:443")
			var private *addressError
			if !errors.As(err, &private) || len(to.to) > 0 {
				t.Errorf("resolved: %v, connected to %v", err, to.to)
			}
			// The same, spelt out by the guest under a rule that does not.
			if _, err = d.dialPublic(context.Background(), "tcp", net.JoinHostPort(addr, "443")); !errors.As(err, &private) || len(to.to) > 0 {
				t.Errorf("spelt out: %v, connected to %v", err, to.to)
			}
		})
	}
}

func TestPublicAddressesAreTriedInOrder(t *testing.T) {
	d, to, _ := testDialer([]string{"::ffff:93.184.216.34", "10.0.0.1", "2606:4700::1111", "127.0.0.1"})
	_, err := d.dialPublic(context.Background(), "tcp", "api.example.com:8443")
	if got := strings.Join(to.to, " "); got != "93.184.216.34:8443 [2606:4700::1111]:8443" || !errors.Is(err, errNoNetwork) {
		t.Errorf("connected to %s, %v", got, err)
	}
}

// A search domain of the host's network must not answer for a public name.
func TestNamesAreResolvedAsAbsolute(t *testing.T) {
	d, _, r := testDialer([]string{"93.184.216.34"})
	for asked, resolved := range map[string]string{"api.example.com": "api.example.com.", "api.example.com.": "api.example.com.", "intranet": "intranet"} {
		_, _ = d.dialPublic(context.Background(), "tcp", asked+":443")
		if r.name != resolved {
			t.Errorf("%s was resolved as %s", asked, r.name)
		}
	}
}

// DNS rebinding: the first answer is public and passes the check, the second is
// private and would be connected to.
func TestRebindingIsNotAskedTwice(t *testing.T) {
	d, to, r := testDialer([]string{"93.184.216.34"}, []string{"127.0.0.1"})
	_, _ = d.dialPublic(context.Background(), "tcp", "rebind.example:80")
	if r.asked != 1 || len(to.to) != 1 || to.to[0] != "93.184.216.34:80" {
		t.Errorf("resolved %d times, connected to %v", r.asked, to.to)
	}
	if _, err := d.dialPublic(context.Background(), "tcp", "rebind.example:80"); err == nil || len(to.to) != 1 {
		t.Errorf("the private answer: %v, connected to %v", err, to.to)
	}
}

// The last check is made on the address that the kernel is about to be given.
func TestConnectChecksTheSocketsAddress(t *testing.T) {
	srv := serve(t, func(http.ResponseWriter, *http.Request) {})
	to := netip.MustParseAddrPort(strings.TrimPrefix(srv.URL, "http://"))
	var private *addressError
	if _, err := connect(context.Background(), to, checkPublic); !errors.As(err, &private) {
		t.Errorf("got %v", err)
	}
	c, err := connect(context.Background(), to, func(netip.Addr) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	last := control(netip.MustParseAddrPort("93.184.216.34:443"), checkPublic)
	for _, c := range []struct {
		network, address string
		ok               bool
	}{
		{"tcp4", "93.184.216.34:443", true}, {"tcp6", "[::ffff:93.184.216.34]:443", true}, {"tcp4", "93.184.216.35:443", false},
		{"tcp4", "93.184.216.34:80", false}, {"udp4", "93.184.216.34:443", false}, {"unix", "/run/docker.sock", false},
	} {
		if err := last(context.Background(), c.network, c.address, nil); (err == nil) != c.ok {
			t.Errorf("%s %s: %v", c.network, c.address, err)
		}
	}
}

func TestLiteralRulesReachTheirAddressAndNoOther(t *testing.T) {
	d, to, r := testDialer([]string{"127.0.0.1"})
	for _, address := range []string{"10.0.0.1:8080", "[::1]:80", "localhost:9000"} {
		_, _ = d.dialLiteral(context.Background(), "tcp", address)
	}
	if got := strings.Join(to.to, " "); got != "10.0.0.1:8080 [::1]:80 127.0.0.1:9000 [::1]:9000" {
		t.Errorf("connected to %s", got)
	}
	var private *addressError
	if _, err := d.dialLiteral(context.Background(), "tcp", "api.example.com:80"); !errors.As(err, &private) || r.asked > 0 {
		t.Errorf("a name under a literal rule: %v, resolved %d times", err, r.asked)
	}
}

// The whole way: a host that the policy allows, whose name leads to a server on
// this machine.
func TestAllowedNameThatLeadsInsideIsDenied(t *testing.T) {
	hits := 0
	srv := serve(t, func(http.ResponseWriter, *http.Request) { hits++ })
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(srv.URL, "http://"))
	r := &answers{lists: [][]string{{"127.0.0.1"}, {"::ffff:127.0.0.1"}, {"::1"}}}
	k := newKit(t, allow("http://api.example.com:"+port, credentialBlock), func(c *Config) { c.Resolver = r })
	for range 3 {
		reply := k.get("http://api.example.com:" + port + "/")
		want(t, reply, wire.Code_CODE_DENIED, "api.example.com:"+port+" does not lead to a public address")
		if strings.Contains(reply.GetMessage(), "127.0.0.1") {
			t.Errorf("the guest learns the address: %s", reply.GetMessage())
		}
	}
	if hits > 0 || r.asked != 3 {
		t.Errorf("%d requests arrived, %d lookups", hits, r.asked)
	}
	if e := k.log.entries[1]; !strings.Contains(e.Reason, "127.0.0.1 is loopback") {
		t.Errorf("record: %+v", e)
	}
}

// A connection that a literal rule opened must not carry requests of a rule that
// could not have opened it, nor those of another plugin.
func TestConnectionsAreNotShared(t *testing.T) {
	var clients []string
	srv := serve(t, func(_ http.ResponseWriter, r *http.Request) { clients = append(clients, r.RemoteAddr) })
	one, two := newKit(t, allow(srv.URL, "")), newKit(t, allow(srv.URL, ""))
	want(t, one.get(srv.URL+"/"), wire.Code_CODE_OK, "")
	want(t, one.get(srv.URL+"/"), wire.Code_CODE_OK, "")
	want(t, two.get(srv.URL+"/"), wire.Code_CODE_OK, "")
	if len(clients) != 3 || clients[0] != clients[1] || clients[1] == clients[2] {
		t.Errorf("connections: %v", clients)
	}
	req, _ := http.NewRequest("GET", srv.URL+"/", nil)
	if resp, err := one.b.public.RoundTrip(req); err == nil {
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		t.Error("the transport for names reused the connection of a literal rule")
	}
}

func TestLookupFailures(t *testing.T) {
	for _, c := range []struct {
		err  error
		code wire.Code
	}{
		{&net.DNSError{Err: "no such host", IsNotFound: true, Server: "10.9.8.7:53"}, wire.Code_CODE_UNAVAILABLE},
		{&net.DNSError{Err: "i/o timeout", IsTimeout: true, Server: "10.9.8.7:53"}, wire.Code_CODE_TIMEOUT},
	} {
		k := newKit(t, allow("https://api.example.com", ""), func(cfg *Config) { cfg.Resolver = broken{c.err} })
		r := k.get("https://api.example.com/")
		want(t, r, c.code, "api.example.com:443")
		if strings.Contains(r.GetMessage(), "10.9.8.7") {
			t.Errorf("the guest learns of the resolver: %s", r.GetMessage())
		}
	}
}

type broken struct{ err error }

func (b broken) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) { return nil, b.err }
