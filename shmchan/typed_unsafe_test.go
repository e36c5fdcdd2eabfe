package shmchan

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
	"unsafe"

	"pgregory.net/rapid"
)

type point struct{ X, Y float64 }

type order struct {
	ID    uint64
	Paid  bool
	Rush  bool
	_     [2]byte
	Count int32
	At    [2]point
	Flags [3][2]struct {
		On   bool
		Kind uint8
	}
	_ [4]byte
}

type (
	named struct{ Name string }
	hole  struct {
		A uint8
		B uint32
	}
	tail struct {
		A uint64
		B uint8
	}
	nesting struct{ Inner [2]struct{ Deep named } }
)

func refusal[T any]() error {
	_, err := NewTyped[T]()
	return err
}

func TestTypedRefusesWhatIsNotPlain(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want string // part of the message
	}{
		{"pointer", refusal[*int](), "*int is a ptr"},
		{"slice", refusal[struct{ A []byte }](), ".A is a slice"},
		{"string", refusal[named](), "shmchan.named.Name is a string"},
		{"map", refusal[struct{ M map[int]int }](), ".M is a map"},
		{"interface", refusal[struct{ E error }](), ".E is a interface"},
		{"any", refusal[any](), "interface"},
		{"channel", refusal[struct{ C chan int }](), ".C is a chan"},
		{"function", refusal[struct{ F func() }](), ".F is a func"},
		{"unsafe.Pointer", refusal[struct{ P unsafe.Pointer }](), ".P is of type unsafe.Pointer"},
		{"uintptr", refusal[struct{ P uintptr }](), ".P is of type uintptr"},
		{"deep", refusal[nesting](), "shmchan.nesting.Inner[].Deep.Name is a string"},
		{"array of pointers", refusal[[4]*int](), "[4]*int[] is a ptr"},
		{"no elements", refusal[struct {
			A uint64
			B [0]string
			C uint64
		}](), ".B[] is a string"},
		{"hole", refusal[hole](), "shmchan.hole has 3 bytes of padding after shmchan.hole.A"},
		{"tail", refusal[tail](), "shmchan.tail has 7 bytes of padding after shmchan.tail.B"},
		{"hole in an array", refusal[[3]hole](), "[3]shmchan.hole[] has 3 bytes of padding"},
		{"no bytes", refusal[struct{}](), "no bytes"},
		{"pointer in a blank field", refusal[struct{ _ *int }](), "._ is a ptr"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !errors.Is(c.err, ErrNotPlain) || !strings.Contains(c.err.Error(), c.want) {
				t.Errorf("got %v, want %q", c.err, c.want)
			}
		})
	}
}

