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
	cell, err := s.Jail.Prepare(jail.Room{
		Program: filepath.Clean(s.Path), Loader: s.Loader, SocketDir: socketDir, Socket: p.folder,
		Keep: s.numbers(), Args: append([]string{filepath.Base(s.Path)}, s.Args...), Env: p.fork.env,
		Seccomp: s.Seccomp, Workspaces: s.Workspaces, Memory: s.Memory, Processes: s.Processes, CPUs: s.CPUs,
	})
	if err != nil {
		return err
	}
	p.cell, p.uid = cell, cell.UID()
	return nil
}

// jailed makes a fork one of the trampoline. It begins in no folder, having no
// right to any.
func (f forkSpec) jailed(cell *jail.Cell) forkSpec {
	cmd := cell.Command(f.fds)
	return forkSpec{path: cmd.Path, argv: cmd.Args, env: cmd.Env, fds: cmd.Files, keep: f.keep, sys: cmd.Sys, cell: cell}
}

// settle takes from a jailed process the right to make more files in its socket's
// folder, which is on the host's disk: no limit counts empty ones. It has what it
// needs, and the host removes it all at the end.
func (p *Process) settle() error {
	if p.cell == nil {
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

// confined gives the trampoline its orders and waits until it has executed the
// program.
func (p *Process) confined(ctx context.Context) error {
	if p.cell == nil {
		return nil
	}
	if err := p.cell.Started(p.child.pid); err != nil {
		return fmt.Errorf("jail: %w", err)
	}
	stop := context.AfterFunc(ctx, p.cell.Interrupt)
	defer stop()
	_, err := p.cell.Report()
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
