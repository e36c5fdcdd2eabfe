// Package modcache keeps compiled modules between runs of a host, because
// compiling one takes seconds and loading it takes milliseconds.
//
// Compiled code is machine code: whoever can put an entry into the cache can
// run code in a sandbox process. So an entry is authenticated with a key that
// only the host has (a file of mode 0600 beside the entries), over everything
// that decides whether the code may run: the module's digest, the engine and
// its build, the processor's features, and how the module was rewritten. An
// entry that does not answer for all of that is compiled again, never loaded:
//
//   - a changed byte, or a foreign key: the authentication code differs;
//   - another module, engine, processor or memory limit: the name differs, and
//     an entry that was copied to that name authenticates another name;
//   - an old layout of this cache: the magic differs.
//
// The bytes are authenticated while they are copied into sealed memory, and
// that copy is what a sandbox gets; a file that changes afterwards changes
// nothing.
//
// Several hosts may use one folder. An entry appears by rename, so nobody sees
// half of one, and a lock per entry makes the second host wait for the first
// one's compilation instead of repeating it.
package modcache
