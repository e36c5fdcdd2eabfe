package serve

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/pluginkit/ringwire"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/plugins/wasm/internal/wasmtest"
	"github.com/ringfence/ringfence/shmchan"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// sockets makes the socket over which a ring's memory comes.
func sockets(t *testing.T) (host, sandbox int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		unix.Close(fds[0])
		unix.Close(fds[1])
	})
	return fds[0], fds[1]
}

func send(t *testing.T, fd int, payload string, fds ...int) {
	t.Helper()
	if err := unix.Sendmsg(fd, []byte(payload), unix.UnixRights(fds...), nil, 0); err != nil {
		t.Fatal(err)
	}
}

func openDescriptors(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

func ringTerms() *wire.Terms {
	return &wire.Terms{Transport: "ring", Engine: "wasmer", GuestAbi: 1, LayoutVersion: ringwire.Layout, Lanes: ringwire.Lanes,
		RingBytes: 64 << 10, CapabilityRingBytes: 64 << 10, MessageTimeoutMs: 5000}
}

func offerRing(t *testing.T) *shmchan.Offer {
	t.Helper()
	offer, err := shmchan.Create(ringwire.ShapeOf(64<<10, 5*time.Second).Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		offer.Close()
		offer.Channel().Close()
	})
	return offer
}

func TestARingIsOfferedOnlyWithASocketForIt(t *testing.T) {
	_, sandbox := sockets(t)
	if RingFrom(sandbox) == nil {
		t.Error("not with one")
	}
	if RingFrom(-1) != nil || RingFrom(wasmtest.Sealed(t, []byte("x"))) != nil {
		t.Error("without one")
	}
	box := newSandbox(t, module(t, "echo"))
	if _, err := box.Settle(t.Context(), ringTerms()); status.Code(err) != codes.InvalidArgument {
		t.Errorf("settled on what was not offered: %v", err)
	}
}

// Whatever comes in place of the ring's memory is refused, no descriptor of it
// stays open, and the host can still settle on gRPC.
func TestBadMemoryIsRefused(t *testing.T) {
	for name, send := range map[string]func(t *testing.T, fd int){
		"nothing":        func(t *testing.T, fd int) {},
		"no descriptors": func(t *testing.T, fd int) { unix.Send(fd, []byte{2}, 0) },
		"one descriptor": func(t *testing.T, fd int) { send(t, fd, "\x02", int(offerRing(t).Files()[0].Fd())) },
		"no payload": func(t *testing.T, fd int) {
			o := offerRing(t)
			send(t, fd, "x", int(o.Files()[0].Fd()), int(o.Files()[1].Fd()))
		},
		"too long": func(t *testing.T, fd int) {
			o := offerRing(t)
			send(t, fd, strings.Repeat("\x02", 20), int(o.Files()[0].Fd()), int(o.Files()[1].Fd()))
		},
		"the wrong order": func(t *testing.T, fd int) {
			o := offerRing(t)
			send(t, fd, "\x02", int(o.Files()[1].Fd()), int(o.Files()[0].Fd()))
		},
		"many descriptors": func(t *testing.T, fd int) {
			o := offerRing(t)
			one := int(o.Files()[0].Fd())
			send(t, fd, "\x02", one, one, one, one)
		},
		"not sealed": func(t *testing.T, fd int) {
			send(t, fd, "\x02", wasmtest.Memfd(t, make([]byte, 1<<18), 0), wasmtest.Memfd(t, make([]byte, 1<<18), 0))
		},
		"another size": func(t *testing.T, fd int) {
			o, err := shmchan.Create(ringwire.ShapeOf(128<<10, time.Second).Config())
			if err != nil {
				t.Fatal(err)
			}
			defer o.Close()
			defer o.Channel().Close()
			send(t, fd, "\x02", int(o.Files()[0].Fd()), int(o.Files()[1].Fd()))
		},
	} {
		t.Run(name, func(t *testing.T) {
			host, sandbox := sockets(t)
			box := newSandbox(t, module(t, "echo"))
			box.server.config.Ring = RingFrom(sandbox)
			if _, err := box.Negotiate(t.Context(), &wire.Offer{}); err != nil {
				t.Fatal(err)
			}
			send(t, host)
			before := openDescriptors(t)
			if _, err := box.Settle(t.Context(), ringTerms()); status.Code(err) != codes.FailedPrecondition {
				t.Errorf("%v", err)
			}
			if after := openDescriptors(t); after > before {
				t.Errorf("%d descriptors are open, %d were", after, before)
			}
			if _, err := box.Settle(t.Context(), &wire.Terms{Transport: "grpc", Engine: "wasmer", GuestAbi: 1}); err != nil {
				t.Errorf("gRPC afterwards: %v", err)
			}
		})
	}
}

func TestBadTermsOfARing(t *testing.T) {
	_, sandbox := sockets(t)
	box := newSandbox(t, module(t, "echo"))
	box.server.config.Ring = RingFrom(sandbox)
	for name, change := range map[string]func(*wire.Terms){
		"layout": func(r *wire.Terms) { r.LayoutVersion++ },
		"lanes":  func(r *wire.Terms) { r.Lanes = 1 },

		"tiny":        func(r *wire.Terms) { r.RingBytes = 4096 },
		"huge":        func(r *wire.Terms) { r.RingBytes = 1 << 40 },
		"uneven":      func(r *wire.Terms) { r.CapabilityRingBytes += 4096 },
		"no time":     func(r *wire.Terms) { r.MessageTimeoutMs = 0 },
		"for ever":    func(r *wire.Terms) { r.MessageTimeoutMs = 1 << 63 },
		"wrong guest": func(r *wire.Terms) { r.GuestAbi = 7 },
	} {
		terms := ringTerms()
		change(terms)
		if _, err := box.Settle(t.Context(), terms); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Once calls go over the ring, none goes over gRPC, and the terms stay.
func TestACallOverGRPCIsRefusedWhileThereIsARing(t *testing.T) {
	artifact, f := compile(t, module(t, "echo"))
	if f != nil {
		t.Fatal(f)
	}
	host, sandbox := sockets(t)
	box := newSandbox(t, artifact)
	box.server.config.Ring = RingFrom(sandbox)
	offer := offerRing(t)
	send(t, host, "\x02", int(offer.Files()[0].Fd()), int(offer.Files()[1].Fd()))
	if _, err := box.Settle(t.Context(), ringTerms()); err != nil {
		t.Fatal(err)
	}
	response, err := box.Load(t.Context(), &wire.LoadRequest{Engine: "wasmer", ArtifactBytes: uint64(len(artifact)),
		GuestMemoryBytes: 1 << 20, Lifetime: wire.Lifetime_LIFETIME_CALL})
	if err != nil || response.Failure != nil {
		t.Fatal(err, response.GetFailure())
	}
	if _, err := box.call1(t.Context()); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("%v", err)
	}
	if _, err := box.Settle(t.Context(), &wire.Terms{Transport: "grpc", Engine: "wasmer", GuestAbi: 1}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("settled after loading: %v", err)
	}
}
