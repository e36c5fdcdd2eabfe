//go:build linux && (amd64 || arm64)

package shmchan

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The hostile process: a peer that has its own program, threads and timing. It
// corrupts its memory and does to the two files whatever the kernel lets it,
// while the host makes calls with deadlines. A run is short here and as long as
// SHMCHAN_FUZZ_TIME says in `make fuzz`; SHMCHAN_FUZZ_SEED repeats what the
// peer does, though not how the two interleave.

const (
	hostileTime     = "SHMCHAN_FUZZ_TIME"
	hostileSeed     = "SHMCHAN_FUZZ_SEED"
	hostileChannels = 8
	hostilePatience = 30 * time.Second // past any deadline below, on a loaded machine
)

func init() { roles["hostile"] = hostilePeer }

func hostileConfig() Config {
	c := smallConfig()
	c.MessageTimeout = 20 * time.Millisecond
	c.Lanes = append(c.Lanes, c.Lanes[0])
	return c
}

// hostilePeer attacks all the channels whose files it has inherited, until it is
// killed.
func hostilePeer() error {
	seed, err := strconv.ParseUint(os.Getenv(hostileSeed), 10, 64)
	if err != nil {
		return err
	}
	for i := range hostileChannels {
		files := [2]*os.File{os.NewFile(uintptr(3+2*i), "out"), os.NewFile(uintptr(4+2*i), "in")}
		ch, err := Attach(files, hostileConfig())
		if err != nil {
			return err
		}
		a := &attacker{files: files, ch: ch, out: ch.pair.out.mem, in: ch.pair.in.mem, rng: rand.New(rand.NewPCG(seed, uint64(i)))}
		go a.behave(rand.New(rand.NewPCG(seed, uint64(i)+1000)))
		go a.attack()
	}
	for parent := os.Getppid(); os.Getppid() == parent; { // an orphan ends by itself
		time.Sleep(50 * time.Millisecond)
	}
	return nil
}

// attacker is one channel's. Its forger never uses the channel: that is for the
// half of it that behaves, so that the host gets into every state.
type attacker struct {
	files   [2]*os.File
	ch      *Channel
	out, in []byte // mapped for good: the channel never closes its memory
	rng     *rand.Rand
}

func (a *attacker) behave(rng *rand.Rand) {
	for lane := range a.ch.Lanes() {
		p, c := a.ch.Lane(lane).Producer(), a.ch.Lane(lane).Consumer()
		rng := rand.New(rand.NewPCG(rng.Uint64(), 0))
		go func() {
			for a.ch.Err() == nil {
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
				_, _, _ = c.Recv(ctx, nil)
				cancel()
			}
		}()
		go func() {
			for a.ch.Err() == nil {
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
				if rng.IntN(4) > 0 {
					_ = p.Send(ctx, Header{Kind: uint8(rng.Uint32())}, make([]byte, rng.IntN(3*MinData)))
				} else if w, err := p.Writer(ctx, Header{}, int64(rng.IntN(100))); err == nil {
					for range rng.IntN(10) {
						_, _ = w.Write(make([]byte, rng.IntN(20)))
					}
					_ = w.Close()
				}
				cancel()
			}
		}()
	}
}

