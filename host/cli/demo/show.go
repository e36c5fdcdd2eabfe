package demo

import (
	"fmt"
	"strings"
	"time"

	"github.com/ringfence/ringfence/host"
)

// show prints the demo.
type show struct {
	Config
	host   *host.Host
	text   string // the policy
	began  time.Time
	report Report
}

const (
	bold, dim, green, red, blue, plain = "\x1b[1m", "\x1b[2m", "\x1b[32m", "\x1b[31m", "\x1b[34m", "\x1b[0m"
)

func (d *show) paint(color, text string) string {
	if !d.Color {
		return text
	}
	return color + text + plain
}

func (d *show) title(format string, args ...any) {
	fmt.Fprintf(d.Out, "\n%s\n", d.paint(bold, fmt.Sprintf(format, args...)))
}

func (d *show) note(format string, args ...any) {
	fmt.Fprintf(d.Out, "  %s\n", d.paint(dim, fmt.Sprintf(format, args...)))
}

func (d *show) command(format string, args ...any) {
	fmt.Fprintf(d.Out, "  $ %s\n", short(fmt.Sprintf(format, args...), 160))
}

func (d *show) server(line string) {
	fmt.Fprintf(d.Out, "  %s %s\n", d.paint(blue, "internet ◂"), line)
}

func (d *show) good(r *host.Result, took time.Duration) {
	fmt.Fprintf(d.Out, "  %s %s\n", d.paint(green, "done    ◂"), short(string(r.JSON), 240))
	d.note("%s (%s in the sandbox, %s to start one)", round(took), round(r.Duration), round(r.Ready))
}

func (d *show) bad(what string, took time.Duration) {
	fmt.Fprintf(d.Out, "  %s %s\n", d.paint(red, "stopped ◂"), short(what, 240))
	d.note("%s", round(took))
}

func (d *show) printPolicy() {
	for line := range strings.Lines(d.text) {
		fmt.Fprintf(d.Out, "  %s", d.paint(dim, strings.TrimRight(line, "\n"))+"\n")
	}
}

func round(d time.Duration) time.Duration {
	if d > time.Second {
		return d.Round(10 * time.Millisecond)
	}
	return d.Round(100 * time.Microsecond)
}

// short cuts a text for one line of a terminal.
func short(s string, most int) string {
	runes := []rune(s)
	if len(runes) <= most {
		return s
	}
	return string(runes[:most]) + "…"
}
