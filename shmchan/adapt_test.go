package shmchan

import "testing"

// world gives the cost of one wait, by whether it spins.
type world func(spinning bool) int64

func run(a *adapt, waits int, w world) (spun int) {
	for range waits {
		if a.spinning {
			spun++
		}
		a.waited(w(a.spinning))
	}
	return spun
}

func fixed(spin, park int64) world {
	return func(spinning bool) int64 {
		if spinning {
			return spin
		}
		return park
	}
}

func TestAdaptFindsTheBetterWay(t *testing.T) {
	for _, c := range []struct {
		name  string
		world world
		spins bool
	}{
		{"peer on another CPU answers at once", fixed(400, 17_000), true},
		{"waking a virtual CPU takes 90 µs", fixed(600, 90_000), true},
		{"both on one CPU", fixed(116_000, 7_000), false},
		{"busy neighbour, spinning worse", fixed(45_000, 20_000), false},
		{"busy neighbour, spinning no better", fixed(19_000, 20_000), false},
		{"answers in 20 µs, parking adds to it", fixed(20_000, 60_000), true},
		{"idle", fixed(1e9, 1e9), false},
		{"answers after the budget", fixed(80_000, 80_000), false},
	} {
		for _, start := range []bool{true, false} {
			name := c.name + ", from parking"
			if start {
				name = c.name + ", from spinning"
			}
			t.Run(name, func(t *testing.T) {
				a := newAdapt(defaultSpin)
				a.spinning = start
				run(&a, 2000, c.world)
				spun := run(&a, 20_000, c.world)
				if c.spins && spun < 19_000 || !c.spins && spun > 600 {
					t.Errorf("%d of 20000 waits spun", spun)
				}
			})
		}
	}
}

func TestAdaptFollowsAChange(t *testing.T) {
	a := newAdapt(defaultSpin)
	near, shared := fixed(400, 17_000), fixed(116_000, 7_000)
	run(&a, 10_000, near)
	if spun := run(&a, 10_000, shared); spun > 500 {
		t.Errorf("%d of 10000 waits spun after the peer came to our CPU", spun)
	}
	if spun := run(&a, 20_000, near); spun < 10_000 {
		t.Errorf("only %d of 20000 waits spun after it left", spun)
	}
}

// An hour without a message, or one hiccup in a hundred waits, says nothing
// about how the peer answers.
func TestAdaptSurvivesOutliers(t *testing.T) {
	a := newAdapt(defaultSpin)
	i := 0
	spun := run(&a, 20_000, func(spinning bool) int64 {
		if i++; i%100 == 0 {
			return 3600e9
		}
		return fixed(400, 17_000)(spinning)
	})
	if spun < 18_000 {
		t.Errorf("only %d of 20000 waits spun", spun)
	}
}

func TestAdaptNeverSpins(t *testing.T) {
	t.Run("when told so", func(t *testing.T) {
		a := newAdapt(-1)
		if spun := run(&a, 10_000, fixed(1, 50_000)); spun != 0 {
			t.Errorf("%d waits spun", spun)
		}
	})
	t.Run("with one CPU", func(t *testing.T) {
		a := newAdapt(defaultSpin)
		for range 10_000 {
			a.lone()
			if a.spinning {
				t.Fatal("spins")
			}
			a.waited(7_000)
		}
	})
	t.Run("for longer than the bound", func(t *testing.T) {
		if a := newAdapt(1e9); a.budget != defaultSpin {
			t.Errorf("budget of %d ns", a.budget)
		}
	})
}
