// Package ringwire is the protocol of calls over a ring: which message goes on
// which lane of a shmchan channel, and what its bytes mean. Both sides of the
// wall use it; docs/ring-wire.md is the same for people, and the golden files in
// testdata hold the bytes.
//
// The control plane (handshake, negotiation, loading, health, stop) stays with
// gRPC and pluginkit/wire. A channel carries calls only, one at a time:
//
//	lane          host → sandbox          sandbox → host
//	calls         Call                    Result, Failure or Worn
//	capabilities  Reply, Piece, Cancel    Request, Read, Log, Done
//
// A message names its call in the descriptor, which no guest can reach, and says
// what it is in the descriptor's kind. A Call's bytes are a Start and the
// arguments; a Result's are the result and nothing else, so that a guest can
// write them in place.
//
// Two lanes, since the arguments stay borrowed where they lie while the call
// runs: what the guest asks for meanwhile must get past them. Arguments that are
// larger than half of the ring do not travel in the Call at all. They are pulled
// in pieces with Read, as bodies of responses are, under a handle that the host
// made up and checks.
//
// Nothing here is trusted: every decoder bounds what it takes and copies it.
package ringwire
