package jail

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// groupPrefix begins the names of control groups that hosts make. The rest is
// the PID namespace and number of the host, and a count.
const groupPrefix = "ringfence-"

// cpuPeriod is the period of a CPU quota, in microseconds.
const cpuPeriod = 100_000

// hierarchy is where this host can make control groups: below its own, in the
// unified hierarchy (v2) or in one for each controller (v1).
type hierarchy struct {
	v2   string            // the host's own group, or ""
	v1   map[string]string // and by controller
	mine string            // prefix of the names of this host's groups
}

// groupCount numbers the groups of all hosts of this process.
var groupCount atomic.Uint64

// controllers are those that limit a sandbox; memory and pids must be there.
var controllers = []string{"memory", "pids", "cpu"}

// findGroups makes a group and removes it again, wherever it will be made later.
func findGroups() (*hierarchy, error) {
	ns, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return nil, err
	}
	number := strings.Trim(strings.TrimPrefix(ns, "pid:"), "[]")
	h := &hierarchy{v1: map[string]string{}, mine: fmt.Sprintf("%s%s-%d-", groupPrefix, number, os.Getpid())}
	own, err := ownGroups()
	if err != nil {
		return nil, err
	}
	v2err := h.tryV2(own[""])
	if v2err == nil {
		return h, nil
	}
	var v1err error
	for _, c := range controllers {
		if own[c] == "" {
			v1err = errors.Join(v1err, fmt.Errorf("no hierarchy has the controller %s", c))
			continue
		}
		h.v1[c] = own[c]
	}
	if v1err == nil {
		v1err = h.tryMake()
	}
	if v1err == nil {
		return h, nil
	}
	return nil, fmt.Errorf("v2: %w; v1: %w", v2err, v1err)
}

func (h *hierarchy) tryMake() error {
	g, err := h.make()
	if err != nil {
		return err
	}
	err = g.limit(Room{})
	g.remove()
	return err
}

// tryV2 uses the unified hierarchy if the host's own group has the controllers
// and passes them on, or can be made to.
func (h *hierarchy) tryV2(own string) error {
	if own == "" {
		return errors.New("no unified hierarchy")
	}
	has, err := os.ReadFile(filepath.Join(own, "cgroup.controllers"))
	if err != nil {
		return err
	}
	for _, c := range controllers {
		if !listed(string(has), c) {
			return fmt.Errorf("%s has no controller %s", own, c)
		}
	}
	passed, _ := os.ReadFile(filepath.Join(own, "cgroup.subtree_control"))
	if !listed(string(passed), "memory") || !listed(string(passed), "pids") || !listed(string(passed), "cpu") {
		if err := h.passOn(own); err != nil {
			return err
		}
	}
	h.v2 = own
	if err := h.tryMake(); err != nil {
		h.v2 = ""
		return err
	}
	return nil
}

// passOn enables the controllers for groups below. The kernel refuses that to a
// group with processes in it, so the host moves to a leaf if it is alone there:
// a group with others in it is not ours to rearrange.
func (h *hierarchy) passOn(own string) error {
	control := filepath.Join(own, "cgroup.subtree_control")
	const all = "+memory +pids +cpu"
	err := write(control, all)
	if !errors.Is(err, unix.EBUSY) {
		return err
	}
	procs, err := os.ReadFile(filepath.Join(own, "cgroup.procs"))
	if err != nil {
		return err
	}
	self := strconv.Itoa(os.Getpid())
	if strings.TrimSpace(string(procs)) != self {
		return fmt.Errorf("%s has other processes in it", own)
	}
	leaf := filepath.Join(own, h.mine+"host")
	if err := os.Mkdir(leaf, 0o755); err != nil {
		return err
	}
	if err := write(filepath.Join(leaf, "cgroup.procs"), self); err != nil {
		return err
	}
	return write(control, all)
}

// write writes to a file of the kernel's, which is there or is not: an attempt to
// create one, as os.WriteFile makes, is refused with "permission denied", and
// would make a file that does not exist look like one that is not ours. The
// kernel takes a value in one write.
func write(path, value string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

func listed(list, name string) bool {
	for _, f := range strings.Fields(list) {
		if f == name {
			return true
		}
	}
	return false
}

// sweep removes the groups of hosts that have died. A group with a process in
// it cannot be removed.
func (h *hierarchy) sweep() {
	dirs := []string{h.v2}
	for _, d := range h.v1 {
		dirs = append(dirs, d)
	}
	namespace := h.mine[:strings.Index(h.mine[len(groupPrefix):], "-")+len(groupPrefix)+1]
	for _, dir := range dirs {
		if dir == "" {
			continue
		}
		names, _ := filepath.Glob(filepath.Join(dir, namespace+"*"))
		for _, name := range names {
			pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(name), namespace), "-")
			n, err := strconv.Atoi(pid)
			if err == nil && errors.Is(unix.Kill(n, 0), unix.ESRCH) {
				_ = unix.Rmdir(name)
			}
		}
	}
}

// group is the control group of one cell: one folder in v2, one for each
// controller in v1. A nil group does nothing.
type group struct {
	v2   bool
	dirs map[string]string // by controller; "" in v2
	dir  *os.File          // of v2
	made chan struct{}     // closed when there is nothing left to make
	err  error             // of making it
	in   chan error        // of v1: of the process's entering it
}

