package orders

import (
	"reflect"
	"strings"
	"testing"
)

func whole() *Orders {
	return &Orders{
		Program: "/program", Args: []Text{"program", "\xff\x00\n\"", ""}, Env: []Text{"A=\xfe"}, Home: "/s",
		Files: []int{0, 4}, ID: 7, Names: true, Privileged: true,
		Limits: []Limit{{Name: "RLIMIT_CORE", Resource: 4}},
		Mounts: []Mount{{Tree: -1, Path: "/a\xff", At: "/", Exec: true}, {Tree: 0, At: "/s", Write: true}},
		Paths:  []Path{{Path: "/program", Exec: true}, {Path: "/s", Serve: true}, {Path: "/w", Folder: true, Write: true}},
	}
}

// Orders that were cut, or that say what this build does not know, must not be
// carried out in part.
func TestBadOrders(t *testing.T) {
	b, err := whole().encode()
	if err != nil {
		t.Fatal(err)
	}
	good := string(b)
	for name, text := range map[string]string{
		"none":              "",
		"cut":               good[:len(good)-1],
		"unknown field":     strings.Replace(good, `"names"`, `"layer_of_tomorrow":true,"names"`, 1),
		"two":               good + good,
		"too long":          good + strings.Repeat(" ", Max),
		"no program":        strings.Replace(good, `"\"/program\"","args"`, `"\"\"","args"`, 1),
		"a number twice":    strings.Replace(good, `"files":[0,4]`, `"files":[4,4]`, 1),
		"a negative number": strings.Replace(good, `"files":[0,4]`, `"files":[0,-1]`, 1),
		"a high number":     strings.Replace(good, `"files":[0,4]`, `"files":[0,64]`, 1),
		"a file too many":   strings.Replace(good, `"files":[0,4]`, `"files":[0,4,5]`, 1),
		"a file too few":    strings.Replace(good, `"files":[0,4]`, `"files":[0]`, 1),
		"a tree too many":   strings.Replace(good, `"tree":0`, `"tree":1`, 1),
		"a negative tree":   strings.Replace(good, `"tree":0`, `"tree":-2`, 1),
		"root not first":    strings.Replace(good, `"at":"/"`, `"at":"/s"`, 1),
		"text not quoted":   strings.Replace(good, `"\"/s\""`, `"/s"`, 1),
	} {
		if text == good {
			t.Fatalf("%s: nothing was changed", name)
		}
		if o, err := decode([]byte(text), 3); err == nil {
			t.Errorf("%s: read as %+v", name, o)
		}
	}
	if o, err := decode(b, 3); err != nil || !reflect.DeepEqual(o, whole()) {
		t.Errorf("%v\n got %+v\nwant %+v", err, o, whole())
	}
}
