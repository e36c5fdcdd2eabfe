package guest

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/ringfence/ringfence/pluginkit"
)

// Limits of what a guest may log in one call. A flood costs the host nothing
// but these; what is over is counted.
const (
	maxLogLines = 4096
	maxLogBytes = 4 << 20
)

// logger passes a guest's log lines on, within limits, and joins what it writes
// to its outputs into lines.
type logger struct {
	sink       func(level int, line string)
	lines      int
	bytes      int
	suppressed int
	partial    [2][]byte // of standard output and standard error
}

const (
	levelInfo = 1
	levelWarn = 2
)

// reset begins a new call.
func (l *logger) reset(sink func(int, string)) { *l = logger{sink: sink} }

// line logs one line, cut at MaxLog.
func (l *logger) line(level int, line string) {
	if l.lines >= maxLogLines || l.bytes >= maxLogBytes {
		l.suppressed++ // before any work: a flood is to cost as little as it can
		return
	}
	line = clean(line, pluginkit.MaxLog)
	if l.bytes+len(line) > maxLogBytes {
		l.suppressed++
		return
	}
	l.lines++
	l.bytes += len(line)
	l.sink(level, line)
}

// output takes what the guest wrote to output 1 or 2.
func (l *logger) output(stream int, b []byte) {
	level := levelInfo
	if stream == 2 {
		level = levelWarn
	}
	partial := &l.partial[stream-1]
	for len(b) > 0 {
		end := bytes.IndexByte(b, '\n')
		piece, whole := b, false
		if end >= 0 {
			piece, whole = b[:end], true
		}
		if room := pluginkit.MaxLog - len(*partial); len(piece) > room {
			piece, whole = piece[:room], false
			end = -1
		}
		*partial = append(*partial, piece...)
		b = b[len(piece):]
		if whole {
			b = b[1:]
		}
		if whole || len(*partial) == pluginkit.MaxLog {
			l.line(level, string(*partial))
			*partial = (*partial)[:0]
		}
	}
}

// flush ends a call: unfinished lines count as lines, and what was left out is
// said.
func (l *logger) flush() {
	for i := range l.partial {
		if len(l.partial[i]) > 0 {
			l.line(levelInfo+i, string(l.partial[i]))
			l.partial[i] = nil
		}
	}
	if l.suppressed > 0 {
		l.sink(levelWarn, fmt.Sprintf("suppressed %d log lines (at most %d lines or %d bytes a call)",
			l.suppressed, maxLogLines, maxLogBytes))
		l.suppressed = 0
	}
}

// clean makes text valid UTF-8 of at most limit bytes.
func clean(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit]
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) > limit { // replacement characters are longer than what they replace
		s = strings.ToValidUTF8(s[:limit], "")
	}
	return s
}
