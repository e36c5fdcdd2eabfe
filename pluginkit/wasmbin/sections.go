package wasmbin

func (p *parser) readTypes(r *reader) error {
	n, err := r.count(maxTypes)
	if err != nil {
		return err
	}
	for range n {
		form, err := r.byte()
		if err != nil {
			return err
		}
		if form != 0x60 {
			return malformed("a type of form 0x%02x: only functions are supported, not the garbage-collection proposal", form)
		}
		var t FuncType
		if t.Params, err = readValues(r); err != nil {
			return err
		}
		if t.Results, err = readValues(r); err != nil {
			return err
		}
		p.types = append(p.types, t)
	}
	return nil
}

func readValues(r *reader) ([]ValueType, error) {
	n, err := r.count(maxValues)
	if err != nil || n == 0 {
		return nil, err
	}
	b, err := r.bytes(n)
	if err != nil {
		return nil, err
	}
	ts := make([]ValueType, len(b))
	for i, c := range b {
		ts[i] = ValueType(c)
		if ts[i].String() == "unknown" {
			return nil, malformed("value type 0x%02x, which is not supported", c)
		}
	}
	return ts, nil
}

func (p *parser) readImports(r *reader) error {
	n, err := r.count(maxImports)
	if err != nil {
		return err
	}
	for range n {
		var im Import
		if im.Module, err = r.name(); err != nil {
			return err
		}
		if im.Name, err = r.name(); err != nil {
			return err
		}
		kind, err := r.byte()
		if err != nil {
			return err
		}
		im.Kind = ExternKind(kind)
		if err := p.readImported(r, &im); err != nil {
			return err
		}
		p.m.Imports = append(p.m.Imports, im)
	}
	return nil
}

func (p *parser) readImported(r *reader, im *Import) error {
	switch im.Kind {
	case Func:
		index, err := r.u32()
		if err != nil {
			return err
		}
		im.Type, err = p.funcType(index)
		p.funcs = append(p.funcs, index)
		return err
	case Table:
		t, err := readTable(r)
		t.Imported = true
		p.m.Tables = append(p.m.Tables, t)
		if len(p.m.Tables) > maxTables {
			return malformed("more than %d tables", maxTables)
		}
		return err
	case Mem:
		m, err := readMemory(r)
		m.Imported = true
		p.addMemory(m)
		return err
	case Global:
		p.globals++
		return readGlobalType(r)
	case Tag:
		p.tags++
		if _, err := r.byte(); err != nil {
			return err
		}
		_, err := r.u32()
		return err
	}
	return malformed("an import of kind %d", im.Kind)
}

func readGlobalType(r *reader) error {
	t, err := r.byte()
	if err != nil {
		return err
	}
	if ValueType(t).String() == "unknown" {
		return malformed("value type 0x%02x, which is not supported", t)
	}
	if mut, err := r.byte(); err != nil || mut > 1 {
		return malformed("a global that is neither constant nor variable")
	}
	return nil
}

func (p *parser) funcType(index uint32) (FuncType, error) {
	if uint64(index) >= uint64(len(p.types)) {
		return FuncType{}, malformed("function type %d of %d", index, len(p.types))
	}
	return p.types[index], nil
}

func (p *parser) readFunctions(r *reader) error {
	n, err := r.count(maxFunctions)
	if err != nil {
		return err
	}
	for range n {
		index, err := r.u32()
		if err != nil {
			return err
		}
		if _, err := p.funcType(index); err != nil {
			return err
		}
		p.funcs = append(p.funcs, index)
	}
	p.m.Functions = int(n)
	return nil
}

// limits is the range of a memory or a table.
type limits struct {
	min, max             uint64
	hasMax, shared, is64 bool
}

