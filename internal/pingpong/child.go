package pingpong

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
)

// roleEnv tells a process of this program which part it plays: "worker JSON",
// "peer TRANSPORT SIZE", "burn".
const roleEnv = "RINGFENCE_BENCH_ROLE"

// Child runs the part that this process was started for, and does not return
// if there is one. Whatever starts a benchmark (main, TestMain) calls it first.
func Child() {
	role, arg, _ := strings.Cut(os.Getenv(roleEnv), " ")
	if role == "" {
		return
	}
	if err := play(role, arg); err != nil {
		fmt.Fprintf(os.Stderr, "%s %s: %v\n", role, arg, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// burnt is where a burner's work goes, so that it is not optimised away.
var burnt atomic.Uint64

func play(role, arg string) error {
	switch role {
	case "worker":
		var c Cell
		if err := json.Unmarshal([]byte(arg), &c); err != nil {
			return err
		}
		exitWithParent()
		r, err := measure(c)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(r)
	case "peer":
		name, size, _ := strings.Cut(arg, " ")
		t, err := findTransport(name)
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(size)
		if err != nil {
			return err
		}
		if !t.plugin {
			exitWithParent()
		}
		return t.serve(n)
	case "burn":
		exitWithParent()
		for n := uint64(0); ; n++ {
			burnt.Store(n)
		}
	}
	return errors.New("no such role")
}

// exitWithParent ends this process when the one that started it is gone, which
// closes the pipe that is our standard input.
func exitWithParent() {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
}

// child is a process of this program that ends when its standard input does.
type child struct {
	cmd  *exec.Cmd
	hold io.WriteCloser
	gone chan struct{} // closed when it has ended; then err says how
	err  error
}

// spawn starts this program in a role. files are its descriptors from 3 on; ours
// stay open.
func spawn(role string, files ...*os.File) (*child, error) {
	cmd, err := roleCommand(role)
	if err != nil {
		return nil, err
	}
	cmd.ExtraFiles = files
	hold, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", role, err)
	}
	c := &child{cmd: cmd, hold: hold, gone: make(chan struct{})}
	go func() {
		c.err = cmd.Wait()
		close(c.gone)
	}()
	return c, nil
}

func roleCommand(role string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), roleEnv+"="+role)
	cmd.Stderr = os.Stderr
	OwnGroup(cmd)
	return cmd, nil
}

// inherited are the two memory files of a ring's peer.
func inherited() [2]*os.File {
	return [2]*os.File{os.NewFile(3, "out"), os.NewFile(4, "in")}
}

func (c *child) pid() int { return c.cmd.Process.Pid }

func (c *child) end() error {
	_ = c.hold.Close()
	<-c.gone
	return c.err
}

// peerRole is the role of the peer of a transport.
func peerRole(transport string, size int) string {
	return fmt.Sprintf("peer %s %d", transport, size)
}
