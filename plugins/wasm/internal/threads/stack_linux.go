package threads

/*
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>

// Measured with Cranelift, a stack overflow of a guest with the smallest frames,
// and the deepest JSON array that a Go guest decodes:
//
//	stack      trap     leaked a trap   JSON depth
//	128 KiB     6 ms      2 MiB           1 367
//	256 KiB     8 ms      4 MiB           2 773
//	512 KiB    16 ms      8 MiB           5 625
//	1 MiB      30 ms     16 MiB         > 10 000 (encoding/json's own limit)
//	8 MiB     400 ms    225 MiB
//
// What is leaked is the backtrace; a process with some overflows behind it is
// replaced.
static const size_t stack = 512 << 10;

// Wider than any frame of the C code that a host call runs at the end of a
// guest's stack: a single page could be stepped over.
static const size_t guard = 64 << 10;

__attribute__((constructor)) static void lower(void) {
	pthread_attr_t attr;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, stack);
	pthread_attr_setguardsize(&attr, guard);
	pthread_setattr_default_np(&attr);
	pthread_attr_destroy(&attr);
	// Two heaps are enough: guests run on one thread at a time.
	mallopt(M_ARENA_MAX, 2);
}
*/
import "C"
