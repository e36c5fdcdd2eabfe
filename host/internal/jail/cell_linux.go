package jail

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/internal/orders"
	"github.com/ringfence/ringfence/pluginkit"
)

// Cell is the jail of one process, from before its fork to after its end.
//
// It is made in two steps. A blank cell has what every process of this host
// gets, and its process can be forked and wait in it. Furnish adds what only the
// one process is to have, and Order sends it the word to begin.
type Cell struct {
	jail   *Jail
	way    way
	orders *orders.Orders
	id     int // its own uid, or 0
	group  *group
	flags  uintptr // of clone

	trees []*os.File // detached mounts, in the order of orders.Mounts
	host  *net.UnixConn
	child *os.File // the trampoline's end, until it is forked
}

// Blank makes a cell. Close it when the process has ended, or was never
// started.
func (j *Jail) Blank() (*Cell, error) {
	c, err := j.blank(j.way)
	if err != nil {
		return nil, fmt.Errorf("prepare a jail: %w", err)
	}
	return c, nil
}

func (j *Jail) blank(w way) (*Cell, error) {
	c := &Cell{jail: j, way: w, orders: &orders.Orders{Privileged: w == userNS || os.Geteuid() == 0}}
	if err := c.make(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Cell) make() (err error) {
	if c.way != neither {
		c.flags = unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP
		c.orders.Names = true
	}
	if c.way == userNS {
		c.flags |= unix.CLONE_NEWUSER
	}
	if c.way != neither && c.jail.ownIDs {
		if c.id, err = c.jail.ids.take(); err != nil {
			return err
		}
		if c.way == realRoot {
			c.orders.ID = c.id
		}
	}
	if c.jail.groups != nil {
		if c.group, err = c.jail.groups.make(); err != nil {
			return err
		}
	}
	return c.socket()
}

func (c *Cell) socket() error {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socketpair: %w", err)
	}
	c.child = os.NewFile(uintptr(fds[1]), "orders")
	f := os.NewFile(uintptr(fds[0]), "orders")
	defer f.Close()
	host, err := net.FileConn(f)
	if err != nil {
		return err
	}
	c.host = host.(*net.UnixConn)
	return nil
}

// Furnish makes the cell one for this room.
func (c *Cell) Furnish(r Room) error {
	if err := c.furnish(r); err != nil {
		return fmt.Errorf("prepare a jail: %w", err)
	}
	return nil
}

func (c *Cell) furnish(r Room) error {
	if len(r.Workspaces) > 0 && r.Seccomp == "" {
		return errors.New("a workspace for a process that brings its own filter: nothing keeps it from making set-user-ID files there until then")
	}
	o := c.orders
	o.Program, o.Args, o.Env = orders.Text(r.Program), orders.Texts(r.Args), orders.Texts(r.Env)
	o.Seccomp, o.Notices, o.Home = r.Seccomp, r.Notices && r.Seccomp != "", orders.Text(r.SocketDir)
	o.Limits = limits(r, c.way != neither)
	if c.id != 0 {
		// The process makes its socket in there, with its own uid.
		if err := r.Socket.Chown(c.id, c.id); err != nil {
			return fmt.Errorf("hand over the socket's folder: %w", err)
		}
	}
	for _, w := range r.Workspaces {
		o.Env = append(o.Env, orders.Text(pluginkit.WorkspaceVariable+w.Name+"="+c.workspace(w)))
	}
	if c.way != neither {
		if err := c.root(r); err != nil {
			return err
		}
	} else if r.Loader != "" {
		c.libraries(filepath.Join(filepath.Dir(r.Program), LibraryFolder))
	}
	if c.jail.landlock {
		o.Paths = c.paths(r)
	}
	if c.group == nil && r.Memory > 0 {
		o.Limits = append(o.Limits, memoryLimits(r)...)
	}
	return c.group.limit(r)
}

