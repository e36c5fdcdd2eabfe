package pingpong

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"
)

const (
	maxRoundTrips = 1 << 20 // of which times are kept
	minRoundTrips = 3       // however slow they are
)

// measure runs one repetition of a cell; this process is its worker.
func measure(c Cell) (r Result, err error) {
	t, err := findTransport(c.Transport)
	if err != nil {
		return Result{}, err
	}
	p, err := t.start(c.Size)
	if err != nil {
		return Result{}, fmt.Errorf("%s: %w", c.Transport, err)
	}
	defer func() { err = errors.Join(err, p.close()) }()

	r.Cell = c
	msg, reply := payload(c.Size), make([]byte, c.Size)
	if err := measureRoundTrips(p, &r, msg, reply); err != nil {
		return r, fmt.Errorf("%s, %d bytes, round trip: %w", c.Transport, c.Size, err)
	}
	if t.bare {
		return r, nil
	}
	if err := measureOneWay(p, &r, msg); err != nil {
		return r, fmt.Errorf("%s, %d bytes, one way: %w", c.Transport, c.Size, err)
	}
	return r, nil
}

func payload(size int) []byte {
	msg := make([]byte, size)
	for i := range msg {
		msg[i] = byte(i*7 + i>>8)
	}
	return msg
}

// measureRoundTrips takes one reading of the clock for each round trip: the end
// of one is the start of the next.
func measureRoundTrips(p peer, r *Result, msg, reply []byte) error {
	budget := time.Duration(r.BudgetNS)
	times := make([]int64, 0, maxRoundTrips)
	for until, n := time.Now().Add(budget/5), 0; n < minRoundTrips || time.Now().Before(until); n++ {
		busyUntil(time.Now(), time.Duration(r.GapNS))
		if err := p.roundTrip(msg, reply); err != nil {
			return err
		}
	}

	runtime.GC()
	cpu, allocs := bothCPU(p), mallocs()
	start := time.Now()
	for last := time.Duration(0); len(times) < minRoundTrips || last < budget && len(times) < cap(times); {
		if r.GapNS > 0 {
			last = busyUntil(start, last+time.Duration(r.GapNS))
		}
		if err := p.roundTrip(msg, reply); err != nil {
			return err
		}
		now := time.Since(start)
		times = append(times, int64(now-last))
		last = now
	}
	n := float64(len(times))
	if r.GapNS == 0 { // else it would be the gaps'
		r.CPUPerMessage = float64(bothCPU(p)-cpu) / (2 * n)
	}
	r.AllocsPerRoundTrip = float64(mallocs()-allocs) / n

	slices.Sort(times)
	r.RoundTrips = len(times)
	r.P50, r.P99, r.P999 = quantile(times, 0.5), quantile(times, 0.99), quantile(times, 0.999)
	if e, ok := p.(echoChecker); ok && !bytes.Equal(msg, e.echoed(reply)) {
		return errors.New("the echo is not what was sent")
	}
	return nil
}

// busyUntil computes until that time since start, and says what it is then.
func busyUntil(start time.Time, until time.Duration) (now time.Duration) {
	for now < until {
		now = time.Since(start)
	}
	return now
}

// echoChecker is a peer whose last echo can be compared with what was sent.
type echoChecker interface {
	echoed(reply []byte) []byte
}

func measureOneWay(p peer, r *Result, msg []byte) error {
	n := 0
	start := time.Now()
	for until := start.Add(time.Duration(r.BudgetNS)); n < minRoundTrips || time.Now().Before(until); {
		// The clock is read once for some 64 KiB, so that it does not weigh.
		for batch := max(1, 64<<10/len(msg)); batch > 0; batch-- {
			if err := p.send(msg); err != nil {
				return err
			}
			n++
		}
	}
	if err := p.sendLast(msg); err != nil {
		return err
	}
	n++
	seconds := time.Since(start).Seconds()
	r.MessagesPerSecond = float64(n) / seconds
	r.BytesPerSecond = float64(n) * float64(len(msg)) / seconds
	return nil
}

// bothCPU is the CPU time of this process and its peer.
func bothCPU(p peer) time.Duration {
	sum := cpuTime(os.Getpid())
	if pid := p.pid(); pid != 0 {
		sum += cpuTime(pid)
	}
	return sum
}

func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}
