package shmchan

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestFillLevels(t *testing.T) {
	for _, c := range []struct {
		name string
		used []int64 // of 1000
		want []int
	}{
		{"up and down", []int64{0, 799, 800, 899, 900, 1000, 0}, []int{0, 0, 80, 80, 90, 90, 0}},
		{"hovering around 80", []int64{800, 799, 801, 701, 800}, []int{80, 80, 80, 80, 80}},
		{"falls ten points below", []int64{800, 700, 799}, []int{80, 0, 0}},
		{"from 90 to 80", []int64{900, 801, 800, 899, 900}, []int{90, 90, 80, 80, 90}},
		{"straight to 90 and to 0", []int64{950, 700}, []int{90, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var g fillGauge
			var got []int
			last := 0
			for i, u := range c.used {
				level, changed := g.observe(u, 1000, int64(i+1))
				if changed != (level != last) {
					t.Errorf("step %d: level %d after %d, changed = %v", i, level, last, changed)
				}
				last = level
				got = append(got, level)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("levels %v, want %v", got, c.want)
			}
		})
	}
}

// A peer that moves the fill by less than ten points makes at most two events.
func TestFillDoesNotFlap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var g fillGauge
		low := rapid.Int64Range(0, 900).Draw(t, "low")
		events := 0
		for i := range 100 {
			used := low + rapid.Int64Range(0, 99).Draw(t, "used")
			if _, changed := g.observe(used, 1000, int64(i+1)); changed {
				events++
			}
		}
		if events > 2 {
			t.Fatalf("%d events", events)
		}
	})
}

func TestFillSustained(t *testing.T) {
	var g fillGauge
	g.observe(85, 100, 10)
	if d := g.sustained(1000); d != 0 {
		t.Errorf("at 85: %v", d)
	}
	g.observe(95, 100, 1000)
	g.observe(81, 100, 2000) // within the hysteresis
	if d := g.sustained(5000); d != 4000*time.Nanosecond {
		t.Errorf("at 90 since 1000: %v", d)
	}
	g.observe(80, 100, 6000)
	if d := g.sustained(7000); d != 0 {
		t.Errorf("after it fell: %v", d)
	}
}
