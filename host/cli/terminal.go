package cli

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/ringfence/ringfence/host"
)

// descriptor is what files and stdout have.
type descriptor interface{ Fd() uintptr }

func isTerminal(w io.Writer) bool {
	f, ok := w.(descriptor)
	return ok && term.IsTerminal(int(f.Fd()))
}

// colorful says whether colours are of use: https://no-color.org.
func colorful(w io.Writer) bool { return isTerminal(w) && os.Getenv("NO_COLOR") == "" }

// width is the terminal's width, or 0 for no wrapping.
func width(w io.Writer) uint {
	f, ok := w.(descriptor)
	if !ok {
		return 0
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return uint(columns)
}

// shown is what may be written to standard output. A result is a guest's: on a
// terminal its control characters and direction marks become escapes (in JSON,
// equivalent ones), so that it cannot rewrite what is already on the screen. In
// a pipe it stays as it is.
func (a *app) shown(b []byte) []byte {
	if !isTerminal(a.out) {
		return b
	}
	return escapeControls(b)
}

func escapeControls(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for _, r := range string(b) {
		switch {
		case r == '\n', r == '\t', strconv.IsPrint(r):
			out = utf8.AppendRune(out, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, "\\u%04x\\u%04x", high, low)
		default:
			out = fmt.Appendf(out, "\\u%04x", r)
		}
	}
	return out
}

// meter shows compilations, which take seconds: a moving line on a terminal,
// one line at the end of each elsewhere.
type meter struct {
	w    io.Writer
	live bool

	mu      sync.Mutex
	running map[string]job
	ticking chan struct{} // closed to end the ticker; nil when none runs
}

type job struct {
	phase   string
	bytes   int
	started time.Time
}

func newMeter(w io.Writer) *meter {
	return &meter{w: w, live: isTerminal(w), running: make(map[string]job)}
}

const clearLine = "\r\x1b[K"

// Report takes one step of a compilation.
func (m *meter) Report(p host.Progress) {
	m.mu.Lock()
	defer m.mu.Unlock()
	j, ok := m.running[p.Plugin]
	if !ok {
		j = job{started: time.Now(), bytes: p.Bytes}
	}
	if !p.Done {
		j.phase = p.Phase
		m.running[p.Plugin] = j
		m.start()
		return
	}
	delete(m.running, p.Plugin)
	if m.live {
		fmt.Fprint(m.w, clearLine)
	}
	if p.Err == nil {
		fmt.Fprintf(m.w, "compiled %s (%s) in %.1f s; the next start uses the cache\n", p.Plugin, size(j.bytes), time.Since(j.started).Seconds())
	}
	if len(m.running) == 0 {
		m.stop()
	}
}

// start starts the moving line. The caller holds mu.
func (m *meter) start() {
	if !m.live || m.ticking != nil {
		return
	}
	ticking := make(chan struct{})
	m.ticking = ticking
	go func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ticking:
				return
			case <-tick.C:
				m.draw(ticking)
			}
		}
	}()
}

func (m *meter) draw(ticking chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ticking != ticking {
		return
	}
	line := ""
	for _, name := range slices.Sorted(maps.Keys(m.running)) {
		j := m.running[name]
		line += fmt.Sprintf("  %s %s (%s), once: %.1f s", j.phase, name, size(j.bytes), time.Since(j.started).Seconds())
	}
	fmt.Fprint(m.w, clearLine+fit(line, width(m.w)))
}

// fit cuts a line so that it stays on one row, which is all that clearLine
// clears. A width of 0 is not known.
func fit(line string, columns uint) string {
	runes := []rune(line)
	if columns == 0 || uint(len(runes)) < columns {
		return line
	}
	return string(runes[:columns-1])
}

func (m *meter) stop() {
	if m.ticking != nil {
		close(m.ticking)
		m.ticking = nil
	}
}

// size writes bytes as people do.
func size[N int | int64 | uint64](n N) string {
	switch f := float64(n); {
	case f >= 1<<30:
		return fmt.Sprintf("%.1f GiB", f/(1<<30))
	case f >= 1<<20:
		return fmt.Sprintf("%.1f MiB", f/(1<<20))
	case f >= 1<<10:
		return fmt.Sprintf("%.1f KiB", f/(1<<10))
	default:
		return fmt.Sprintf("%d bytes", int64(f))
	}
}
