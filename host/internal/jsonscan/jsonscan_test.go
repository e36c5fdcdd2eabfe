package jsonscan

import (
	"fmt"
	"strings"
	"testing"
)

func TestStructure(t *testing.T) {
	for raw, want := range map[string]string{
		``:                             "",
		`17`:                           "",
		`{}`:                           "{1 }0",
		`[1,[2,3],{"a,b":4}]`:          "[1 ,1 [2 ,2 ]1 ,1 {2 }1 ]0",
		`{"a\"},":"\\","b":"[","c":1}`: "{1 ,1 ,1 }0",
		`"{[,"`:                        "",
		`"open \`:                      "",
		`]]`:                           "]-1 ]-2",
	} {
		var got []string
		for c, depth := range Structure([]byte(raw)) {
			got = append(got, fmt.Sprintf("%c%d", c, depth))
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: %q, want %q", raw, s, want)
		}
	}
}
