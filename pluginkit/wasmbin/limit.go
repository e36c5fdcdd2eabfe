package wasmbin

import "slices"

// Limit returns a copy of the module in which the memory and every table have a
// maximum: their own, or the given one where that is lower. So memory.grow and
// table.grow fail beyond it on every engine, whether or not the engine has a
// limiter of its own. All other sections are copied byte for byte.
//
// memoryPages counts pages of 64 KiB. A module that starts above a limit gives a
// *LimitError; one whose memory cannot be bounded this way (imported, shared,
// 64-bit, more than one) gives a *GuestError. A module without a memory stays
// without one.
func (m *Module) Limit(memoryPages, tableElements uint64) ([]byte, error) {
	memoryPages = min(memoryPages, maxPages)
	tableElements = min(tableElements, 1<<32-1)
	if err := m.checkMemory(); err != nil {
		return nil, err
	}
	if m.Memory != nil && m.Memory.Min > memoryPages {
		return nil, &LimitError{"memory", m.Memory.Min * PageSize, memoryPages * PageSize}
	}
	if err := m.checkTables(tableElements); err != nil {
		return nil, err
	}
	out := slices.Grow([]byte(nil), len(m.raw)+16*(len(m.Tables)+1))
	out = append(out, preamble...)
	for _, s := range m.sections {
		switch {
		case s.id == idMemory && m.Memory != nil:
			body := appendLEB(nil, 1)
			body = appendLimits(body, m.Memory.Min, lowered(m.Memory.HasMax, m.Memory.Max, memoryPages))
			out = appendSection(out, s.id, body)
		case s.id == idTable:
			body := appendLEB(nil, uint64(len(m.Tables)))
			for _, t := range m.Tables {
				body = append(body, byte(t.Element))
				body = appendLimits(body, t.Min, lowered(t.HasMax, t.Max, tableElements))
			}
			out = appendSection(out, s.id, body)
		default:
			out = append(out, m.raw[s.start:s.limit]...)
		}
	}
	return out, nil
}

func lowered(hasMax bool, own, limit uint64) uint64 {
	if hasMax {
		return min(own, limit)
	}
	return limit
}

func appendLimits(b []byte, low, high uint64) []byte {
	return appendLEB(appendLEB(append(b, 1), low), high)
}

func appendSection(b []byte, id byte, body []byte) []byte {
	return append(appendLEB(append(b, id), uint64(len(body))), body...)
}

// checkMemory refuses memories that a rewritten maximum does not bound.
func (m *Module) checkMemory() error {
	switch {
	case m.Memory == nil:
		return nil
	case m.Memories > 1:
		return notGuest("the module has %d memories; Ringfence bounds one: build it without the multi-memory proposal", m.Memories)
	case m.Memory.Imported:
		return notGuest("the module imports its memory; it must define and export its own: link it without --import-memory")
	case m.Memory.Shared:
		return notGuest("the module has a shared memory; build it without threads")
	case m.Memory.Is64:
		return notGuest("the module has a 64-bit memory; build it for wasm32")
	}
	return nil
}

func (m *Module) checkTables(elements uint64) error {
	for _, t := range m.Tables {
		switch {
		case t.Imported:
			return notGuest("the module imports a table; it must define its own: link it without --import-table")
		case t.Shared:
			return notGuest("the module has a shared table; build it without threads")
		case t.Is64:
			return notGuest("the module has a 64-bit table; build it for wasm32")
		case t.Min > elements:
			return &LimitError{"table", t.Min, elements}
		}
	}
	return nil
}
