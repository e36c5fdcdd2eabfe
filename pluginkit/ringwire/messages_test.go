package ringwire

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/pluginkit/wire"
)

var update = flag.Bool("update", false, "write the golden files")

// The bytes are the protocol: a difference breaks sandboxes that are out there.
func TestTheMessagesHaveNotChanged(t *testing.T) {
	start := make([]byte, StartSize)
	Start{Tool: 1, TimeoutMillis: 2, ArgumentsBytes: 3, Handle: 4, MaxResult: 5}.Put(start)
	read := Read{ID: 1, Handle: 2, Offset: 3, Length: 4}.Bytes()
	piece := Piece{ID: 1, BodyBytes: 2, Code: wire.Code_CODE_LIMIT}.Bytes()
	grow := Grow{Ring: 1, Capabilities: 2}.Bytes()
	log := append(make([]byte, LogSize), "careful"...)
	PutLog(log, 2)
	kinds := []byte{KindCall, KindReply, KindPiece, KindCancel, KindResult, KindToolError, KindBadArgs, FailureKind(wire.FailureKind_FAILURE_TRAP), KindWorn,
		KindRequest, KindRead, KindLog, KindDone, Talked, KindGrow, KindGrown, KindWindows, KindStays}
	for name, got := range map[string][]byte{
		"start": start, "read": read[:], "piece": piece[:], "log": log, "kinds": kinds, "grow": grow[:],
	} {
		path := filepath.Join("testdata", name+".golden")
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s changed:\n got %x\nwant %x", name, got, want)
		}
	}
}

func TestWhatIsParsedIsWhatWasWritten(t *testing.T) {
	b := bytes.Repeat([]byte{0xff}, StartSize+3)
	want := Start{Tool: 7, TimeoutMillis: 8, ArgumentsBytes: 3, MaxResult: 10}
	want.Put(b)
	if got, err := ParseStart(b); err != nil || got != want {
		t.Errorf("start: %+v, %v", got, err)
	}
	read := Read{ID: 1 << 63, Handle: 2, Offset: 3, Length: 1 << 31}
	raw := read.Bytes()
	if got, err := ParseRead(raw[:]); err != nil || got != read {
		t.Errorf("read: %+v, %v", got, err)
	}
	piece := Piece{ID: 1 << 63, BodyBytes: 1 << 62, Code: wire.Code_CODE_INTERNAL}
	head := piece.Bytes()
	if got, err := ParsePiece(append(head[:], "data"...)); err != nil || got != piece {
		t.Errorf("piece: %+v, %v", got, err)
	}
	grow := Grow{Ring: 1 << 63, Capabilities: 1<<64 - 1}
	asked := grow.Bytes()
	if got, err := ParseGrow(asked[:]); err != nil || got != grow {
		t.Errorf("grow: %+v, %v", got, err)
	}
	long := &wire.Failure{Message: strings.Repeat("x", wire.MaxFailure+1)}
	if got := FailureText(long); len(got) != wire.MaxFailure {
		t.Errorf("a failure of %d bytes", len(got))
	}
}

// Every failure has a kind of message, and no other message is one.
func TestFailuresAreKindsOfMessages(t *testing.T) {
	for f := range wire.FailureKind_name {
		kind := FailureKind(wire.FailureKind(f))
		if got, ok := FailureOf(kind); !ok || got != wire.FailureKind(f) || kind&Talked != 0 || KindName(kind|Talked) != "failure" {
			t.Errorf("%v travels as %#x and comes as %v", wire.FailureKind(f), kind, got)
		}
	}
	if got, ok := FailureOf(FailureKind(1 << 30)); !ok || wire.FailureKind_name[int32(got)] != "" {
		t.Errorf("an unknown failure comes as %v", got)
	}
	for _, kind := range []Kind{KindCall, KindGrow, KindReply, KindPiece, KindCancel, KindResult, KindToolError, KindBadArgs, KindWorn,
		KindGrown, KindWindows, KindStays, KindRequest, KindRead, KindLog, KindDone} {
		if f, ok := FailureOf(kind); ok {
			t.Errorf("%s is the failure %v", KindName(kind), f)
		}
	}
}

