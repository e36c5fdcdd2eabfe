package policies

import (
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

const (
	wasmPage      = 64 << 10 // a linear memory grows by pages of this size
	minMemory     = wasmPage
	maxMemory     = 4 << 30 // what a 32-bit linear memory can address
	defaultMemory = 128 << 20

	defaultCPUTime     = 30 * time.Second
	defaultCallTimeout = 60 * time.Second
	minTime            = 10 * time.Millisecond
	maxTime            = 24 * time.Hour

	maxProcesses = 256

	ringUnit    = 64 << 10 // the data area of a ring is a multiple of it
	minRing     = ringUnit
	maxRing     = 1 << 30
	defaultRing = 4 << 20

	defaultRingMax = 16 << 20 // or ring, where that is more

	minRingRate     = ringUnit
	maxRingRate     = 1 << 40
	defaultRingRate = 256 << 20

	minMessageTimeout     = 10 * time.Millisecond
	defaultMessageTimeout = 5 * time.Second
)

// Limits bound one plugin.
type Limits struct {
	// Memory is the most bytes of linear memory an instance may have: 64 KiB
	// to 4 GiB, a multiple of 64 KiB (rounded down).
	Memory uint64
	// CPUTime is the most CPU time one call may use, 10 ms to 24 h.
	CPUTime time.Duration
	// CallTimeout is the most wall-clock time one call may take, 10 ms to 24 h. Where
	// the plugin may ask whoever calls, its default is a minute more than the time of a
	// question.
	CallTimeout time.Duration
	// MessageTimeout is how long a sandbox may make no progress with its ring: free
	// no room in one that is full, or leave a message that it has begun unfinished.
	// It is not the length of a call. 10 ms to 24 h.
	MessageTimeout time.Duration
	// Ring is the size of each ring of calls, in bytes: 64 KiB to 1 GiB, a multiple
	// of 64 KiB (rounded down). A sandbox has four, of which those for what a call
	// asks for are at most 1 MiB. Messages that are larger than half of a ring
	// travel in pieces.
	Ring uint64
	// RingMax is how large the rings may become when they stay full, in the same
	// units; at least Ring, and then they keep their size.
	RingMax uint64
	// RingRate is how many bytes a second the host takes from a sandbox: 64 KiB to
	// 1 TiB. One that sends more is slowed.
	RingRate uint64
	// Processes is how many sandbox processes the plugin may have, 1 to 256.
	Processes int
}

func defaultLimits() Limits {
	return Limits{Memory: defaultMemory, CPUTime: defaultCPUTime, CallTimeout: defaultCallTimeout, Processes: 1,
		MessageTimeout: defaultMessageTimeout, Ring: defaultRing, RingMax: defaultRingMax, RingRate: defaultRingRate}
}

// limits decodes a limits block.
func (d *decoder) limits(b *hclsyntax.Block, settings Settings) Limits {
	l := defaultLimits()
	d.check(b.Body, limitsShape)
	attrs := b.Body.Attributes
	if a := attrs["memory"]; a != nil {
		if n, ok := d.size(a, minMemory, maxMemory); ok {
			l.Memory = n / wasmPage * wasmPage
		}
	}
	if a := attrs["cpu_time"]; a != nil {
		if t, ok := d.duration(a, minTime, maxTime); ok {
			l.CPUTime = t
		}
	}
	if a := attrs["call_timeout"]; a != nil {
		if t, ok := d.duration(a, minTime, maxTime); ok {
			l.CallTimeout = t
		}
	}
	d.ringLimits(attrs, &l)
	if a := attrs["processes"]; a != nil {
		if n, ok := d.integer(a, 1, maxProcesses); ok {
			l.Processes = n
			if n > settings.MaxSandboxes {
				d.warnf(a.Expr.Range(), "more processes than sandboxes", "processes is %d, but max_sandboxes allows %d in all.", n, settings.MaxSandboxes)
			}
		}
	}
	d.noFuel(attrs["fuel"])
	return l
}

// ringLimits decodes what bounds the ring that calls travel over.
func (d *decoder) ringLimits(attrs hclsyntax.Attributes, l *Limits) {
	if a := attrs["message_timeout"]; a != nil {
		if t, ok := d.duration(a, minMessageTimeout, maxTime); ok {
			l.MessageTimeout = t
		}
	}
	if a := attrs["ring"]; a != nil {
		if n, ok := d.size(a, minRing, maxRing); ok {
			l.Ring = n / ringUnit * ringUnit
			l.RingMax = max(l.Ring, defaultRingMax)
		}
	}
	if a := attrs["ring_max"]; a != nil {
		if n, ok := d.size(a, minRing, maxRing); ok {
			l.RingMax = n / ringUnit * ringUnit
			if l.RingMax < l.Ring {
				d.errorf(a.Expr.Range(), "ring_max is less than ring", "It is %s, and the rings begin with %s. Write %s to keep them at that size.",
					formatSize(n), formatSize(l.Ring), formatSize(l.Ring))
			}
		}
	}
	if a := attrs["ring_rate"]; a != nil {
		if n, ok := d.size(a, minRingRate, maxRingRate); ok {
			l.RingRate = n
		}
	}
}

// noFuel accepts 0, which means unmetered and so holds already.
func (d *decoder) noFuel(a *hclsyntax.Attribute) {
	if a == nil {
		return
	}
	v, ok := d.value(a, anywhere)
	if ok && (v.Type() != cty.Number || v.AsBigFloat().Sign() != 0) {
		d.errorf(a.Expr.Range(), "fuel is not supported yet", "Instructions are not counted. Remove the line, or write 0; cpu_time bounds a call.")
	}
}

// size evaluates an argument such as "128MiB".
func (d *decoder) size(a *hclsyntax.Attribute, low, high uint64) (uint64, bool) {
	text, ok := d.quantity(a, `a size in quotes, such as "128MiB"`)
	if !ok {
		return 0, false
	}
	n, err := parseSize(text)
	if err != nil {
		d.errorf(a.Expr.Range(), a.Name+" is not a size", "%s.", err)
		return 0, false
	}
	if n < low || n > high {
		d.errorf(a.Expr.Range(), a.Name+" is out of range", "It is %s (allowed: %s to %s).", formatSize(n), formatSize(low), formatSize(high))
		return 0, false
	}
	return n, true
}

// duration evaluates an argument such as "30s".
func (d *decoder) duration(a *hclsyntax.Attribute, low, high time.Duration) (time.Duration, bool) {
	text, ok := d.quantity(a, `a duration in quotes, such as "30s"`)
	if !ok {
		return 0, false
	}
	t, err := parseDuration(text)
	if err != nil {
		d.errorf(a.Expr.Range(), a.Name+" is not a duration", "%s.", err)
		return 0, false
	}
	if t < low || t > high {
		d.errorf(a.Expr.Range(), a.Name+" is out of range", "It is %s (allowed: %s to %s).", t, low, high)
		return 0, false
	}
	return t, true
}

// quantity evaluates an argument with a unit. A bare number would have to be
// guessed at: 128 of what?
func (d *decoder) quantity(a *hclsyntax.Attribute, want string) (string, bool) {
	v, ok := d.value(a, anywhere)
	if !ok {
		return "", false
	}
	if v.Type() == cty.Number {
		d.errorf(a.Expr.Range(), a.Name+" has no unit", "It is the number %s, but must be %s.", v.AsBigFloat().Text('g', 20), want)
		return "", false
	}
	if v.Type() != cty.String {
		d.wrongType(a, want, v)
		return "", false
	}
	return v.AsString(), true
}

// String is for people: "memory 128MiB, cpu 30s, call 1m0s, processes 1".
func (l Limits) String() string {
	return fmt.Sprintf("memory %s, cpu %s, call %s, processes %d", formatSize(l.Memory), l.CPUTime, l.CallTimeout, l.Processes)
}
