package shmchan

import (
	"math"
	"sync"
	"time"
)

// Limits caps what a peer may make this end do, per second. 0 means no limit.
// Each limit lets one second's worth through at once and then holds the rate.
type Limits struct {
	Bytes    int64 // payload bytes taken in
	Messages int64 // messages taken in
	Wakes    int64 // times that the peer may wake this end from its sleep
}

// limiter holds one peer to its Limits. It is safe for concurrent use: a
// channel's lanes share one.
type limiter struct {
	now func() int64 // monotonic, ns

	mu       sync.Mutex
	bytes    bucket
	messages bucket
	wakes    bucket
}

// newLimiter starts with full buckets. now gives monotonic nanoseconds; nil
// means the clock that await's deadlines are on.
func newLimiter(l Limits, now func() int64) *limiter {
	if now == nil {
		now = nanotime
	}
	at := now()
	return &limiter{now: now, bytes: newBucket(l.Bytes, at), messages: newBucket(l.Messages, at), wakes: newBucket(l.Wakes, at)}
}

// admit charges one message of so many bytes and returns 0, or charges nothing
// and returns after how long to ask again. A message larger than a whole
// second's worth passes when the bucket is not in debt, and puts it there: to
// wait until the bucket holds that much would be to wait for ever.
func (l *limiter) admit(bytes int64) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bytes.rate <= 0 && l.messages.rate <= 0 {
		return 0
	}
	now := l.now()
	l.bytes.refill(now)
	l.messages.refill(now)
	if wait := max(l.bytes.wait(bytes), l.messages.wait(1)); wait > 0 {
		return wait
	}
	l.bytes.take(bytes)
	l.messages.take(1)
	return 0
}

// wake charges one wake by the peer. It reports false when that is more than
// the limit allows: the caller then leaves the peer's wakes unheard for a while.
func (l *limiter) wake() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wakes.rate <= 0 {
		return true
	}
	l.wakes.refill(l.now())
	if l.wakes.wait(1) > 0 {
		return false
	}
	l.wakes.take(1)
	return true
}

// bucket is a token bucket of one second's depth. Levels are kept in float64:
// whole tokens stay exact up to 2^53, and a rate of 1 byte a second loses
// nothing to rounding at short intervals.
type bucket struct {
	rate  float64 // tokens per second; 0 = no limit
	level float64 // may be negative: debt of a message larger than the bucket
	at    int64
}

func newBucket(rate, now int64) bucket {
	r := float64(max(rate, 0))
	return bucket{rate: r, level: r, at: now}
}

func (b *bucket) refill(now int64) {
	if b.rate <= 0 || now <= b.at {
		return
	}
	b.level = min(b.level+b.rate*float64(now-b.at)/float64(time.Second), b.rate)
	b.at = now
}

func (b *bucket) wait(n int64) time.Duration {
	need := min(float64(n), b.rate)
	if b.rate <= 0 || b.level >= need {
		return 0
	}
	ns := math.Ceil((need - b.level) / b.rate * float64(time.Second))
	return time.Duration(max(min(ns, math.MaxInt64/2), 1))
}

func (b *bucket) take(n int64) {
	if b.rate > 0 {
		b.level -= float64(n)
	}
}
