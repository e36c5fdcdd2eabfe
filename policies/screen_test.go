package policies

import (
	"fmt"
	"strings"
	"testing"
)

// TestDeepTextDoesNotOverflowTheStack feeds each construct that makes the HCL
// parser or evaluator recurse, the shortest of them by the megabyte. Without the
// screen the bare brackets abort the process ("goroutine stack exceeds
// 1000000000-byte limit"), which no recover can stop.
func TestDeepTextDoesNotOverflowTheStack(t *testing.T) {
	full := maxFileSize - 64
	for _, tt := range []struct {
		unit string
		size int
	}{
		{"[", full}, {"!", full}, {"{a=", 16 << 10}, {"(", 16 << 10}, {"-", 16 << 10}, {"true?", 16 << 10}, {"1+", 16 << 10}, {"1&&", 16 << 10},
		{"f(", 16 << 10}, {"\"${", 16 << 10}, {"\"%{if true}", 16 << 10}, {"%{", 16 << 10}, {"var.a[0]+", 16 << 10}, {"[0][0", 16 << 10},
		{"a.", 16 << 10}, {"a.*.", 16 << 10}, {"a[*]", 16 << 10}, {"[for a in ", 16 << 10}, {"{for a in ", 16 << 10}, {"<<X\n${", 16 << 10},
		{"f(1)+", 16 << 10}, {"f(1,2)[0]+", 16 << 10}, {"\"x\"==", 16 << 10}, {"a::", 16 << 10}, {"a?b:", 16 << 10},
	} {
		for _, form := range []string{"variable \"a\" {\n default = %s", "a {\n b = \"${%s", "%s", "a = <<X\n%s"} {
			if tt.size == full && !strings.HasPrefix(form, "variable") {
				continue
			}
			src := fmt.Sprintf(form, strings.Repeat(tt.unit, tt.size/len(tt.unit)))
			if _, err := Parse("deep.hcl", []byte(src), Options{LookupEnv: env()}); err == nil {
				t.Errorf("a policy of many %q is accepted", tt.unit)
			}
		}
	}
	// Index operators chain without nesting, so brackets alone do not bound them.
	src := "variable \"a\" {\n  default = a" + strings.Repeat("[b]", 100_000) + "\n}\n"
	if wrong := refused(t, src, Options{}); !strings.Contains(wrong.Error(), "too long") {
		t.Error(wrong)
	}
	blocks := strings.Repeat("a {\n", 100_000)
	if wrong := refused(t, blocks, Options{}); !strings.Contains(wrong.Error(), "too deep") {
		t.Error(wrong)
	}
}

// TestLongPolicyIsAccepted: the bounds are about nesting, not about length.
func TestLongPolicyIsAccepted(t *testing.T) {
	var src strings.Builder
	src.WriteString("plugin \"p\" {\n  source = \"p.wasm\"\n  http {\n")
	for i := range 5000 {
		fmt.Fprintf(&src, "    allow \"h%d.example.com\" {\n      methods = [\"GET\", \"POST\"] # %d\n      paths   = [\n        \"/a/**\", # -\n        \"/b\",\n      ]\n    }\n", i, i)
	}
	src.WriteString("  }\n}\n")
	p := parse1(t, src.String(), Options{})
	plugin, _ := p.Plugin("p")
	if d := plugin.HTTP().Decide("POST", "https://h4999.example.com/a/x"); !d.Allowed {
		t.Error(d.Reason)
	}
}

func TestTooManyProblemsAreCut(t *testing.T) {
	wrong := refused(t, strings.Repeat("nonsense {\n}\n", 1000), Options{})
	text := rendered(t, wrong)
	if !strings.Contains(text, "975 more problems are not shown") || len(text) > 10_000 {
		t.Errorf("%d bytes of messages", len(text))
	}
	if len(wrong.Problems()) != 1000 {
		t.Errorf("%d problems", len(wrong.Problems()))
	}
}

// TestGiantNumbers: as text, the first has a billion digits.
func TestGiantNumbers(t *testing.T) {
	for _, n := range []string{"1e999999999", "1E9", strings.Repeat("9", 1000), "0." + strings.Repeat("9", 1000)} {
		wrong := refused(t, "variable \"a\" {\n  default = \"${"+n+"}\"\n}\n", Options{})
		if !strings.Contains(wrong.Error(), "number is too long") {
			t.Errorf("%.20s gives %s", n, wrong)
		}
	}
}
