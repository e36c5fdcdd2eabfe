package shmchan

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Bits of Channel.attention. Operations look at one word and go on when it is
// zero, which it nearly always is.
const (
	attendEnd    = 1 << iota // the channel has ended
	attendSwitch             // producers move to the next pair
)

// glances is how often a reader looks again before it asks the clock how long
// it may wait: a fraction of a microsecond.
const glances = 128

// Channel is one end of a channel. It is safe for concurrent use; the ends of
// its rings (Producer, Consumer) say what they allow.
type Channel struct {
	config  Config
	timeout time.Duration
	glance  int
	limit   *limiter // holds the peer to Config.Limits; nil = none
	lanes   []*Lane
	done    chan struct{}

	attention atomic.Uint32

	mu    sync.Mutex
	err   error
	pair  *pair         // the current epoch
	next  *pair         // the epoch being moved to
	moved int           // ring ends that have
	step  chan struct{} // closed when the next one has; nil: nobody waits
}

// Lane is a ring each way.
type Lane struct {
	name     string
	producer Producer
	consumer Consumer
}

// Name is what the configuration calls the lane.
func (l *Lane) Name() string { return l.name }

// Producer is the lane's sending end.
func (l *Lane) Producer() *Producer { return &l.producer }

// Consumer is the lane's receiving end.
func (l *Lane) Consumer() *Consumer { return &l.consumer }

// Offer is a new pair of memory files on the side that made it.
type Offer struct {
	channel *Channel
	pair    *pair // of a Create: the creator's; of a Prepare on a Pipe: the other end's
	next    *pair // of a Prepare: the creator's, for Cancel
	files   [2]*os.File
}

// Files are the two memory files, to be handed to the peer in this order, for
// example with SCM_RIGHTS or as ExtraFiles. They belong to the Offer.
func (o *Offer) Files() []*os.File {
	if o.files[0] == nil {
		return nil // Pipe
	}
	return o.files[:]
}

// Channel is the creator's end.
func (o *Offer) Channel() *Channel { return o.channel }

// Close closes the files once the peer has them. The channel does not need them.
func (o *Offer) Close() error {
	var errs []error
	for i, f := range o.files {
		if f != nil {
			errs = append(errs, f.Close())
			o.files[i] = nil
		}
	}
	return errors.Join(errs...)
}

// Create makes the memory of a new channel and the creator's end of it. The
// creator is the side that trusts the other least: the kernel refuses everybody
// else a writable mapping of what it writes.
//
// Errors: ErrConfig, ErrUnsupported, or the system's.
func Create(config Config) (*Offer, error) {
	config = config.withDefaults()
	g, err := config.geometry()
	if err != nil {
		return nil, err
	}
	epoch := max(config.Epoch, 1)
	out, in, files, err := createFiles(g, epoch)
	if err != nil {
		return nil, err
	}
	p := newPair(epoch, true, g, out, in)
	return &Offer{channel: newChannel(config, p), pair: p, files: files}, nil
}

// Attach verifies the memory files that a creator handed over and makes the
// other end. config is the creator's. The files are the caller's to close.
//
// Errors: ErrConfig, ErrUnsupported, *ViolationError for files that are not
// what was agreed, or the system's.
func Attach(files [2]*os.File, config Config) (*Channel, error) {
	config = config.withDefaults()
	p, err := attachPair(files, &config)
	if err != nil {
		return nil, err
	}
	if config.Epoch != 0 && p.epoch != config.Epoch {
		_ = p.out.close()
		_ = p.in.close()
		return nil, &ViolationError{What: "epoch in the header", Got: p.epoch, Limit: config.Epoch}
	}
	return newChannel(config, p), nil
}

func attachPair(files [2]*os.File, config *Config) (*pair, error) {
	g, err := config.geometry()
	if err != nil {
		return nil, err
	}
	if files[0] == nil || files[1] == nil {
		return nil, fmt.Errorf("%w: two files are needed", ErrConfig)
	}
	out, in, err := attachFiles(files, g)
	if err != nil {
		return nil, err
	}
	epoch, err := verify(out, in, g, false)
	if err != nil {
		_ = out.close()
		_ = in.close()
		return nil, err
	}
	return newPair(epoch, false, g, out, in), nil
}

