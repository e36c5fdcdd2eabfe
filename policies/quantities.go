package policies

import (
	"fmt"
	"math/bits"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var sizeForm = regexp.MustCompile(`^([0-9]+)\s*([A-Za-z]*)$`)

var sizeUnits = map[string]uint64{"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}

// parseSize reads a size such as "128MiB". The error says what to write
// instead; decimal units are refused because half of all people mean binary
// ones by them.
func parseSize(s string) (uint64, error) {
	m := sizeForm.FindStringSubmatch(s)
	if m == nil {
		return 0, fmt.Errorf("%q is not a size: write a whole number and a unit, such as \"128MiB\"", s)
	}
	n, err := strconv.ParseUint(m[1], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is too large for a size", s)
	}
	unit, ok := sizeUnits[m[2]]
	if !ok {
		return 0, fmt.Errorf("%q has no binary unit: write %q", s, m[1]+binaryUnit(m[2]))
	}
	if high, _ := bits.Mul64(n, unit); high != 0 {
		return 0, fmt.Errorf("%q is too large for a size", s)
	}
	return n * unit, nil
}

// binaryUnit guesses which of our units was meant.
func binaryUnit(given string) string {
	switch strings.ToUpper(given + " ")[0] {
	case 'K':
		return "KiB"
	case 'G':
		return "GiB"
	case 'T':
		return "TiB"
	case 'B':
		return "B"
	}
	return "MiB"
}

// formatSize writes a size in the largest unit that divides it.
func formatSize(n uint64) string {
	for _, unit := range []string{"TiB", "GiB", "MiB", "KiB"} {
		if u := sizeUnits[unit]; n >= u && n%u == 0 {
			return fmt.Sprintf("%d%s", n/u, unit)
		}
	}
	return fmt.Sprintf("%dB", n)
}

// parseDuration reads a duration as Go writes them.
func parseDuration(s string) (time.Duration, error) {
	t, err := time.ParseDuration(s)
	if err == nil {
		return t, nil
	}
	if _, bare := strconv.ParseFloat(s, 64); bare == nil {
		return 0, fmt.Errorf("%q has no unit: write %q for seconds, or ms, m, h", s, s+"s")
	}
	return 0, fmt.Errorf("%q is not a duration: write a number and a unit, such as \"30s\", \"500ms\" or \"2m\"", s)
}

var rateForm = regexp.MustCompile(`^([0-9]{1,7})/(s|m|h|[0-9][0-9a-zµ.]{0,15})$`)

// parseRate reads "60/m": how many in what time.
func parseRate(s string) (n int, per time.Duration, err error) {
	m := rateForm.FindStringSubmatch(s)
	if m == nil {
		return 0, 0, fmt.Errorf("%q is not a rate: write a number, a slash and s, m, h or a duration, such as \"60/m\" or \"10/30s\"", s)
	}
	n, _ = strconv.Atoi(m[1])
	switch m[2] {
	case "s":
		per = time.Second
	case "m":
		per = time.Minute
	case "h":
		per = time.Hour
	default:
		if per, err = parseDuration(m[2]); err != nil {
			return 0, 0, err
		}
	}
	if n < 1 || n > 1_000_000 {
		return 0, 0, fmt.Errorf("rate %q asks for %d (allowed: 1 to 1000000); to allow nothing, remove the block", s, n)
	}
	if per < time.Second || per > 24*time.Hour {
		return 0, 0, fmt.Errorf("rate %q is per %s (allowed: 1s to 24h)", s, per)
	}
	return n, per, nil
}