// make makes a group. In v2 it is there at once, to be forked into. In v1 a
// process moves in after the fork, so the folders are made meanwhile, and
// entered says if that failed.
func (h *hierarchy) make() (*group, error) {
	g := &group{v2: h.v2 != "", dirs: map[string]string{}, made: make(chan struct{})}
	name := h.mine + strconv.FormatUint(groupCount.Add(1), 10)
	if !g.v2 {
		go func() {
			defer close(g.made)
			g.err = g.build(h.v1, name)
		}()
		return g, nil
	}
	defer close(g.made)
	err := g.build(map[string]string{"": h.v2}, name)
	if err == nil {
		g.dir, err = os.Open(g.dirs[""])
	}
	if err != nil {
		g.rmdir()
		return nil, err
	}
	return g, nil
}

func (g *group) build(under map[string]string, name string) error {
	for c, dir := range under {
		path := filepath.Join(dir, name)
		if err := os.Mkdir(path, 0o755); err != nil {
			return fmt.Errorf("make a control group: %w", err)
		}
		g.dirs[c] = path
	}
	return nil
}

// limit writes what the room allows. Swap is not to make up for memory; where
// it is not accounted there is no such file.
func (g *group) limit(r Room) error {
	if g == nil {
		return nil
	}
	if <-g.made; g.err != nil {
		return g.err
	}
	type file struct {
		controller, v1, v2, value string
		optional                  bool
	}
	files := []file{{"pids", "pids.max", "pids.max", strconv.Itoa(processes(r)), false}}
	if r.Memory > 0 {
		bytes := strconv.FormatUint(r.Memory, 10)
		files = append(files,
			file{"memory", "memory.limit_in_bytes", "memory.max", bytes, false},
			file{"memory", "memory.memsw.limit_in_bytes", "", bytes, true},
			file{"memory", "", "memory.swap.max", "0", true},
			file{"memory", "", "memory.oom.group", "1", true})
	}
	if r.CPUs > 0 {
		quota := strconv.Itoa(r.CPUs * cpuPeriod)
		files = append(files,
			file{"cpu", "cpu.cfs_quota_us", "", quota, false},
			file{"cpu", "", "cpu.max", quota + " " + strconv.Itoa(cpuPeriod), false})
	}
	for _, f := range files {
		dir, name := g.dirs[f.controller], f.v1
		if g.v2 {
			dir, name = g.dirs[""], f.v2
		}
		if name == "" {
			continue
		}
		err := write(filepath.Join(dir, name), f.value)
		if err != nil && !(f.optional && errors.Is(err, fs.ErrNotExist)) {
			return fmt.Errorf("limit a control group: %w", err)
		}
	}
	return nil
}

func processes(r Room) int {
	if r.Processes > 0 {
		return r.Processes
	}
	return maxThreads
}

// fd is the group to fork into, which v1 does not know.
func (g *group) fd() (int, bool) {
	if g == nil || !g.v2 {
		return -1, false
	}
	return int(g.dir.Fd()), true
}

// add moves a process in, and entered waits until it is there. Each hierarchy
// makes the writer wait for the kernel's readers; side by side they wait once.
func (g *group) add(pid int) {
	if g == nil || g.v2 {
		return
	}
	g.in = make(chan error, 1)
	go func() {
		<-g.made
		errs := make(chan error, len(g.dirs))
		for _, dir := range g.dirs {
			go func() {
				errs <- write(filepath.Join(dir, "cgroup.procs"), strconv.Itoa(pid))
			}()
		}
		err := g.err
		for range g.dirs {
			err = errors.Join(err, <-errs)
		}
		g.in <- err
	}()
}

// entered is to be asked once, after add.
func (g *group) entered() error {
	if g == nil || g.v2 {
		return nil
	}
	if err := <-g.in; err != nil {
		return fmt.Errorf("enter a control group: %w", err)
	}
	return nil
}

// kill ends every process of the group at once, frozen ones included.
func (g *group) kill() {
	if g != nil && g.v2 {
		_ = write(filepath.Join(g.dirs[""], "cgroup.kill"), "1")
	}
}

func (g *group) outOfMemory() bool {
	if g == nil {
		return false
	}
	<-g.made
	name := filepath.Join(g.dirs["memory"], "memory.oom_control")
	if g.v2 {
		name = filepath.Join(g.dirs[""], "memory.events")
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(b)) {
		if n, ok := strings.CutPrefix(line, "oom_kill "); ok {
			return strings.TrimSpace(n) != "0"
		}
	}
	return false
}

// remove removes the group. The kernel says busy for a moment after the last
// process has been reaped.
func (g *group) remove() {
	if g == nil {
		return
	}
	<-g.made
	if g.dir != nil {
		_ = g.dir.Close()
	}
	g.rmdir()
}

func (g *group) rmdir() {
	for _, dir := range g.dirs {
		for try := 0; errors.Is(unix.Rmdir(dir), unix.EBUSY) && try < 100; try++ {
			time.Sleep(time.Millisecond)
		}
	}
}
