package jail

import (
	"maps"
	"testing"
)

func TestParseGroups(t *testing.T) {
	for _, c := range []struct {
		name, mounts, groups string
		want                 map[string]string
	}{
		{"systemd, v2",
			"30 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
			"0::/user.slice/user-1000.slice/run-u1.scope\n",
			map[string]string{"": "/sys/fs/cgroup/user.slice/user-1000.slice/run-u1.scope"}},
		{"hybrid, v1",
			"31 29 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n32 29 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n33 29 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
			"4:memory:/a/b\n3:cpu,cpuacct:/\n0::/\n",
			map[string]string{"memory": "/sys/fs/cgroup/memory/a/b", "cpu": "/sys/fs/cgroup/cpu,cpuacct",
				"cpuacct": "/sys/fs/cgroup/cpu,cpuacct", "": "/sys/fs/cgroup/unified"}},
		{"a container that sees its own part",
			"31 29 0:27 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
			"4:memory:/docker/abc/x\n",
			map[string]string{"memory": "/sys/fs/cgroup/memory/x"}},
		{"a path outside of what the mount shows",
			"31 29 0:27 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
			"4:memory:/\n",
			map[string]string{"memory": "/sys/fs/cgroup/memory"}},
		{"nothing mounted", "", "4:memory:/\n0::/\n", map[string]string{}},
		{"nonsense", "a b - c\n - \n", "x\n::\n", map[string]string{}},
	} {
		if got := parseGroups(c.mounts, c.groups); !maps.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestIDsAreMapped(t *testing.T) {
	for table, want := range map[string]bool{
		"         0          0 4294967295\n":         true,
		"0 1000 1\n1 100000 65536\n":                 false, // rootless container
		"0 0 65536\n1610612736 1610612736 268435456": true,
		"0 0 1610612737\n":                           false,
		"":                                           false,
	} {
		if got := mapped(table, firstID, idCount); got != want {
			t.Errorf("%q: %v", table, got)
		}
	}
}

func TestIDsDiffer(t *testing.T) {
	var s ids
	seen := map[int]bool{}
	for range 1000 {
		id, err := s.take()
		if err != nil || id < firstID || id >= firstID+idCount || seen[id] {
			t.Fatalf("uid %d, %v", id, err)
		}
		seen[id] = true
	}
	for id := range seen {
		s.give(id)
	}
	if len(s.used) != 0 {
		t.Errorf("%d are still in use", len(s.used))
	}
}

// Two hosts in one process do not take each other's groups.
func TestGroupsOfTwoHostsDiffer(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		h := &hierarchy{mine: groupPrefix, v1: map[string]string{"memory": dir}}
		g, err := h.make()
		if err != nil {
			t.Fatal(err)
		}
		defer g.remove()
	}
}
