package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// dialer connects to servers. A name is resolved once, its addresses are
// checked, and what is connected to is a checked address, never again the name:
// a resolver that answers differently the second time is not asked twice.
type dialer struct {
	resolver Resolver
	timeout  time.Duration
	// connect is replaced by tests that must not leave the machine.
	connect func(ctx context.Context, to netip.AddrPort, check func(netip.Addr) error) (net.Conn, error)
}

// maxAddresses is how many addresses of one name are tried.
const maxAddresses = 8

func newDialer(r Resolver, timeout time.Duration) *dialer {
	return &dialer{resolver: r, timeout: timeout, connect: connect}
}

// dialPublic connects to a public address of the host.
func (d *dialer) dialPublic(ctx context.Context, _, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	host, port, err := splitAddress(address)
	if err != nil {
		return nil, err
	}
	addrs, err := d.lookup(ctx, host)
	if err != nil {
		return nil, err
	}
	var public []netip.Addr
	var refused error
	for _, a := range addrs {
		a = a.Unmap() // ::ffff:127.0.0.1 is 127.0.0.1
		if err := checkPublic(a); err != nil {
			refused = err
			continue
		}
		public = append(public, a)
	}
	if len(public) == 0 {
		return nil, refused
	}
	return d.first(ctx, public, port, checkPublic)
}

// dialLiteral connects to the address that a rule spells out, or to the loopback
// interface for "localhost". Nothing is resolved.
func (d *dialer) dialLiteral(ctx context.Context, _, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	host, port, err := splitAddress(address)
	if err != nil {
		return nil, err
	}
	addrs := []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	if host != "localhost" {
		a, err := netip.ParseAddr(host)
		if err != nil {
			return nil, &addressError{host: host, why: "is not an address, though its rule names one"}
		}
		addrs = []netip.Addr{a.Unmap()}
	}
	return d.first(ctx, addrs, port, func(netip.Addr) error { return nil })
}

// lookup gives the addresses of a name, or the address that the host already is.
func (d *dialer) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	name := host
	if strings.Contains(host, ".") && !strings.HasSuffix(host, ".") {
		name += "." // or a search domain of the host could answer for it
	}
	addrs, err := d.resolver.LookupNetIP(ctx, "ip", name)
	if err != nil {
		return nil, err
	}
	if len(addrs) == 0 {
		return nil, &net.DNSError{Err: "no addresses", Name: host, IsNotFound: true}
	}
	return addrs[:min(len(addrs), maxAddresses)], nil
}

// first tries addresses in the resolver's order, each with an equal share of the
// time that is left.
func (d *dialer) first(ctx context.Context, addrs []netip.Addr, port uint16, check func(netip.Addr) error) (net.Conn, error) {
	var errs []error
	for i, a := range addrs {
		share := d.timeout
		if deadline, ok := ctx.Deadline(); ok {
			share = time.Until(deadline) / time.Duration(len(addrs)-i)
		}
		conn, err := func() (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, share)
			defer cancel()
			return d.connect(ctx, netip.AddrPortFrom(a, port), check)
		}()
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// connect opens a connection and checks, with the socket made and nothing sent
// yet, that the kernel is asked for the address that was decided on.
func connect(ctx context.Context, to netip.AddrPort, check func(netip.Addr) error) (net.Conn, error) {
	d := net.Dialer{ControlContext: control(to, check)}
	return d.DialContext(ctx, "tcp", to.String())
}

// control is the last look at an address.
func control(to netip.AddrPort, check func(netip.Addr) error) func(context.Context, string, string, syscall.RawConn) error {
	return func(_ context.Context, network, address string, _ syscall.RawConn) error {
		now, err := netip.ParseAddrPort(address)
		if err != nil || now.Port() != to.Port() || now.Addr().Unmap() != to.Addr() || (network != "tcp4" && network != "tcp6") {
			return &addressError{host: network + " " + address, why: "is not what was decided on"}
		}
		return check(now.Addr().Unmap())
	}
}

func splitAddress(address string) (host string, port uint16, err error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	n, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("port of %s: %w", host, err)
	}
	return host, uint16(n), nil
}
