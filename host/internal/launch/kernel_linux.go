package launch

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// Confinement is what the kernel says of a process: the layers that its own
// program puts on, and those that only a kernel can be asked for.
type Confinement struct {
	// Filters are the system-call filters in force, those of the host's own
	// container not among them.
	Filters int
	// NoNewPrivs is set and Capabilities are none in every jail.
	NoNewPrivs   bool
	Capabilities uint64
}

// Confinement asks the kernel, not the process.
func (p *Process) Confinement() (Confinement, error) {
	p.child.mu.Lock()
	defer p.child.mu.Unlock()
	select {
	case <-p.child.dead:
		return Confinement{}, ErrDied
	default:
	}
	c, err := confinementOf(strconv.Itoa(p.child.pid))
	if err != nil {
		return c, err
	}
	own, err := confinementOf("self")
	c.Filters -= own.Filters
	return c, err
}

// Notified reports whether the process's filter tells the host which calls it
// refuses. Spec.Notices asks for it; a kernel may not give it.
func (p *Process) Notified() bool { return p.notified }

// maxStatus bounds what is read of /proc/PID/status, in bytes.
const maxStatus = 64 << 10

func confinementOf(pid string) (c Confinement, err error) {
	f, err := os.Open("/proc/" + pid + "/status")
	if err != nil {
		return c, err
	}
	defer f.Close()
	found := 0
	for s := bufio.NewScanner(io.LimitReader(f, maxStatus)); s.Scan(); {
		name, value, _ := strings.Cut(s.Text(), ":")
		value = strings.TrimSpace(value)
		switch name {
		case "CapEff":
			c.Capabilities, err = strconv.ParseUint(value, 16, 64)
		case "NoNewPrivs":
			c.NoNewPrivs = value == "1"
		case "Seccomp_filters":
			c.Filters, err = strconv.Atoi(value)
		default:
			continue
		}
		if found++; err != nil {
			return c, fmt.Errorf("/proc/%s/status: %s: %w", pid, name, err)
		}
	}
	if found != 3 {
		return c, fmt.Errorf("/proc/%s/status says %d of the 3 things that are asked (Linux 5.9 or newer is needed)", pid, found)
	}
	return c, nil
}
