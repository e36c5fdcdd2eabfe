package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/host/internal/module"
	"github.com/ringfence/ringfence/host/internal/native"
	"github.com/ringfence/ringfence/host/internal/printable"
	"github.com/ringfence/ringfence/pluginkit/wasmbin"
	"github.com/ringfence/ringfence/policies"
)

func (a *app) inspectCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "inspect FILE",
		Short: "Show what a module or a native plugin asks for, without running it",
		Long: `Inspect reads a WebAssembly module without running or compiling any of it, and
shows what it imports, exports and needs, and whether it can be a plugin. Of a
native program it shows for which machine it is, and what libraries it loads;
whether it speaks a plugin's protocol shows when it runs.

What the file says of itself (language, tools that built it) is its author's
claim. Exit code 2 when the file cannot be a plugin.`,
		Example: `  ringfence inspect jq.wasm
  ringfence inspect jq.wasm --json | jq .sha256
  ringfence inspect bin/plugins/notes`,
		Args: exactArgs("FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			kind, err := native.Kind(args[0])
			switch {
			case err != nil:
				return usagef("%s", err)
			case kind == policies.KindNative:
				return a.inspectNative(args[0])
			}
			return a.inspect(args[0])
		},
	}
}

// inspected is how --json prints a module.
type inspected struct {
	File      string              `json:"file"`
	SHA256    string              `json:"sha256"`
	Bytes     int                 `json:"bytes"`
	Plugin    bool                `json:"plugin"`
	Why       string              `json:"why_not,omitempty"`
	Imports   map[string][]string `json:"imports"`
	Exports   []string            `json:"exports"`
	MinMemory uint64              `json:"min_memory_bytes"`
	Language  string              `json:"language,omitempty"`
	Start     bool                `json:"has_start_function"`
}

// errUnfit is the exit code of a module that cannot be a plugin, when the reason
// has been printed as JSON.
var errUnfit = errors.New("not a plugin")

func (a *app) inspect(path string) error {
	b, err := module.Read(path)
	if err != nil {
		return usagef("%s", err)
	}
	m, err := wasmbin.Parse(b)
	if err != nil {
		return usagef("%s: %s", path, err)
	}
	digest := sha256.Sum256(b)
	v := inspected{File: path, SHA256: hex.EncodeToString(digest[:]), Bytes: len(b), Imports: map[string][]string{}, Exports: []string{}, Start: m.Start}
	for _, i := range m.Imports {
		from, name := printable.Line(i.Module, 80), printable.Line(i.Name, 80)
		if !slices.Contains(v.Imports[from], name) { // Go imports some twice
			v.Imports[from] = append(v.Imports[from], name)
		}
	}
	for _, e := range m.Exports {
		v.Exports = append(v.Exports, printable.Line(e.Name, 80))
	}
	if m.Memory != nil {
		v.MinMemory = m.Memory.Min * wasmbin.PageSize
	}
	for _, p := range m.Producers.Language {
		v.Language = printable.Line(strings.TrimSpace(p.Name+" "+p.Version), 80)
	}
	unfit := m.CheckGuest()
	v.Plugin = unfit == nil
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
	if unfit == nil {
		return nil
	}
	if a.json { // said already: why_not
		return errUnfit
	}
	return usagef("%s cannot be a plugin: %s", path, unfit)
}

func (v inspected) print(w io.Writer) {
	fmt.Fprintf(w, "file      %s\n", v.File)
	fmt.Fprintf(w, "sha256    %s\n", v.SHA256)
	fmt.Fprintf(w, "size      %s\n", size(v.Bytes))
	if v.Language != "" {
		fmt.Fprintf(w, "built in  %s (the author's claim)\n", v.Language)
	}
	fmt.Fprintf(w, "memory    %s at the start\n", size(v.MinMemory))
	var from []string
	for name := range v.Imports {
		from = append(from, name)
	}
	sort.Strings(from)
	for _, name := range from {
		fmt.Fprintf(w, "imports   %s: %s\n", name, list(v.Imports[name]))
	}
	fmt.Fprintf(w, "exports   %s\n", list(v.Exports))
	if v.Start {
		fmt.Fprintln(w, "start     runs code as soon as it is instantiated")
	}
	if v.Plugin {
		fmt.Fprintln(w, "plugin    yes, guest ABI 1")
	}
}

// list writes names on one line; modules can have thousands.
func list(names []string) string {
	const most = 16
	if len(names) == 0 {
		return "nothing"
	}
	if len(names) > most {
		return fmt.Sprintf("%s, and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
