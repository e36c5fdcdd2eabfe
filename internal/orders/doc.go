// Package orders is what a host tells its trampoline, ringfence-jail, and what
// the host hears back.
//
// Orders go in as one JSON value on a pipe, which the trampoline reads to its
// end. It does nothing before, so the host can put the process where it belongs
// (a control group) between the fork and the orders. The report comes out as
// JSON lines on another pipe, one for each layer; the pipe's end without a
// failed layer means that the program has been executed.
//
// Both sides are ours and of one build. Orders are read strictly all the same:
// a field that the trampoline does not know would be a layer that it leaves out.
package orders
