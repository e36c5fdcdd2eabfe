package policies

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/internal/hclscreen"
)

const canary = "canary-Zx81-secret"

// TestSecretNeverPrints tries every way a value reaches a log by accident.
func TestSecretNeverPrints(t *testing.T) {
	p := parse1(t, secretPolicy("value = var.token"), Options{LookupEnv: env("TOKEN", canary)})
	plugin, _ := p.Plugin("p")
	secret := plugin.Secrets()[0]
	decision := plugin.HTTP().Decide("GET", "https://api.example.com/")
	type holder struct {
		hidden  Secret // fmt cannot call methods of this one
		Visible Secret
	}
	values := map[string]any{
		"secret": secret, "pointer": &secret, "slice": []Secret{secret}, "map": map[string]Secret{"a": secret},
		"holder": holder{secret, secret}, "holder pointer": &holder{secret, secret},
		"plugin": plugin, "plugin value": *plugin, "policy": p, "policy value": *p,
		"grant": *plugin.HTTP(), "decision": decision, "credential": *decision.Credential,
		"injection": *decision.Credential.injection, "error": fmt.Errorf("failed with %v", secret),
	}
	for name, v := range values {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p", "%T", "%10.3s", "%U", "%c"} {
				fmt.Fprintf(&out, verb+"\n", v)
			}
			fmt.Fprintln(&out, v)
			if j, err := json.Marshal(v); err == nil {
				out.Write(j)
			}
			if x, err := xml.Marshal(v); err == nil {
				out.Write(x)
			}
			logger := slog.New(slog.NewJSONHandler(&out, nil))
			logger.Info("m", "v", v)
			logger = slog.New(slog.NewTextHandler(&out, nil))
			logger.Info("m", "v", v)
			text := out.String()
			for _, form := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary), fmt.Sprintf("%d", []byte(canary))} {
				if strings.Contains(text, form) {
					t.Errorf("the value is printed:\n%s", text)
				}
			}
		})
	}
	if got := fmt.Sprintf("%v %#v %d %x", secret, secret, secret, secret); got != strings.TrimSpace(strings.Repeat("[secret s] ", 4)) {
		t.Errorf("secret prints as %s", got)
	}
	if j, err := json.Marshal(map[string]Secret{"k": secret}); err != nil || string(j) != `{"k":"[secret s]"}` {
		t.Errorf("JSON is %s, %v", j, err)
	}
	if v, err := secret.Reveal(); v != canary || err != nil {
		t.Errorf("Reveal = %q, %v", v, err)
	}
}

func secretPolicy(value string) string {
	return `
variable "token" {
  default   = env("TOKEN")
  sensitive = true
}
secret "s" {
  ` + value + `
}
plugin "p" {
  source = "p.wasm"
  http {
    allow "api.example.com" {
      credential "s" {
        bearer = true
      }
    }
  }
}
`
}

func TestSecretFile(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"token": canary + "\r\n", "two": canary + "\n\n", "none": "", "large": strings.Repeat("x", maxSecretSize+1)})
	load := func(t *testing.T, file string) (Secret, []Problem) {
		t.Helper()
		p, err := Parse(filepath.Join(dir, "test.hcl"), []byte(secretPolicy(`file = "`+file+`"`)), Options{LookupEnv: env("HOME", dir), AllowUnset: true})
		if err != nil {
			t.Fatal(err)
		}
		plugin, _ := p.Plugin("p")
		return plugin.Secrets()[0], p.Warnings()
	}
	for _, tt := range []struct{ name, file, value, err string }{
		{"one line break is cut", "token", canary, ""},
		{"home folder", "~/token", canary, ""},
		{"only one", "two", canary + "\n", ""},
		{"empty", "none", "", "is empty"},
		{"missing", "nowhere", "", "no such file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := load(t, tt.file)
			v, err := s.Reveal()
			if v != tt.value || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("Reveal = %q, %v", v, err)
			}
			if s.Available() != (err == nil) {
				t.Errorf("Available = %v", s.Available())
			}
		})
	}
	t.Run("read when asked for", func(t *testing.T) {
		s, _ := load(t, "token")
		write(t, dir, map[string]string{"token": "rotated"})
		if v, err := s.Reveal(); v != "rotated" || err != nil {
			t.Errorf("Reveal = %q, %v", v, err)
		}
		write(t, dir, map[string]string{"token": strings.Repeat("x", maxSecretSize+1)})
		if _, err := s.Reveal(); err == nil || !strings.Contains(err.Error(), "more than 65536") {
			t.Errorf("a file that grew gives %v", err)
		}
	})
	t.Run("readable by everybody", func(t *testing.T) {
		if err := os.Chmod(filepath.Join(dir, "two"), 0o644); err != nil {
			t.Fatal(err)
		}
		_, warnings := load(t, "two")
		if len(warnings) != 1 || !strings.Contains(warnings[0].Summary, "can be read by everybody") {
			t.Errorf("warnings: %v", warnings)
		}
	})
}

