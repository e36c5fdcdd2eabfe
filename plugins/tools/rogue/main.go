// Command rogue is a tool that misbehaves on purpose: each of its tools does one
// thing that a hostile or broken tool might do. The demo runs it, and the tests
// of the built binaries do; an operator can use it to see a policy at work.
//
// It is written with the ordinary SDK and breaks no ABI; modules that do are
// hand-made, in the tests.
package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/ringfence/ringfence/pluginkit/guest"
)

// Nothing is what a tool takes that takes nothing.
type Nothing struct{}

func init() {
	guest.Tool("loop", "Computes for ever.", loop)
	guest.Tool("eat", "Allocates memory for ever.", eat)
	guest.Tool("crash", "Panics.", crash)
	guest.Tool("overflow", "Recurses for ever.", overflow)
	guest.Tool("fetch", "Requests any URL and tells what came.", fetch)
	guest.Tool("look", "Tells what it can see of the machine around it.", look)
	guest.Tool("flood", "Logs lines for ever.", flood)
	guest.Tool("sleep", "Sleeps.", sleep)
	guest.Tool("exit", "Ends its process, it thinks.", exit)
	guest.Tool("shout", "Answers with a result of a given size.", shout)
	guest.Tool("count", "Counts its calls in a package variable.", count)
	guest.Tool("escape", "Fails with a message full of terminal escapes.", escape)
}

func main() {}

func loop(Nothing) (Nothing, error) {
	for i := uint64(1); i != 0; i++ { // for ever, at any speed
	}
	return Nothing{}, nil
}

var hoard [][]byte

func eat(Nothing) (Nothing, error) {
	for {
		piece := make([]byte, 1<<20)
		for i := 0; i < len(piece); i += 4096 {
			piece[i] = 1
		}
		hoard = append(hoard, piece)
	}
}

func crash(Nothing) (Nothing, error) { panic("rogue crashes on purpose") }

func overflow(Nothing) (Nothing, error) { return Nothing{}, fmt.Errorf("%d", deeper(1)) }

//go:noinline
func deeper(n int) int {
	if n < 0 {
		return 0
	}
	return deeper(n+1) + n
}

// FetchArgs are the arguments of fetch.
type FetchArgs struct {
	URL    string `json:"url" description:"what to request"`
	Method string `json:"method" default:"GET" description:"the HTTP method"`
}

// FetchResult is what came back.
type FetchResult struct {
	Status int    `json:"status"`
	Body   string `json:"body" description:"the first 64 KiB"`
}

func fetch(args FetchArgs) (FetchResult, error) {
	r, err := guest.Fetch(guest.Request{Method: args.Method, URL: args.URL})
	if err != nil {
		return FetchResult{}, err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	return FetchResult{Status: r.Status, Body: string(body)}, err
}

// Sights is what a guest can see without any grant.
type Sights struct {
	Environment []string `json:"environment"`
	Arguments   []string `json:"arguments"`
	Files       string   `json:"files"`
	Network     string   `json:"network"`
}

func look(Nothing) (Sights, error) {
	s := Sights{Environment: os.Environ(), Arguments: os.Args}
	var failures []string
	for _, path := range []string{"/etc/passwd", "/", ".", "/proc/self/environ", "../../../../etc/shadow"} {
		b, err := os.ReadFile(path)
		if err == nil {
			s.Files = fmt.Sprintf("%s has %d bytes", path, len(b))
			return s, errors.New("a file could be read: " + s.Files)
		}
		failures = append(failures, err.Error())
	}
	s.Files = strings.Join(failures, "; ")
	if conn, err := net.Dial("tcp", "127.0.0.1:22"); err == nil {
		conn.Close()
		return s, errors.New("a socket could be opened")
	} else {
		s.Network = err.Error()
	}
	return s, nil
}

func flood(Nothing) (Nothing, error) {
	for i := 0; ; i++ {
		guest.Log(guest.LevelInfo, fmt.Sprint("line ", i, strings.Repeat(" and more", 100)))
	}
}

// SleepArgs are the arguments of sleep.
type SleepArgs struct {
	Milliseconds int `json:"milliseconds" minimum:"0"`
}

func sleep(args SleepArgs) (Nothing, error) {
	time.Sleep(time.Duration(args.Milliseconds) * time.Millisecond)
	return Nothing{}, nil
}

func exit(Nothing) (Nothing, error) {
	os.Exit(7)
	return Nothing{}, nil
}

// ShoutArgs are the arguments of shout.
type ShoutArgs struct {
	Bytes int `json:"bytes" minimum:"0"`
}

// Shout is a long result.
type Shout struct {
	Text string `json:"text"`
}

func shout(args ShoutArgs) (Shout, error) {
	return Shout{Text: strings.Repeat("A", args.Bytes)}, nil
}

func escape(Nothing) (Nothing, error) {
	return Nothing{}, errors.New("\x1b[2J\x1b]0;owned\x07 all is well\r\nringfence: done")
}

// Count is how often this instance was called.
type Count struct {
	Calls int `json:"calls"`
}

var calls int

func count(Nothing) (Count, error) {
	calls++
	return Count{calls}, nil
}
