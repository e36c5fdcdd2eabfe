package launch

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/go-plugin"

	"github.com/ringfence/ringfence/pluginkit"
)

// maxLine bounds the handshake line, in bytes. A real one has about 30.
const maxLine = 4 << 10

// parseHandshake checks the first line that a process printed and returns the
// base name of its socket.
//
// go-plugin believes this line: it dials any address in it, and a certificate
// in the sixth field makes it panic. So the line is taken apart here, and
// go-plugin is shown canonical(name) instead, which holds nothing of the
// process's own but a checked file name.
func parseHandshake(line string) (string, error) {
	bad := func(format string, args ...any) (string, error) {
		return "", &HandshakeError{Reason: fmt.Sprintf(format, args...), Line: clip(quote(clip(line, 200)), 200)}
	}
	f := strings.SplitN(line, "|", 8)
	if len(f) < 5 || len(f) > 6 {
		return bad("want core|version|unix|address|grpc|")
	}
	if f[0] != strconv.Itoa(plugin.CoreProtocolVersion) {
		return bad("core protocol version must be %d", plugin.CoreProtocolVersion)
	}
	if f[1] != strconv.Itoa(pluginkit.ProtocolVersion) {
		return bad("the plugin speaks another protocol version than %d; rebuild it", pluginkit.ProtocolVersion)
	}
	if f[2] != "unix" {
		return bad("network must be unix")
	}
	if f[4] != string(plugin.ProtocolGRPC) {
		return bad("protocol must be grpc")
	}
	if len(f) == 6 && f[5] != "" {
		return bad("a certificate came though TLS is off")
	}
	name, ok := strings.CutPrefix(f[3], "./")
	if !ok || !socketName(name) {
		return bad("address must be ./NAME, a socket in the folder of PLUGIN_UNIX_SOCKET_DIR")
	}
	return name, nil
}

// socketName allows what a path element needs and nothing that a path could do
// something with.
func socketName(s string) bool {
	if s == "" || len(s) > 64 || s[0] == '.' {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}

// canonical is the handshake line for go-plugin.
func canonical(name string) string {
	return fmt.Sprintf("%d|%d|unix|./%s|grpc|\n", plugin.CoreProtocolVersion, pluginkit.ProtocolVersion, name)
}

// greeting collects the first line of a stream and counts what follows it.
type greeting struct {
	line chan<- greeted // buffered for one
	buf  []byte
	done bool
	rest uint64
}

type greeted struct {
	line string
	err  error // errSilent: the stream ended first
}

var errSilent = &HandshakeError{Reason: "closed its standard output without printing a handshake line"}

func (g *greeting) write(b []byte) int {
	cost := len(b)
	for len(b) > 0 && !g.done {
		c := b[0]
		b = b[1:]
		switch {
		case c == '\n':
			g.finish(greeted{line: string(g.buf)})
		case len(g.buf) == maxLine:
			g.finish(greeted{err: &HandshakeError{
				Reason: fmt.Sprintf("no end of line in the first %d bytes", maxLine),
				Line:   clip(quote(string(g.buf[:200])), 200),
			}})
		default:
			g.buf = append(g.buf, c)
		}
	}
	g.rest += uint64(len(b))
	return cost
}

func (g *greeting) end() {
	if !g.done {
		err := errSilent
		if len(g.buf) > 0 {
			err = &HandshakeError{Reason: "standard output ended within the first line",
				Line: clip(quote(clip(string(g.buf), 200)), 200)}
		}
		g.finish(greeted{err: err})
	}
}

func (g *greeting) finish(r greeted) {
	g.done, g.buf = true, nil
	g.line <- r
}
