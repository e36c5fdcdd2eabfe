package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ringfence/ringfence/host"
)

const (
	idleSandboxes = 100
	idleTime      = 5 * time.Second
	// settleTime is what runtimes do after a start: it is not idling yet.
	settleTime = 2 * time.Second
	tick       = 10 * time.Millisecond // of /proc/PID/stat, on every Linux that Go runs on
)

// measureIdle starts many sandboxes, calls each once, and looks at them.
func (b *bench) measureIdle(ctx context.Context) (_ *Idle, err error) {
	var text strings.Builder
	fmt.Fprintf(&text, "ringfence {\n  max_sandboxes = %d\n}\n", idleSandboxes)
	for i := range idleSandboxes {
		fmt.Fprintf(&text, "plugin \"p%d\" {\n  source = \"TOOLS/echo.wasm\"\n  lifetime = \"session\"\n}\n", i)
	}
	policy, err := b.policy("idle", text.String())
	if err != nil {
		return nil, err
	}
	_, size, err := b.module(false)
	if err != nil {
		return nil, err
	}
	h, err := host.Open(policy, b.Options)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	row := &Idle{Engine: policy.Plugins()[0].Engine(), ModuleBytes: size, Seconds: idleTime.Seconds()}
	var started []time.Duration
	for i := range idleSandboxes {
		if free, all := memory(); free < all/2 {
			break
		}
		r, err := h.Call(ctx, fmt.Sprintf("p%d.head", i), arguments(64))
		if err != nil {
			return nil, err
		}
		started = append(started, r.Ready)
	}
	if len(started) == 0 {
		b.progress("  no memory is left for them")
		return nil, nil
	}
	row.Sandboxes, row.Start, row.StartP99 = len(started), quantile(started, 50), quantile(started, 99)
	if err := wait(ctx, settleTime); err != nil {
		return nil, err
	}
	before, began := cpuTicks(h), time.Now()
	if err := wait(ctx, idleTime); err != nil {
		return nil, err
	}
	row.CPU = 100 * float64(cpuTicks(h)-before) * tick.Seconds() / time.Since(began).Seconds()
	var private []float64
	for _, s := range h.Status() {
		private = append(private, float64(kibibytes(fmt.Sprintf("/proc/%d/status", s.PID), "RssAnon"))/1024)
	}
	slices.Sort(private)
	row.Private, row.PrivateP99 = private[(len(private)-1)/2], private[(len(private)-1)*99/100]
	return row, nil
}

// memory is what the machine has for more processes, and in all, in KiB.
func memory() (free, all int) {
	return kibibytes("/proc/meminfo", "MemAvailable"), kibibytes("/proc/meminfo", "MemTotal")
}

// kibibytes is a line "name:  n kB" of a file, or 0.
func kibibytes(file, name string) int {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")))
			return n
		}
	}
	return 0
}

// cpuTicks is what all sandboxes have used until now.
func cpuTicks(h *host.Host) (sum int) {
	for _, s := range h.Status() {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.PID))
		if err != nil {
			continue
		}
		// Behind the name, which is in parentheses and may hold any: state, and from the
		// 12th on user and system time.
		fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		for _, f := range fields[11:13] {
			n, _ := strconv.Atoi(f)
			sum += n
		}
	}
	return sum
}
