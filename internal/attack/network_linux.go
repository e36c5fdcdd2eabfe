package attack

import (
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

func socket(family, kind, proto int) func(*World) string {
	return func(*World) string { return opened(unix.Socket(family, kind|unix.SOCK_CLOEXEC, proto)) }
}

// with makes a socket and lets f use it.
func with(family, kind, proto int, f func(fd int) error) string {
	fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, proto)
	if err != nil {
		return said(err)
	}
	defer unix.Close(fd)
	return said(f(fd))
}

func inet(address string) *unix.SockaddrInet4 {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		panic(err)
	}
	return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
}

func connect(name string, kind int) string {
	return with(unix.AF_UNIX, kind, 0, func(fd int) error { return unix.Connect(fd, &unix.SockaddrUnix{Name: name}) })
}

func init() {
	tcp := func(proto int) func(*World) string {
		return func(w *World) string {
			return with(unix.AF_INET, unix.SOCK_STREAM, proto, func(fd int) error { return unix.Connect(fd, inet(w.TCP)) })
		}
	}
	register(map[string]func(*World) string{
		"connect TCP":           tcp(0),
		"connect multipath TCP": tcp(unix.IPPROTO_MPTCP),
		"listen on TCP": func(*World) string {
			return with(unix.AF_INET, unix.SOCK_STREAM, 0, func(fd int) error {
				if err := unix.Bind(fd, inet("127.0.0.1:0")); err != nil {
					return err
				}
				return unix.Listen(fd, 1)
			})
		},
		"listen on TCP without binding": func(*World) string {
			return with(unix.AF_INET, unix.SOCK_STREAM, 0, func(fd int) error { return unix.Listen(fd, 1) })
		},
		"send UDP": func(w *World) string {
			return with(unix.AF_INET, unix.SOCK_DGRAM, 0, func(fd int) error { return unix.Sendto(fd, []byte("x"), 0, inet(w.UDP)) })
		},
		"bind UDP": func(*World) string {
			return with(unix.AF_INET, unix.SOCK_DGRAM, 0, func(fd int) error { return unix.Bind(fd, inet("127.0.0.1:0")) })
		},
		"raw IP":                              socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP),
		"ping":                                socket(unix.AF_INET6, unix.SOCK_DGRAM, unix.IPPROTO_ICMPV6),
		"packets":                             socket(unix.AF_PACKET, unix.SOCK_RAW, 0),
		"netlink":                             socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE),
		"vsock":                               socket(unix.AF_VSOCK, unix.SOCK_STREAM, 0),
		"kernel crypto":                       socket(unix.AF_ALG, unix.SOCK_SEQPACKET, 0),
		"connect to an abstract socket":       func(w *World) string { return connect(w.Unnamed, unix.SOCK_STREAM) },
		"connect to a socket with a path":     func(w *World) string { return connect(w.Path, unix.SOCK_STREAM) },
		"connect to another sandbox's socket": func(w *World) string { return connect(w.OtherSocket, unix.SOCK_STREAM) },
		"bind an abstract socket": func(*World) string {
			return with(unix.AF_UNIX, unix.SOCK_STREAM, 0, func(fd int) error {
				return unix.Bind(fd, &unix.SockaddrUnix{Name: "@ringfence-attack"})
			})
		},
		"Unix datagrams": socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0),
		"a pair of sockets": func(*World) string {
			_, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			return said(err)
		},
		"look for interfaces": func(*World) string {
			list, err := net.Interfaces()
			if err == nil && len(list) == 0 {
				return "none"
			}
			return said(err)
		},
	})
}
