package broker

import (
	"net/http"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/pluginkit/wire"
)

// hopByHop headers are about the connection between the host and the server.
var hopByHop = []string{"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authentication-Info", "Proxy-Connection",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// guestHeader is what the guest gets of a response's headers. Their size is
// bounded by the transport. Cookies are passed on: the host keeps none, and the
// guest may.
func guestHeader(h http.Header) http.Header {
	out := h.Clone()
	for _, list := range h.Values("Connection") {
		for name := range strings.SplitSeq(list, ",") {
			out.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range hopByHop {
		out.Del(name)
	}
	return out
}

// wireHeaders sorts headers by name, so that equal responses look equal. The wire
// wants UTF-8; other bytes, which HTTP allows, become U+FFFD.
func wireHeaders(h http.Header) []*wire.Header {
	names := make([]string, 0, len(h))
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	var out []*wire.Header
	for _, name := range names {
		for _, value := range h[name] {
			out = append(out, &wire.Header{Name: strings.ToValidUTF8(name, "\uFFFD"), Value: strings.ToValidUTF8(value, "\uFFFD")})
		}
	}
	return out
}
