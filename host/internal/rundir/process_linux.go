package rundir

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// origin names the space in which a process number means something: one boot
// of the machine and one process namespace. A state folder may outlive the
// first and be shared across the second.
type origin struct {
	boot  string
	pidns string
}

func ownOrigin() (origin, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return origin{}, fmt.Errorf("identify this boot: %w", err)
	}
	ns, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return origin{}, fmt.Errorf("identify the process namespace: %w", err)
	}
	return origin{strings.TrimSpace(string(boot)), ns}, nil
}

// Process is what /proc/PID/stat says of a process and what tells it from any
// other: its number together with its start time.
type Process struct {
	PID     int
	Session int
	Start   uint64 // clock ticks since boot
	Dead    bool   // it has ended and waits to be reaped
}

// is tells whether two readings are of one process.
func (p Process) is(q Process) bool {
	return p.PID == q.PID && p.Session == q.Session && p.Start == q.Start
}

// ReadProcess reads /proc/PID/stat.
func ReadProcess(pid int) (Process, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return Process{}, err
	}
	return parseStat(pid, string(b))
}

// parseStat takes the fields after the last ')': the program's name, which is
// the process's own to choose, may hold spaces, brackets and line breaks.
func parseStat(pid int, stat string) (Process, error) {
	end := strings.LastIndexByte(stat, ')')
	if end < 0 {
		return Process{}, fmt.Errorf("process %d: unreadable stat", pid)
	}
	f := strings.Fields(stat[end+1:])
	if len(f) < 20 { // field 3 of the manual is f[0]
		return Process{}, fmt.Errorf("process %d: stat has %d fields", pid, len(f)+2)
	}
	session, err1 := strconv.Atoi(f[3])
	start, err2 := strconv.ParseUint(f[19], 10, 64)
	if err := errors.Join(err1, err2); err != nil {
		return Process{}, fmt.Errorf("process %d: unreadable stat", pid)
	}
	return Process{PID: pid, Session: session, Start: start, Dead: f[0] == "Z" || f[0] == "X"}, nil
}

// Processes lists the living processes of one session. A process can leave it only by
// starting a session of its own.
func Processes(session int) []Process {
	names, err := filepath.Glob("/proc/[1-9]*")
	if err != nil {
		return nil
	}
	var found []Process
	for _, name := range names {
		pid, err := strconv.Atoi(filepath.Base(name))
		if err != nil {
			continue
		}
		if p, err := ReadProcess(pid); err == nil && p.Session == session && !p.Dead {
			found = append(found, p)
		}
	}
	return found
}

// Kill ends the process if it still is the one that was read, and waits up to
// the bound for it to be gone. It reports whether it sent the signal.
func (p Process) Kill(bound time.Duration) bool {
	fd, err := unix.PidfdOpen(p.PID, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	// The pidfd pins one process. Whether it is the right one is asked after
	// it is pinned, since before that the number could be recycled.
	now, err := ReadProcess(p.PID)
	if err != nil || !now.is(p) || now.Dead {
		return false
	}
	if unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) != nil {
		return false
	}
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for until := time.Now().Add(bound); time.Now().Before(until); {
		n, err := unix.Poll(poll, int(time.Until(until).Milliseconds())+1)
		if n > 0 || (err != nil && !errors.Is(err, unix.EINTR)) {
			break
		}
	}
	return true
}

const recordMagic = "ringfence-process-1"

// Record notes a process of this host, so that the next host can end it if
// this one dies without doing so.
func (d *Dir) Record(pid int) error {
	p, err := ReadProcess(pid)
	if err != nil {
		return fmt.Errorf("record process %d: %w", pid, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dir == nil {
		return fmt.Errorf("record process %d: %w", pid, os.ErrClosed)
	}
	line := fmt.Sprintf("%s %d %d %s %s\n", recordMagic, p.PID, p.Start, d.self.boot, d.self.pidns)
	name := recordIn + "/" + strconv.Itoa(pid)
	f, err := openAt(int(d.dir.Fd()), name, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("record process %d: %w", pid, err)
	}
	_, err = f.WriteString(line)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("record process %d: %w", pid, err)
	}
	return nil
}

// Forget takes back Record, once the process has been reaped.
func (d *Dir) Forget(pid int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dir != nil {
		_ = unix.Unlinkat(int(d.dir.Fd()), recordIn+"/"+strconv.Itoa(pid), 0)
	}
}

// parseRecord reads what Record wrote, and refuses anything else.
func parseRecord(line string, self origin) (Process, bool) {
	f := strings.Fields(line)
	if len(f) != 5 || f[0] != recordMagic || f[3] != self.boot || f[4] != self.pidns {
		return Process{}, false
	}
	pid, err1 := strconv.Atoi(f[1])
	start, err2 := strconv.ParseUint(f[2], 10, 64)
	if err1 != nil || err2 != nil || pid < 2 {
		return Process{}, false
	}
	return Process{PID: pid, Session: pid, Start: start}, true
}

// readRecords reads the records of a run folder whose host is dead.
func readRecords(dir *os.File, self origin) []Process {
	records, err := openDir(int(dir.Fd()), recordIn)
	if err != nil {
		return nil
	}
	defer records.Close()
	names, _ := records.Readdirnames(4096)
	var found []Process
	for _, name := range names {
		f, err := openAt(int(records.Fd()), name, unix.O_RDONLY, 0)
		if err != nil {
			continue
		}
		b, err := io.ReadAll(io.LimitReader(f, 512))
		_ = f.Close()
		if err != nil {
			continue
		}
		if p, ok := parseRecord(string(b), self); ok {
			found = append(found, p)
		}
	}
	return found
}