// root orders the staged folder as root, read-only, with the socket's folder
// in it.
func (c *Cell) root(r Room) error {
	c.orders.Program = orders.Text("/" + filepath.Base(r.Program))
	c.orders.Home = "/" + SocketFolder
	if r.Loader != "" {
		c.libraries("/" + LibraryFolder)
	}
	c.orders.Mounts = []orders.Mount{
		{Tree: -1, Path: orders.Text(filepath.Dir(r.Program)), At: "/", Exec: true},
		{Tree: -1, Path: orders.Text(r.SocketDir), At: "/" + SocketFolder, Write: true},
	}
	for _, w := range r.Workspaces {
		c.orders.Mounts = append(c.orders.Mounts, orders.Mount{
			Tree: -1, Path: orders.Text(w.Path), At: "/" + WorkspaceFolder + "/" + w.Name, Write: w.Write, NoLinks: true,
		})
	}
	if c.id == 0 {
		return nil // it can open them itself
	}
	for i, m := range c.orders.Mounts {
		fd, err := m.Open()
		if err != nil {
			return err
		}
		c.orders.Mounts[i].Tree = len(c.trees)
		c.trees = append(c.trees, os.NewFile(uintptr(fd), string(m.Path)))
		attributes := m.Attributes()
		if i >= ownMounts {
			close, err := c.ownAs(fd, attributes)
			if err != nil {
				return fmt.Errorf("workspace %s: %w (%s)", m.Path, err, fixOwner)
			}
			defer close()
		}
		if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, attributes); err != nil {
			return fmt.Errorf("mount_setattr %s: %w", m.Path, err)
		}
	}
	return nil
}

// ownMounts are those of the root that are not the machine's: the staged folder
// and the socket's.
const ownMounts = 2

// libraries names the folder to the dynamic loader: $ORIGIN needs /proc, and
// paths of the distribution do not exist in the root.
func (c *Cell) libraries(dir string) {
	c.orders.Env = append(c.orders.Env, orders.Text("LD_LIBRARY_PATH="+dir))
}

// paths are what Landlock leaves.
func (c *Cell) paths(r Room) []orders.Path {
	paths := []orders.Path{{Path: c.orders.Program, Exec: true}, {Path: c.orders.Home, Serve: true}}
	if r.Loader != "" {
		lib := "/" + LibraryFolder
		if c.way == neither {
			lib = filepath.Join(filepath.Dir(r.Program), LibraryFolder)
		}
		paths = append(paths, orders.Path{Path: orders.Text(lib)}, orders.Path{Path: orders.Text(r.Loader), Exec: true})
	}
	for _, w := range r.Workspaces {
		paths = append(paths, orders.Path{Path: orders.Text(c.workspace(w)), Folder: true, Write: w.Write})
	}
	return paths
}

const (
	maxFiles   = 64      // descriptors
	maxThreads = 64      // threads and processes
	maxStack   = 1 << 20 // bytes; glibc gives each thread as much
)

// limits are the rlimits. The number of processes counts per uid and user
// namespace: without either of its own it would count the host's.
func limits(r Room, own bool) []orders.Limit {
	list := []orders.Limit{
		{Name: "RLIMIT_CORE", Resource: unix.RLIMIT_CORE}, // a core would hold the guest's data
		{Name: "RLIMIT_NOFILE", Resource: unix.RLIMIT_NOFILE, Value: maxFiles},
		{Name: "RLIMIT_FSIZE", Resource: unix.RLIMIT_FSIZE, Value: fileSize(r)}, // the socket's folder is the host's disk
		{Name: "RLIMIT_MEMLOCK", Resource: unix.RLIMIT_MEMLOCK},
		{Name: "RLIMIT_MSGQUEUE", Resource: unix.RLIMIT_MSGQUEUE},
		{Name: "RLIMIT_SIGPENDING", Resource: unix.RLIMIT_SIGPENDING, Value: 64},
		{Name: "RLIMIT_NICE", Resource: unix.RLIMIT_NICE},
		{Name: "RLIMIT_RTPRIO", Resource: unix.RLIMIT_RTPRIO},
		{Name: "RLIMIT_STACK", Resource: unix.RLIMIT_STACK, Value: maxStack},
	}
	if own {
		n := uint64(maxThreads)
		if r.Processes > 0 {
			n = uint64(r.Processes)
		}
		list = append(list, orders.Limit{Name: "RLIMIT_NPROC", Resource: unix.RLIMIT_NPROC, Value: n})
	}
	return list
}

// fileSize is 0 without a workspace to write to.
func fileSize(r Room) uint64 {
	if slices.ContainsFunc(r.Workspaces, func(w Workspace) bool { return w.Write }) {
		return MaxFileSize
	}
	return 0
}

const (
	// reservedData is what runtimes map without using it: Go its heap in pieces
	// of 64 MiB, libc an arena for each thread.
	reservedData = 256 << 20
	// reservedSpace is address space that is not data. An engine reserves 6 GiB
	// for a guest's memory; page tables cost a 512th of what is mapped.
	reservedSpace = 64 << 30
	// nativeSpace is the same for a native plugin, which has no engine: what Go
	// reserves at its start, and some. It matters more there, since memory that was
	// written and then made read-only is not data any more, and the filter of a
	// sandbox of ours refuses that where the native one cannot.
	nativeSpace = 4 << 30
)

