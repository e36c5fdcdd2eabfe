//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "ringfence-jail: sandboxes need Linux")
	os.Exit(exitFailed)
}

const exitFailed = 126
