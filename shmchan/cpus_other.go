//go:build !linux

package shmchan

import "runtime"

func usableCPUs() int { return runtime.NumCPU() }
