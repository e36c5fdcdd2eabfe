package policies

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func decided(t *testing.T, credential, rawURL string) (Decision, *http.Request) {
	t.Helper()
	g := granted(t, "allow \"api.example.com\" {\n  credential \"s\" {\n"+credential+"\n}\n}")
	d := g.Decide("GET", rawURL)
	if !d.Allowed {
		t.Fatal(d.Reason)
	}
	u := *d.URL
	return d, &http.Request{Method: "GET", URL: &u}
}

func TestApply(t *testing.T) {
	for _, tt := range []struct{ name, credential, header, value, query string }{
		{"bearer", `bearer = true`, "Authorization", "Bearer s3cr3t-value", "a=b"},
		{"header", `header = "x-api-key"`, "X-Api-Key", "s3cr3t-value", "a=b"},
		{"header with prefix", "header = \"Authorization\"\nprefix = \"token \"", "Authorization", "token s3cr3t-value", "a=b"},
		{"basic", `basic = "me"`, "Authorization", "Basic bWU6czNjcjN0LXZhbHVl", "a=b"},
		{"query", `query = "api_key"`, "", "", "a=b&api_key=s3cr3t-value"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, r := decided(t, tt.credential, "https://api.example.com/x?a=b")
			if tt.header != "" { // what the guest put there goes
				r.Header = http.Header{tt.header: {"guest", "guest"}, strings.ToLower(tt.header): {"guest"}}
			}
			if err := d.Credential.Apply(r); err != nil {
				t.Fatal(err)
			}
			if tt.header != "" && (len(r.Header) != 1 || len(r.Header[tt.header]) != 1 || r.Header.Get(tt.header) != tt.value) {
				t.Errorf("header = %v", r.Header)
			}
			if r.URL.RawQuery != tt.query {
				t.Errorf("query = %s", r.URL.RawQuery)
			}
			if d.URL.RawQuery != "a=b" {
				t.Errorf("the decision's own URL changed: %s", d.URL)
			}
			if tt.header != "" && !d.Credential.SetsHeader(" "+strings.ToUpper(tt.header)+" ") {
				t.Error("SetsHeader denies its own header")
			}
			if d.Credential.SetsHeader("Accept") || d.Credential.SetsHeader("") {
				t.Error("SetsHeader claims a header that is not its own")
			}
			if d.Credential.Secret().Name() != "s" {
				t.Errorf("Secret = %v", d.Credential.Secret())
			}
		})
	}
}

// TestApplyElsewhere: a credential decided for one place does not go to
// another, as it would after a redirect or with the guest's own Host.
func TestApplyElsewhere(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*http.Request)
	}{
		{"other host", func(r *http.Request) { r.URL.Host = "evil.com:443" }},
		{"other port", func(r *http.Request) { r.URL.Host = "api.example.com:8443" }},
		{"no encryption", func(r *http.Request) { r.URL.Scheme = "http" }},
		{"caller-set Host", func(r *http.Request) { r.Host = "evil.com" }},
		{"userinfo", func(r *http.Request) { r.URL.User = url.User("x") }},
		{"opaque", func(r *http.Request) { r.URL.Opaque = "//evil.com/" }},
		{"nowhere", func(r *http.Request) { r.URL = nil }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, r := decided(t, `bearer = true`, "https://api.example.com/")
			tt.change(r)
			err := d.Credential.Apply(r)
			if err == nil || len(r.Header) != 0 {
				t.Fatalf("Apply = %v, header %v", err, r.Header)
			}
			if strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("the error has the secret: %s", err)
			}
		})
	}
	d, r := decided(t, `bearer = true`, "https://api.example.com/")
	r.Host = d.HostHeader()
	if r.Host != "api.example.com" {
		t.Errorf("HostHeader = %q", r.Host)
	}
	if err := d.Credential.Apply(r); err != nil {
		t.Error(err)
	}
}

// TestQueryCredentialCollision: a guest that sets the credential's parameter
// itself could have the server use its value, or echo both.
func TestQueryCredentialCollision(t *testing.T) {
	g := granted(t, "allow \"api.example.com\" {\n  credential \"s\" {\n    query = \"api_key\"\n  }\n}")
	for _, tt := range []struct {
		query   string
		allowed bool
	}{
		{"", true}, {"q=api_key", true}, {"api_keys=1", true}, {"my_api_key=1", true},
		{"api_key=x", false}, {"a=1&api_key=x", false}, {"api_key", false}, {"a=1;api_key=x", false},
		{"API_KEY=x", false}, {"%61pi_key=x", false}, {"api%5Fkey=x", false}, {"api_key[]=x", false}, {"api_key%5B0%5D=x", false},
		{"api.key=x", false}, {"api+key=x", false}, {"+api_key=x", false}, {"%2561pi_key=x", false}, {"a=1&&api_key=x", false},
	} {
		d := g.Decide("GET", "https://api.example.com/?"+tt.query)
		if d.Allowed != tt.allowed {
			t.Errorf("?%s is allowed: %v, %s", tt.query, d.Allowed, d.Reason)
		}
	}
	d := g.Decide("GET", "https://api.example.com/")
	u := *d.URL
	u.RawQuery = "api_key=guest"
	if err := d.Credential.Apply(&http.Request{URL: &u}); err == nil {
		t.Error("Apply adds a second api_key")
	}
}

func TestSecretThatCannotGoIntoAHeader(t *testing.T) {
	p := parse1(t, secretPolicy("value = var.token"), Options{LookupEnv: env("TOKEN", "a\r\nX-Evil: 1")})
	plugin, _ := p.Plugin("p")
	d := plugin.HTTP().Decide("GET", "https://api.example.com/")
	err := d.Credential.Apply(&http.Request{URL: d.URL})
	if err == nil || strings.Contains(err.Error(), "Evil") {
		t.Errorf("Apply = %v", err)
	}
}
