package cli

import (
	"fmt"
	"io"

	"github.com/ringfence/ringfence/host/internal/native"
	"github.com/ringfence/ringfence/policies"
)

// inspectedProgram is how --json prints a native program.
type inspectedProgram struct {
	File      string        `json:"file"`
	SHA256    string        `json:"sha256"`
	Bytes     int64         `json:"bytes"`
	Kind      policies.Kind `json:"kind"`
	Plugin    bool          `json:"plugin"` // nothing speaks against it
	Why       string        `json:"why_not,omitempty"`
	Machine   string        `json:"machine,omitempty"`
	Static    bool          `json:"static"`
	Loader    string        `json:"loader,omitempty"`
	Libraries []string      `json:"libraries"`
	Go        string        `json:"go,omitempty"`
	Module    string        `json:"module,omitempty"`
}

func (a *app) inspectNative(path string) error {
	digest, size, err := native.Digest(path)
	if err != nil {
		return usagef("%s", err)
	}
	p, unfit := native.Inspect(path)
	v := inspectedProgram{
		File: path, SHA256: digest, Bytes: size, Kind: policies.KindNative, Plugin: unfit == nil, Machine: p.Machine,
		Static: unfit == nil && p.Static(), Loader: p.Loader, Libraries: append([]string{}, p.Libraries...), Go: p.Go, Module: p.Module,
	}
	if unfit != nil {
		v.Why = unfit.Error()
	}
	if a.json {
		if err := a.printJSON(v); err != nil {
			return err
		}
	} else {
		v.print(a.out)
	}
	switch {
	case unfit == nil:
		return nil
	case a.json: // said already: why_not
		return errUnfit
	}
	return usagef("%s cannot be a plugin: %s", path, unfit)
}

func (v inspectedProgram) print(w io.Writer) {
	fmt.Fprintf(w, "file      %s\n", v.File)
	fmt.Fprintf(w, "sha256    %s\n", v.SHA256)
	fmt.Fprintf(w, "size      %s\n", size(int(v.Bytes)))
	if v.Machine != "" {
		fmt.Fprintf(w, "machine   %s\n", v.Machine)
	}
	if v.Go != "" {
		fmt.Fprintf(w, "built by  %s, %s (the author's claim)\n", v.Go, v.Module)
	}
	if !v.Plugin {
		return
	}
	if v.Static {
		fmt.Fprintln(w, "libraries none, it is static: seccomp = \"wasm\" is possible")
	} else {
		fmt.Fprintf(w, "libraries %s\n", list(v.Libraries))
	}
	fmt.Fprintln(w, "plugin    a native program; its tools show when it runs: ringfence tools")
}
