//go:build linux

package main

import (
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/internal/orders"
)

// executeOpen executes what the descriptor is open on, and returns only on
// failure.
func executeOpen(fd int, o *orders.Orders) error {
	argv, err := syscall.SlicePtrFromStrings(orders.Strings(o.Args))
	if err != nil {
		return fmt.Errorf("arguments: %w", err)
	}
	envp, err := syscall.SlicePtrFromStrings(orders.Strings(o.Env))
	if err != nil {
		return fmt.Errorf("environment: %w", err)
	}
	var empty [1]byte
	_, _, errno := unix.RawSyscall6(unix.SYS_EXECVEAT, uintptr(fd), uintptr(unsafe.Pointer(&empty)),
		uintptr(unsafe.Pointer(&argv[0])), uintptr(unsafe.Pointer(&envp[0])), unix.AT_EMPTY_PATH, 0)
	return errno
}
