package shmchan

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// crashVariable is at how many points TestPeerKilled kills; each channel of a
// process that is killed is one.
const crashVariable = "SHMCHAN_CRASHES"

const (
	defaultCrashes = 2000
	crashChannels  = 32 // of one process, each driven by two goroutines of its own
)

func init() { roles["crash"] = crashPeer }

func crashConfig() Config {
	return Config{
		Lanes:          []LaneConfig{{Outbound: exerciseRing(), Inbound: exerciseRing()}},
		MessageTimeout: 100 * time.Millisecond,
	}
}

// TestPeerKilled kills the peer with SIGKILL at random moments, in every state
// that an end of a ring can be in. Whatever the survivor was doing ends with a
// typed error, and nothing of the channels is left: no descriptor, no mapping,
// no goroutine. Half of the survivors are told of the death (Config.Alive); the
// others must find out by their deadlines.
func TestPeerKilled(t *testing.T) {
	points := defaultCrashes
	if s := os.Getenv(crashVariable); s != "" {
		n, err := strconv.Atoi(s)
		must(t, err)
		points = n
	}
	if testing.Short() {
		points = min(points, 320)
	}
	pool := newPool(1)
	died := map[activity]int{}
	var fds, mappings int
	for round := 0; round*crashChannels < points; round++ {
		if round == 1 { // the first has opened what the runtime keeps for itself
			fds, mappings = openDescriptors(t), sharedMappings(t)
		}
		r := newCrashRound(t, round, pool)
		r.run()
		for _, a := range r.board {
			died[activity(a)]++
		}
		r.close()
	}
	t.Logf("died while %v", died)
	for a := range activities {
		if died[a] == 0 && points >= defaultCrashes {
			t.Errorf("nobody was killed while %v", a)
		}
	}
	settles(t, "descriptors", fds, openDescriptors)
	settles(t, "shared mappings", mappings, sharedMappings)
}

// crashRound is one process and its death.
type crashRound struct {
	t      *testing.T
	round  int
	pool   []byte
	told   bool
	dead   chan struct{}
	killed atomic.Bool
	offers []*Offer
	board  []byte // what each end of the peer was doing; the peer writes it
	mem    *os.File
}

func newCrashRound(t *testing.T, round int, pool []byte) *crashRound {
	t.Helper()
	r := &crashRound{t: t, round: round, pool: pool, told: round%2 == 0, dead: make(chan struct{})}
	fd, err := unix.MemfdCreate("board", unix.MFD_CLOEXEC)
	must(t, err)
	r.mem = os.NewFile(uintptr(fd), "board")
	must(t, r.mem.Truncate(4096))
	board, err := unix.Mmap(fd, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	must(t, err)
	r.board = board[: 2*crashChannels : 4096]
	for range crashChannels {
		config := crashConfig()
		if r.told {
			config.Alive = r.dead
		}
		offer, err := Create(config)
		must(t, err)
		r.offers = append(r.offers, offer)
	}
	return r
}

// run starts the peer, works with it, kills it, and waits for the survivors.
func (r *crashRound) run() {
	r.t.Helper()
	rng := rand.New(rand.NewPCG(uint64(r.round), 1))
	files := []*os.File{r.mem}
	for _, o := range r.offers {
		files = append(files, o.Files()...)
	}
	peer, attached := r.start(files)
	var survivors sync.WaitGroup
	for i, o := range r.offers {
		must(r.t, o.Close())
		seed := uint64(r.round*crashChannels+i) * 2
		survivors.Go(func() { r.survive(newExercise(seed, r.pool, ignore), o.Channel(), true) })
		survivors.Go(func() { r.survive(newExercise(seed+1, r.pool, ignore), o.Channel(), false) })
	}
	if r.round%8 != 7 { // every eighth is killed while it starts or attaches
		_, _ = attached.Read(make([]byte, 1))
	}
	time.Sleep(time.Duration(rng.Int64N(int64(5 * time.Millisecond)))) // the point
	must(r.t, peer.Process.Kill())
	_ = peer.Wait()
	r.killed.Store(true)
	close(r.dead)
	_ = attached.Close()
	survivors.Wait()
}

// start runs the peer; attached can be read when it has attached everywhere.
func (r *crashRound) start(files []*os.File) (peer *exec.Cmd, attached *os.File) {
	r.t.Helper()
	attached, theirs, err := os.Pipe()
	must(r.t, err)
	peer = startRole(r.t, "crash", append(files, theirs), fmt.Sprintf("%s=%d", roundVariable, r.round))
	must(r.t, theirs.Close())
	return peer, attached
}

// survive uses one end until the peer's death shows.
func (r *crashRound) survive(x *exercise, c *Channel, sends bool) {
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		known := r.killed.Load() // before the attempt: what fails after it may be old
		var err error
		if sends {
			_, err = x.send(ctx, c.Lane(0).Producer())
		} else {
			err = x.receive(ctx, c.Lane(0).Consumer(), func(Header, []byte) error { return nil })
		}
		cancel()
		switch {
		case err == nil:
		case errors.Is(err, ErrPeerDied):
			if !r.told {
				r.t.Errorf("%v, and nobody told", err)
			}
			return
		case errors.Is(err, ErrTimeout):
			if known && !r.told {
				return
			}
		case errors.Is(err, ErrAborted): // the peer ran into a timeout of its own
		default:
			r.t.Errorf("round %d: the survivor got %v", r.round, err)
			return
		}
	}
}

