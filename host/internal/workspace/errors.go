package workspace

import "errors"

// What a request can fail with. The texts are for the guest: they name its own
// path and nothing of the host's.
var (
	// ErrPath: the path is not one that this package serves.
	ErrPath = errors.New("bad path")
	// ErrNotFound: there is nothing of that name.
	ErrNotFound = errors.New("not found")
	// ErrRefused: there may be something, but it is not served.
	ErrRefused = errors.New("refused")
	// ErrReadOnly: the policy grants reading only.
	ErrReadOnly = errors.New("read only")
	// ErrKind: a folder where a file is wanted, or the other way round, or a
	// folder that is not empty.
	ErrKind = errors.New("wrong kind")
	// ErrExists: there is something of that name already.
	ErrExists = errors.New("exists already")
	// ErrChanged: the file is not the version that the request depends on.
	ErrChanged = errors.New("changed meanwhile")
	// ErrLimit: it is larger, or more, than the plugin may have.
	ErrLimit = errors.New("limit")
	// ErrBusy: others are changing it all the time.
	ErrBusy = errors.New("busy")
	// ErrEnded: the request's context ended before it was done.
	ErrEnded = errors.New("the call has ended")
	// ErrHost: the host's file system failed; the cause is for the host's log.
	ErrHost = errors.New("the host could not do it")
)
