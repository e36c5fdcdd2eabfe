//go:build linux && (amd64 || arm64)

package shmchan

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// The benchmarks of waiting run two processes: this test binary and a copy of
// it that answers each change of one word with a change of the other. Each side
// writes one memory file and sees the other's through a read-only mapping.

const (
	echoHow = "SHMCHAN_TEST_HOW" // how the child waits
	echoCPU = "SHMCHAN_TEST_CPU" // CPU that the child pins itself to, -1 = any
)

func init() { roles["echo"] = echoRole }

// endpoint is one side's view: its own word and flag, the other's.
type endpoint struct {
	mine, theirs             *atomic.Uint64
	mineParked, theirsParked *atomic.Uint32
}

func newEndpoint(own, other []byte) endpoint {
	return endpoint{word64(own, 0), word64(other, 0), word32(own, 128), word32(other, 128)}
}

// waitFor is a way of waiting until theirs is not seen.
type waitFor func(e *endpoint, seen uint64)

// publish is a way of telling the other side.
type publish func(e *endpoint, v uint64)

func ways(how string) (waitFor, publish) {
	switch how {
	case "bare-spin":
		return func(e *endpoint, seen uint64) {
				for e.theirs.Load() == seen {
				}
			}, func(e *endpoint, v uint64) {
				e.mine.Store(v)
			}
	case "bare-futex":
		return func(e *endpoint, seen uint64) {
				for e.theirs.Load() == seen {
					futexWait(e.theirs, uint32(seen), -1)
				}
			}, func(e *endpoint, v uint64) {
				e.mine.Store(v)
				futexWake(e.mine, 1)
			}
	}
	o := sleeperOptions{}
	if how == "sleeper-block" {
		o.spin = -1
	}
	s := newSleeper(o)
	ctx := context.Background()
	return func(e *endpoint, seen uint64) {
			if why := s.await(ctx, event{e.theirs, e.mineParked}, seen, 0); why != changed {
				panic(why)
			}
		}, func(e *endpoint, v uint64) {
			e.mine.Store(v)
			if e.theirsParked.Load() != 0 {
				wakeWord(e.mine)
			}
		}
}

// echoRole answers until the value ^0 comes.
func echoRole() error {
	if cpu, err := strconv.Atoi(os.Getenv(echoCPU)); err == nil && cpu >= 0 {
		pinProcess(cpu)
	}
	files := inheritedFiles()
	other, err1 := unix.Mmap(int(files[0].Fd()), 0, 4096, unix.PROT_READ, unix.MAP_SHARED)
	own, err2 := unix.Mmap(int(files[1].Fd()), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	e := newEndpoint(own, other)
	wait, tell := ways(os.Getenv(echoHow))
	for seen := uint64(0); ; {
		wait(&e, seen)
		if seen = e.theirs.Load(); seen == ^uint64(0) {
			return nil
		}
		tell(&e, seen)
	}
}

// pinProcess moves every thread of this process to one CPU (-1 = all CPUs).
func pinProcess(cpu int) {
	var set unix.CPUSet
	for i := range runtime.NumCPU() {
		if cpu < 0 || i == cpu {
			set.Set(i)
		}
	}
	tasks, _ := os.ReadDir("/proc/self/task")
	for _, t := range tasks {
		if tid, err := strconv.Atoi(t.Name()); err == nil {
			_ = unix.SchedSetaffinity(tid, &set)
		}
	}
}

type echo struct {
	endpoint
	cmd  *exec.Cmd
	wait waitFor
	tell publish
	last uint64
}

func startEcho(tb testing.TB, how string, cpu int) *echo {
	tb.Helper()
	mine, theirs := sharedFile(tb, 4096), sharedFile(tb, 4096)
	cmd := startRole(tb, "echo", []*os.File{mine, theirs}, echoHow+"="+how, echoCPU+"="+strconv.Itoa(cpu))
	e := &echo{cmd: cmd}
	e.endpoint = newEndpoint(mapShared(tb, mine, 4096, unix.PROT_READ|unix.PROT_WRITE), mapShared(tb, theirs, 4096, unix.PROT_READ))
	e.wait, e.tell = ways(how)
	tb.Cleanup(func() {
		e.tell(&e.endpoint, ^uint64(0))
		_ = cmd.Wait()
	})
	e.roundTrips(1)
	return e
}

func (e *echo) signal(tb testing.TB, sig unix.Signal) {
	tb.Helper()
	if err := e.cmd.Process.Signal(sig); err != nil {
		tb.Fatal(err)
	}
}

func (e *echo) roundTrips(n int) {
	for range n {
		e.last++
		e.tell(&e.endpoint, e.last)
		e.wait(&e.endpoint, e.last-1)
	}
}

// BenchmarkWait compares round trips between two processes, on free CPUs, with
// both sides on one CPU, and beside neighbours that take all they can get on
// every CPU. Bare words and sleeper take turns of some trips each, so that
// whatever else the machine does hits both; what is reported are medians and
// means of the turns and the ratio of the medians. On a loaded machine the means
// say why the sleeper does not spin there.
func BenchmarkWait(b *testing.B) {
	for _, c := range []struct{ place, bare, how string }{
		{"free", "bare-spin", "sleeper"},
		{"free", "bare-futex", "sleeper-block"},
		{"onecpu", "bare-futex", "sleeper"},
		{"onecpu", "bare-futex", "sleeper-block"},
		{"busy", "bare-futex", "sleeper"},
		{"busy", "bare-futex", "sleeper-block"},
	} {
		b.Run(c.place+"/"+c.how+"-to-"+c.bare, func(b *testing.B) {
			cpu := -1
			switch c.place {
			case "onecpu":
				cpu = 0
				pinProcess(0)
				defer pinProcess(-1)
			case "busy":
				for range runtime.NumCPU() {
					startBurner(b)
				}
			}
			compareWaits(b, startEcho(b, c.bare, cpu), startEcho(b, c.how, cpu))
		})
	}
}

const turn = 1000 // trips

func compareWaits(b *testing.B, bare, sleeper *echo) {
	var took [2]Histogram
	bare.signal(b, unix.SIGSTOP)
	sleeper.signal(b, unix.SIGSTOP)
	for b.Loop() {
		for i, e := range []*echo{bare, sleeper} {
			e.signal(b, unix.SIGCONT) // the other one must not take CPU from this one
			e.roundTrips(turn / 2)
			start := nanotime()
			e.roundTrips(turn)
			took[i].Record((nanotime() - start) / turn)
			e.signal(b, unix.SIGSTOP)
		}
	}
	bare.signal(b, unix.SIGCONT)
	sleeper.signal(b, unix.SIGCONT)
	base, own := took[0].Snapshot(), took[1].Snapshot()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(base.Quantile(0.5)), "bare-p50-ns")
	b.ReportMetric(base.Mean, "bare-mean-ns")
	b.ReportMetric(float64(own.Quantile(0.5)), "p50-ns")
	b.ReportMetric(own.Mean, "mean-ns")
	b.ReportMetric(float64(own.Quantile(0.9)), "p90-ns")
	b.ReportMetric(float64(own.Quantile(0.5))/float64(base.Quantile(0.5)), "x-bare")
}

// startBurner is a neighbour that never sleeps, in a process of its own.
func startBurner(tb testing.TB) {
	tb.Helper()
	cmd := exec.Command("sh", "-c", "while :; do :; done")
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}
