package policies

import (
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ringfence/ringfence/internal/hclscreen"
)

// FuzzParse: no text makes the parser panic, run away or show a secret. What
// it accepts it accepts again, with the same digest.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/refused/*.hcl", "testdata/warned/*.hcl"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(src)
		}
	}
	f.Add([]byte(secretPolicy("value = var.token")))
	f.Add([]byte(secretPolicy("value = \"${var.token}x\"")))
	f.Add([]byte(secretPolicy("file = \"f\"")))
	opts := Options{LookupEnv: env("TOKEN", canary), AllowUnset: true}
	f.Fuzz(func(t *testing.T, src []byte) {
		p, err := Parse("fuzz.hcl", src, opts)
		var wrong *DiagnosticsError
		var shown strings.Builder
		switch {
		case errors.As(err, &wrong):
			_ = wrong.Render(&shown, 80, false)
			shown.WriteString(wrong.Error())
		case err != nil:
			t.Fatal(err) // the size is bounded by the fuzzer
		default:
			_ = p.RenderWarnings(&shown, 80, false)
			again, err := Parse("fuzz.hcl", src, opts)
			if err != nil || again.Digest() != p.Digest() || len(again.Plugins()) != len(p.Plugins()) {
				t.Fatalf("the same text gives another policy (%v)", err)
			}
			checkPolicy(t, p)
		}
		if strings.Contains(shown.String(), canary) {
			t.Fatalf("a message shows the secret:\n%s", shown.String())
		}
		if strings.ContainsFunc(shown.String(), func(r rune) bool {
			return r != '\n' && r != '\t' && r != '\r' && hclscreen.Forbidden(r, utf8.RuneLen(r)) != ""
		}) {
			t.Fatalf("a message steers the terminal: %q", shown.String())
		}
	})
}

// checkPolicy looks at what an accepted policy promises.
func checkPolicy(t *testing.T, p *Policy) {
	t.Helper()
	if s := p.Settings(); s.MaxSandboxes < 1 || !filepath.IsAbs(s.StateDir) {
		t.Fatalf("settings %+v", s)
	}
	for _, plugin := range p.Plugins() {
		l := plugin.Limits()
		if l.Memory < minMemory || l.Memory > maxMemory || l.Memory%wasmPage != 0 || l.CPUTime < minTime || l.CallTimeout < minTime || l.Processes < 1 ||
			l.Ring < minRing || l.Ring > maxRing || l.Ring%ringUnit != 0 || l.RingMax < l.Ring || l.RingMax > maxRing || l.RingMax%ringUnit != 0 ||
			l.RingRate < minRingRate || l.MessageTimeout < minMessageTimeout {
			t.Fatalf("limits %s", l)
		}
		if !blockName.MatchString(plugin.Name()) || plugin.SHA256() != "" && len(plugin.SHA256()) != 64 {
			t.Fatalf("plugin %q %q", plugin.Name(), plugin.SHA256())
		}
		plugin.HTTP().Decide("GET", "https://api.example.com/")
		for _, s := range plugin.Secrets() {
			_, _ = io.WriteString(io.Discard, s.String())
			s.Available()
		}
	}
}

// FuzzDecide: what is allowed goes to a granted host, its canonical form is
// allowed again and unchanged, and net/url reads it as we do.
func FuzzDecide(f *testing.F) {
	g := granted(f, attackGrant+`allow "query.example.com" {
  credential "s" {
    query = "key"
  }
}`)
	for _, u := range []string{
		"https://api.example.com/v1/messages", "https://API.example.com:443/files/a%3bb?x=%0a", "https://a.cdn.example.com/pub/x",
		"https://b\u00fccher.example/", "https://xn--bcher-kva.example/?", "http://127.0.0.1:8080/x", "https://[2001:db8::1]/",
		"https://api.example.com/files/%252e", "https://api.example.com@evil.com/", "http://0x7f.1:8080/", "https://query.example.com/?a=1;key[]=2",
		"https://api.example.com\\@evil.com/", "ht\ttps://x", "https://[::ffff:127.0.0.1]/", "https://api.example.com/files/..;/",
	} {
		f.Add("GET", u)
	}
	hosts := map[string]bool{
		"https://api.example.com:443": true, "http://127.0.0.1:8080": true, "https://[2001:db8::1]:443": true,
		"https://xn--bcher-kva.example:443": true, "https://query.example.com:443": true,
	}
	f.Fuzz(func(t *testing.T, method, raw string) {
		d := g.Decide(method, raw)
		if len(d.Reason) == 0 || len(d.Reason) > 1000 || strings.ContainsFunc(d.Reason, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
			t.Fatalf("reason %q", d.Reason)
		}
		if !d.Allowed {
			return
		}
		place := d.URL.Scheme + "://" + d.URL.Host
		name := d.URL.Hostname()
		below := strings.HasSuffix(name, ".cdn.example.com") && len(name) > len(".cdn.example.com") && place == "https://"+name+":443"
		if !hosts[place] && !below {
			t.Fatalf("%q goes to %s", raw, place)
		}
		canonical := d.URL.String()
		again := g.Decide(method, canonical)
		if !again.Allowed || again.URL.String() != canonical || again.Rule != d.Rule {
			t.Fatalf("%q is allowed as %s, which gives %+v", raw, canonical, again)
		}
		u, err := url.Parse(canonical)
		if err != nil || u.Host != d.URL.Host || u.Path != d.URL.Path || u.EscapedPath() != d.URL.EscapedPath() || u.RawQuery != d.URL.RawQuery || u.User != nil || u.Fragment != "" {
			t.Fatalf("net/url reads %s as %#v (%v)", canonical, u, err)
		}
		if below && !strings.HasPrefix(u.EscapedPath(), "/pub") {
			t.Fatalf("%q reaches %s", raw, canonical)
		}
		if strings.Contains(u.Path, "/../") || strings.Contains(u.Path, "//") || strings.HasSuffix(u.Path, "/..") {
			t.Fatalf("%q reaches %s", raw, u.Path)
		}
	})
}