func (a *attacker) attack() {
	calm := a.rng.IntN(6) // every channel has a peer of another temper
	for {
		time.Sleep(time.Duration(a.rng.IntN(1<<(2*calm))) * 10 * time.Microsecond)
		lane := a.rng.IntN(len(a.ch.lanes))
		switch n := a.rng.IntN(100); {
		case n < 35:
			a.forgeWord(lane)
		case n < 50:
			a.forgeSlot(lane)
		case n < 60: // the parked flags, and an echo of our own counter
			wordAt(a.out, laneBase(lane)+offReaderParked).Store(a.rng.Uint64() & 1)
			wordAt(a.out, laneBase(lane)+offWriterParked).Store(a.rng.Uint64() & 1)
		case n < 80:
			for range a.rng.IntN(1000) {
				futexWake(wordAt(a.out, laneBase(lane)+offHead), futexAll)
				futexWake(wordAt(a.out, laneBase(lane)+offTail), futexAll)
			}
		case n < 90:
			futexRequeue(wordAt(a.out, laneBase(lane)+offHead), wordAt(a.out, offRole))
			futexRequeue(wordAt(a.out, laneBase(lane)+offTail), wordAt(a.out, offRole))
		case n < 92: // sleep in front of the host's own waiters
			go futexWait(wordAt(a.out, laneBase(lane)+offHead), uint32(wordAt(a.out, laneBase(lane)+offHead).Load()), time.Second)
		case n < 94:
			off := int64(a.rng.IntN(len(a.out))) &^ 4095
			_ = unix.Fallocate(int(a.files[1].Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, 4096<<a.rng.IntN(5))
		default:
			a.forbidden()
		}
	}
}

func (a *attacker) value(near uint64) uint64 {
	switch a.rng.IntN(6) {
	case 0:
		return a.rng.Uint64()
	case 1:
		return 1 << a.rng.IntN(64)
	case 2:
		return near ^ 1<<a.rng.IntN(64)
	default:
		return near + uint64(a.rng.IntN(5)) - 2
	}
}

func (a *attacker) forgeWord(lane int) {
	offs := []int{laneBase(lane) + offHead, laneBase(lane) + offTail, laneBase(lane) + offHead, laneBase(lane) + offTail, offEpoch}
	off := offs[a.rng.IntN(len(offs))]
	if a.rng.IntN(20) == 0 {
		off = a.rng.IntN(len(a.out)) &^ 7
	}
	w := wordAt(a.out, off)
	was := w.Load()
	w.Store(a.value(was))
	if a.rng.IntN(2) == 0 { // and back, before anybody looks, or not
		for range a.rng.IntN(100) {
			runtime.Gosched()
		}
		w.Store(was)
	}
}

func (a *attacker) forgeSlot(lane int) {
	g := &a.ch.pair.geo.in[lane]
	word := wordAt(a.out, int(g.slotsOff)+a.rng.IntN(g.slots*4)*8)
	if was := word.Load(); a.rng.IntN(2) == 0 {
		word.Store(a.value(was))
	} else {
		word.Store(was ^ uint64(flagTotal|flagMore|flagAbort|flagSwitch)<<8)
	}
}

// forbidden is what the kernel must refuse, or what must not matter.
func (a *attacker) forbidden() {
	f := a.files[a.rng.IntN(2)]
	fd := int(f.Fd())
	switch a.rng.IntN(6) {
	case 0:
		_ = unix.Ftruncate(fd, int64(a.rng.IntN(1<<20)))
	case 1:
		_, _ = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_WRITE|unix.F_SEAL_FUTURE_WRITE)
	case 2:
		_, _ = unix.Pwrite(fd, []byte{byte(a.rng.Uint32())}, int64(a.rng.IntN(1<<16)))
	case 3:
		_ = unix.Fallocate(int(a.files[0].Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, 1<<20)
	case 4:
		_, _ = unix.Seek(fd, int64(a.rng.IntN(1<<30)), io.SeekStart)
		_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETFL, unix.O_NONBLOCK|unix.O_APPEND)
	case 5:
		_ = unix.Madvise(a.in[:4096], unix.MADV_REMOVE)
		_ = unix.Mprotect(a.in[:4096], unix.PROT_READ|unix.PROT_WRITE)
	}
}

// besieged is the host's side of one channel.
type besieged struct {
	ch    *Channel
	first *pair
	rng   *rand.Rand
	mu    sync.Mutex
	calls map[string]time.Time // under way, and when each must be over
	errs  []error
	done  int
}

// call runs f, which must end soon after its deadline.
func (b *besieged) call(name string, f func(ctx context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	b.mu.Lock()
	b.calls[name] = time.Now().Add(hostilePatience)
	b.mu.Unlock()
	err := f(ctx)
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.calls, name)
	b.done++
	if err != nil && !slices.ContainsFunc([]error{ErrViolation, ErrTimeout, ErrClosed, ErrPeerClosed, ErrAborted, ErrTooLarge, ErrReplacing, ErrConcurrentUse, io.EOF, io.ErrUnexpectedEOF, io.ErrShortWrite},
		func(known error) bool { return errors.Is(err, known) }) {
		b.errs = append(b.errs, fmt.Errorf("%s: untyped error %w", name, err))
	}
	if errors.Is(err, ErrViolation) && b.ch.Err() == nil && name != "typed" {
		b.errs = append(b.errs, fmt.Errorf("%s: the channel lives on after %w", name, err))
	}
}

// overdue names a call that has not come back.
func (b *besieged) overdue() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	for name, until := range b.calls {
		if time.Now().After(until) {
			return name
		}
	}
	return ""
}

func (b *besieged) run(until time.Time) {
	var wg sync.WaitGroup
	loop := func(seed uint64, f func(rng *rand.Rand)) {
		rng := rand.New(rand.NewPCG(seed, 1))
		wg.Go(func() {
			for b.ch.Err() == nil && time.Now().Before(until) {
				f(rng)
			}
		})
	}
	plain, err := NewTyped[struct{ A, B uint32 }]()
	if err != nil {
		panic(err)
	}
	for lane := range b.ch.Lanes() {
		p, c := b.ch.Lane(lane).Producer(), b.ch.Lane(lane).Consumer()
		loop(b.rng.Uint64(), func(rng *rand.Rand) {
			b.call(fmt.Sprint("send ", lane), func(ctx context.Context) error { return send(ctx, p, rng) })
		})
		loop(b.rng.Uint64(), func(rng *rand.Rand) {
			if rng.IntN(8) == 0 {
				b.call("typed", func(ctx context.Context) error {
					var v struct{ A, B uint32 }
					_, err := plain.Recv(ctx, c, &v)
					return err
				})
				return
			}
			b.call(fmt.Sprint("receive ", lane), func(ctx context.Context) error { return receive(ctx, c, rng) })
		})
	}
	loop(b.rng.Uint64(), func(rng *rand.Rand) {
		b.call("observe", func(context.Context) error { b.ch.Ledger(); b.ch.Stats(); return nil })
		if rng.IntN(50) == 0 {
			b.call("prepare", func(context.Context) error {
				o, err := b.ch.Prepare(hostileConfig())
				if err == nil {
					err = o.Close()
				}
				return err
			})
		}
		time.Sleep(time.Millisecond)
	})
	if b.rng.IntN(2) == 0 {
		wg.Go(func() {
			time.Sleep(time.Until(until) / time.Duration(1+b.rng.IntN(20)))
			b.call("close", func(context.Context) error { return b.ch.Close() })
		})
	}
	wg.Wait()
	b.call("close", func(context.Context) error { return b.ch.Close() })
	if b.first.refs.Load() != 0 || b.ch.pair.refs.Load() != 0 {
		b.errs = append(b.errs, errors.New("memory is still mapped after Close"))
	}
}

