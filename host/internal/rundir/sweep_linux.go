package rundir

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const killBound = time.Second

// sweep clears up behind every host in the run folder that is dead. Nothing it
// meets keeps this host from starting.
func sweep(run *os.File, runPath string, self origin) Swept {
	var s Swept
	names, err := run.Readdirnames(-1)
	if err != nil {
		s.Problems = append(s.Problems, fmt.Errorf("read %s: %w", runPath, err))
		return s
	}
	done := map[string]bool{}
	for _, entry := range names {
		name := strings.TrimSuffix(strings.TrimSuffix(entry, lockEnd), newEnd)
		if !isRunName(name) || done[entry] {
			continue
		}
		if strings.HasSuffix(entry, newEnd) {
			sweepNew(int(run.Fd()), entry)
			continue
		}
		done[name], done[name+lockEnd] = true, true
		if err := s.sweepOne(run, runPath, name, self); err != nil {
			s.Problems = append(s.Problems, err)
		}
	}
	return s
}

// sweepNew removes a lock file whose owner died before it was in place. A live
// owner that loses this race begins again.
func sweepNew(run int, entry string) {
	f, err := openAt(run, entry, unix.O_RDWR, 0)
	if err != nil {
		return
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
		_ = unix.Unlinkat(run, entry, 0)
	}
}

// sweepOne removes the folder and then the lock of one dead host, under its
// lock, so that two sweepers do not work on the same one.
func (s *Swept) sweepOne(run *os.File, runPath, name string, self origin) error {
	fd := int(run.Fd())
	lock, err := openAt(fd, name+lockEnd, unix.O_RDWR, 0)
	switch {
	case err == nil:
		defer lock.Close()
		if unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
			return nil // alive
		}
	case !errors.Is(err, unix.ENOENT):
		return fmt.Errorf("open lock of run folder %s: %w", name, err)
	}
	if dir, err := openDir(fd, name); err == nil {
		s.Folders++
		for _, p := range readRecords(dir, self) {
			s.Killed = append(s.Killed, killLeftover(p, runPath+"/"+name)...)
		}
		_ = dir.Close()
	}
	if err := removeTree(fd, name); err != nil {
		return err
	}
	if lock != nil {
		_ = unix.Unlinkat(fd, name+lockEnd, 0)
	}
	return nil
}

// killLeftover ends a recorded process and what it started in its session.
//
// Is the recorded process alive, its start time proves it is the one, and its
// session number is its own. Is it gone, the number may have been given out
// again, so a member of that session counts as ours only if it still stands in
// the dead host's private folder.
func killLeftover(recorded Process, folder string) []int {
	now, err := ReadProcess(recorded.PID)
	leader := err == nil && now.Start == recorded.Start
	if err == nil && !leader {
		return nil // the number belongs to somebody else now
	}
	var killed []int
	for _, p := range Processes(recorded.PID) {
		if p.PID == recorded.PID || (!leader && !standsIn(p.PID, folder)) {
			continue
		}
		if p.Kill(killBound) {
			killed = append(killed, p.PID)
		}
	}
	if leader && now.Kill(killBound) {
		killed = append(killed, recorded.PID)
	}
	return killed
}

func standsIn(pid int, folder string) bool {
	cwd, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/cwd")
	return err == nil && strings.HasPrefix(strings.TrimSuffix(cwd, " (deleted)")+"/", folder+"/")
}
