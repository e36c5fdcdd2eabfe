// Package shmchan carries messages between two processes that do not trust
// each other, through memory that both of them map.
//
// # A channel in five lines
//
//	offer, err := shmchan.Create(shmchan.Config{})          // one process
//	peer, err := shmchan.Attach(files, shmchan.Config{})    // the other, with offer.Files()
//	err = offer.Channel().Lane(0).Producer().Send(ctx, shmchan.Header{Kind: 1}, []byte("ping"))
//	header, msg, err := peer.Lane(0).Consumer().Recv(ctx, buf)
//	err = peer.Close()
//
// How the two files reach the other process is the caller's affair: as inherited
// descriptors, or over a Unix socket with SCM_RIGHTS. Both ends are given the
// same Config. Pipe makes both ends in one process, for tests and for systems
// without memory files.
//
// # Without copies
//
// Send and Recv copy. Reserve gives memory in the ring to write to, and Commit
// hands it over; Peek lends the peer's bytes where they lie, and Release gives
// them back. A steady flow allocates nothing.
//
//	r, err := producer.Reserve(ctx, 4096)
//	n := fill(r.Bytes())
//	err = r.CommitFirst(shmchan.Header{Kind: 2}, n)
//
//	f, err := consumer.Peek(ctx)
//	err = f.Read(use) // or f.CopyTo(private)
//	err = f.Release()
//
// A message larger than half a ring's data area travels in fragments: Send and
// Recv hide them, Writer and Reader stream them, Peek shows them one by one.
//
// # Lanes
//
// A channel has up to seven lanes, each with a ring in either direction. What is
// borrowed on one lane holds up no other, so a call that keeps its request in
// hand can still ask questions on the next lane.
//
// # Pressure
//
// Config.Limits holds the peer to bytes, messages and wakes a second: what is
// above is taken later. Config.OnFill tells when a ring is 80 or 90 percent full,
// and for how long it stays so. Prepare and Adopt then move the channel to larger
// memory while messages flow; nothing is lost or reordered. Cancel takes back what
// was prepared and not taken, Moved waits for the end of a move. Stats has counters,
// sizes and latencies, and Ledger who owns which frame.
//
// # What the peer can and cannot do
//
// There are two memory files, and each has one writer. The creator's is sealed
// so that the kernel refuses the attacher every writable mapping of it; either
// is sealed against shrinking, which would kill its reader. Everything in the
// peer's file is hostile: each value is loaded once, checked, and used from the
// private copy. The first impossible value ends the channel with a
// *ViolationError that names it and the limit. Waits for the peer's progress
// end at Config.MessageTimeout. Memory for a large message is granted as its
// bytes arrive, never for a number that the peer declares.
//
// What remains to the peer:
//
//   - It may change bytes while they are borrowed. Decide on a copy (CopyTo,
//     Recv), never on Bytes.
//   - It may take pages of its own file away. CopyTo, Read, Recv and Reader turn
//     a fault into an error; plain access to Bytes does not.
//   - It may read reserved bytes before they are committed.
//   - It may send nothing, or release nothing. That is a timeout.
//
// # Limits of this package
//
// Sealed memory needs Linux 5.1; elsewhere Create and Attach return
// ErrUnsupported. Both processes run on one machine with one page size. A frame
// that is never released keeps its memory mapped after Close. The death of a
// peer is seen by whoever holds its process or socket; tell the channel with
// Config.Alive.
//
// # Rules for goroutines
//
// A Producer and the receiving side of a Consumer serve one goroutine at a
// time. A second one that comes while the first waits, is in the middle of a
// message, or is inside a call and hears it come, gets ErrConcurrentUse; calls
// that alternate are an orderly queue; damage it is never.
// Frames may be released by any goroutine in any order. Channel is safe for
// concurrent use. Building with -tags shmdebug overwrites released bytes, so
// that reading a frame after Release shows.
package shmchan
