package pingpong

import "fmt"

// peer is another process that echoes, and the way to reach it. It is used by
// one goroutine.
type peer interface {
	// roundTrip sends msg and returns when all of its echo is in private memory
	// of this process. reply, as long as msg, may be used for it.
	roundTrip(msg, reply []byte) error
	// send sends msg, of which the peer takes a private copy without answering.
	send(msg []byte) error
	// sendLast is send for the last of a run, as long as those before it. It
	// returns when the peer has read them all.
	sendLast(msg []byte) error
	// pid is the peer's process, 0 if it is this one.
	pid() int
	// close ends the peer.
	close() error
}

// The first byte of a message says what the peer does with it.
const (
	opEcho = 1 // answer with the same bytes
	opSink = 2 // read it, say nothing
	opAck  = 3 // read it, answer with one byte
)

// transport is one way to reach a peer.
type transport struct {
	Name string
	// Waiting is "spin" or "block" where a transport can do both.
	Waiting string
	// bare transports carry no message: they have no sizes and no one-way run.
	bare bool
	// plugin transports are launched by go-plugin.
	plugin bool
	start  func(size int) (peer, error)
	// serve is the peer's side; it runs in a process of its own until we close.
	serve func(size int) error
}

// transports in the order of the report.
func transports() []transport {
	return []transport{
		{Name: "atomic", Waiting: "spin", bare: true, start: startWords("atomic", spinWait), serve: serveWords(spinWait)},
		{Name: "futex", Waiting: "block", bare: true, start: startWords("futex", futexWait), serve: serveWords(futexWait)},
		{Name: "ring-spin", Waiting: "spin", start: startRing("ring-spin", spinning), serve: serveRing(spinning)},
		{Name: "ring-block", Waiting: "block", start: startRing("ring-block", blocking), serve: serveRing(blocking)},
		{Name: "memcpy", start: startMemcpy},
		{Name: "unix", Waiting: "block", start: startUnix, serve: serveSocket},
		{Name: "pipe", Waiting: "block", start: startPipe, serve: servePipe},
		{Name: "netrpc", Waiting: "block", plugin: true, start: startNetRPC, serve: servePlugin},
		{Name: "grpc", Waiting: "block", plugin: true, start: startGRPC, serve: servePlugin},
	}
}

func findTransport(name string) (transport, error) {
	for _, t := range transports() {
		if t.Name == name {
			return t, nil
		}
	}
	return transport{}, fmt.Errorf("no transport %q", name)
}
