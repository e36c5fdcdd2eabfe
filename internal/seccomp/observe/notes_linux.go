//go:build amd64 || arm64

package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/internal/seccomp"
)

// notes is what has been seen.
type notes struct {
	profile seccomp.Profile
	filters map[judge]*seccomp.Filter
	stage   map[int]seccomp.Stage // by process
	seen    map[key]int
	started int
}

// judge is one filter of one process.
type judge struct {
	process int
	stage   seccomp.Stage
}

// key is a line of the report.
type key struct {
	stage   seccomp.Stage
	verdict seccomp.Action
	name    string
	args    string
}

func newNotes(p seccomp.Profile) *notes {
	return &notes{profile: p, filters: map[judge]*seccomp.Filter{}, stage: map[int]seccomp.Stage{}, seen: map[key]int{}}
}

// entered notes that a process has come to its next stage.
func (n *notes) entered(process int) {
	if n.stage[process] == seccomp.Two {
		return
	}
	if n.stage[process]++; n.stage[process] == seccomp.One {
		n.started++
	}
}

// called notes a call of a process that has entered a stage.
func (n *notes) called(process int, c seccomp.Call) {
	stage := n.stage[process]
	if stage == 0 {
		return
	}
	name := seccomp.Here.Name(c.Number)
	verdict, looked := n.judge(process, stage, c)
	k := key{stage: stage, verdict: verdict, name: name}
	for _, arg := range looked {
		k.args += fmt.Sprintf(" arg%d=%s", arg, show(name, arg, c.Args[arg]))
	}
	n.seen[k]++
	if name == "execve" || name == "execveat" || name == "exit_group" {
		delete(n.stage, process) // what comes under this number is another program
	}
}

// show writes an argument. The process's own number differs from run to run.
func show(name string, arg int, value uint64) string {
	if name == "tgkill" && arg == 0 {
		return "PID"
	}
	return fmt.Sprintf("%#x", value)
}

// judge runs the real filters, and says which arguments their rules look at.
func (n *notes) judge(process int, stage seccomp.Stage, c seccomp.Call) (seccomp.Action, []int) {
	verdict, looked := seccomp.Allow, map[int]bool{}
	for s := seccomp.One; s <= stage; s++ {
		f := n.filter(judge{process, s})
		one, err := f.Run(c)
		if err != nil {
			panic(err) // the filters are our own
		}
		verdict = seccomp.Strictest(verdict, one)
		for _, arg := range f.Looks(c.Number) {
			looked[arg] = true
		}
	}
	if verdict == seccomp.Kill && len(looked) == 0 {
		for arg := range c.Args {
			looked[arg] = true
		}
	}
	return verdict, slices.Sorted(maps.Keys(looked))
}

// filter assembles once. Inside a process namespace a process has another
// number for itself; then its signals to itself show as deadly.
func (n *notes) filter(j judge) *seccomp.Filter {
	f := n.filters[j]
	if f == nil {
		made, err := n.profile.Filter(j.stage, seccomp.Params{PID: j.process}, seccomp.Here)
		if err != nil {
			panic(err) // main has tried the profile
		}
		f = &made
		n.filters[j] = f
	}
	return f
}

// report prints what has been seen; deadly says that the profile kills some of it.
func (n *notes) report() (text string, deadly bool) {
	var b strings.Builder
	fmt.Fprintf(&b, "%d processes entered stage one of the profile %q\n", n.started, n.profile)
	keys := slices.SortedFunc(maps.Keys(n.seen), func(x, y key) int {
		return cmp.Or(cmp.Compare(x.stage, y.stage), cmp.Compare(int32(x.verdict), int32(y.verdict)),
			cmp.Compare(x.name, y.name), cmp.Compare(x.args, y.args))
	})
	for _, k := range keys {
		deadly = deadly || k.verdict == seccomp.Kill
		fmt.Fprintf(&b, "stage %d  %-12s %8d  %s%s\n", k.stage, k.verdict, n.seen[k], k.name, k.args)
	}
	return b.String(), deadly
}
