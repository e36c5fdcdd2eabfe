package guest

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/plugins/wasm/internal/engine"
)

// exportWindows is optional: a guest that has it wants windows.
const exportWindows = "ringfence_windows"

var windowsType = []engine.ValueType{engine.I32, engine.I32, engine.I32, engine.I32}

// Pages are the data areas of the ring of calls, which become windows of a
// guest's memory. Nothing else of the ring's memory is ever mapped into a guest.
type Pages struct {
	Inbound, Outbound Area
}

// Area is a part of a memory file.
type Area struct {
	FD     uintptr
	Offset int64  // in the file
	Size   uint64 // bytes, a multiple of 64 KiB
}

const (
	// windowAlign is the alignment of a window in the guest's memory: a page of
	// WebAssembly, which is a multiple of every page size.
	windowAlign = 64 << 10
	// windowShare is the part of a guest's memory that windows may take.
	windowShare = 4
	roomSize    = 8
)

// windows are what of an instance's memory is the ring's.
type windows struct {
	in, out uint64 // where they begin; 0: there are none
	room    uint64 // where the guest looks for the room of a call's result
	pages   Pages
	shown   engine.Windower
}

// openWindows gives the instance its windows, if it wants them and they fit. A
// guest without them gets its bytes copied; one that breaks the ABI has failed.
//
// The guest itself allocates what becomes a window: neither its allocator nor its
// collector knows of memory that appears from outside.
func (i *Instance) openWindows(call func(export string, params ...uint64) (uint64, *Failure), pages *Pages) *Failure {
	params, results, wants := i.engine.Signature(exportWindows)
	windower, able := i.engine.(engine.Windower)
	if pages == nil || !wants || !able || pages.Inbound.Size+pages.Outbound.Size > i.memoryLimit/windowShare {
		return nil
	}
	if !slices.Equal(params, windowsType) || !slices.Equal(results, windowsType[:1]) {
		return abi("the module's export %s has the type %s, not %s", exportWindows, typeText(params, results), typeText(windowsType, windowsType[:1]))
	}
	w := windows{pages: *pages, shown: windower}
	for _, one := range []struct {
		at   *uint64
		size uint64
	}{{&w.in, pages.Inbound.Size}, {&w.out, pages.Outbound.Size}} {
		var failure *Failure
		if *one.at, failure = call(exportAlloc, one.size, windowAlign); failure != nil {
			return failure
		}
		if *one.at == 0 {
			return nil // no room for it
		}
	}
	if failure := i.checkWindows(&w); failure != nil {
		return failure
	}
	return i.show(&w, call)
}

// checkWindows looks at where the guest wants its windows. The numbers were
// loaded once; the guest may say something else next time, and nobody asks.
func (i *Instance) checkWindows(w *windows) *Failure {
	size := i.engine.Memory().Size()
	for _, one := range []struct{ at, size uint64 }{{w.in, w.pages.Inbound.Size}, {w.out, w.pages.Outbound.Size}} {
		switch {
		case one.at%windowAlign != 0:
			return i.broken("%s returned %d, which is not aligned to %d", exportAlloc, one.at, windowAlign)
		case one.at > size || one.size > size-one.at:
			return i.broken("%s returned %d for %d bytes, which is not in the memory of %d bytes", exportAlloc, one.at, one.size, size)
		}
	}
	if overlap(w.in, w.pages.Inbound.Size, w.out, w.pages.Outbound.Size) {
		return i.broken("%s returned %d and %d for two buffers that overlap", exportAlloc, w.in, w.out)
	}
	return nil
}

// show maps the windows and tells the guest. From the first mapping on they are
// the instance's, and are taken back when it ends.
func (i *Instance) show(w *windows, call func(export string, params ...uint64) (uint64, *Failure)) *Failure {
	in, out := w.pages.Inbound, w.pages.Outbound
	if err := w.shown.Window(w.in, in.Size, in.FD, in.Offset, false); err != nil {
		return FailureOf(err)
	}
	i.windows = *w
	if err := w.shown.Window(w.out, out.Size, out.FD, out.Offset, true); err != nil {
		return FailureOf(err)
	}
	room, failure := call(exportWindows, w.in, in.Size, w.out, out.Size)
	if failure != nil {
		return failure
	}
	size := i.engine.Memory().Size()
	if room == 0 || room%4 != 0 || room > size || roomSize > size-room ||
		overlap(room, roomSize, w.in, in.Size) || overlap(room, roomSize, w.out, out.Size) {
		return i.broken("%s returned %d, which is not a place for %d bytes of the guest's own memory", exportWindows, room, roomSize)
	}
	i.windows.room = room
	return nil
}