// Pipe makes both ends in this process over ordinary memory: for tests, for the
// race detector, and for systems without memory files. Nothing keeps one end
// from writing what belongs to the other. config.Alive is the attacher's life,
// which the creator watches.
func Pipe(config Config) (creator, attacher *Channel, err error) {
	config = config.withDefaults()
	g, err := config.geometry()
	if err != nil {
		return nil, nil, err
	}
	a, b := pipePairs(g, max(config.Epoch, 1))
	creator = newChannel(config, a)
	config.Alive = nil // it speaks of the creator's peer, which is the attacher itself
	return creator, newChannel(config, b), nil
}

func pipePairs(g *geometry, epoch uint64) (creator, attacher *pair) {
	out, in := heapRegion(g.outSize), heapRegion(g.inSize)
	out.writeHeader(roleCreator, epoch, g.out)
	in.writeHeader(roleAttacher, epoch, g.in)
	return newPair(epoch, true, g, out, in), newPair(epoch, false, g, in, out)
}

func newChannel(config Config, p *pair) *Channel {
	c := &Channel{config: config, timeout: config.MessageTimeout, done: make(chan struct{}), pair: p}
	if config.Spin >= 0 && runtime.NumCPU() > 1 {
		c.glance = glances
	}
	if config.Limits != (Limits{}) {
		c.limit = newLimiter(config.Limits, nil)
	}
	opts := sleeperOptions{spin: config.Spin, limit: c.limit, heap: p.heap}
	for i := range config.Lanes {
		l := &Lane{name: config.Lanes[i].Name}
		l.producer = Producer{ch: c, lane: i, ring: newOutRing(p, i), sleep: newSleeper(opts)}
		l.consumer = Consumer{ch: c, lane: i, sleep: newSleeper(opts)}
		l.consumer.ring = newInRing(p, i, &l.consumer.holds)
		c.lanes = append(c.lanes, l)
	}
	if config.Alive != nil {
		go c.watch(config.Alive)
	}
	return c
}

func (c *Channel) watch(alive <-chan struct{}) {
	select {
	case <-alive:
		_ = c.fail(ErrPeerDied)
	case <-c.done:
	}
}

// Lane is the i-th lane of the configuration.
func (c *Channel) Lane(i int) *Lane { return c.lanes[i] }

// MessageTimeout is how long the peer may make no progress.
func (c *Channel) MessageTimeout() time.Duration { return c.timeout }

// Lanes is the number of lanes.
func (c *Channel) Lanes() int { return len(c.lanes) }

// Epoch is the number of the memory in use; a Replace adds one.
func (c *Channel) Epoch() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pair.epoch
}

// Done is closed when the channel has ended, for whatever reason.
func (c *Channel) Done() <-chan struct{} { return c.done }

// Err is why the channel has ended; nil while it lives.
func (c *Channel) Err() error {
	if c.attention.Load()&attendEnd == 0 {
		return nil
	}
	return c.reason()
}

func (c *Channel) reason() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close ends the channel. Whoever waits in it gets ErrClosed, the peer gets
// ErrPeerClosed once it has read what was committed, on every lane. Memory is unmapped when
// the last borrowed frame is released and the last reservation ended.
func (c *Channel) Close() error {
	c.end(ErrClosed)
	c.shutdown()
	return nil
}

// fail ends the channel because of err and returns why it ended, which is an
// earlier reason if there was one. It may be called with locks of ring ends
// held, so what needs those is left to a goroutine.
func (c *Channel) fail(err error) error {
	if c.end(err) {
		go c.shutdown()
	}
	return c.reason()
}

func (c *Channel) end(err error) (first bool) {
	c.mu.Lock()
	if first = c.err == nil; first {
		c.err = err
		c.attention.Or(attendEnd)
		close(c.done)
	}
	c.mu.Unlock()
	if first {
		for _, l := range c.lanes {
			l.producer.sleep.poke()
			l.consumer.sleep.poke()
		}
	}
	return first
}

// shutdown tells the peer and lets go of all memory that nobody uses.
func (c *Channel) shutdown() {
	for _, l := range c.lanes {
		p, k := &l.producer, &l.consumer
		p.mu.Lock()
		p.letGo()
		p.mu.Unlock()
		k.mu.Lock()
		k.letGo()
		k.mu.Unlock()
	}
	// Whoever was moving to the next pair has arrived: it held a lock above.
	c.mu.Lock()
	next, missing := c.next, 2*len(c.lanes)-c.moved
	c.next = nil
	c.mu.Unlock()
	for range missing {
		if next != nil {
			next.drop()
		}
	}
}