func (r *crashRound) close() {
	r.t.Helper()
	for _, o := range r.offers {
		must(r.t, o.Channel().Close())
	}
	must(r.t, unix.Munmap(r.board[:4096:4096]))
	must(r.t, r.mem.Close())
}

// crashPeer works on all channels until it is killed, and notes what each end
// is doing on the board.
func crashPeer() error {
	var round int
	if _, err := fmt.Sscan(os.Getenv(roundVariable), &round); err != nil {
		return err
	}
	board, err := unix.Mmap(3, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	pool := newPool(1)
	for i := range crashChannels {
		c, err := Attach([2]*os.File{os.NewFile(uintptr(4+2*i), "out"), os.NewFile(uintptr(5+2*i), "in")}, crashConfig())
		if err != nil {
			return err
		}
		for side := range 2 {
			rng := rand.New(rand.NewPCG(uint64(round), uint64(2*i+side)))
			x := newExercise(rng.Uint64(), pool, func(a activity) {
				board[2*i+side] = byte(a)
				if rng.IntN(8) == 0 {
					time.Sleep(time.Duration(rng.Int64N(int64(time.Millisecond)))) // be found here
				}
			})
			go crashWork(x, c, side == 0)
		}
	}
	_, err = os.NewFile(4+2*crashChannels, "attached").Write([]byte{1})
	if err != nil {
		return err
	}
	time.Sleep(time.Hour) // killed long before
	return errors.New("nobody killed us")
}

// crashWork never gives up: the survivor's pauses are not errors.
func crashWork(x *exercise, c *Channel, sends bool) {
	ctx := context.Background()
	for c.Err() == nil {
		if sends {
			_, _ = x.send(ctx, c.Lane(0).Producer())
		} else {
			_ = x.receive(ctx, c.Lane(0).Consumer(), func(Header, []byte) error { return nil })
		}
	}
}

func openDescriptors(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(entries)
}

// sharedMappings counts mappings of memory files.
func sharedMappings(t testing.TB) int {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	must(t, err)
	return strings.Count(string(maps), "/memfd:")
}

// settles waits for a count to come down to what it was: the last reference
// to a channel may be dropped by a goroutine of its own.
func settles(t testing.TB, what string, want int, count func(testing.TB) int) {
	t.Helper()
	for until := time.Now().Add(30 * time.Second); count(t) > want; {
		if time.Now().After(until) {
			t.Errorf("%d %s, %d before", count(t), what, want)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}