// noRoom tells a guest with windows that a call's bytes are not in them.
func (i *Instance) noRoom() *Failure {
	if i.windows.room != 0 && !i.engine.Memory().Write(i.windows.room, make([]byte, roomSize)) {
		return i.broken("the guest's memory has no place for the room of a result any more")
	}
	return nil
}

// closeWindows puts the guest's own memory back.
func (i *Instance) closeWindows() error {
	w := i.windows
	i.windows = windows{}
	if w.shown == nil {
		return nil
	}
	return errors.Join(w.shown.Restore(w.in, w.pages.Inbound.Size), w.shown.Restore(w.out, w.pages.Outbound.Size))
}

// reopenWindows gives the instance windows of other pages in the place of those
// that it has. The guest's buffers are its own memory again before it frees them,
// and it allocates others, of the new size: or none, and its bytes are copied.
func (i *Instance) reopenWindows(call func(export string, params ...uint64) (uint64, *Failure), free func(at uint64) *Failure, pages *Pages) *Failure {
	if failure := i.noRoom(); failure != nil {
		return failure
	}
	in, out := i.windows.in, i.windows.out
	if err := i.closeWindows(); err != nil { // the guest must not have it back
		i.dead = true
		return FailureOf(err)
	}
	for _, at := range []uint64{in, out} {
		if failure := free(at); failure != nil {
			return failure
		}
	}
	return i.openWindows(call, pages)
}

// Repage gives the plugin's instances windows of other pages than before, and
// reports whether they have some. It waits for an instance that is being made.
func (p *Plugin) Repage(pages *Pages) bool {
	p.turn <- struct{}{}
	defer p.give()
	if p.config.Pages == nil {
		return false
	}
	p.config.Pages = pages
	if i := p.next; i != nil && i.windows.shown != nil {
		p.watched(repageTime, func(ctx context.Context) { i.repage(ctx, pages) })
		if i.dead {
			i.close()
			p.next = nil
		}
		p.windowed.Store(i.windows.room != 0)
	}
	return p.Windowed()
}

func (i *Instance) repage(ctx context.Context, pages *Pages) {
	failure := i.reopenWindows(
		func(export string, params ...uint64) (uint64, *Failure) { return i.call(ctx, export, params...) },
		func(at uint64) *Failure {
			if _, err := i.engine.Call(ctx, exportFree, at); err != nil {
				return i.fail(ctx, err)
			}
			return nil
		}, pages)
	i.dead = i.dead || failure != nil
}

func overlap(a, aSize, b, bSize uint64) bool { return a < b+bSize && b < a+aSize }

// Placed is where a call's bytes lie in the windows' areas.
type Placed struct {
	Arguments uint64 // offset in the inbound area
	Room      uint64 // offset in the outbound area of RoomSize bytes for the result
	RoomSize  uint64
}

// Placer finds out where a call's bytes lie, when an instance could use them
// there; nil when they are not in the windows' areas.
type Placer interface{ Place() *Placed }

// Windowed reports whether the plugin's next call can be made in place.
func (p *Plugin) Windowed() bool { return p.windowed.Load() }

// place makes the call one whose arguments lie in the inbound window, with room
// for its result in the outbound one. The bounds are the ring's own, which were
// checked; here they are checked against the window.
func (c *Call) place(at *Placed) *Failure {
	w := &c.instance.windows
	if w.room == 0 || !within(at.Arguments, c.length, w.pages.Inbound.Size) || !within(at.Room, at.RoomSize, w.pages.Outbound.Size) {
		return failuref(wire.FailureKind_FAILURE_INTERNAL, "a call outside of its windows")
	}
	c.pointer, c.inPlace = w.in+at.Arguments, true
	c.written = c.length
	c.room, c.roomSize = w.out+at.Room, at.RoomSize
	var room [roomSize]byte
	binary.LittleEndian.PutUint32(room[0:], uint32(c.room))
	binary.LittleEndian.PutUint32(room[4:], uint32(at.RoomSize))
	if !c.instance.engine.Memory().Write(w.room, room[:]) {
		return c.instance.broken("the guest's memory has no place for the room of a result any more")
	}
	return nil
}

func within(at, n, size uint64) bool { return at <= size && n <= size-at }

// InPlace says that the guest has written its result where there was room for it, all
// of it: what goes beyond the room is not where the host will read it.
func (c *Call) InPlace() bool {
	return c.inPlace && c.result.pointer == c.room && c.result.length > 0 && c.result.length <= c.roomSize
}