func send(ctx context.Context, p *Producer, rng *rand.Rand) error {
	switch rng.IntN(4) {
	case 0:
		w, err := p.Writer(ctx, Header{}, int64(rng.IntN(2*MinData)))
		for err == nil && rng.IntN(5) > 0 {
			_, err = w.Write(make([]byte, rng.IntN(MinData/2)))
		}
		if w == nil {
			return err
		}
		return errors.Join(err, w.Close())
	case 1:
		r, err := p.Reserve(ctx, rng.IntN(MinData/2))
		if err != nil {
			return err
		}
		clear(r.Bytes())
		return r.Commit(Header{})
	}
	return p.Send(ctx, Header{}, make([]byte, rng.IntN(2*MinData)))
}

func receive(ctx context.Context, c *Consumer, rng *rand.Rand) error {
	switch rng.IntN(4) {
	case 0:
		r, err := c.Reader(ctx)
		if err != nil {
			return err
		}
		for err == nil && rng.IntN(20) > 0 {
			_, err = r.Read(make([]byte, 5000))
		}
		return errors.Join(err, r.Close())
	case 1:
		f, err := c.Peek(ctx)
		if err != nil {
			return err
		}
		if f.Len() > MinData/2 || f.Total() > small().MaxMessage {
			return fmt.Errorf("a frame of %d bytes of %d", f.Len(), f.Total())
		}
		_, err = f.CopyTo(make([]byte, f.Len()))
		return errors.Join(err, f.Release())
	}
	_, b, err := c.Recv(ctx, nil)
	if int64(cap(b)) > small().MaxMessage {
		return fmt.Errorf("%d bytes were allocated", cap(b))
	}
	return err
}

func TestHostileProcess(t *testing.T) {
	long := 500 * time.Millisecond
	if s := os.Getenv(hostileTime); s != "" {
		var err error
		if long, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
	}
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv(hostileSeed); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	for end, done, rounds := time.Now().Add(long), 0, 0; ; seed++ {
		done += siege(t, seed)
		if rounds++; t.Failed() || !time.Now().Before(end) {
			t.Logf("%d rounds, %d calls", rounds, done)
			return
		}
	}
}

// siege is one hostile process against its channels.
func siege(t *testing.T, seed uint64) (calls int) {
	// Not t.Log: if the host crashes, this has to be out.
	fmt.Fprintf(os.Stderr, "hostile process: %s=%d\n", hostileSeed, seed)
	rng := rand.New(rand.NewPCG(seed, 2))
	var hosts []*besieged
	var files []*os.File
	for i := range hostileChannels {
		config := hostileConfig()
		if i%2 == 1 {
			config.Limits = Limits{Bytes: 1 << 20, Messages: 1000, Wakes: 1000}
		}
		o := newOffer(t, config)
		files = append(files, o.Files()...)
		hosts = append(hosts, &besieged{ch: o.Channel(), first: o.pair, rng: rand.New(rand.NewPCG(rng.Uint64(), 3)), calls: map[string]time.Time{}})
	}
	cmd := startRole(t, "hostile", files, fmt.Sprintf("%s=%d", hostileSeed, seed))
	for _, f := range files {
		_ = f.Close()
	}
	until := time.Now().Add(300 * time.Millisecond)
	var wg sync.WaitGroup
	for _, b := range hosts {
		wg.Go(func() { b.run(until) })
	}
	all := make(chan struct{})
	go func() { wg.Wait(); close(all) }()
	for over := false; !over; {
		select {
		case <-all:
			over = true
		case <-time.After(time.Second):
			for i, b := range hosts {
				if name := b.overdue(); name != "" {
					buf := make([]byte, 1<<20)
					t.Fatalf("%s=%d: channel %d: %q is overdue\n%s", hostileSeed, seed, i, name, buf[:runtime.Stack(buf, true)])
				}
			}
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	for i, b := range hosts {
		for _, err := range b.errs {
			t.Errorf("%s=%d: channel %d: %v", hostileSeed, seed, i, err)
		}
		calls += b.done
	}
	return calls
}
