// Command hostile is a go-plugin plugin that misbehaves in the way that its
// first argument names. Each way is one that a plugin could try on its host.
package main

import (
	"fmt"
	"os"
	"sort"
	"time"
)

// ways is filled by the files beside this one.
var ways = map[string]func(args []string){}

func main() {
	if len(os.Args) < 2 || ways[os.Args[1]] == nil {
		var names []string
		for name := range ways {
			names = append(names, name)
		}
		sort.Strings(names)
		fmt.Fprintln(os.Stderr, "usage: hostile WAY [ARG...]; ways:", names)
		os.Exit(2)
	}
	ways[os.Args[1]](os.Args[2:])
}

// self is the path of this program; in a jail only a name came.
func self() string {
	if _, err := os.Stat(os.Args[0]); err != nil {
		return "/" + os.Args[0]
	}
	return os.Args[0]
}

// hold keeps the process as it is. An empty select would count as a deadlock.
func hold() {
	for {
		time.Sleep(time.Hour)
	}
}
