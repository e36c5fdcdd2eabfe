package guest

import (
	"context"
	"encoding/binary"

	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/plugins/wasm/internal/engine"
)

// argumentAlign is the alignment asked for arguments, in bytes.
const argumentAlign = 8

// Call is one call into an instance: Argument until all pieces are there, Run,
// Result until all pieces are out.
type Call struct {
	instance *Instance
	tool     uint32
	pointer  uint64 // of the arguments in the guest's memory
	length   uint64
	written  uint64
	result   record

	inPlace  bool   // the arguments lie in a window
	room     uint64 // where the result may be written in the other one
	roomSize uint64
}

// begin prepares the instance and gets room for the arguments.
func (i *Instance) begin(ctx context.Context, capabilities Capabilities, tool uint32, length uint64, placed *Placed) (*Call, *Failure) {
	i.capabilities = capabilities
	i.log.reset(capabilities.Log)
	i.words.reset()
	for _, e := range i.early {
		i.log.line(e.level, e.line)
	}
	i.early = nil
	c := &Call{instance: i, tool: tool, length: length}
	if placed != nil {
		return c, c.place(placed)
	}
	if length == 0 {
		return c, i.noRoom()
	}
	if failure := i.noRoom(); failure != nil {
		return nil, failure
	}
	if length > i.memoryLimit || length > pluginkit.MaxArguments {
		return nil, failuref(wire.FailureKind_FAILURE_MEMORY,
			"arguments of %d bytes do not fit in the guest's memory (limit %d)", length, i.memoryLimit)
	}
	var failure *Failure
	if c.pointer, failure = i.call(ctx, exportAlloc, length, argumentAlign); failure != nil {
		return nil, failure
	}
	size := i.engine.Memory().Size()
	switch {
	case c.pointer == 0:
		return nil, failuref(wire.FailureKind_FAILURE_MEMORY,
			"the guest has no room for arguments of %d bytes (memory limit %d)", length, i.memoryLimit)
	case c.pointer%argumentAlign != 0:
		return nil, i.broken("%s returned %d, which is not aligned to %d", exportAlloc, c.pointer, argumentAlign)
	case c.pointer > size || length > size-c.pointer:
		return nil, i.broken("%s returned %d for %d bytes, which is not in the memory of %d bytes", exportAlloc, c.pointer, length, size)
	}
	return c, nil
}

// broken is a failure that ends the instance: who breaks the ABI once is not
// asked again.
func (i *Instance) broken(format string, args ...any) *Failure {
	i.dead = true
	i.log.flush()
	return abi(format, args...)
}

// Argument writes the next piece of the arguments into the guest's memory.
func (c *Call) Argument(piece []byte) *Failure {
	if uint64(len(piece)) > c.length-c.written {
		return abi("the host sent more than the %d bytes of arguments that it announced", c.length)
	}
	if !c.instance.engine.Memory().Write(c.pointer+c.written, piece) {
		return c.instance.broken("the guest's memory has no room for the arguments any more")
	}
	c.written += uint64(len(piece))
	return nil
}

// Missing is how many bytes of arguments have not come yet.
func (c *Call) Missing() uint64 { return c.length - c.written }

// Run calls the tool. The guest's result stays in its memory; see Result.
func (c *Call) Run(ctx context.Context) (status uint32, length uint64, failure *Failure) {
	i := c.instance
	at, failure := i.call(ctx, exportCall, uint64(c.tool), c.pointer, c.length)
	if failure != nil {
		return 0, 0, failure
	}
	if c.result, failure = readRecord(i.engine.Memory(), at); failure != nil {
		i.dead = true
		i.log.flush()
		return 0, 0, failure
	}
	i.log.flush()
	return c.result.status, c.result.length, nil
}

// ResultInto copies a piece of the result, which must be within its length.
func (c *Call) ResultInto(offset uint64, into []byte) *Failure {
	n := uint64(len(into))
	if offset > c.result.length || n > c.result.length-offset {
		return failuref(wire.FailureKind_FAILURE_INTERNAL, "bytes %d to %d of a result of %d", offset, offset+n, c.result.length)
	}
	if !c.instance.engine.Memory().ReadInto(c.result.pointer+offset, into) {
		return c.instance.broken("the result is not in the guest's memory any more")
	}
	return nil
}

// finish returns the instance's state to that between calls. It runs the guest
// (ringfence_free), so it comes after the answer.
func (c *Call) finish(ctx context.Context, keep bool) {
	i := c.instance
	i.capabilities = outside{}
	clear(i.handles)
	i.held = 0
	i.lastError = ""
	i.log.reset(func(int, string) {})
	if !keep || i.dead || c.pointer == 0 || c.inPlace {
		return
	}
	if _, err := i.engine.Call(ctx, exportFree, c.pointer); err != nil {
		i.dead = true
	}
}

// record is a result record that was checked.
type record struct {
	status          uint32
	pointer, length uint64
}

const recordSize = 16

// readRecord reads the record at that address once and checks it. Where it lies
// in relation to other things is the guest's own business: the bytes are only
// ever copied out.
func readRecord(memory engine.Memory, at uint64) (record, *Failure) {
	if at%4 != 0 {
		return record{}, abi("the result record at %d is not aligned to 4", at)
	}
	raw, fits := memory.Read(at, recordSize)
	if !fits {
		return record{}, abi("the result record at %d is not in the guest's memory of %d bytes", at, memory.Size())
	}
	r := record{
		status:  binary.LittleEndian.Uint32(raw),
		pointer: uint64(binary.LittleEndian.Uint32(raw[4:])),
		length:  uint64(binary.LittleEndian.Uint32(raw[8:])),
	}
	reserved := binary.LittleEndian.Uint32(raw[12:])
	size := memory.Size()
	switch {
	case r.status > 2:
		return record{}, abi("the result has the status %d (at most 2)", r.status)
	case reserved != 0:
		return record{}, abi("the result record ends with %d instead of 0", reserved)
	case r.pointer > size || r.length > size-r.pointer:
		return record{}, abi("the result at %d, %d bytes long, is not in the guest's memory of %d bytes", r.pointer, r.length, size)
	}
	return r, nil
}
