package policies

import (
	"fmt"
	"sort"

	"github.com/agext/levenshtein"
)

// nearest returns the known name that given was most likely meant to be, or ""
// when none is close.
func nearest(given string, known []string) string {
	if len(given) > 64 {
		return ""
	}
	known = append([]string(nil), known...)
	sort.Strings(known) // ties must not depend on map order
	best, bestDistance := "", len(given)/3+2
	for _, k := range known {
		if d := levenshtein.Distance(given, k, nil); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	return best
}

// didYouMean is nearest as the end of a sentence: " Did you mean \"paths\"?"
func didYouMean(given string, known []string) string {
	if n := nearest(given, known); n != "" {
		return fmt.Sprintf(" Did you mean %q?", n)
	}
	return ""
}
