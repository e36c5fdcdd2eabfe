package jail

import (
	"os"
	"path/filepath"
	"strings"
)

// ownGroups returns the folder of this process's own group by controller, ""
// being the unified hierarchy.
func ownGroups() (map[string]string, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	return parseGroups(string(mounts), string(groups)), nil
}

// parseGroups finds for each line of /proc/self/cgroup the mount that shows it.
// A container may see only a part of a hierarchy: then the mount's root is cut
// off the group's path.
func parseGroups(mountinfo, cgroup string) map[string]string {
	type mount struct{ root, at string }
	mounts := map[string]mount{}
	for line := range strings.Lines(mountinfo) {
		left, right, ok := strings.Cut(line, " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if !ok || len(l) < 5 || len(r) < 3 {
			continue
		}
		m := mount{l[3], l[4]}
		switch r[0] {
		case "cgroup2":
			mounts[""] = m
		case "cgroup":
			for _, option := range strings.Split(r[2], ",") {
				mounts[option] = m // options that are no controllers do no harm
			}
		}
	}
	own := map[string]string{}
	for line := range strings.Lines(cgroup) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(f) != 3 {
			continue
		}
		for _, c := range strings.Split(f[1], ",") {
			m, ok := mounts[c]
			if !ok {
				continue
			}
			below, err := filepath.Rel(m.root, f[2])
			if err != nil || strings.HasPrefix(below, "..") {
				below = "." // a namespace's view: the mount is what there is
			}
			own[c] = filepath.Join(m.at, below)
		}
	}
	return own
}
