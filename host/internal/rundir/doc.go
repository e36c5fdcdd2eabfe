// Package rundir keeps the private folder of one running host.
//
// Everything a host puts on disk for its sandboxes lives in one folder,
// <base>/run/<random>, which nobody but the owner can enter: staged copies of
// binaries, the folders that hold sandbox sockets, and a record of every
// sandbox process. Beside the folder lies <base>/run/<random>.lock, locked
// (flock) for as long as the host lives. The kernel drops that lock however the
// host ends, kill -9 included, so a lock that can be taken belongs to a host
// that is dead, and the next host to start may clear up behind it.
//
// # Why two hosts that start at once do no harm
//
// A sweeper must never take a folder whose owner is alive but has not got round
// to locking it. So the lock comes first: the lock file is created under a
// name of its own (<random>.new), locked, and only then renamed to
// <random>.lock; the folder is made after that. A sweeper that catches the file
// between creation and lock removes it, and the owner notices, since its rename
// finds nothing, and begins again with another name. Removal runs the other
// way: folder first, lock last. A folder seen without a lock file is therefore
// always an orphan.
//
// # Processes of a dead host
//
// Sandboxes ask the kernel to die with their host. One that took that back is
// found by its record: process number, start time, boot and process namespace.
// All four must match before it is killed, and they are checked again once a
// pidfd pins the process, so that a recycled number is never hit.
//
// # Removal
//
// Contents are hostile. Removal never follows a symlink, holds a constant
// number of descriptors whatever the depth of a tree, and opens folders that
// were made unreadable.
//
// Data comes in from package stage and package launch; nothing here knows what
// a sandbox is.
package rundir
