package shmchan

// defaultSpin is the longest time that one wait may spin, and so the default
// spin budget.
const defaultSpin = 50_000 // ns

const (
	trialWaits = 16   // waits by which the other way of waiting is judged
	trialFirst = 32   // waits until the first trial
	trialLast  = 1024 // waits between trials once several in a row were lost
	// goodSpin is a mean wait that parking cannot match, since one futex call
	// costs about as much: it needs no comparison.
	goodSpin = 3_000 // ns
	// quickSpin stands for a wait that ended before the clock was first read.
	quickSpin = 300 // ns
)

// adapt decides whether the next wait spins before it parks. It is plain
// arithmetic on what waits have cost, so that its rules can be tested without a
// clock.
//
// Spinning is the faster way by far while the peer runs on another CPU and
// answers at once, and the slower one by as much when it does not: a peer that
// shares our CPU cannot run while we spin (116 µs a round trip against 7 µs),
// and one whose CPU is taken by a neighbour comes late either way. Which of the
// two holds is not to be known from the number of CPUs alone. So both ways are
// measured: the one in use always, the other now and then for a few waits, at
// intervals that double while it loses.
//
// A peer can at most make each wait spin for the budget, by answering just
// inside it; what it can gain by that is bounded by the message limit.
type adapt struct {
	budget int64 // ns; 0 = never spin

	spinning bool
	recent   int64  // mean wait in the present way, ns
	since    uint32 // waits since the last trial
	every    uint32 // waits between trials

	trial    uint32 // waits of the present trial that are still to come
	trialSum int64
}

func newAdapt(budget int64) adapt {
	a := adapt{budget: min(max(budget, 0), defaultSpin), every: trialFirst}
	a.spinning = a.budget > 0
	return a
}

// lone takes note that this process has one CPU: nobody can change the word
// while we spin.
func (a *adapt) lone() {
	if a.spinning || a.trial > 0 {
		*a = adapt{budget: a.budget, every: trialFirst}
	}
}

// quick records waits that ended in their first look or few, while spinning.
func (a *adapt) quick(n uint32) {
	for range min(n, 4*trialWaits) {
		a.waited(quickSpin)
	}
}

// waited records a wait of so many ns, from the first look to the change, and
// decides how the next one goes. Long waits count as a few budgets, so that one
// idle hour does not outweigh the thousand answers before it.
func (a *adapt) waited(ns int64) {
	if a.budget == 0 {
		return
	}
	ns = min(max(ns, 1), 4*a.budget)
	if a.trial > 0 {
		a.trialSum += min(ns, 2*a.budget)
		if a.trial--; a.trial == 0 {
			a.judge(a.trialSum / trialWaits)
		}
		return
	}
	if a.recent == 0 {
		a.recent = ns
	}
	a.recent += (ns - a.recent) / 8
	a.since++
	if a.spinning && a.recent > a.budget {
		// Nothing comes within the budget: park, and find out how that fares.
		a.spinning, a.recent, a.since = false, 0, 0
		return
	}
	if a.since < a.every {
		return
	}
	a.since = 0
	if a.wantsTrial() {
		a.spinning = !a.spinning
		a.trial, a.trialSum = trialWaits, 0
	}
}

// wantsTrial tells whether the other way could be the better one. Waits that
// park are longer than the peer's answer by the time that two wake-ups take,
// up to 150 µs on an idle virtual CPU; hence the three budgets.
func (a *adapt) wantsTrial() bool {
	if a.spinning {
		return a.recent > goodSpin
	}
	return a.recent < 3*a.budget
}

// judge ends a trial of the way that is in use now.
func (a *adapt) judge(mean int64) {
	wins := mean < a.recent+a.recent/8 // at a draw park: it leaves the CPU to others
	if a.spinning {
		wins = mean < a.recent-a.recent/8 && mean <= a.budget
	}
	if wins {
		a.recent = mean
		a.every = trialFirst
		return
	}
	a.spinning = !a.spinning
	a.every = min(2*a.every, trialLast)
}
