package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ringfence/ringfence/host/internal/jail"
)

// confine prepares the process's jail, if it is to have one.
func (p *Process) confine(socketDir string) error {
	s := p.spec
	if s.Jail == nil {
		return nil
	}
	b := s.Ready.take()
	if b == nil {
		var err error
		if b, err = newBlank(s.Jail); err != nil {
			return err
		}
	}
	err := b.cell.Furnish(jail.Room{
		Program: filepath.Clean(s.Path), Loader: s.Loader, SocketDir: socketDir, Socket: p.folder,
		Args: append([]string{filepath.Base(s.Path)}, s.Args...), Env: p.fork.env,
		Seccomp: s.Seccomp, Notices: s.Notices, Workspaces: s.Workspaces, Memory: s.Memory, Processes: s.Processes, CPUs: s.CPUs,
	})
	if err != nil {
		b.drop()
		return err
	}
	p.blank, p.uid = b, b.cell.UID()
	return nil
}

// settle takes from a jailed process the right to make more files in its socket's
// folder, which is on the host's disk: no limit counts empty ones. It has what it
// needs, and the host removes it all at the end.
func (p *Process) settle() error {
	if p.blank == nil {
		return nil
	}
	err := p.folder.Chmod(0o555)
	if p.uid != os.Geteuid() && err == nil {
		err = p.folder.Chown(os.Geteuid(), os.Getegid())
	}
	if err != nil {
		return fmt.Errorf("close the socket's folder: %w", err)
	}
	return nil
}

// order gives the trampoline its orders, with the descriptors of the program.
func (p *Process) order(ctx context.Context, files []uintptr) error {
	if p.blank == nil {
		return nil
	}
	stop := context.AfterFunc(ctx, p.blank.cell.Interrupt)
	defer stop()
	if err := p.blank.cell.Order(files); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("jail: %w", err)
	}
	return nil
}

// confined waits until the trampoline has executed the program.
func (p *Process) confined(ctx context.Context) error {
	if p.blank == nil {
		return nil
	}
	stop := context.AfterFunc(ctx, p.blank.cell.Interrupt)
	defer stop()
	_, err := p.blank.cell.Report()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, jail.ErrNoReport):
		if died := p.diedAlone(lostGrace); died != nil {
			return &DiedError{Exit: *died}
		}
	}
	return err
}
