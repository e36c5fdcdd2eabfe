package pluginkit

import (
	"github.com/hashicorp/go-plugin"

	"github.com/ringfence/ringfence/internal/seccomp"
)

// ProtocolVersion is the major version of pluginkit/wire. go-plugin compares
// it in its handshake; everything finer is negotiated afterwards.
const ProtocolVersion = 1

// Handshake is go-plugin's greeting. The cookie is no secret: it only keeps a
// person who runs a plugin by hand from waiting for an answer.
var Handshake = plugin.HandshakeConfig{
	ProtocolVersion:  ProtocolVersion,
	MagicCookieKey:   "RINGFENCE_PLUGIN",
	MagicCookieValue: "b1946ac92492d2347c6235b4d2611184",
}

// ServiceName is the key of our one service in go-plugin's plugin set.
const ServiceName = "sandbox"

// Inherited descriptors of a sandbox process.
const (
	// ChannelFD is the socket over which the ring's memory will come. A host
	// that offers no ring leaves it closed.
	ChannelFD = 3
	// ModuleFD holds the module to compile, or the compiled code to load: a
	// sealed memfd, so that nobody can change it while it is read.
	ModuleFD = 4
	// RingOutFD and RingInFD are the memory of a native plugin's ring: what the host
	// writes, and what the plugin writes. They are there from the first instruction on
	// and stay where they are: the filter lets nothing be put in their place, so that
	// nothing else can be mapped shared.
	RingOutFD = seccomp.RingOutFD
	RingInFD  = seccomp.RingInFD
)
