package launch

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"sync"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/time/rate"
)

// Bounds on what a process may have logged for it.
const (
	maxPrinted    = 8 << 10  // bytes of one line; the rest of it is dropped
	linesPerSec   = 200      // lines
	linesBurst    = 500      // lines
	maxLogged     = 32 << 20 // bytes in the life of a process
	tailLines     = 16       // lines kept for Exit
	tailLineBytes = 512
)

// printed is where all that a process prints ends up: escaped, bounded, logged.
// It serves several streams at once.
type printed struct {
	name   string
	logger hclog.Logger
	sink   func(string)
	limit  *rate.Limiter

	mu        sync.Mutex
	logged    uint64
	lost      int // lines since the last that was logged
	discarded uint64
	last      []string // ring of the last tailLines lines
	crash     []string // the head of the last crash report
}

func newPrinted(s *Spec) *printed {
	logger := s.Logger
	if logger == nil {
		logger = hclog.NewNullLogger()
	}
	return &printed{name: quote(s.Name), logger: logger, sink: s.Stderr, limit: rate.NewLimiter(linesPerSec, linesBurst)}
}

// line takes one line; cut bytes of it were dropped before. Lines of standard
// error make the last words and go to the sink.
func (p *printed) line(stream string, raw []byte, cut int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.discarded += uint64(cut)
	text := quote(string(raw))
	if stream == "stderr" {
		p.remember(text)
	}
	if p.logged+uint64(len(text)) > maxLogged || !p.limit.Allow() {
		p.lost++
		p.discarded += uint64(len(raw))
		return
	}
	p.logged += uint64(len(text))
	if p.lost > 0 {
		p.logger.Warn("lines dropped: the plugin prints too much", "plugin", p.name, "lines", p.lost)
		p.lost = 0
	}
	if cut > 0 {
		text = fmt.Sprintf("%s… [%d bytes cut]", text, cut)
	}
	level, message, pairs := decodeLog(raw)
	if level == hclog.NoLevel {
		level, message = hclog.Debug, text
	}
	p.logger.Log(level, clip(message, maxPrinted), append([]any{"plugin", p.name, "stream", stream}, pairs...)...)
	if p.sink != nil && stream == "stderr" {
		p.sink(text)
	}
}

// remember keeps the last lines, and the first ones of a Go crash report: the
// reason stands there, and hundreds of lines of stacks follow.
func (p *printed) remember(text string) {
	text = clip(text, tailLineBytes)
	switch {
	case strings.HasPrefix(text, "panic: "), strings.HasPrefix(text, "fatal error: "):
		p.crash, p.last = []string{text}, nil
		return
	case p.crash != nil && len(p.crash) < tailLines/2:
		p.crash = append(p.crash, text)
		return
	}
	if len(p.last) == tailLines {
		p.last = append(p.last[:0], p.last[1:]...)
	}
	p.last = append(p.last, text)
}

func (p *printed) words() (lines []string, discarded uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	lines = append(lines, p.crash...)
	return append(lines, p.last[max(0, len(lines)+len(p.last)-tailLines):]...), p.discarded
}

// decodeLog reads a line that hclog wrote in JSON, which is what the sandbox's
// own logger prints. Only strings are taken: go-plugin's parser trusts the types
// and {"@message":1} makes it panic. NoLevel means that the line is no such
// thing.
func decodeLog(raw []byte) (hclog.Level, string, []any) {
	if len(raw) == 0 || raw[0] != '{' || len(raw) >= maxPrinted {
		return hclog.NoLevel, "", nil
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil {
		return hclog.NoLevel, "", nil
	}
	text := func(key string) (string, bool) {
		var s *string
		err := json.Unmarshal(fields[key], &s)
		return deref(s), err == nil && s != nil
	}
	message, ok1 := text("@message")
	name, ok2 := text("@level")
	level, known := levels[name]
	if !ok1 || !ok2 || !known {
		return hclog.NoLevel, "", nil
	}
	keys := make([]string, 0, len(fields))
	for key := range fields {
		if key[:min(1, len(key))] != "@" || key == "@module" {
			keys = append(keys, key)
		}
	}
	sort.Strings(keys)
	var pairs []any
	for _, key := range keys[:min(len(keys), 8)] {
		if value, ok := text(key); ok {
			pairs = append(pairs, "plugin."+clip(quote(strings.TrimPrefix(key, "@")), 64), clip(quote(value), 1024))
		}
	}
	return level, quote(message), pairs
}

var levels = map[string]hclog.Level{
	"trace": hclog.Trace, "debug": hclog.Debug, "info": hclog.Info, "warn": hclog.Warn, "error": hclog.Error,
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// lineCost is what taking a line counts for when draining is throttled, in
// bytes: a flood of empty lines must not cost more than one of long ones.
const lineCost = 256

// taker takes a stream in pieces and says what each has cost; end is called
// once, after the last.
type taker interface {
	write([]byte) (cost int)
	end()
}

// stream cuts one stream into lines for printed.
type stream struct {
	to   *printed
	name string
	buf  []byte
	cut  int
}

func (s *stream) write(b []byte) int {
	cost := len(b)
	for len(b) > 0 {
		end := len(b)
		for i, c := range b {
			if c == '\n' {
				end = i
				break
			}
		}
		room := min(maxPrinted-len(s.buf), end)
		s.buf = append(s.buf, b[:room]...)
		s.cut += end - room
		if end == len(b) {
			return cost
		}
		s.to.line(s.name, s.buf, s.cut)
		s.buf, s.cut = s.buf[:0], 0
		b = b[end+1:]
		cost += lineCost
	}
	return cost
}

func (s *stream) end() {
	if len(s.buf) > 0 || s.cut > 0 {
		s.to.line(s.name, s.buf, s.cut)
		s.buf, s.cut = nil, 0
	}
}
