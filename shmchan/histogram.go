package shmchan

import (
	"math"
	"math/bits"
	"sync/atomic"
)

// Buckets are log-linear: values below 2^subBits have a bucket each, and every
// power of two above is cut into 2^(subBits-1) equal parts. A value is thus
// known to better than 1 part in 64, and a histogram has one fixed size
// whatever it is fed, so a peer that picks sizes or delays cannot make it grow.
const (
	subBits    = 7
	halfCount  = 1 << (subBits - 1)
	maxBits    = 44 // 2^44 ns is almost five hours; 2^44 bytes is 16 TiB
	histogramN = (maxBits-subBits)*halfCount + 2*halfCount
)

// Histogram counts values of a wide range in a fixed amount of memory (about
// 19 KiB) to better than 1.6 percent: latencies in nanoseconds or sizes in
// bytes. The zero value is ready. Any number of goroutines may record and
// read at the same time; Record takes no lock and allocates nothing.
//
// Negative values count as 0, values of 2^44 and more as 2^44-1; Max and Mean
// see the latter as they are.
type Histogram struct {
	sum    atomic.Uint64
	max    atomic.Int64
	minInv atomic.Int64 // MaxInt64 - smallest value, so that zero means "none"
	counts [histogramN]atomic.Uint64
}

// Record counts one value.
func (h *Histogram) Record(v int64) {
	v = max(v, 0)
	h.counts[bucketOf(v)].Add(1)
	h.sum.Add(uint64(v))
	raise(&h.max, v)
	raise(&h.minInv, math.MaxInt64-v)
}

func raise(to *atomic.Int64, v int64) {
	for old := to.Load(); v > old; old = to.Load() {
		if to.CompareAndSwap(old, v) {
			return
		}
	}
}

func bucketOf(v int64) int {
	v = min(v, 1<<maxBits-1)
	shift := max(bits.Len64(uint64(v))-subBits, 0)
	return shift*halfCount + int(v>>shift)
}

// upperEdge is the largest value that falls into a bucket.
func upperEdge(bucket int) int64 {
	shift := max(bucket/halfCount-1, 0)
	return (int64(bucket-shift*halfCount)+1)<<shift - 1
}

// Snapshot copies the counts. Values recorded meanwhile may be in it or not;
// its quantiles are always taken from one set of counts.
func (h *Histogram) Snapshot() Distribution {
	var d Distribution
	for i := range h.counts {
		if n := h.counts[i].Load(); n > 0 {
			d.Count += n
			d.Buckets = append(d.Buckets, Bucket{Upper: upperEdge(i), Count: n})
		}
	}
	if d.Count == 0 {
		return d
	}
	d.Max = h.max.Load()
	d.Min = math.MaxInt64 - h.minInv.Load()
	d.Mean = float64(h.sum.Load()) / float64(d.Count)
	return d
}

// Distribution is what a Histogram held at one moment. Its JSON form has
// stable field names.
type Distribution struct {
	Count   uint64   `json:"count"`
	Min     int64    `json:"min"`
	Max     int64    `json:"max"`
	Mean    float64  `json:"mean"`
	Buckets []Bucket `json:"buckets,omitempty"` // ascending, none empty
}

// Bucket counts the values from just above the bucket before it up to Upper.
type Bucket struct {
	Upper int64  `json:"upper"`
	Count uint64 `json:"count"`
}

// Quantile gives the value that the share q of all values does not exceed, to
// the histogram's precision and never outside Min and Max: 0.5 is the median.
// q is cut to 0 and 1. An empty distribution gives 0.
func (d Distribution) Quantile(q float64) int64 {
	if d.Count == 0 {
		return 0
	}
	rank := uint64(1)
	switch {
	case q >= 1:
		return d.Max
	case q > 0: // false for NaN as well
		rank = max(uint64(math.Ceil(q*float64(d.Count))), 1)
	default:
		return d.Min
	}
	for _, b := range d.Buckets {
		if b.Count >= rank {
			return min(max(b.Upper, d.Min), d.Max)
		}
		rank -= b.Count
	}
	return d.Max
}
