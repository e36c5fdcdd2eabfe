// Package orders is what a host tells its trampoline, ringfence-jail, and what
// the host hears back.
//
// One socket carries both. Orders go in as one JSON value, with the descriptors
// that the program is to have. The trampoline does nothing before they have
// come, so it can be forked, and put where it belongs (a control group), before
// anybody knows what it will be for. The report comes out as JSON lines, one for
// each layer; its end without a failed layer means that the program has been
// executed.
//
// Both sides are ours and of one build. Orders are read strictly all the same:
// a field that the trampoline does not know would be a layer that it leaves out.
package orders
