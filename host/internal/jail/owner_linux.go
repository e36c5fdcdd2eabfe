package jail

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/internal/orders"
)

// workspace is where the process finds a workspace.
func (c *Cell) workspace(w Workspace) string {
	if c.way == neither {
		return w.Path
	}
	return "/" + WorkspaceFolder + "/" + w.Name
}

// ownAs makes whoever owns the folder behind a detached mount look like the
// cell's own uid in it, and the other way round: the process works with the
// owner's rights in there, and what it makes is the owner's. Without, a uid that
// nobody else has could write nowhere.
//
// A set-user-ID file that it made would be the owner's, too, so a cell whose
// process brings its own filter has no workspace that can be written to.
func (c *Cell) ownAs(tree int, attributes *unix.MountAttr) (done func(), err error) {
	var st unix.Stat_t
	if err := unix.Fstat(tree, &st); err != nil {
		return nil, err
	}
	ns, err := c.jail.idmap(int(st.Uid), int(st.Gid), c.id)
	if err != nil {
		return nil, fmt.Errorf("map uid %d to the plugin's: %w", st.Uid, err)
	}
	attributes.Attr_set |= unix.MOUNT_ATTR_IDMAP
	attributes.Userns_fd = uint64(ns.Fd())
	return func() { _ = ns.Close() }, nil
}

// idmap makes a user namespace that maps one uid and gid to another. It needs a
// process to exist in: a trampoline that waits for orders, which do not come.
func (j *Jail) idmap(uid, gid, to int) (*os.File, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	in, out := os.NewFile(uintptr(pair[0]), "orders"), os.NewFile(uintptr(pair[1]), "orders")
	defer out.Close()
	defer in.Close()
	cmd := exec.Command(fmt.Sprintf("/proc/self/fd/%d", j.trampoline.Fd()), "3")
	cmd.Args[0], cmd.Env, cmd.ExtraFiles = orders.Trampoline, []string{"GOMAXPROCS=1"}, []*os.File{in}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: uid, HostID: to, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: gid, HostID: to, Size: 1}},
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/user", cmd.Process.Pid))
	_ = cmd.Process.Kill()
	if _, ok := errors.AsType[*exec.ExitError](cmd.Wait()); !ok && err == nil {
		err = errors.New("it ended before it was killed")
	}
	return ns, err
}

// Workspaces tries, with a folder, what the workspaces of native plugins need:
// where processes have uids of their own, a mount that maps the folder's owner to
// one. That takes a user namespace, also on a machine where the processes
// themselves are in none.
func (j *Jail) Workspaces(folder string) Layer {
	l := Layer{Name: Workspaces, On: true, Note: "with the host's own rights"}
	c, err := j.Blank()
	if err == nil {
		defer c.Close()
		if c.id == 0 {
			return l
		}
		l.Note = "with the rights of the folder's owner"
		err = c.tryOwner(folder)
	}
	if err != nil {
		l.On, l.Note, l.Why, l.Fix = false, "", reason(err), fixOwner
	}
	return l
}

const fixOwner = "native plugins without workspaces are not concerned; allow user namespaces (sysctl user.max_user_namespaces=1000), on a file system with id-mapped mounts (ext4, XFS, Btrfs, tmpfs; Linux 5.12 or newer)"

func (c *Cell) tryOwner(folder string) error {
	tree, err := unix.OpenTree(unix.AT_FDCWD, folder, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return fmt.Errorf("open_tree %s: %w", folder, err)
	}
	defer unix.Close(tree)
	attributes := orders.Mount{}.Attributes()
	done, err := c.ownAs(tree, attributes)
	if err != nil {
		return err
	}
	defer done()
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, attributes); err != nil {
		return fmt.Errorf("mount_setattr %s: %w", folder, err)
	}
	return nil
}
