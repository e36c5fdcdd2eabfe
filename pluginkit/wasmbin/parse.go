package wasmbin

// Most entries of one kind. They are the ones that browsers hold modules to, or
// lower: real modules have a few hundred imports, a few thousand types, and at
// most some hundred thousand functions. A parsed entry can be thirty times as
// large as its bytes; so a module takes its own size and at most 64 MiB more.
const (
	maxTypes     = 100_000
	maxFunctions = 1_000_000
	maxImports   = 65_536
	maxExports   = 65_536
	maxTables    = 1_024
	maxMemories  = 128
	maxValues    = 1_000 // parameters or results of one function
	maxCustom    = 65_536
)

// Section ids, in the order of the format; custom sections stand anywhere.
const (
	idCustom = iota
	idType
	idImport
	idFunction
	idTable
	idMemory
	idGlobal
	idExport
	idStart
	idElement
	idCode
	idData
	idDataCount
	idTag
)

// rank is each section's place; the ids are not in order.
var rank = [...]int{idType: 1, idImport: 2, idFunction: 3, idTable: 4, idMemory: 5, idTag: 6, idGlobal: 7,
	idExport: 8, idStart: 9, idElement: 10, idDataCount: 11, idCode: 12, idData: 13}

var sectionNames = [...]string{"custom", "type", "import", "function", "table", "memory", "global", "export", "start",
	"element", "code", "data", "data count", "tag"}

// Parse reads the structure of a module. The module keeps b, which must not
// change as long as it is used. Errors are of type *FormatError.
func Parse(b []byte) (*Module, error) {
	if err := checkPreamble(b); err != nil {
		return nil, err
	}
	p := parser{m: &Module{Size: len(b), raw: b}}
	if err := p.split(); err != nil {
		return nil, err
	}
	for _, s := range p.m.sections {
		r := &reader{b: b[s.body:s.limit], what: sectionNames[s.id]}
		if err := p.read(s.id, r); err != nil {
			return nil, err
		}
	}
	if p.m.Functions != p.bodies {
		return nil, malformed("%d functions are declared and %d have code", p.m.Functions, p.bodies)
	}
	return p.m, nil
}

// parser collects what later sections refer to by number.
type parser struct {
	m         *Module
	types     []FuncType
	funcs     []uint32 // type of each function, imported ones first
	globals   uint64   // imported and own
	tags      uint64
	bodies    int
	sawCustom int
}

// split finds the sections and checks their sizes and order.
func (p *parser) split() error {
	r := &reader{b: p.m.raw, off: len(preamble), what: "header of a"}
	last := 0
	for r.left() > 0 {
		start := r.off
		id, _ := r.byte()
		if int(id) >= len(sectionNames) {
			return malformed("section %d at offset %d, which no released toolchain writes", id, start)
		}
		size, err := r.u32()
		if err != nil {
			if r.left() == 0 {
				return truncated("it ends in a section header")
			}
			return err
		}
		if uint64(size) > uint64(r.left()) {
			return truncated("the %s section has %d bytes, of which %d are there", sectionNames[id], size, r.left())
		}
		if id == idCustom {
			p.sawCustom++
			if p.sawCustom > maxCustom {
				return malformed("more than %d custom sections", maxCustom)
			}
		} else {
			if rank[id] <= last {
				return malformed("the %s section is out of order or there twice", sectionNames[id])
			}
			last = rank[id]
		}
		p.m.sections = append(p.m.sections, section{id, start, r.off, r.off + int(size)})
		r.off += int(size)
	}
	return nil
}

// read takes one section in.
func (p *parser) read(id byte, r *reader) error {
	var err error
	switch id {
	case idCustom:
		return p.readCustom(r)
	case idType:
		err = p.readTypes(r)
	case idImport:
		err = p.readImports(r)
	case idFunction:
		err = p.readFunctions(r)
	case idTable:
		err = p.readTables(r)
	case idMemory:
		err = p.readMemories(r)
	case idExport:
		err = p.readExports(r)
	case idStart:
		err = p.readStart(r)
	case idGlobal:
		var n uint32
		n, err = r.u32()
		p.globals += uint64(n)
		return err
	case idTag:
		var n uint32
		n, err = r.u32()
		p.tags += uint64(n)
		return err
	case idCode:
		var n uint32
		n, err = r.count(maxFunctions)
		p.bodies = int(n)
		return err
	default: // elements and data are the engine's to validate
		return nil
	}
	if err == nil && r.left() > 0 {
		return malformed("%d bytes too many in the %s section", r.left(), r.what)
	}
	return err
}
