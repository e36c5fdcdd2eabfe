//go:build linux && (amd64 || arm64)

package shmchan

import (
	"math"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// None of these operations carries FUTEX_PRIVATE_FLAG: the waiter and the
// waker are two processes that share the page, not the address. Both need no
// more than read access to it.
const (
	futexOpWait = 0
	futexOpWake = 1
	futexAll    = math.MaxInt32

	futex2Size32  = 0x02
	futex2Private = 0x80
	maxWaitv      = 128 // the kernel's bound on the words of one futex_waitv
)

// futexWait sleeps while the low half of the word is val, for at most d
// (negative = without end). Its errno is 0 after a wake, EAGAIN when the word
// was different already, ETIMEDOUT, EINTR, or EFAULT.
//
// It goes through Syscall6, which tells the scheduler that this thread is away.
// Through RawSyscall6 the garbage collector would wait for this thread to stop,
// and so every goroutine for the peer.
func futexWait(word *atomic.Uint64, val uint32, d time.Duration) syscall.Errno {
	var ts *unix.Timespec
	if d >= 0 {
		t := unix.NsecToTimespec(int64(d))
		ts = &t
	}
	_, _, errno := syscall.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexOpWait,
		uintptr(val), uintptr(unsafe.Pointer(ts)), 0, 0)
	return errno
}

// futexWake wakes up to n waiters of the word and reports how many it woke.
// It never blocks, so it may skip the scheduler. A word that is no longer
// mapped wakes nobody.
func futexWake(word *atomic.Uint64, n int) int {
	woken, _, errno := syscall.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexOpWake,
		uintptr(n), 0, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(woken)
}

// waitv is the kernel's struct futex_waitv. It holds its address as a number:
// who puts a Go object there keeps it alive.
type waitv struct {
	val      uint64
	addr     uint64
	flags    uint32
	reserved uint32
}

func waitOnWord(word *atomic.Uint64, val uint32) waitv {
	return waitv{val: uint64(val), addr: uint64(uintptr(unsafe.Pointer(word))), flags: futex2Size32}
}

func waitOnPrivate(word *atomic.Uint32, val uint32) waitv {
	return waitv{val: uint64(val), addr: uint64(uintptr(unsafe.Pointer(word))), flags: futex2Size32 | futex2Private}
}

// futexWaitv sleeps until one of up to maxWaitv words is woken and gives its
// index, for at most d (negative = without end).
func futexWaitv(on []waitv, d time.Duration) (int, syscall.Errno) {
	var ts *unix.Timespec
	if d >= 0 {
		var t unix.Timespec // this call takes a point in time, not a span
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
			return 0, unix.EINVAL
		}
		t = unix.NsecToTimespec(t.Nano() + int64(d))
		ts = &t
	}
	i, _, errno := syscall.Syscall6(unix.SYS_FUTEX_WAITV, uintptr(unsafe.Pointer(unsafe.SliceData(on))),
		uintptr(len(on)), 0, uintptr(unsafe.Pointer(ts)), unix.CLOCK_MONOTONIC, 0)
	return int(i), errno
}

// futexWakePrivate wakes the one waiter of a word that only this process sees.
func futexWakePrivate(word *atomic.Uint32) {
	const private = 0x80
	_, _, _ = syscall.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexOpWake|private, 1, 0, 0, 0)
}