func TestMessagesThatAreNotWhatTheySayAreRefused(t *testing.T) {
	start := func(s Start, follow int) []byte {
		b := make([]byte, StartSize+follow)
		s.Put(b)
		return b
	}
	for name, b := range map[string][]byte{
		"short":                     make([]byte, StartSize-1),
		"fewer than announced":      start(Start{ArgumentsBytes: 5}, 4),
		"more than announced":       start(Start{ArgumentsBytes: 5}, 6),
		"in place and to be pulled": start(Start{ArgumentsBytes: 5, Handle: 1}, 5),
		"too many":                  start(Start{ArgumentsBytes: wire.MaxArguments + 1, Handle: 1}, 0),
	} {
		if s, err := ParseStart(b); err == nil {
			t.Errorf("start, %s: %+v", name, s)
		}
	}
	for _, n := range []int{0, ReadSize - 1, ReadSize + 1} {
		if _, err := ParseRead(make([]byte, n)); err == nil {
			t.Errorf("a read of %d bytes", n)
		}
	}
	for _, n := range []int{0, GrowSize - 1, GrowSize + 1} {
		if _, err := ParseGrow(make([]byte, n)); err == nil {
			t.Errorf("a grow of %d bytes", n)
		}
	}
	if _, err := ParsePiece(make([]byte, PieceSize-1)); err == nil {
		t.Error("a short piece")
	}
	for _, n := range []int{0, LogSize - 1, LogSize + wire.MaxLog + 1} {
		if _, _, err := ParseLog(make([]byte, n)); err == nil {
			t.Errorf("a log line of %d bytes", n)
		}
	}
}

func TestShapes(t *testing.T) {
	for _, ring := range []uint64{MinRing, DefaultRing, MaxRing} {
		s := ShapeOf(ring, 1e9)
		if err := s.Check(); err != nil {
			t.Error(err)
		}
		if s.Capabilities > s.Ring {
			t.Errorf("%+v", s)
		}
	}
	for _, s := range []Shape{
		{}, ShapeOf(0, 1e9), ShapeOf(MinRing+1, 1e9), ShapeOf(MinRing/2, 1e9), ShapeOf(2*MaxRing, 1e9), ShapeOf(MinRing, 0), ShapeOf(MinRing, 1<<62),
		{Ring: MinRing, MessageTimeout: 1e9},
	} {
		if s.Check() == nil {
			t.Errorf("%+v passes", s)
		}
	}
}

// A ring grows to what is allowed, and no further; one that is larger keeps its
// size.
func TestShapesGrowUpToTheirMaximum(t *testing.T) {
	s := ShapeOf(MinRing, 1e9)
	for _, want := range []uint64{2 * MinRing, 4 * MinRing, 5 * MinRing} {
		next, ok := s.Grown(5*MinRing + 1)
		if !ok || next.Ring != want || next.Capabilities != want || next.Check() != nil {
			t.Fatalf("%+v, want %d", next, want)
		}
		s = next
	}
	if next, ok := s.Grown(5*MinRing + 1); ok || next != s {
		t.Errorf("%+v grew to %+v", s, next)
	}
	big := ShapeOf(DefaultRing, 1e9)
	if next, ok := big.Grown(0); ok || next != big {
		t.Errorf("%+v grew to %+v", big, next)
	}
	if next, ok := ShapeOf(MaxRing, 1e9).Grown(1 << 63); !ok || next.Check() != nil {
		t.Errorf("%+v", next)
	}
}

// FuzzMessages: no bytes of a peer make a parser panic, or pass its bounds.
func FuzzMessages(f *testing.F) {
	b := make([]byte, StartSize+2)
	Start{ArgumentsBytes: 2}.Put(b)
	f.Add(b)
	f.Add(make([]byte, ReadSize))
	f.Add([]byte("\x01\x00\x00\x00no"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := ParseStart(b); err == nil && s.Handle == 0 && s.ArgumentsBytes != uint64(len(b)-StartSize) {
			t.Errorf("start %+v in %d bytes", s, len(b))
		}
		if r, err := ParseRead(b); err == nil {
			if again := r.Bytes(); !bytes.Equal(again[:28], b[:28]) {
				t.Errorf("read %+v", r)
			}
		}
		ParsePiece(b)
		ParseGrow(b)
		if _, text, err := ParseLog(b); err == nil && len(text) > wire.MaxLog {
			t.Errorf("log of %d bytes", len(text))
		}
	})
}
