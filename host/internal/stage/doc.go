// Package stage makes the private, read-only copies that are executed and
// loaded, and hashes them while it makes them.
//
// Hashing a file by its path and then executing it by its path leaves a moment
// in which it can be another file. Here each source is opened once and read
// once; the bytes that go into the hash are the bytes that go into the copy,
// and the copy, in a folder that only the host can enter, is what runs.
//
// A staged set keeps the layout of its sources, so that a binary finds its
// libraries at $ORIGIN/lib. Data goes in as a list of Items and comes out as
// paths with digests.
package stage
