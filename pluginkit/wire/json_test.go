package wire

import (
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/ringfence/ringfence/pluginkit/internal/guestjson"
)

func TestRequestsAreReadStrictly(t *testing.T) {
	f, err := ParseFiles([]byte(`{"operation":"read","workspace":"w","path":"a","offset":1,"length":2,"after":"x","staged":3,"absent":true,"version":"v","to":"b"}`))
	want := &Files{Operation: FileOperation_FILE_READ, Workspace: "w", Path: "a", To: "b", Offset: 1, Length: 2, After: "x", Staged: 3, Absent: true, Version: "v"}
	if err != nil || !proto.Equal(f, want) {
		t.Errorf("%v, %v", f, err)
	}
	for _, bad := range []string{``, `{}`, `[]`, `{"operation":"chmod"}`, `{"operation":"read","mode":7}`, `{"operation":"read"}{}`,
		`{"operation":"read","offset":-1}`, `{"operation":"read","length":4294967296}`, `{"operation":1}`} {
		if _, err := ParseFiles([]byte(bad)); err == nil {
			t.Errorf("%s is taken as files", bad)
		}
		if _, err := ParseState([]byte(bad)); err == nil {
			t.Errorf("%s is taken as state", bad)
		}
	}
}

// Each operation that a guest can name is one of the wire's.
func TestEveryOperationHasItsNumber(t *testing.T) {
	for _, name := range guestjson.FileOperations {
		if r, err := ParseFiles([]byte(`{"operation":"` + name + `"}`)); err != nil || r.Operation == 0 {
			t.Errorf("%s: %v, %v", name, r, err)
		}
	}
	for _, name := range guestjson.StateOperations {
		if r, err := ParseState([]byte(`{"operation":"` + name + `"}`)); err != nil || r.Operation == 0 {
			t.Errorf("%s: %v, %v", name, r, err)
		}
	}
}

// What a guest writes can be put on the wire, whatever it is.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"operation":"read","workspace":"w","path":"a"}`))
	f.Add([]byte(`{"operation":"set","key":"\ud800"}`))
	f.Add([]byte("{\"operation\":\"get\",\"key\":\"\xff\"}"))
	f.Fuzz(func(t *testing.T, request []byte) {
		if r, err := ParseFiles(request); err == nil {
			if _, err := proto.Marshal(r); err != nil || !utf8.ValidString(r.Path+r.To+r.After+r.Version+r.Workspace) {
				t.Errorf("%v: %v", r, err)
			}
		}
		if r, err := ParseState(request); err == nil {
			if _, err := proto.Marshal(r); err != nil || !utf8.ValidString(r.Key+r.After+r.Version) {
				t.Errorf("%v: %v", r, err)
			}
		}
	})
}
