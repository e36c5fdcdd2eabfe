package shmchan_test

import (
	"context"
	"fmt"
	"io"

	"github.com/ringfence/ringfence/shmchan"
)

func Example() {
	host, sandbox, err := shmchan.Pipe(shmchan.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer host.Close()
	defer sandbox.Close()
	ctx := context.Background()

	if err := host.Lane(0).Producer().Send(ctx, shmchan.Header{Kind: 1, Call: 7}, []byte("ping")); err != nil {
		fmt.Println(err)
		return
	}
	header, msg, err := sandbox.Lane(0).Consumer().Recv(ctx, nil)
	fmt.Println(header.Call, string(msg), err)
	// Output: 7 ping <nil>
}

// Bytes are written and read where they lie.
func ExampleProducer_Reserve() {
	host, sandbox, _ := shmchan.Pipe(shmchan.Config{})
	defer host.Close()
	defer sandbox.Close()
	ctx := context.Background()

	r, err := host.Lane(0).Producer().Reserve(ctx, 64)
	if err != nil {
		fmt.Println(err)
		return
	}
	n := copy(r.Bytes(), "in place")
	if err := r.CommitFirst(shmchan.Header{}, n); err != nil {
		fmt.Println(err)
		return
	}

	f, err := sandbox.Lane(0).Consumer().Peek(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(f.Bytes()), sandbox.Lane(0).Consumer().Owner(f.Sequence()))
	fmt.Println(f.Release(), f.Release())
	// Output:
	// in place borrowed
	// <nil> shmchan: frame already released
}

// A message larger than the ring goes in fragments.
func ExampleConsumer_Reader() {
	host, sandbox, _ := shmchan.Pipe(shmchan.Config{Lanes: []shmchan.LaneConfig{{
		Outbound: shmchan.RingConfig{Data: 64 << 10},
	}}})
	defer host.Close()
	defer sandbox.Close()
	ctx := context.Background()

	go host.Lane(0).Producer().Send(ctx, shmchan.Header{}, make([]byte, 1<<20))

	r, err := sandbox.Lane(0).Consumer().Reader(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	n, err := io.Copy(io.Discard, r)
	fmt.Println(n, err)
	// Output: 1048576 <nil>
}
