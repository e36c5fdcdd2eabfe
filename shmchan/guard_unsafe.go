package shmchan

import (
	"os"
	"runtime"
	"runtime/debug"
	"unsafe"
)

// guardedCopy copies min(len(dst), len(src)) bytes out of memory that the peer
// can take away, and gives a *ViolationError if it has. dst may be half written
// then.
func guardedCopy(dst, src []byte) error {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	return copyOrFault(dst, src)
}

func copyOrFault(dst, src []byte) (err error) {
	defer caught(src, &err)
	copy(dst, src)
	return nil
}

// guarded runs read on memory that the peer can take away. A fault in that
// memory comes back as a *ViolationError; a fault anywhere else and any other
// panic goes on its way, since it is a bug of read and not the peer's doing.
//
// The kernel answers a missing page of a mapped file with SIGBUS, which ends
// the process. The peer owns the file behind mem: it cannot shrink it (the
// seal), but a page may fail to come back once the peer has punched it out and
// memory is short. The protection holds for the calling goroutine only: read
// must not hand mem to another.
func guarded(mem []byte, read func([]byte) error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer caught(mem, &err)
	return read(mem)
}

// caught turns a fault inside mem into an error. It is to be deferred itself.
func caught(mem []byte, err *error) {
	r := recover()
	if r == nil {
		return
	}
	fault, ok := r.(interface {
		runtime.Error
		Addr() uintptr
	})
	if !ok || len(mem) == 0 {
		panic(r)
	}
	// The processor may report no more than the page.
	page := uintptr(os.Getpagesize())
	first := uintptr(unsafe.Pointer(unsafe.SliceData(mem)))
	low, high := first&^(page-1), (first+uintptr(len(mem))+page-1)&^(page-1)
	at := fault.Addr()
	if at < low || at >= high {
		panic(r)
	}
	*err = &ViolationError{What: "offset of a page that the peer took away", Got: uint64(max(at, first) - first), Limit: uint64(len(mem))}
}
