package policies

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Kind is what a plugin's source is. The file says so, not the policy, which can
// be read where the file is not.
type Kind string

const (
	// KindWASM is a WebAssembly module.
	KindWASM Kind = "wasm"
	// KindNative is a program of the machine's own, an ELF file.
	KindNative Kind = "native"
)

// Filter names a system-call filter, as the seccomp argument does.
type Filter string

const (
	// FilterWASM is the narrower one: no files.
	FilterWASM Filter = "wasm"
	// FilterNative is that for programs which work with files of their root.
	FilterNative Filter = "native"
)

const (
	// minNativeMemory is what a Go program with a gRPC server needs to say hello.
	minNativeMemory = 32 << 20
	// reservedEnv are beginnings of names that the host, or the loader of a
	// program, gives a meaning to.
	reservedPlugin, reservedOwn, reservedLoader = "PLUGIN_", "RINGFENCE_", "LD_"
)

// Filter is the system-call filter for a source of that kind: what the seccomp
// argument says, or by itself that of the kind.
func (p *Plugin) Filter(k Kind) Filter {
	if p.filter == "" {
		return Filter(k)
	}
	return p.filter
}

// Fits says what of the block cannot hold for a source of that kind, or nil. A
// setting that makes no sense is refused, never ignored.
func (p *Plugin) Fits(k Kind) error {
	for _, m := range p.misfits(k) {
		return fmt.Errorf("%s: %s: %s", place(m.at), m.summary, m.detail)
	}
	return nil
}

// misfit is a setting that a kind of source cannot have.
type misfit struct {
	at              hcl.Range
	summary, detail string
}

func (p *Plugin) misfits(k Kind) (list []misfit) {
	add := func(at hcl.Range, summary, detail string, args ...any) {
		list = append(list, misfit{at, summary, fmt.Sprintf(detail, args...)})
	}
	if k == KindWASM {
		if p.filter == FilterNative {
			add(p.filterAt, "seccomp = \"native\" on a WebAssembly module", "It is for programs of the machine's own; a module runs under the narrower \"wasm\". Remove the line.")
		}
		return list
	}
	if p.engineAt != nil {
		add(*p.engineAt, "engine on a native plugin", "A program of the machine's own runs without one. Remove the line.")
	}
	for _, w := range p.workspaces {
		if w.served != nil {
			add(*w.served, "a limit of the workspace of a native plugin", "Only a module's files go through the host; a native plugin has the folder itself. Remove the line.")
		}
	}
	if p.filter == FilterWASM {
		for _, w := range p.workspaces {
			add(w.at, "a workspace under seccomp = \"wasm\"", "That filter opens no files. Remove one of the two.")
		}
	}
	if p.limits.Memory < minNativeMemory {
		add(p.declared, "memory is too small for a native plugin", "It is %s for the whole process (minimum %s).", formatSize(p.limits.Memory), formatSize(minNativeMemory))
	}
	for _, v := range p.env {
		for _, prefix := range []string{reservedPlugin, reservedOwn, reservedLoader} {
			if strings.HasPrefix(v.Name, prefix) {
				add(p.envAt, fmt.Sprintf("env %s on a native plugin", v.Name), "Names that begin with %s are the host's. Use another name.", prefix)
			}
		}
	}
	return list
}

// knownKind is the kind of a source where the block itself gives it away, so that
// what does not fit is seen when the policy is read.
func (p *Plugin) knownKind() (Kind, bool) {
	switch {
	case p.isModule:
		return KindWASM, true
	case p.filter == FilterNative:
		return KindNative, true
	}
	return "", false
}

func (d *decoder) fits(p *Plugin) {
	if k, ok := p.knownKind(); ok {
		for _, m := range p.misfits(k) {
			d.errorf(m.at, m.summary, "%s", m.detail)
		}
	}
}

func (d *decoder) seccomp(p *Plugin, a *hclsyntax.Attribute) {
	text, ok := d.text(a, anywhere)
	switch f := Filter(text); {
	case !ok:
	case f == FilterWASM, f == FilterNative:
		p.filter, p.filterAt = f, a.Expr.Range()
	default:
		d.errorf(a.Expr.Range(), fmt.Sprintf("unknown seccomp %q", text),
			"It is \"wasm\" (no files; the default of modules) or \"native\" (the default of native programs).%s", didYouMean(text, []string{"wasm", "native"}))
	}
}
