package wasmbin

import "strings"

// PageSize is the size of a page of linear memory, in bytes.
const PageSize = 65536

// ValueType is a value type, as the binary format writes it.
type ValueType byte

// The value types of WebAssembly 2.0.
const (
	I32       ValueType = 0x7f
	I64       ValueType = 0x7e
	F32       ValueType = 0x7d
	F64       ValueType = 0x7c
	V128      ValueType = 0x7b
	FuncRef   ValueType = 0x70
	ExternRef ValueType = 0x6f
)

func (t ValueType) String() string {
	switch t {
	case I32:
		return "i32"
	case I64:
		return "i64"
	case F32:
		return "f32"
	case F64:
		return "f64"
	case V128:
		return "v128"
	case FuncRef:
		return "funcref"
	case ExternRef:
		return "externref"
	}
	return "unknown"
}

// FuncType is the signature of a function. It must not be changed.
type FuncType struct {
	Params, Results []ValueType
}

// Equal reports whether two signatures are the same.
func (f FuncType) Equal(g FuncType) bool {
	return string(asBytes(f.Params)) == string(asBytes(g.Params)) &&
		string(asBytes(f.Results)) == string(asBytes(g.Results))
}

func asBytes(ts []ValueType) []byte {
	b := make([]byte, len(ts))
	for i, t := range ts {
		b[i] = byte(t)
	}
	return b
}

// String writes a signature as "(i32, i64) -> i32". Only the first eight values
// of each side are shown.
func (f FuncType) String() string {
	results := list(f.Results)
	if len(f.Results) != 1 {
		results = "(" + results + ")"
	}
	return "(" + list(f.Params) + ") -> " + results
}

func list(ts []ValueType) string {
	const most = 8
	var names []string
	for i, t := range ts {
		if i == most {
			names = append(names, "…")
			break
		}
		names = append(names, t.String())
	}
	return strings.Join(names, ", ")
}

// ExternKind is the kind of an import or an export.
type ExternKind byte

// The kinds of imports and exports.
const (
	Func   ExternKind = 0
	Table  ExternKind = 1
	Mem    ExternKind = 2
	Global ExternKind = 3
	Tag    ExternKind = 4
)

func (k ExternKind) String() string {
	switch k {
	case Func:
		return "function"
	case Table:
		return "table"
	case Mem:
		return "memory"
	case Global:
		return "global"
	case Tag:
		return "tag"
	}
	return "unknown"
}

// Import is something the module asks for. Type is set for functions.
type Import struct {
	Module, Name string
	Kind         ExternKind
	Type         FuncType
}

// Export is something the module offers. Type is set for functions.
type Export struct {
	Name  string
	Kind  ExternKind
	Index uint32
	Type  FuncType
}

// Memory is a linear memory. Min and Max count pages of 64 KiB; Max is
// meaningful when HasMax is true.
type Memory struct {
	Min, Max uint64
	HasMax   bool
	Shared   bool
	Is64     bool
	Imported bool
}

// TableType is a table. Min and Max count elements.
type TableType struct {
	Element  ValueType
	Min, Max uint64
	HasMax   bool
	Shared   bool
	Is64     bool
	Imported bool
}

// CustomSection is a section that has no meaning to an engine.
type CustomSection struct {
	Name string
	Size int // bytes of the content, the name aside
}

// Producer is a tool that took part in building the module, in its own words.
type Producer struct {
	Name, Version string
}

// Producers is the content of the "producers" section. All of it is the
// author's claim.
type Producers struct {
	Language    []Producer
	ProcessedBy []Producer
	SDK         []Producer
}

// Module is what Parse found. It must not be changed.
type Module struct {
	Size      int // bytes of the whole binary
	Imports   []Import
	Exports   []Export
	Memory    *Memory // the first memory, nil if there is none
	Memories  int     // all memories, imported ones included
	Tables    []TableType
	Functions int  // functions with code
	Start     bool // code runs as soon as the module is instantiated
	Custom    []CustomSection
	Producers Producers
	GoBuildID string // as the Go linker wrote it, else ""

	raw      []byte
	sections []section
}

// section is where a section lies in the raw bytes.
type section struct {
	id          byte
	start       int // of the id byte
	body, limit int // of the content
}

// Export finds an export by name.
func (m *Module) Export(name string) (Export, bool) {
	for _, e := range m.Exports {
		if e.Name == name {
			return e, true
		}
	}
	return Export{}, false
}
