package ringwire

import (
	"encoding/binary"
	"fmt"

	"github.com/ringfence/ringfence/pluginkit/wire"
)

// Sizes of what stands in front of the bytes of a message.
const (
	StartSize = 64 // of a cache line, so that the arguments are aligned
	PieceSize = 24
	ReadSize  = 32
	LogSize   = 4
	GrowSize  = 16
)

// Start begins a call. All numbers are little-endian:
//
//	0   u32  tool, an index into the manifest
//	4   u32  0
//	8   u64  milliseconds that are left of the call's time; 0 is no limit
//	16  u64  bytes of arguments
//	24  u64  handle to pull them with; 0: they follow this Start
//	32  u64  the largest result that the host takes, in bytes
//	40       zeros
type Start struct {
	Tool           uint32
	TimeoutMillis  uint64
	ArgumentsBytes uint64
	Handle         uint64
	MaxResult      uint64
}

// Put writes s to the first StartSize bytes of b.
func (s Start) Put(b []byte) {
	clear(b[:StartSize])
	binary.LittleEndian.PutUint32(b[0:], s.Tool)
	binary.LittleEndian.PutUint64(b[8:], s.TimeoutMillis)
	binary.LittleEndian.PutUint64(b[16:], s.ArgumentsBytes)
	binary.LittleEndian.PutUint64(b[24:], s.Handle)
	binary.LittleEndian.PutUint64(b[32:], s.MaxResult)
}

// ParseStart reads the head of a Call, and checks it against the length of the
// whole message.
func ParseStart(b []byte) (Start, error) {
	if len(b) < StartSize {
		return Start{}, fmt.Errorf("a call of %d bytes (at least %d)", len(b), StartSize)
	}
	s := Start{
		Tool:           binary.LittleEndian.Uint32(b[0:]),
		TimeoutMillis:  binary.LittleEndian.Uint64(b[8:]),
		ArgumentsBytes: binary.LittleEndian.Uint64(b[16:]),
		Handle:         binary.LittleEndian.Uint64(b[24:]),
		MaxResult:      binary.LittleEndian.Uint64(b[32:]),
	}
	follow := uint64(len(b) - StartSize)
	switch {
	case s.ArgumentsBytes > wire.MaxArguments:
		return Start{}, fmt.Errorf("arguments of %d bytes (at most %d)", s.ArgumentsBytes, uint64(wire.MaxArguments))
	case s.Handle == 0 && follow != s.ArgumentsBytes:
		return Start{}, fmt.Errorf("%d bytes of arguments where %d were announced", follow, s.ArgumentsBytes)
	case s.Handle != 0 && follow != 0:
		return Start{}, fmt.Errorf("%d bytes of arguments that are to be pulled", follow)
	}
	return s, nil
}

// Read asks for bytes of something that the host keeps under a handle.
//
//	0   u64  id, echoed in the Piece
//	8   u64  handle
//	16  u64  offset
//	24  u32  length, at most wire.MaxPiece
//	28  u32  0
type Read struct {
	ID, Handle, Offset uint64
	Length             uint32
}

// Bytes is the message.
func (r Read) Bytes() [ReadSize]byte {
	var b [ReadSize]byte
	binary.LittleEndian.PutUint64(b[0:], r.ID)
	binary.LittleEndian.PutUint64(b[8:], r.Handle)
	binary.LittleEndian.PutUint64(b[16:], r.Offset)
	binary.LittleEndian.PutUint32(b[24:], r.Length)
	return b
}

// ParseRead reads a Read. What it asks for is for the caller to judge.
func ParseRead(b []byte) (Read, error) {
	if len(b) != ReadSize {
		return Read{}, fmt.Errorf("a read of %d bytes (exactly %d)", len(b), ReadSize)
	}
	return Read{
		ID:     binary.LittleEndian.Uint64(b[0:]),
		Handle: binary.LittleEndian.Uint64(b[8:]),
		Offset: binary.LittleEndian.Uint64(b[16:]),
		Length: binary.LittleEndian.Uint32(b[24:]),
	}, nil
}

// Piece answers a Read. The bytes that were asked for follow it, fewer at the
// end; or, when Code is not CODE_OK, the text why not.
//
//	0   u64  id of the Read
//	8   u64  length of the whole body
//	16  u32  code
//	20  u32  0
type Piece struct {
	ID, BodyBytes uint64
	Code          wire.Code
}

// Bytes is what stands in front of the bytes.
func (p Piece) Bytes() [PieceSize]byte {
	var b [PieceSize]byte
	binary.LittleEndian.PutUint64(b[0:], p.ID)
	binary.LittleEndian.PutUint64(b[8:], p.BodyBytes)
	binary.LittleEndian.PutUint32(b[16:], uint32(p.Code))
	return b
}

// ParsePiece reads the head of a Piece.
func ParsePiece(b []byte) (Piece, error) {
	if len(b) < PieceSize {
		return Piece{}, fmt.Errorf("a piece of %d bytes (at least %d)", len(b), PieceSize)
	}
	return Piece{
		ID:        binary.LittleEndian.Uint64(b[0:]),
		BodyBytes: binary.LittleEndian.Uint64(b[8:]),
		Code:      wire.Code(binary.LittleEndian.Uint32(b[16:])),
	}, nil
}

// FailureText is the bytes of a failure's message: its text, cut at wire.MaxFailure.
func FailureText(f *wire.Failure) []byte {
	text := f.GetMessage()
	return []byte(text[:min(len(text), wire.MaxFailure)])
}

// PutLog writes what stands in front of a log line's text to the first LogSize
// bytes of b.
func PutLog(b []byte, level int32) { binary.LittleEndian.PutUint32(b, uint32(level)) }

// ParseLog reads a log line. The text is the sandbox's, as it came, and is valid
// as long as b is.
func ParseLog(b []byte) (level int32, text []byte, err error) {
	if len(b) < LogSize || len(b) > LogSize+wire.MaxLog {
		return 0, nil, fmt.Errorf("a log line of %d bytes (%d to %d)", len(b), LogSize, LogSize+wire.MaxLog)
	}
	return int32(binary.LittleEndian.Uint32(b)), b[LogSize:], nil
}

// Grow asks the sandbox to move to larger memory, whose two files it has been
// sent like the first ones.
//
//	0   u64  data area of each ring of the calls lane, in bytes
//	8   u64  the same of the capabilities lane
type Grow struct{ Ring, Capabilities uint64 }

// Bytes is the message.
func (g Grow) Bytes() [GrowSize]byte {
	var b [GrowSize]byte
	binary.LittleEndian.PutUint64(b[0:], g.Ring)
	binary.LittleEndian.PutUint64(b[8:], g.Capabilities)
	return b
}

// ParseGrow reads a Grow. Whether there can be such a channel is for the caller
// to check; see Shape.Check.
func ParseGrow(b []byte) (Grow, error) {
	if len(b) != GrowSize {
		return Grow{}, fmt.Errorf("a grow of %d bytes (exactly %d)", len(b), GrowSize)
	}
	return Grow{Ring: binary.LittleEndian.Uint64(b[0:]), Capabilities: binary.LittleEndian.Uint64(b[8:])}, nil
}
