//go:build linux && (amd64 || arm64)

package shmchan

import (
	"bytes"
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// attached is a channel over memory files with both ends in this process.
func attached(t testing.TB, config Config) (creator, attacher *Channel) {
	t.Helper()
	o := newOffer(t, config)
	b, err := Attach([2]*os.File(o.Files()), config)
	must(t, err)
	t.Cleanup(func() { _ = b.Close() })
	return o.Channel(), b
}

// A peer that ends the channel while we are in the middle of a Writer takes the
// memory away under it; the next Write has to see that first.
func TestWriterOutlivesItsMemory(t *testing.T) {
	for name, end := range map[string]func(a, b *Channel){
		"our close": func(a, _ *Channel) { _ = a.Close() },
		"a violation": func(a, b *Channel) {
			b.pair.out.counter(0, offHead).Store(1 << 40)
			_, _ = a.Lane(0).Consumer().Peek(context.Background())
			a.shutdown() // fail leaves it to a goroutine
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := attached(t, smallConfig())
			w, err := a.Lane(0).Producer().Writer(within(t, 5*time.Second), Header{}, 100)
			must(t, err)
			end(a, b)
			if a.pair.out.mem != nil {
				t.Fatal("the memory is still there: nothing is tested")
			}
			if _, err := w.Write([]byte("x")); err == nil || err != a.Err() {
				t.Fatalf("got %v (want %v)", err, a.Err())
			}
			_ = w.Close()
		})
	}
}

// A peer that sends faster than its rate has its frame held back. That frame
// must not keep the memory mapped when the channel ends.
func TestHeldFrameIsUnmapped(t *testing.T) {
	config := smallConfig()
	config.Limits.Messages = 1
	a, b := attached(t, config)
	ctx := within(t, 10*time.Second)
	for range 2 {
		must(t, b.Lane(0).Producer().Send(ctx, Header{}, []byte("fast")))
	}
	c := a.Lane(0).Consumer()
	_, _, err := c.Recv(ctx, nil)
	must(t, err)
	if _, err := c.Peek(expired()); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	must(t, a.Close())
	if a.pair.in.mem != nil {
		t.Fatal("the memory is still mapped")
	}
}

// A frame whose pages are gone is the peer's doing too: its loan ends.
func TestTornFrameIsLetGo(t *testing.T) {
	a, b := attached(t, smallConfig())
	must(t, b.Lane(0).Producer().Send(within(t, 5*time.Second), Header{}, make([]byte, 5000)))
	c := a.Lane(0).Consumer()
	c.ring.data = tornMemory(t) // the seal forbids it for real files
	if _, _, err := c.Recv(context.Background(), nil); !errors.Is(err, ErrViolation) {
		t.Fatalf("got %v", err)
	}
	must(t, a.Close())
	if a.pair.in.mem != nil {
		t.Fatal("the memory is still mapped")
	}
}

// Recv gives up in the middle of a message whose next fragment is held back
// because of the rate. What comes next must be the next message, not the tail
// of the first or a splice of the two.
func TestHeldFragmentIsNotSpliced(t *testing.T) {
	for name, pieces := range map[string]int{"the last fragment is held": 2, "one in the middle": 3} {
		t.Run(name, func(t *testing.T) {
			config := smallConfig()
			config.Limits.Messages = 50
			a, b := newPipe(t, config)
			ctx := within(t, 20*time.Second)
			w, err := b.Lane(0).Producer().Writer(ctx, Header{Kind: 1}, int64(10*pieces))
			must(t, err)
			for range pieces {
				_, err := w.Write(bytes.Repeat([]byte{'a'}, 10))
				must(t, err)
			}
			must(t, w.Close())
			must(t, b.Lane(0).Producer().Send(ctx, Header{Kind: 2}, []byte("next")))
			c := a.Lane(0).Consumer()
			stopped := a.limit.now()
			a.limit.now = func() int64 { return stopped }
			a.limit.messages.level, a.limit.messages.at = 2.5, stopped // for the prologue and the first fragment
			short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
			defer cancel()
			if _, _, err := c.Recv(short, nil); !errors.Is(err, ErrTimeout) {
				t.Fatalf("got %v", err)
			}
			a.limit.now = nanotime
			a.limit.messages.level = 50
			h, got, err := c.Recv(ctx, nil)
			if err != nil || h.Kind != 2 || string(got) != "next" {
				t.Fatalf("kind %d, %q, %v", h.Kind, got, err)
			}
		})
	}
}

