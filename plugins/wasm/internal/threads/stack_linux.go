package threads

/*
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>

static size_t number(const char *name, size_t otherwise) {
	const char *text = getenv(name);
	return text ? strtoul(text, NULL, 10) : otherwise;
}

__attribute__((constructor)) static void lower(void) {
	pthread_attr_t attr;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, number("RINGFENCE_STACK_KIB", 512) << 10);
	// Wider than any frame of C code that a host call runs at the end of a
	// guest's stack: a single page could be stepped over.
	pthread_attr_setguardsize(&attr, 64 << 10);
	pthread_setattr_default_np(&attr);
	pthread_attr_destroy(&attr);
	mallopt(M_ARENA_MAX, 2);
}
*/
import "C"
