package bench

import (
	"bytes"
	"testing"

	"github.com/ringfence/ringfence/pluginkit/wasmbin"
)

// small is a module of two functions, of which one calls the other.
const small = "\x00asm\x01\x00\x00\x00" +
	"\x01\x04\x01\x60\x00\x00" + // type () -> ()
	"\x03\x03\x02\x00\x00" + // two functions of it
	"\x05\x04\x01\x01\x01\x01" + // one memory of one page
	"\x07\x05\x01\x01m\x02\x00" + // export "m", the memory
	"\x0a\x09\x02\x04\x00\x10\x01\x0b\x02\x00\x0b" // call 1; nothing

func TestALargerModuleHasItsFunctionsSeveralTimes(t *testing.T) {
	before, err := wasmbin.Parse([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	const size = 10_000
	made, err := larger([]byte(small), size)
	if err != nil {
		t.Fatal(err)
	}
	after, err := wasmbin.Parse(made)
	if err != nil {
		t.Fatal(err)
	}
	if len(made) < size || len(made) > size+len(small)+20 {
		t.Errorf("%d bytes, want a little more than %d", len(made), size)
	}
	if after.Functions%before.Functions != 0 || after.Functions < size/len(small)*before.Functions {
		t.Errorf("%d functions, made of %d", after.Functions, before.Functions)
	}
	if got, want := len(after.Exports), len(before.Exports); got != want {
		t.Errorf("%d exports, want %d", got, want)
	}
	if same, err := larger([]byte(small), 1); err != nil || !bytes.Equal(same, []byte(small)) {
		t.Errorf("a module that is large enough has changed: %q, %v", same, err)
	}
}

func TestNoLargerModuleOfWhatIsNone(t *testing.T) {
	for _, broken := range []string{"", "\x00asm", small[:len(small)-3], small[:8], small[:8] + "\x0a\x00", small[:8] + "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"} {
		if made, err := larger([]byte(broken), 1000); err == nil {
			t.Errorf("%q became %d bytes", broken, len(made))
		}
	}
}
