package border

import (
	"reflect"
	"testing"

	"github.com/ringfence/ringfence/plugins/wasm/internal/engine"
)

func TestEncode(t *testing.T) {
	for _, b := range []Border{{}, {Functions: 300, Imports: []Function{
		{Module: "a", Name: "", Params: []engine.ValueType{engine.I32, engine.I64}, Results: []engine.ValueType{engine.I64}},
		{Module: "", Name: "b", Params: []engine.ValueType{}, Results: []engine.ValueType{}},
	}}} {
		got, err := Decode(b.Encode())
		if err != nil || !reflect.DeepEqual(got, b) {
			t.Errorf("%+v, %v, want %+v", got, err, b)
		}
	}
	good := Border{Functions: 1, Imports: []Function{{Module: "a", Name: "b"}}}.Encode()
	for name, b := range map[string][]byte{"empty": nil, "truncated": good[:len(good)-1], "longer": append(good, 0)} {
		if _, err := Decode(b); err == nil {
			t.Errorf("%s: decoded", name)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add([]byte("\x00asm\x01\x00\x00\x00\x01\x05\x01\x60\x01\x7f\x00\x02\x07\x01\x01a\x01b\x00\x00"))
	f.Add([]byte("\x00asm\x01\x00\x00\x00\x02\xff\xff\xff\xff\x0f"))
	f.Add([]byte("\x00asm\x01\x00\x00\x00\x01\x06\xff\xff\xff\xff\xff\x0f"))
	f.Fuzz(func(t *testing.T, b []byte) {
		met, err := Check(b)
		if err == nil && met.Functions > uint64(len(b)) {
			t.Errorf("%d functions in %d bytes", met.Functions, len(b))
		}
	})
}
