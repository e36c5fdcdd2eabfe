package jail

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// fakeTree is a folder that looks like a control group of the unified
// hierarchy. The kernel makes the files of a group below when that is made; here
// the test does. It is for what no machine at hand has: controllers in v2.
func fakeTree(t *testing.T, controllers, passed string) *hierarchy {
	t.Helper()
	dir := t.TempDir()
	put(t, dir, "cgroup.controllers", controllers)
	put(t, dir, "cgroup.subtree_control", passed)
	put(t, dir, "cgroup.procs", "")
	return &hierarchy{v2: dir, mine: groupPrefix + "1-2-"}
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// fakeGroup is a group below, with these files.
func fakeGroup(t *testing.T, v2 bool, files ...string) *group {
	t.Helper()
	dir := t.TempDir()
	for _, name := range files {
		put(t, dir, name, "")
	}
	g := &group{v2: v2, dirs: map[string]string{"": dir}, made: make(chan struct{})}
	if !v2 {
		g.dirs = map[string]string{"memory": dir, "pids": dir, "cpu": dir}
	}
	close(g.made)
	return g
}

var filesV2 = []string{"pids.max", "memory.max", "memory.swap.max", "memory.oom.group", "cpu.max", "cgroup.kill", "memory.events"}

// Formats are those of the kernel's Documentation/admin-guide/cgroup-v2.rst.
func TestLimitsOfV2(t *testing.T) {
	for _, c := range []struct {
		name string
		room Room
		want map[string]string
	}{
		{"nothing but processes", Room{}, map[string]string{"pids.max": strconv.Itoa(maxThreads), "memory.max": "", "memory.oom.group": "", "cpu.max": ""}},
		{"everything", Room{Memory: 64 << 20, Processes: 7, CPUs: 2}, map[string]string{
			"pids.max": "7", "memory.max": "67108864", "memory.swap.max": "0", "memory.oom.group": "1", "cpu.max": "200000 100000"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := fakeGroup(t, true, filesV2...)
			if err := g.limit(c.room); err != nil {
				t.Fatal(err)
			}
			for name, want := range c.want {
				if got := get(t, g.dirs[""], name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
		})
	}
}

// Where swap is not accounted there are no files for it, which is no reason to
// refuse; and no file may be made where the kernel has none. A limit that is
// missing is a reason.
func TestMissingFilesOfGroups(t *testing.T) {
	room := Room{Memory: 1 << 20, CPUs: 1}
	for _, c := range []struct {
		name  string
		v2    bool
		files []string
		fails bool
	}{
		{"v2 without swap", true, []string{"pids.max", "memory.max", "cpu.max"}, false},
		{"v2 without memory", true, []string{"pids.max", "cpu.max"}, true},
		{"v2 without CPU", true, []string{"pids.max", "memory.max"}, true},
		{"v1 without swap", false, []string{"pids.max", "memory.limit_in_bytes", "cpu.cfs_quota_us"}, false},
		{"v1 without memory", false, []string{"pids.max", "cpu.cfs_quota_us"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := fakeGroup(t, c.v2, c.files...)
			if err := g.limit(room); (err != nil) != c.fails || err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("got %v", err)
			}
			for _, dir := range g.dirs {
				entries, err := os.ReadDir(dir)
				if err != nil || len(entries) != len(c.files) {
					t.Errorf("%v %v, want only %v", entries, err, c.files)
				}
			}
		})
	}
}

func TestDeathForWantOfMemoryInV2(t *testing.T) {
	for events, want := range map[string]bool{
		"low 0\nhigh 0\nmax 12\noom 1\noom_kill 0\noom_group_kill 0\n": false, // it met the limit, and lived
		"low 0\nhigh 0\nmax 12\noom 1\noom_kill 3\noom_group_kill 1\n": true,
		"": false,
	} {
		g := fakeGroup(t, true, filesV2...)
		put(t, g.dirs[""], "memory.events", events)
		if got := g.outOfMemory(); got != want {
			t.Errorf("%q: %v", events, got)
		}
	}
}

func TestKillOfV2(t *testing.T) {
	g := fakeGroup(t, true, filesV2...)
	g.kill()
	if got := get(t, g.dirs[""], "cgroup.kill"); got != "1" {
		t.Errorf("cgroup.kill: %q", got)
	}
	g = fakeGroup(t, false, "pids.max")
	g.kill()
	if _, err := os.Stat(filepath.Join(g.dirs["pids"], "cgroup.kill")); err == nil {
		t.Error("v1 has no such file")
	}
}

// A group is ours when it has the controllers and passes them on, or lets us
// pass them on.
func TestDelegatedSubtree(t *testing.T) {
	for _, c := range []struct {
		name                string
		controllers, passed string
		want                string // of the error
	}{
		{"no memory", "cpu pids\n", "cpu pids\n", "no controller memory"},
		{"no processes", "cpu memory\n", "", "no controller pids"},
		{"a longer name", "cpu pids memorytiers\n", "", "no controller memory"},
		// Groups made here have no files, so a limit cannot be written.
		{"passed on already", "cpuset cpu io memory pids\n", "memory pids cpu\n", "pids.max"},
		{"to be passed on", "cpuset cpu io memory pids\n", "\n", "pids.max"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := fakeTree(t, c.controllers, c.passed)
			own := h.v2
			h.v2 = ""
			err := h.tryV2(own)
			if err == nil || !strings.Contains(err.Error(), c.want) || h.v2 != "" {
				t.Errorf("got %v, and uses %q; want an error with %q", err, h.v2, c.want)
			}
			control := strings.TrimSpace(get(t, own, "cgroup.subtree_control"))
			if refused := strings.HasPrefix(c.want, "no controller"); !refused && !listed(strings.ReplaceAll(control, "+", ""), "memory") {
				t.Errorf("subtree_control: %q", control)
			}
			left, _ := filepath.Glob(filepath.Join(own, groupPrefix+"*"))
			if len(left) != 0 {
				t.Errorf("it leaves %v behind", left)
			}
		})
	}
}