func readLimits(r *reader) (limits, error) {
	flags, err := r.byte()
	if err != nil {
		return limits{}, err
	}
	if flags > 7 {
		return limits{}, malformed("limits with flags 0x%02x in the %s section, which are not supported", flags, r.what)
	}
	l := limits{hasMax: flags&1 != 0, shared: flags&2 != 0, is64: flags&4 != 0}
	bits := uint(32)
	if l.is64 {
		bits = 64
	}
	if l.min, err = r.leb(bits); err != nil {
		return l, err
	}
	if l.hasMax {
		if l.max, err = r.leb(bits); err != nil {
			return l, err
		}
		if l.max < l.min {
			return l, malformed("a maximum of %d below the minimum of %d in the %s section", l.max, l.min, r.what)
		}
	}
	return l, nil
}

func readTable(r *reader) (TableType, error) {
	elem, err := r.byte()
	if err != nil {
		return TableType{}, err
	}
	if t := ValueType(elem); t != FuncRef && t != ExternRef {
		return TableType{}, malformed("a table of type 0x%02x, which is not supported", elem)
	}
	l, err := readLimits(r)
	return TableType{Element: ValueType(elem), Min: l.min, Max: l.max, HasMax: l.hasMax, Shared: l.shared, Is64: l.is64}, err
}

func (p *parser) readTables(r *reader) error {
	n, err := r.count(uint32(maxTables - len(p.m.Tables)))
	if err != nil {
		return err
	}
	for range n {
		t, err := readTable(r)
		if err != nil {
			return err
		}
		p.m.Tables = append(p.m.Tables, t)
	}
	return nil
}

// maxPages is what 32-bit addresses reach.
const maxPages = 1 << 16

func readMemory(r *reader) (Memory, error) {
	l, err := readLimits(r)
	if err == nil && !l.is64 && (l.min > maxPages || l.max > maxPages) {
		err = malformed("a memory of %d pages (maximum %d)", max(l.min, l.max), maxPages)
	}
	return Memory{Min: l.min, Max: l.max, HasMax: l.hasMax, Shared: l.shared, Is64: l.is64}, err
}

func (p *parser) addMemory(m Memory) {
	if p.m.Memories++; p.m.Memory == nil {
		p.m.Memory = &m
	}
}

func (p *parser) readMemories(r *reader) error {
	n, err := r.count(maxMemories)
	if err != nil {
		return err
	}
	for range n {
		m, err := readMemory(r)
		if err != nil {
			return err
		}
		p.addMemory(m)
	}
	return nil
}

func (p *parser) readExports(r *reader) error {
	n, err := r.count(maxExports)
	if err != nil {
		return err
	}
	seen := make(map[string]struct{})
	for range n {
		var e Export
		if e.Name, err = r.name(); err != nil {
			return err
		}
		if _, twice := seen[e.Name]; twice {
			return malformed("two exports named %s", printable(e.Name))
		}
		seen[e.Name] = struct{}{}
		kind, err := r.byte()
		if err != nil {
			return err
		}
		e.Kind = ExternKind(kind)
		if e.Index, err = r.u32(); err != nil {
			return err
		}
		if have := p.have(e.Kind); uint64(e.Index) >= have {
			return malformed("export %s is %s %d of %d", printable(e.Name), e.Kind, e.Index, have)
		}
		if e.Kind == Func {
			e.Type = p.types[p.funcs[e.Index]]
		}
		p.m.Exports = append(p.m.Exports, e)
	}
	return nil
}

// have counts what exports of a kind can refer to.
func (p *parser) have(k ExternKind) uint64 {
	switch k {
	case Func:
		return uint64(len(p.funcs))
	case Table:
		return uint64(len(p.m.Tables))
	case Mem:
		return uint64(p.m.Memories)
	case Global:
		return p.globals
	case Tag:
		return p.tags
	}
	return 0
}

func (p *parser) readStart(r *reader) error {
	index, err := r.u32()
	if err != nil {
		return err
	}
	if uint64(index) >= uint64(len(p.funcs)) {
		return malformed("start function %d of %d", index, len(p.funcs))
	}
	p.m.Start = true
	return nil
}
