// Package attack is what native code tries once it runs where a guest should:
// each attack is a function by name that makes raw system calls and says in one
// word what came of them. The tests of the jail run them inside of sandboxes,
// and again with one layer less, to see that it was the layer that refused.
//
// No production code imports this package. What an attack does must be harmless
// when it succeeds, since the tests let each one: it touches processes, files and
// sockets of the test only, and stops well before anything is exhausted.
package attack
