package sandbox

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/host/internal/launch"
)

// native makes the process that of a native plugin: its environment is the
// program's own, its memory is counted for the whole process, and it sees its
// workspaces.
func (f *Factory) native(spec *launch.Spec, plan Plan) {
	spec.Memory, spec.Workspaces = plan.GuestMemory, plan.Workspaces
	// A Go program collects before the kernel kills; others do not read it.
	defaults := append(spec.Env, fmt.Sprintf("GOMEMLIMIT=%d", plan.GuestMemory/10*8))
	spec.Env = nil
	for _, v := range plan.Env {
		spec.Env = append(spec.Env, v[0]+"="+v[1])
	}
	for _, v := range defaults {
		name, _, _ := strings.Cut(v, "=")
		if !slices.ContainsFunc(plan.Env, func(v [2]string) bool { return v[0] == name }) {
			spec.Env = append(spec.Env, v)
		}
	}
}
