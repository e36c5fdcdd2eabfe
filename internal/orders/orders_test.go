package orders

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

func whole() *Orders {
	return &Orders{
		Program: "/program", Args: []Text{"program", "\xff\x00\n\"", ""}, Env: []Text{"A=\xfe"}, Home: "/s",
		Keep: []int{4}, Status: 9, ID: 7, Names: true, Privileged: true,
		Limits: []Limit{{Name: "RLIMIT_CORE", Resource: 4}},
		Mounts: []Mount{{Tree: -1, Path: "/a\xff", At: "/", Exec: true}, {Tree: 12, At: "/s", Write: true}},
		Paths:  []Path{{Path: "/program", Exec: true}, {Path: "/s", Serve: true}, {Path: "/w", Folder: true, Write: true}},
	}
}

func TestOrdersComeAsTheyWent(t *testing.T) {
	var b bytes.Buffer
	want := whole()
	if err := want.Write(&b); err != nil {
		t.Fatal(err)
	}
	got, err := Read(&b)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\n got %+v\nwant %+v", err, got, want)
	}
}

// Orders that were cut, or that say what this build does not know, must not be
// carried out in part.
func TestBadOrders(t *testing.T) {
	var b bytes.Buffer
	if err := whole().Write(&b); err != nil {
		t.Fatal(err)
	}
	good := b.String()
	for name, text := range map[string]string{
		"none":             "",
		"cut":              good[:len(good)-1],
		"unknown field":    strings.Replace(good, `"names"`, `"layer_of_tomorrow":true,"names"`, 1),
		"two":              good + good,
		"too long":         good + strings.Repeat(" ", Max),
		"no program":       strings.Replace(good, `"\"/program\"","args"`, `"\"\"","args"`, 1),
		"status is stderr": strings.Replace(good, `"status":9`, `"status":2`, 1),
		"status is kept":   strings.Replace(good, `"status":9`, `"status":4`, 1),
		"keeps stdin":      strings.Replace(good, `"keep":[4]`, `"keep":[0]`, 1),
		"root not first":   strings.Replace(good, `"at":"/"`, `"at":"/s"`, 1),
		"text not quoted":  strings.Replace(good, `"\"/s\""`, `"/s"`, 1),
	} {
		if text == good {
			t.Fatalf("%s: nothing was changed", name)
		}
		if o, err := Read(strings.NewReader(text)); err == nil {
			t.Errorf("%s: read as %+v", name, o)
		}
	}
}
