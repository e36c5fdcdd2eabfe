//go:build !linux

package pingpong

import (
	"errors"
	"os"
	"os/exec"
	"sync/atomic"
	"time"
)

var errLinux = errors.New("the benchmark runs on Linux only")

func anonymousFile(int) (*os.File, error)          { return nil, errLinux }
func socketPair() (ours, theirs *os.File, e error) { return nil, nil, errLinux }
func mapWords(*os.File) (*wordsPage, error)        { return nil, errLinux }
func futexSleep(*atomic.Uint32, uint32)            {}
func futexWake(*atomic.Uint32)                     {}
func cpuTime(int) time.Duration                    { return 0 }
func usableCPUs() ([]int, error)                   { return nil, errLinux }
func pinned(int, func() error) error               { return errLinux }
func dieWithParent(*exec.Cmd)                      {}

// OwnGroup does nothing here.
func OwnGroup(*exec.Cmd) {}
