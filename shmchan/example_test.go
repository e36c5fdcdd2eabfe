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

// A ring that stays full is moved to larger memory. With memory files, the
// Offer's files go to the peer, which calls Adopt.
func ExampleChannel_Prepare() {
	config := shmchan.Config{Lanes: []shmchan.LaneConfig{{Outbound: shmchan.RingConfig{Data: 64 << 10}}}}
	config.OnFill = func(e shmchan.FillEvent) {
		// A host waits for e.For to reach some seconds; this one has no patience.
		if e.Outbound {
			fmt.Println("fill level", e.Level)
		}
	}
	host, sandbox, _ := shmchan.Pipe(config)
	defer host.Close()
	defer sandbox.Close()
	ctx := context.Background()
	for range 2 {
		_ = host.Lane(0).Producer().Send(ctx, shmchan.Header{}, make([]byte, 30<<10))
	}

	config.Lanes[0].Outbound.Data = 1 << 20
	offer, err := host.Prepare(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := sandbox.AdoptPipe(offer); err != nil {
		fmt.Println(err)
		return
	}
	// The move takes place as messages flow, each ring at its own pace.
	_ = sandbox.Lane(0).Producer().Send(ctx, shmchan.Header{}, []byte("still here"))
	_, msg, _ := host.Lane(0).Consumer().Recv(ctx, nil)
	for range 2 {
		_, _, _ = sandbox.Lane(0).Consumer().Recv(ctx, nil)
	}
	_ = host.Lane(0).Producer().Send(ctx, shmchan.Header{}, make([]byte, 300<<10))
	_, large, err := sandbox.Lane(0).Consumer().Recv(ctx, nil)
	fmt.Println(string(msg), len(large), err, host.Epoch(), sandbox.Epoch())
	// Output:
	// fill level 90
	// still here 307200 <nil> 2 2
}
