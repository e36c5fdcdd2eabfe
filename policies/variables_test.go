package policies

import (
	"strings"
	"testing"
)

const regionPolicy = `
variable "region" {
  default = "eu"
}
plugin "p" {
  source = "p.wasm"
  env = {
    REGION = var.region
  }
}
`

func TestVariablePrecedence(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		opts       Options
	}{
		{"default", "eu", Options{}},
		{"environment before default", "us", Options{LookupEnv: env("RINGFENCE_VAR_region", "us")}},
		{"flag before environment", "asia", Options{Vars: map[string]string{"region": "asia"}, LookupEnv: env("RINGFENCE_VAR_region", "us")}},
		{"empty flag is a value", "", Options{Vars: map[string]string{"region": ""}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			plugin, _ := parse1(t, regionPolicy, tt.opts).Plugin("p")
			if got := plugin.Env()[0].Value; got != tt.want {
				t.Errorf("region is %q (want %q)", got, tt.want)
			}
		})
	}
}

// TestMisspeltVar: a misspelt --var must not leave the default in force.
func TestMisspeltVar(t *testing.T) {
	wrong := refused(t, regionPolicy, Options{Vars: map[string]string{"regoin": "us"}})
	if !strings.Contains(wrong.Error(), `Did you mean "region"?`) {
		t.Error(wrong)
	}
}

// TestNumbersFromOutside: a flag is text, and counts where a number is wanted.
func TestNumbersFromOutside(t *testing.T) {
	const src = "variable \"n\" {\n  default = 1\n}\nplugin \"p\" {\n  source = \"p.wasm\"\n  limits {\n    processes = var.n\n  }\n}\n"
	for given, want := range map[string]int{"2": 2, "3": 3} {
		plugin, _ := parse1(t, src, Options{Vars: map[string]string{"n": given}}).Plugin("p")
		if got := plugin.Limits().Processes; got != want {
			t.Errorf("processes = %d (want %d)", got, want)
		}
	}
	if wrong := refused(t, src, Options{Vars: map[string]string{"n": "1e3"}}); !strings.Contains(wrong.Error(), "1 to 256") {
		t.Error(wrong)
	}
}

// TestAllowUnsetGrantsNothing: a list of paths or a pin that is not known must
// not become every path or no pin that somebody then runs with.
func TestAllowUnsetGrantsNothing(t *testing.T) {
	const src = `
variable "path" {}
variable "method" {}
variable "header" {}
variable "token" {
  sensitive = true
}
secret "s" {
  value = var.token
}
plugin "p" {
  source = "p.wasm"
  http {
    allow "path.example.com" {
      paths = [var.path]
    }
    allow "method.example.com" {
      methods = [var.method]
    }
    allow "header.example.com" {
      credential "s" {
        header = var.header
      }
    }
    allow "secret.example.com" {
      credential "s" {
        bearer = true
      }
    }
  }
}
`
	wrong := refused(t, src, Options{})
	if n := len(wrong.Problems()); n != 4 {
		t.Errorf("%d problems: %v", n, wrong.Problems())
	}
	p := parse1(t, src, Options{AllowUnset: true})
	if len(p.Warnings()) != 4 {
		t.Errorf("warnings: %v", p.Warnings())
	}
	plugin, _ := p.Plugin("p")
	for _, host := range []string{"path", "method", "header"} {
		if d := plugin.HTTP().Decide("GET", "https://"+host+".example.com/"); d.Allowed {
			t.Errorf("%s is allowed though it could not be resolved", host)
		}
	}
	d := plugin.HTTP().Decide("GET", "https://secret.example.com/")
	if !d.Allowed || d.Credential.Secret().Available() {
		t.Errorf("decision %+v", d)
	}
	if _, err := d.Credential.Secret().Reveal(); err == nil {
		t.Error("an unset secret is revealed")
	}
}

// TestUnusedVariableMayBeUnset: only what is referred to must have a value.
func TestUnusedVariableMayBeUnset(t *testing.T) {
	p := parse1(t, "variable \"a\" {}\nvariable \"b\" {\n  default = \"${env(\"NOT_SET\")}x\"\n}\n", Options{})
	if len(p.Warnings()) != 0 {
		t.Error(p.Warnings())
	}
}

func TestDuplicatesAcrossFiles(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"a.hcl": "ringfence {\n}\nplugin \"p\" {\n  source = \"p.wasm\"\n}\nsecret \"s\" {\n  value = \"x\"\n}\nvariable \"v\" {\n}\n",
		"b.hcl": "\nringfence {\n}\nplugin \"p\" {\n  source = \"p.wasm\"\n}\nsecret \"s\" {\n  value = \"x\"\n}\nvariable \"v\" {\n}\n",
	})
	_, err := Load(dir, Options{LookupEnv: env()})
	wrong, ok := err.(*DiagnosticsError)
	if !ok {
		t.Fatalf("Load = %v", err)
	}
	text := rendered(t, wrong)
	for _, want := range []string{
		"The first declaration is at a.hcl:3, the second at b.hcl:4.",
		"The first declaration is at a.hcl:6, the second at b.hcl:7.",
		"The first declaration is at a.hcl:9, the second at b.hcl:10.",
		"more than one ringfence block", "The first is at a.hcl:1.",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
}