// A peer can move whoever sleeps on its word to another futex, where our own
// wakes no longer find him. Neither Close nor the end of a context may depend
// on finding him there.
func TestRequeuedSleeper(t *testing.T) {
	for where, noSeat := range map[string]bool{"own thread": false, "shared waiter": true, "own thread without futex_waitv": false} {
		for _, how := range []string{"close", "context"} {
			t.Run(where+"/"+how, func(t *testing.T) {
				usePool(t, where == "own thread without futex_waitv")
				config := smallConfig()
				config.Spin = -1
				a, b := attached(t, config)
				c := a.Lane(0).Consumer()
				c.sleep.noSeat = noSeat
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				ended := make(chan error, 1)
				go func() {
					_, err := c.Peek(ctx)
					ended <- err
				}()
				from, to := b.pair.out.counter(0, offHead), wordAt(b.pair.out.mem, offRole)
				eventually(t, "asleep and requeued", func() bool { return futexRequeue(from, to) > 0 })
				want := ErrClosed
				closed := make(chan struct{})
				go func() {
					defer close(closed)
					if how == "context" {
						want = context.Canceled
						cancel()
					} else {
						_ = a.Close()
					}
				}()
				select {
				case err := <-ended:
					if <-closed; !errors.Is(err, want) {
						t.Fatalf("got %v (want %v)", err, want)
					}
				case <-time.After(10 * time.Second):
					futexWake(to, futexAll)
					t.Fatal("still asleep")
				}
			})
		}
	}
}

// A close that comes between our last look at the word and our sleep must keep
// us from sleeping, and the kernel compares nothing but the word's low half.
func TestClosingChangesWhatTheKernelCompares(t *testing.T) {
	a, b := attached(t, smallConfig())
	head, tail := a.pair.in.counter(0, offHead), a.pair.in.counter(0, offTail)
	sawHead, sawTail := uint32(head.Load()), uint32(tail.Load())
	must(t, b.Close())
	if errno := futexWait(head, sawHead, 0); errno != unix.EAGAIN {
		t.Errorf("a sleep on the head would have begun: %v", errno)
	}
	if errno := futexWait(tail, sawTail, 0); errno != unix.EAGAIN {
		t.Errorf("a sleep on the tail would have begun: %v", errno)
	}
}

// The pages of a file can be punched out by its writer. Of ordinary ones there
// always are more; a huge page comes from a small pool which the peer can empty,
// and the host would get SIGBUS instead.
func TestThePeersFileHasNoHugePages(t *testing.T) {
	config := smallConfig()
	config.HugePages = true
	config = config.withDefaults()
	g, err := config.geometry()
	must(t, err)
	if g.outSize%hugePage != 0 || g.inSize%hugePage == 0 {
		t.Fatalf("files of %d and %d bytes", g.outSize, g.inSize)
	}
	o := newOffer(t, config)
	var st unix.Stat_t
	must(t, unix.Fstat(int(o.Files()[1].Fd()), &st))
	if st.Blksize >= hugePage || o.pair.in.huge {
		t.Fatalf("pages of %d bytes", st.Blksize)
	}
}

// A fragment that breaks a rule has been taken by then. It must not stay on loan.
func TestBadFragmentIsLetGo(t *testing.T) {
	a, b := attached(t, smallConfig())
	f := &forger{region: b.pair.out, geo: &b.pair.outRings()[0]}
	f.slot(0, 0, 10, packHeader(Header{}, flagMore), 1)
	f.head(1)
	if _, err := a.Lane(0).Consumer().Peek(context.Background()); !errors.Is(err, ErrViolation) {
		t.Fatalf("got %v", err)
	}
	must(t, a.Close())
	if a.pair.in.mem != nil {
		t.Fatal("the memory is still mapped")
	}
}
