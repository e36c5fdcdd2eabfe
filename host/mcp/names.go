package mcp

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
)

// longestName is what every client takes.
const longestName = 64

// owned is something that a plugin calls by a name of its own.
type owned struct{ plugin, name string }

// names gives each of them a name that nobody else has: its own where it is the
// only one, with the plugin's before it where two plugins have the same. Which
// name a thing gets depends on what is offered, not on who came first: nobody can
// take a name away from another plugin, only both lose it.
func names(all []owned, prefix bool) map[owned]string {
	count := map[string]int{}
	for _, o := range all {
		count[o.name]++
	}
	out := map[owned]string{}
	taken := map[string][]owned{}
	for _, o := range all {
		name := o.name
		if prefix || count[o.name] > 1 {
			name = o.plugin + "_" + o.name
		}
		out[o] = name
		taken[name] = append(taken[name], o)
	}
	// "a" and "b_c" make the same as "a_b" and "c".
	for name, owners := range taken {
		if len(owners) == 1 && len(name) <= longestName {
			continue
		}
		for _, o := range owners {
			out[o] = unique(o)
		}
	}
	return out
}

// unique is a name that depends on nothing but what it stands for. It could only
// be another's by a collision of 48 bits that somebody has searched for; clash
// looks.
func unique(o owned) string {
	sum := sha256.Sum256([]byte(o.plugin + "." + o.name))
	tail := "_" + hex.EncodeToString(sum[:6])
	name := o.plugin + "_" + o.name
	return name[:min(len(name), longestName-len(tail))] + tail
}

// clash lists names that two have. They are not offered at all.
func clash(names map[owned]string) (twice []string) {
	seen := map[string]bool{}
	for _, name := range names {
		if seen[name] {
			twice = append(twice, name)
		}
		seen[name] = true
	}
	slices.Sort(twice)
	return twice
}