// memoryLimits stand in for a control group that the host may not make.
func memoryLimits(r Room) []orders.Limit {
	data, space := r.Memory+reservedData, uint64(reservedSpace)
	if r.Seccomp != "" {
		space = nativeSpace
	}
	return []orders.Limit{
		{Name: "RLIMIT_DATA", Resource: unix.RLIMIT_DATA, Value: data},
		{Name: "RLIMIT_AS", Resource: unix.RLIMIT_AS, Value: data + space},
	}
}

// Command is what to fork instead of the program.
type Command struct {
	Path  string
	Args  []string
	Env   []string  // nothing of the host's
	Files []uintptr // by number in the child
	Sys   *syscall.SysProcAttr
}

// Command is the trampoline, with nothing that the program is to have: that
// comes with its orders. Keep the cell alive until the fork is over.
func (c *Cell) Command() Command {
	null := c.jail.null.Fd()
	sys := &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL, Cloneflags: c.flags}
	if c.flags&unix.CLONE_NEWUSER != 0 {
		uid, gid := os.Geteuid(), os.Getegid()
		if c.id != 0 {
			uid, gid = c.id, c.id
		}
		sys.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		sys.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: gid, Size: 1}}
		sys.GidMappingsEnableSetgroups = c.id != 0
		// Without it the process keeps the host's uid, which the map does not
		// even show.
		sys.Credential = &syscall.Credential{NoSetGroups: c.id == 0}
	}
	if fd, ok := c.group.fd(); ok {
		sys.UseCgroupFD, sys.CgroupFD = true, fd
	}
	const trampoline, socket = 3, 4
	return Command{
		Path: "/proc/self/fd/" + strconv.Itoa(trampoline), Args: []string{orders.Trampoline, strconv.Itoa(socket)},
		// It is over before a second thread or a garbage collection pays.
		Env:   []string{"GOMAXPROCS=1", "GOGC=off"},
		Files: []uintptr{null, null, null, trampoline: c.jail.trampoline.Fd(), socket: c.child.Fd()},
		Sys:   sys,
	}
}

// Started puts the forked process in its control groups, without waiting until
// it is there.
func (c *Cell) Started(pid int) {
	_ = c.child.Close()
	c.group.add(pid)
}

// Order gives the process its orders, with the descriptors that it will have by
// number; an absent one is ^0. Until then it has done nothing.
func (c *Cell) Order(files []uintptr) error {
	if err := c.group.entered(); err != nil {
		return err
	}
	var descriptors []int
	for n, fd := range files {
		if fd != ^uintptr(0) {
			c.orders.Files = append(c.orders.Files, n)
			descriptors = append(descriptors, int(fd))
		}
	}
	for _, t := range c.trees {
		descriptors = append(descriptors, int(t.Fd()))
	}
	err := c.orders.Send(c.host, descriptors)
	c.closeTrees()
	if errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) {
		return nil // it has died, which its report will say
	}
	return err
}

// ErrNoReport means that the trampoline ended before it had begun.
var ErrNoReport = errors.New("the jail ended without a report")

// Report waits until the program has been executed, and says why not: then the
// error is an *orders.Failure.
func (c *Cell) Report() ([]orders.Line, error) {
	lines, err := orders.ReadReport(c.host)
	for _, l := range lines {
		if l.Error != "" && err == nil {
			err = &orders.Failure{Line: l}
		}
	}
	if len(lines) == 0 && (err == nil || errors.Is(err, unix.ECONNRESET)) {
		err = ErrNoReport
	}
	return lines, err
}

// Interrupt makes Order and Report return.
func (c *Cell) Interrupt() { _ = c.host.Close() }

// UID owns what the process makes.
func (c *Cell) UID() int {
	if c.id != 0 {
		return c.id
	}
	return os.Geteuid()
}

// Kill ends all that is in the control group, if the kernel can do so, and
// does not wait. It is not the only way: the caller kills the process, and with
// it its PID namespace.
func (c *Cell) Kill() { c.group.kill() }

// OutOfMemory reports whether the kernel has killed in the cell for want of
// memory. It can be asked until Close.
func (c *Cell) OutOfMemory() bool { return c.group.outOfMemory() }

func (c *Cell) closeTrees() {
	for _, t := range c.trees {
		_ = t.Close()
	}
	c.trees = nil
}

// Close removes what is left of the cell. The process must have been reaped.
func (c *Cell) Close() {
	if c.host != nil {
		_ = c.host.Close()
	}
	_ = c.child.Close() // nil is no trouble, nor is a second time
	c.closeTrees()
	c.group.remove()
	if c.id != 0 {
		c.jail.ids.give(c.id)
	}
}