// TestSensitiveValuesStayOut: whatever is wrong, no message shows the value of
// a sensitive variable or what was typed as a secret.
func TestSensitiveValuesStayOut(t *testing.T) {
	variable := "variable \"token\" {\n  default = env(\"TOKEN\")\n  sensitive = true\n}\n"
	for _, tt := range []struct{ name, src, want string }{
		{"in env", variable + "plugin \"p\" {\n  source = \"p\"\n  env = { A = var.token }\n}", "is sensitive"},
		{"in a template in env", variable + "plugin \"p\" {\n  source = \"p\"\n  env = { A = \"x${var.token}\" }\n}", "is sensitive"},
		{"by index", variable + "plugin \"p\" {\n  source = var[\"token\"]\n}", "is sensitive"},
		{"in a path", variable + "plugin \"p\" {\n  source = \"p\"\n  http {\n    allow \"a.example\" {\n      paths = [\"/${var.token}\"]\n    }\n  }\n}", "is sensitive"},
		{"in a comparison", variable + "plugin \"p\" {\n  source = var.token == \"x\" ? \"a\" : \"b\"\n}", "is sensitive"},
		{"as an object key", variable + "plugin \"p\" {\n  source = \"p\"\n  env = { (var.token) = \"x\" }\n}", "is sensitive"},
		{"as an index", variable + "secret \"s\" {\n  value = {a = 1}[var.token]\n}", "withheld"},
		{"as a number", variable + "secret \"s\" {\n  value = var.token + 1\n}", "withheld"},
		{"deeper", variable + "secret \"s\" {\n  value = var.token.x\n}", "withheld"},
		{"whole object", variable + "secret \"s\" {\n  value = var\n}", "must be var.NAME"},
		{"typed without quotes", "secret \"s\" {\n  value = " + strings.ReplaceAll(canary, "-", "_") + "\n}", "must be var.NAME"},
		{"typed with one quote", "secret \"s\" {\n  value = \"" + canary + "\n}", "Unterminated"},
		{"typed in a heredoc", "secret \"s\" {\n  value = <<X\n" + canary + "\nX\n  pahts = 1\n}", "unknown argument"},
		{"typed as a default", "variable \"v\" {\n  default = [\"" + canary + "\"]\n}", "wrong type"},
		{"typed in a template", "secret \"s\" {\n  value = \"${nope(\"" + canary + "\")}\"\n}", "unknown function"},
		{"typed in a conditional", "variable \"v\" {\n  default = true ? \"" + canary + "\" : [1]\n}", ""},
		{"on one line", "secret \"s\" { value = \"" + canary + "\", x = 1 }", ""},
		{"twice", "secret \"s\" {\n  value = \"a\"\n  value = \"" + canary + "\"\n}", "redefined"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, secret := range []string{canary, strings.ReplaceAll(canary, "-", "_")} {
				wrong := refused(t, tt.src, Options{LookupEnv: env("TOKEN", secret)})
				text := rendered(t, wrong) + wrong.Error() + fmt.Sprintf("%+v", wrong.Problems())
				if strings.Contains(text, secret) {
					t.Errorf("the value is shown:\n%s", text)
				}
				if !strings.Contains(text, tt.want) {
					t.Errorf("no %q in:\n%s", tt.want, text)
				}
			}
		})
	}
}

// TestMaskKeepsPositions: the copy for snippets has the length and the lines of
// the original, and leaves names readable.
func TestMaskKeepsPositions(t *testing.T) {
	src := sourceFile{name: "a.hcl", text: []byte("secret \"s\" {\n  value = \"tok\" # why\n  file = \"keep\"\n}\nvariable \"v\" {\n  default = env(\"NAME\")\n}\n")}
	tokens, _ := hclscreen.Text(src.text, src.name, "policy")
	got := printable(src, tokens)
	want := "secret \"s\" {\n  value = \"***\" # why\n  file = \"keep\"\n}\nvariable \"v\" {\n  default = env(\"NAME\")\n}\n"
	if !bytes.Equal(got, []byte(want)) {
		t.Errorf("masked:\n%s", got)
	}
}
