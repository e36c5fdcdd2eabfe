package shmchan

import (
	"encoding/json"
	"math"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func TestHistogramQuantilesAreWithinTheirPrecision(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(0, 1<<40), 1, 200).Draw(t, "values")
		q := rapid.Float64Range(0, 1).Draw(t, "q")
		var h Histogram
		for _, v := range values {
			h.Record(v)
		}
		slices.Sort(values)
		exact := values[max(int(math.Ceil(q*float64(len(values))))-1, 0)]
		got := h.Snapshot().Quantile(q)
		if got < exact || got > exact+exact/64 {
			t.Fatalf("quantile %v of %v: %d, exactly %d", q, values, got, exact)
		}
	})
}

func TestHistogramEveryBucketEndsWhereTheNextBegins(t *testing.T) {
	for i := range histogramN {
		if up := upperEdge(i); bucketOf(up) != i || i+1 < histogramN && bucketOf(up+1) != i+1 {
			t.Fatalf("bucket %d ends at %d, which falls into %d and its successor into %d", i, up, bucketOf(up), bucketOf(up+1))
		}
	}
}

func TestHistogramTakesAnyValue(t *testing.T) {
	var h Histogram
	for _, v := range []int64{math.MinInt64, -1, 0, 1 << 44, math.MaxInt64} {
		h.Record(v)
	}
	d := h.Snapshot()
	if d.Count != 5 || d.Min != 0 || d.Max != math.MaxInt64 || d.Quantile(0.5) != 0 || d.Quantile(1) != math.MaxInt64 {
		t.Errorf("got %+v", d)
	}
	for _, q := range []float64{-1, 2, math.NaN(), math.Inf(1)} {
		if v := d.Quantile(q); v < d.Min || v > d.Max {
			t.Errorf("quantile %v is %d", q, v)
		}
	}
	if got := (Distribution{}).Quantile(0.5); got != 0 {
		t.Errorf("quantile of nothing is %d", got)
	}
}

func TestHistogramCountsEveryWriter(t *testing.T) {
	var h Histogram
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 1000 {
				h.Record(int64(w*1000 + i))
				if i%100 == 0 {
					h.Snapshot()
				}
			}
		})
	}
	wg.Wait()
	if d := h.Snapshot(); d.Count != 4000 || d.Min != 0 || d.Max != 3999 || d.Mean != 1999.5 {
		t.Errorf("got count %d, min %d, max %d, mean %v", d.Count, d.Min, d.Max, d.Mean)
	}
}

func TestHistogramRecordAllocatesNothing(t *testing.T) {
	var h Histogram
	if n := testing.AllocsPerRun(100, func() { h.Record(12345) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestDistributionHasStableFieldNames(t *testing.T) {
	var h Histogram
	h.Record(7)
	got, err := json.Marshal(h.Snapshot())
	want := `{"count":1,"min":7,"max":7,"mean":7,"buckets":[{"upper":7,"count":1}]}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
}

func BenchmarkHistogramRecord(b *testing.B) {
	var h Histogram
	for i := range b.N {
		h.Record(int64(i))
	}
}
