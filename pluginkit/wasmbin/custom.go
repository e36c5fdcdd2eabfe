package wasmbin

// maxProducers is how many entries of a producers section are kept, per field.
const maxProducers = 16

// maxClaim is where a producer's name or version is cut, in bytes.
const maxClaim = 128

func (p *parser) readCustom(r *reader) error {
	r.what = "custom"
	name, err := r.name()
	if err != nil {
		return err
	}
	p.m.Custom = append(p.m.Custom, CustomSection{name, r.left()})
	switch name {
	case "producers":
		p.m.Producers = readProducers(r)
	case "go.buildid", "go:buildid":
		p.m.GoBuildID = clip(string(r.b[r.off:]))
	}
	return nil
}

// readProducers keeps what it understands: a custom section cannot make a module
// invalid, so a broken one only tells less.
func readProducers(r *reader) (ps Producers) {
	fields, err := r.count(maxProducers)
	for range fields {
		if err != nil {
			return ps
		}
		var field string
		if field, err = r.name(); err != nil {
			return ps
		}
		var list []Producer
		list, err = readProducerList(r)
		switch field {
		case "language":
			ps.Language = list
		case "processed-by":
			ps.ProcessedBy = list
		case "sdk":
			ps.SDK = list
		}
	}
	return ps
}

func readProducerList(r *reader) (list []Producer, err error) {
	n, err := r.count(maxProducers)
	for range n {
		if err != nil {
			return list, err
		}
		var name, version string
		if name, err = r.name(); err != nil {
			return list, err
		}
		if version, err = r.name(); err == nil {
			list = append(list, Producer{clip(name), clip(version)})
		}
	}
	return list, err
}

func clip(s string) string { return s[:min(len(s), maxClaim)] }
