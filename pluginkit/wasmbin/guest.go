package wasmbin

import (
	"fmt"
	"strings"
)

// requiredExports are the functions that every guest must have, in the order of
// docs/guest-abi.md.
var requiredExports = []entry{
	{"ringfence_abi_1", ":"},
	{"ringfence_describe", ":I"},
	{"ringfence_alloc", "ii:i"},
	{"ringfence_free", "i:"},
	{"ringfence_call", "iii:i"},
}

// CheckGuest reports whether the module follows docs/guest-abi.md as far as its
// declarations tell. Errors are of type *GuestError.
func (m *Module) CheckGuest() error {
	if err := m.checkLinked(); err != nil {
		return err
	}
	if err := m.checkMemory(); err != nil {
		return err
	}
	if err := m.checkImports(); err != nil {
		return err
	}
	if err := m.checkExports(); err != nil {
		return err
	}
	if e, ok := m.Export("memory"); !ok || e.Kind != Mem {
		return notGuest("the module does not export its memory as \"memory\"; see docs/guest-abi.md")
	}
	if e, ok := m.Export("_initialize"); ok && (e.Kind != Func || !e.Type.Equal(FuncType{})) {
		return notGuest("the module exports _initialize as %s, which must be a function () -> (); see docs/guest-abi.md", describe(e))
	}
	return nil
}

// checkLinked recognises what is a module in form but not a finished one.
func (m *Module) checkLinked() error {
	if _, ok := m.Export("_start"); ok {
		return notGuest("the module is a WASI command (it exports _start); build it as a library: GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared")
	}
	for _, c := range m.Custom {
		if c.Name == "linking" {
			return notGuest("the module is an object file; link it first, e.g. wasm-ld --no-entry")
		}
		if c.Name == "dylink.0" || c.Name == "dylink" {
			return notGuest("the module is a shared library for dynamic linking; link it statically")
		}
	}
	return nil
}

// few is how many offenders an error names.
const few = 3

func (m *Module) checkImports() error {
	var unknown, wrong []string
	for _, im := range m.Imports {
		name := printable(im.Module) + "." + printable(im.Name)
		want, ok := Lookup(im.Module, im.Name)
		switch {
		case !ok:
			unknown = append(unknown, name)
		case im.Kind != Func:
			wrong = append(wrong, fmt.Sprintf("%s as a %s, which is a function %s", name, im.Kind, want))
		case !im.Type.Equal(want):
			wrong = append(wrong, fmt.Sprintf("%s as %s, which is %s", name, im.Type, want))
		}
	}
	if len(unknown) > 0 {
		return notGuest("the module imports %s, which Ringfence does not provide; %s", firstOf(unknown), adviseImport(m))
	}
	if len(wrong) > 0 {
		return notGuest("the module imports %s; see docs/guest-abi.md", firstOf(wrong))
	}
	return nil
}

// adviseImport says what to do about imports that nobody provides, from what is
// known of the toolchains that write them.
func adviseImport(m *Module) string {
	for _, im := range m.Imports {
		switch {
		case im.Module == "gojs" || im.Module == "go":
			return "it was built for browsers: build it with GOOS=wasip1 GOARCH=wasm"
		case im.Module == "wasi_unstable":
			return "it was built for an early WASI: build it for wasi_snapshot_preview1"
		case strings.HasPrefix(im.Module, "wasi:"):
			return "it was built for WASI preview 2: build it for wasi_snapshot_preview1 (wasip1)"
		case strings.HasPrefix(im.Module, "__wbindgen") || im.Module == "wbg":
			return "it was built for browsers with wasm-bindgen: build it for wasm32-wasip1"
		case strings.HasPrefix(im.Module, "extism:"):
			return "it was built for Extism: build it with pluginkit/guest, or see docs/guest-abi.md"
		}
	}
	return "only the modules ringfence and wasi_snapshot_preview1 can be imported, see docs/guest-abi.md"
}

func (m *Module) checkExports() error {
	var missing, wrong []string
	for _, want := range requiredExports {
		e, ok := m.Export(want.name)
		switch t := want.is.funcType(); {
		case !ok:
			missing = append(missing, want.name)
		case e.Kind != Func || !e.Type.Equal(t):
			wrong = append(wrong, fmt.Sprintf("%s as %s, which must be a function %s", want.name, describe(e), t))
		}
	}
	if len(missing) > 0 {
		if other := m.otherABI(); other != "" {
			return notGuest("the module follows the guest ABI %s; this version of Ringfence follows ringfence_abi_1: build it with a matching SDK", other)
		}
		return notGuest("the module does not export %s: it is not a Ringfence tool; build it with pluginkit/guest, or see docs/guest-abi.md", firstOf(missing))
	}
	if len(wrong) > 0 {
		return notGuest("the module exports %s; see docs/guest-abi.md", firstOf(wrong))
	}
	return nil
}

func (m *Module) otherABI() string {
	const mark = "ringfence_abi_"
	if _, ok := m.Export(mark + "1"); ok {
		return ""
	}
	for _, e := range m.Exports {
		if strings.HasPrefix(e.Name, mark) {
			return printable(e.Name)
		}
	}
	return ""
}

func describe(e Export) string {
	if e.Kind == Func {
		return "a function " + e.Type.String()
	}
	return "a " + e.Kind.String()
}

func firstOf(list []string) string {
	if len(list) <= few {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:few], ", "), len(list)-few)
}
