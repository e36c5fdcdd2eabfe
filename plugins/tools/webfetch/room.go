package main

import (
	"io"
	"runtime"
	"runtime/debug"
)

const (
	// maxTree is what the parser may make of a page, in bytes of memory. A page is
	// small beside it, and does not tell how large it gets: an element costs
	// hundreds of bytes, and the parser repeats formatting that is left open in
	// each paragraph behind it.
	maxTree = 24 << 20
	// comfort is where the collector stops to let the heap double before it works.
	// The default memory of a guest is 128 MiB, and it cannot find out what it has.
	comfort = 64 << 20
	// piece is how much the parser gets at a time, in bytes.
	piece = 1 << 10
)

func init() { debug.SetMemoryLimit(comfort) }

// room gives a page to the parser as long as there is room for what comes of it.
type room struct {
	rest   string
	start  uint64 // bytes of the heap
	full   bool   // the rest was kept back
	breath breath
}

func newRoom(page string) *room { return &room{rest: page, start: heap()} }

// Read implements io.Reader.
func (r *room) Read(p []byte) (int, error) {
	if r.full || r.rest == "" {
		return 0, io.EOF
	}
	if heap() > r.start+maxTree {
		// Some of it may be what nobody needs any more. After a look at what is
		// left there has to be room for a while, or all time would go into looking.
		if runtime.GC(); heap() > r.start+maxTree*3/4 {
			r.full = true
			return 0, io.EOF
		}
	}
	r.breath.every(8)
	n := copy(p[:min(len(p), piece)], r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// breath lets the collector work. In a sandbox there is one thread and nobody who
// takes it from a function that runs: a collection that has begun is not finished
// before the function waits for something, and what it makes meanwhile stays.
type breath int

// every yields at each nth of its calls.
func (b *breath) every(n int) {
	if *b++; int(*b) >= n {
		*b = 0
		runtime.Gosched()
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
