// Package sandbox is one sandbox process from start to end: launched with the
// compiled module as an inherited descriptor, negotiated with, loaded, called,
// and killed.
//
// It knows what a sandbox process is told and what it may answer. It does not
// know policies, grants or audit: those come in as values and as the
// capabilities of a call.
package sandbox
