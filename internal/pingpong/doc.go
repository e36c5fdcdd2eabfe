// Package pingpong measures a ring between two processes, and in the same run
// everything that it claims to beat.
//
// A figure of its own says little: the machine, its load and the CPU that a
// thread happens to wake on decide more than the code does. So every result
// here stands beside a baseline that was measured moments before or after it,
// and what counts are ratios.
//
// # What is measured
//
// A transport is a way to reach a peer, which is always another process: this
// program, executed again. The bare ones (two words, a futex, memcpy) are the
// floors; sockets, pipes and go-plugin's two RPC systems are what one would use
// otherwise. A round trip carries a message of the given size there and the
// same bytes back: written by us, read and written again by the peer, read by
// us into private memory. One way means that the peer takes a private copy and
// answers only the last message.
//
// A cell is one transport with one size under one condition (CPUs free, both
// processes on one CPU, every CPU kept busy by somebody else). Each repetition
// of a cell runs in a process of its own, so that nothing carries over, and the
// repetitions are interleaved: all cells once, then all cells again. The
// report takes the median, for ratios the median of each repetition's ratio.
//
// The roles of this program (see child.go): run → worker, one for each cell →
// peer; and burners, one for each CPU.
package pingpong