func TestTypedTakesWhatIsPlain(t *testing.T) {
	for name, err := range map[string]error{
		"bool": refusal[bool](), "int": refusal[int](), "complex": refusal[complex128](),
		"array": refusal[[1 << 20]uint16](), "order": refusal[order](), "named type": refusal[rapidKind](),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type rapidKind uint16

func orderType(tb testing.TB) Typed[order] {
	tb.Helper()
	o, err := NewTyped[order]()
	if err != nil {
		tb.Fatal(err)
	}
	if o.Size() != int(unsafe.Sizeof(order{})) {
		tb.Fatalf("size %d", o.Size())
	}
	return o
}

func TestTypedRoundTrip(t *testing.T) {
	typ := orderType(t)
	rapid.Check(t, func(t *rapid.T) {
		var in, out order
		in.ID = rapid.Uint64().Draw(t, "id")
		in.Paid = rapid.Bool().Draw(t, "paid")
		in.Count = rapid.Int32().Draw(t, "count")
		in.At[1].Y = rapid.Float64().Draw(t, "y")
		in.Flags[2][1].On = rapid.Bool().Draw(t, "on")
		off := rapid.IntRange(0, 7).Draw(t, "offset") // alignment is nobody's business
		buf := make([]byte, off+typ.Size()+1)
		if err := typ.Encode(buf[off:], &in); err != nil {
			t.Fatal(err)
		}
		if err := typ.Decode(buf[off:off+typ.Size()], &out); err != nil || out != in {
			t.Fatalf("got %+v, %v; want %+v", out, err, in)
		}
	})
}

// A byte of a struct that no field names may hold anything, a secret too.
func TestTypedBlankFieldsTravelAsZeros(t *testing.T) {
	typ := orderType(t)
	dirty := bytes.Repeat([]byte{1}, typ.Size())
	in := *(*order)(unsafe.Pointer(&dirty[0]))
	copy(bytesOf(&in), dirty)
	out := make([]byte, typ.Size())
	if err := typ.Encode(out, &in); err != nil {
		t.Fatal(err)
	}
	var back order
	if err := typ.Decode(dirty, &back); err != nil {
		t.Fatal(err)
	}
	blank := map[int]bool{10: true, 11: true, 60: true, 61: true, 62: true, 63: true}
	for what, b := range map[string][]byte{"sent": out, "received": bytesOf(&back)} {
		for i, c := range b {
			if (c == 0) != blank[i] {
				t.Errorf("%s: byte %d is %d", what, i, c)
			}
		}
	}
}

func TestTypedDecodeRefuses(t *testing.T) {
	typ := orderType(t)
	good := make([]byte, typ.Size())
	with := func(at int, v byte) []byte {
		b := bytes.Clone(good)
		b[at] = v
		return b
	}
	flags := int(unsafe.Offsetof(order{}.Flags))
	for _, c := range []struct {
		name  string
		src   []byte
		got   uint64
		limit uint64
	}{
		{"short", good[1:], uint64(len(good)) - 1, uint64(len(good))},
		{"long", append(bytes.Clone(good), 0), uint64(len(good)) + 1, uint64(len(good))},
		{"empty", nil, 0, uint64(len(good))},
		{"bool of 2", with(8, 2), 2, 1},
		{"bool of 255", with(9, 255), 255, 1},
		{"bool in arrays", with(flags+10, 3), 3, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := order{ID: 7}
			err := typ.Decode(c.src, &out)
			var v *ViolationError
			if !errors.As(err, &v) || v.Got != c.got || v.Limit != c.limit {
				t.Errorf("got %v", err)
			}
			if out != (order{}) {
				t.Errorf("left %+v behind", out)
			}
		})
	}
	t.Run("any number", func(t *testing.T) {
		f, err := NewTyped[float64]()
		if err != nil {
			t.Fatal(err)
		}
		var v float64
		if err := f.Decode(bytes.Repeat([]byte{255}, 8), &v); err != nil || !math.IsNaN(v) {
			t.Errorf("got %v, %v", v, err)
		}
	})
}

func TestTypedEncodeRefuses(t *testing.T) {
	typ := orderType(t)
	short := make([]byte, typ.Size()-1)
	if err := typ.Encode(short, &order{ID: 1}); !errors.Is(err, ErrTooLarge) || short[0] != 0 {
		t.Errorf("short buffer: %v", err)
	}
	var zero Typed[order]
	if err := errors.Join(zero.Encode(make([]byte, 100), new(order))); !errors.Is(err, ErrNotPlain) || zero.Size() != 0 {
		t.Errorf("zero Typed: %v", err)
	}
	if err := zero.Decode(make([]byte, typ.Size()), new(order)); !errors.Is(err, ErrNotPlain) {
		t.Errorf("zero Typed: %v", err)
	}
}

func TestTypedAllocatesNothing(t *testing.T) {
	typ := orderType(t)
	buf := make([]byte, typ.Size())
	var v order
	if n := testing.AllocsPerRun(100, func() {
		_ = typ.Encode(buf, &v)
		_ = typ.Decode(buf, &v)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzTypedDecode: whatever comes in, a decoded value encodes to what came in,
// blank fields aside, and what is refused leaves nothing.
func FuzzTypedDecode(f *testing.F) {
	typ := orderType(f)
	f.Add(make([]byte, typ.Size()))
	f.Add(bytes.Repeat([]byte{1}, typ.Size()))
	f.Add(bytes.Repeat([]byte{2}, typ.Size()))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, src []byte) {
		var v order
		if err := typ.Decode(src, &v); err != nil {
			if !errors.Is(err, ErrViolation) || v != (order{}) {
				t.Fatalf("%v, %+v", err, v)
			}
			return
		}
		out := make([]byte, typ.Size())
		if err := typ.Encode(out, &v); err != nil {
			t.Fatal(err)
		}
		typ.layout.clear(src)
		if !bytes.Equal(src, out) {
			t.Fatalf("%x became %x", src, out)
		}
	})
}
