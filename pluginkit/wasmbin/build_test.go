package wasmbin

// A tiny assembler for test modules: sections are given in order.

type raw = []byte

func module(sections ...raw) []byte {
	b := []byte(preamble)
	for _, s := range sections {
		b = append(b, s...)
	}
	return b
}

func sec(id byte, body ...raw) []byte { return appendSection(nil, id, cat(body...)) }

// vec is a section that holds one vector.
func vec(id byte, entries ...raw) []byte {
	return appendSection(nil, id, append(appendLEB(nil, uint64(len(entries))), cat(entries...)...))
}

func cat(parts ...raw) (b []byte) {
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

func str(s string) []byte { return append(appendLEB(nil, uint64(len(s))), s...) }

func fn(is signature) []byte {
	t := is.funcType()
	b := []byte{0x60}
	b = append(appendLEB(b, uint64(len(t.Params))), asBytes(t.Params)...)
	return append(appendLEB(b, uint64(len(t.Results))), asBytes(t.Results)...)
}

func imp(mod, name string, kind byte, desc ...byte) []byte {
	return cat(str(mod), str(name), raw{kind}, desc)
}

func exp(name string, kind, index byte) []byte { return cat(str(name), raw{kind, index}) }

func custom(name string, content ...byte) []byte { return sec(idCustom, str(name), content) }

// guestModule is the smallest module that CheckGuest accepts. A change of it
// makes it a bad one.
type guestModule struct {
	types, imports, funcs, tables, memories, exports, codes [][]byte
	tail                                                    []byte
}

func newGuest() *guestModule {
	g := &guestModule{memories: [][]byte{{0, 1}}, exports: [][]byte{exp("memory", 2, 0)}}
	for i, e := range requiredExports {
		g.addFunc(e.name, e.is, byte(i))
	}
	return g
}

func (g *guestModule) addFunc(name string, is signature, index byte) {
	g.types = append(g.types, fn(is))
	g.funcs = append(g.funcs, raw{byte(len(g.types) - 1)})
	g.exports = append(g.exports, exp(name, 0, index))
	g.codes = append(g.codes, raw{3, 0, 0, 0x0b}) // no locals, unreachable, end
}

// addImport adds a function import in front, which renumbers the functions.
func (g *guestModule) addImport(mod, name string, is signature) {
	g.types = append(g.types, fn(is))
	g.imports = append(g.imports, imp(mod, name, 0, byte(len(g.types)-1)))
	for _, e := range g.exports {
		if e[len(e)-2] == 0 {
			e[len(e)-1]++
		}
	}
}

func (g *guestModule) bytes() []byte {
	return cat(module(vec(idType, g.types...), vec(idImport, g.imports...), vec(idFunction, g.funcs...),
		vec(idTable, g.tables...), vec(idMemory, g.memories...), vec(idExport, g.exports...), vec(idCode, g.codes...)), g.tail)
}
