package policies

import (
	"strings"
	"testing"
)

// granted builds a grant from the inside of an http block.
func granted(t testing.TB, http string) *HTTPGrant {
	t.Helper()
	p := parse1(t, `
variable "token" {
  default   = env("TOKEN")
  sensitive = true
}
secret "s" {
  value = var.token
}
plugin "p" {
  source = "p.wasm"
  http {
`+http+`
  }
}`, Options{LookupEnv: env("TOKEN", "s3cr3t-value")})
	plugin, _ := p.Plugin("p")
	return plugin.HTTP()
}

// attackGrant is what an attacker tries to stretch.
const attackGrant = `
allow "api.example.com" {
  paths = ["/v1/messages", "/files/**", "/repos/*/issues", "/v*/models"]
}
allow "*.cdn.example.com" {
  paths = ["/pub/**"]
}
allow "http://127.0.0.1:8080" {}
allow "https://[2001:db8::1]" {}
allow "xn--bcher-kva.example" {}
`

// TestURLAttacks: each case is one known way around an allowlist. want is part
// of the reason, so that a case cannot pass because of another defence.
func TestURLAttacks(t *testing.T) {
	g := granted(t, attackGrant)
	for _, tt := range []struct{ name, url, want string }{
		{"prefix confusion", "https://api.example.com/v1/messages_evil", "allows the paths"},
		{"prefix confusion, longer segment", "https://api.example.com/v1/messages/x", "allows the paths"},
		{"prefix confusion of the host", "https://api.example.com.evil.com/v1/messages", "no rule names this host"},
		{"suffix confusion of the host", "https://evilapi.example.com/v1/messages", "no rule names this host"},
		{"any port", "https://api.example.com:8443/v1/messages", "another scheme or port"},
		{"plain http", "http://api.example.com/v1/messages", "another scheme or port"},
		{"http on the port of https", "http://api.example.com:443/v1/messages", "another scheme or port"},
		{"apex of a wildcard", "https://cdn.example.com/pub/x", "no rule names this host"},
		{"suffix of a wildcard without its dot", "https://evilcdn.example.com/pub/x", "no rule names this host"},
		{"star as a host", "https://*.cdn.example.com/pub/x", "character"},

		{"encoded slash", "https://api.example.com/files/..%2f..%2fadmin", "encoded slash"},
		{"encoded slash alone", "https://api.example.com/repos/a%2Fb/issues", "encoded slash"},
		{"encoded backslash", "https://api.example.com/files/..%5c..%5cadmin", "encoded slash"},
		{"backslash", `https://api.example.com/files\..\admin`, "backslash"},
		{"backslash in the host", `https://api.example.com\@evil.com/v1/messages`, "backslash"},
		{"double encoded dots", "https://api.example.com/files/%252e%252e/admin", "doubly encoded"},
		{"triple encoded dots", "https://api.example.com/files/%25252e%25252e/admin", "doubly encoded"},
		{"double encoding in pieces", "https://api.example.com/files/%25%32%65/admin", "doubly encoded"},
		{"double encoded slash", "https://api.example.com/files/a%252fb", "doubly encoded"},
		{"dot segments", "https://api.example.com/files/../admin", "dot segment"},
		{"dot segment at the end", "https://api.example.com/files/..", "dot segment"},
		{"single dot segment", "https://api.example.com/files/./x", "dot segment"},
		{"encoded dot segments", "https://api.example.com/files/%2e%2e/admin", "dot segment"},
		{"half encoded dot segments", "https://api.example.com/files/.%2E/admin", "dot segment"},
		{"dot segment with a path parameter", "https://api.example.com/files/..;x=1/admin", "dot segment"},
		{"dot segment with an encoded path parameter", "https://api.example.com/files/..%3b/admin", "dot segment"},
		{"duplicate slashes", "https://api.example.com//v1/messages", "empty segment"},
		{"duplicate slashes inside", "https://api.example.com/repos//issues", "empty segment"},
		{"overlong slash", "https://api.example.com/files/..%c0%af..%c0%afadmin", "not UTF-8"},
		{"control character encoded in the path", "https://api.example.com/files/a%0d%0aX-Evil:1", "control character"},
		{"NUL encoded in the path", "https://api.example.com/files/a%00.txt", "control character"},
		{"NUL encoded in the query", "https://api.example.com/files/a?x=%00", "NUL"},
		{"C1 control encoded in the path", "https://api.example.com/files/a%c2%85", "control character"},
		{"broken escape", "https://api.example.com/files/%zz", "two hex digits"},
		{"escape cut off", "https://api.example.com/files/%2", "two hex digits"},
		{"broken escape in the query", "https://api.example.com/files/a?%", "two hex digits"},
		{"text beyond ASCII in the path", "https://api.example.com/files/\u2025/admin", "character"},

		{"userinfo", "https://api.example.com@evil.com/v1/messages", "user information"},
		{"userinfo with password", "https://api.example.com:443@evil.com/v1/messages", "user information"},
		{"userinfo before the allowed host", "https://evil@api.example.com/v1/messages", "user information"},
		{"empty userinfo", "https://@api.example.com/v1/messages", "user information"},
		{"encoded at sign in the host", "https://evil.com%40api.example.com/v1/messages", "character"},
		{"trailing dot of the host", "https://api.example.com./v1/messages", "ends in a dot"},
		{"two trailing dots", "https://api.example.com../v1/messages", "ends in a dot"},
		{"empty label", "https://api..example.com/v1/messages", "empty label"},
		{"leading dot under a wildcard", "https://.cdn.example.com/pub/x", "empty label"},
		{"percent in the host", "https://api%2eexample.com/v1/messages", "character"},
		{"underscore host", "https://a_b.cdn.example.com/pub/x", "character"},
		{"label of only a hyphen", "https://-.cdn.example.com/pub/x", "hyphen"},
		{"homograph", "https://\u0430pi.example.com/v1/messages", "no rule names this host"},
		{"full-width letters", "https://\uff41pi.example.com/v1/messages", "internationalised"},
		{"ideographic full stop", "https://api\u3002example.com/v1/messages", "internationalised"},
		{"soft hyphen", "https://a\u00adpi.example.com/v1/messages", "internationalised"},
		{"zero-width joiner", "https://a\u200dpi.example.com/v1/messages", "internationalised"},
		{"Kelvin sign", "https://\u212a.cdn.example.com/pub/x", "internationalised"},
		{"punycode of ASCII", "https://xn--api-.example.com/v1/messages", "internationalised"},
		{"punycode that is none", "https://xn--a.cdn.example.com/pub/x", "internationalised"},

		{"IPv4 in hex", "http://0x7f.1:8080/", "plain IPv4"},
		{"IPv4 in one hex number", "http://0x7f000001:8080/", "plain IPv4"},
		{"IPv4 as one number", "http://2130706433:8080/", "plain IPv4"},
		{"IPv4 in octal", "http://0177.0.0.1:8080/", "plain IPv4"},
		{"IPv4 short", "http://127.1:8080/", "plain IPv4"},
		{"IPv4 with a leading zero", "http://127.0.0.01:8080/", "plain IPv4"},
		{"IPv4 with five parts", "http://127.0.0.1.1:8080/", "plain IPv4"},
		{"another IPv4", "http://127.0.0.2:8080/", "no rule names this host"},
		{"IPv4 in brackets", "http://[127.0.0.1]:8080/", "not an IPv6 address"},
		{"IPv4-mapped IPv6", "http://[::ffff:127.0.0.1]:8080/", "IPv4 address in IPv6 form"},
		{"IPv4-mapped IPv6 in hex", "http://[::ffff:7f00:1]:8080/", "IPv4 address in IPv6 form"},
		{"IPv6 zone", "https://[2001:db8::1%25eth0]/", "has a zone"},
		{"IPv6 raw zone", "https://[fe80::1%eth0]/", "zone"},
		{"IPv6 without brackets", "https://2001:db8::1/", "more than one colon"},
		{"IPv6 not closed", "https://[2001:db8::1/", "no closing bracket"},
		{"text after the bracket", "https://[2001:db8::1]evil.com/", "after its host"},

		{"empty host", "https:///v1/messages", "host is empty"},
		{"empty host with a port", "https://:443/v1/messages", "host is empty"},
		{"empty port", "https://api.example.com:/v1/messages", "port"},
		{"port with a leading zero", "https://api.example.com:0443/v1/messages", "port"},
		{"port with a sign", "https://api.example.com:+443/v1/messages", "port"},
		{"port zero", "https://api.example.com:0/v1/messages", "port"},
		{"port that wraps around", "https://api.example.com:65979/v1/messages", "port"},
		{"port that is no number", "https://api.example.com:https/v1/messages", "port"},
		{"another scheme", "ftp://api.example.com/v1/messages", "scheme"},
		{"file scheme", "file:///etc/passwd", "scheme"},
		{"no scheme", "//api.example.com/v1/messages", "does not start with"},
		{"one slash", "https:/api.example.com/v1/messages", "does not start with"},
		{"opaque", "https:api.example.com/v1/messages", "does not start with"},
		{"tab inside the scheme", "ht\ttps://api.example.com/v1/messages", "control character"},
		{"newline inside the host", "https://api.exa\nmple.com/v1/messages", "control character"},
		{"CRLF", "https://api.example.com/v1/messages\r\nX-Evil: 1", "control character"},
		{"NUL", "https://api.example.com\x00.evil.com/v1/messages", "control character"},
		{"DEL", "https://api.example.com/v1/messages\x7f", "control character"},
		{"leading space", " https://api.example.com/v1/messages", "space"},
		{"space in the path", "https://api.example.com/files/a b", "space"},
		{"space in the host", "https://api.example.com .evil.com/", "space"},
		{"fragment", "https://api.example.com/v1/messages#x", "fragment"},
		{"fragment as a host", "https://evil.com#@api.example.com/v1/messages", "fragment"},
		{"question mark before the at sign", "https://evil.com?@api.example.com/v1/messages", "no rule names this host"},
		{"very long", "https://api.example.com/files/" + strings.Repeat("a", maxURL), "maximum 8192"},
		{"very long host", "https://" + strings.Repeat("a.", 200) + "cdn.example.com/pub/x", "maximum 253"},
		{"very many segments", "https://api.example.com/files" + strings.Repeat("/a", 300), "maximum 256"},
		{"long label", "https://" + strings.Repeat("a", 64) + ".cdn.example.com/pub/x", "63 characters"},
		{"empty", "", "does not start with"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := g.Decide("GET", tt.url)
			if d.Allowed {
				t.Fatalf("%q is allowed as %s", tt.url, d.URL)
			}
			if !strings.Contains(d.Reason, tt.want) {
				t.Errorf("reason %q (want %q in it)", d.Reason, tt.want)
			}
			if d.URL != nil || d.Credential != nil || d.Rule != "" || d.LiteralAddr {
				t.Errorf("a denial carries a grant: %+v", d)
			}
			if len(d.Reason) > 800 || strings.ContainsFunc(d.Reason, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
				t.Errorf("reason is not one short line: %q", d.Reason)
			}
		})
	}
}

// TestCanonicalURLs: what is allowed has one spelling, whatever the guest wrote.
func TestCanonicalURLs(t *testing.T) {
	g := granted(t, attackGrant+`allow "root.example.com" { paths = ["/", "/enc%2Aoded", "/dir/"] }`)
	for _, tt := range []struct {
		name, url, want string
		literal         bool
	}{
		{"plain", "https://api.example.com/v1/messages", "https://api.example.com:443/v1/messages", false},
		{"mixed-case host and scheme", "HTTPS://API.Example.COM/v1/messages", "https://api.example.com:443/v1/messages", false},
		{"port written out", "https://api.example.com:443/v1/messages", "https://api.example.com:443/v1/messages", false},
		{"needless escapes", "https://api.example.com/v1/%6Dessages", "https://api.example.com:443/v1/messages", false},
		{"escapes in lower case", "https://api.example.com/files/a%3bb%c3%a9", "https://api.example.com:443/files/a%3Bb%C3%A9", false},
		{"percent sign as such", "https://api.example.com/files/100%25", "https://api.example.com:443/files/100%25", false},
		{"query", "https://api.example.com/v1/messages?a=b%20c&f[x]=1", "https://api.example.com:443/v1/messages?a=b%20c&f[x]=1", false},
		{"line break in a query value", "https://api.example.com/v1/messages?q=a%0ab", "https://api.example.com:443/v1/messages?q=a%0Ab", false},
		{"empty query", "https://api.example.com/v1/messages?", "https://api.example.com:443/v1/messages", false},
		{"query without a path", "https://root.example.com?a=b", "https://root.example.com:443/?a=b", false},
		{"no path", "https://root.example.com", "https://root.example.com:443/", false},
		{"encoded star is not a wildcard", "https://root.example.com/enc%2aoded", "https://root.example.com:443/enc%2Aoded", false},
		{"trailing slash that the rule names", "https://root.example.com/dir/", "https://root.example.com:443/dir/", false},
		{"one level of a wildcard", "https://a.cdn.example.com/pub/x", "https://a.cdn.example.com:443/pub/x", false},
		{"two levels of a wildcard", "https://a.b.cdn.example.com/pub/x", "https://a.b.cdn.example.com:443/pub/x", false},
		{"hyphens in third and fourth place", "https://r3---sn.cdn.example.com/pub/x", "https://r3---sn.cdn.example.com:443/pub/x", false},
		{"internationalised host", "https://b\u00fccher.example/", "https://xn--bcher-kva.example:443/", false},
		{"internationalised host in ASCII", "https://XN--bcher-kva.example/", "https://xn--bcher-kva.example:443/", false},
		{"IPv4 literal", "http://127.0.0.1:8080/x", "http://127.0.0.1:8080/x", true},
		{"IPv6 literal in a long form", "https://[2001:0DB8:0:0::1]/x", "https://[2001:db8::1]:443/x", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := g.Decide("GET", tt.url)
			if !d.Allowed {
				t.Fatalf("%q is denied: %s", tt.url, d.Reason)
			}
			if got := d.URL.String(); got != tt.want {
				t.Errorf("URL = %s (want %s)", got, tt.want)
			}
			if d.LiteralAddr != tt.literal {
				t.Errorf("LiteralAddr = %v", d.LiteralAddr)
			}
		})
	}
	if d := g.Decide("GET", "https://root.example.com/encXoded"); d.Allowed {
		t.Error("an encoded star in a pattern works as a wildcard")
	}
	if d := g.Decide("GET", "https://root.example.com/dir"); d.Allowed {
		t.Error("a trailing slash in a pattern does not count")
	}
}

func TestMethods(t *testing.T) {
	g := granted(t, `
allow "api.example.com" {}
allow "post.example.com" { methods = ["POST"] }`)
	for _, tt := range []struct {
		name, method, host string
		allowed            bool
		want               string
	}{
		{"GET by default", "GET", "api", true, "allowed by"},
		{"HEAD by default", "HEAD", "api", true, "allowed by"},
		{"not POST by default", "POST", "api", false, "for GET, HEAD only"},
		{"only what is named", "GET", "post", false, "for POST only"},
		{"lower case", "get", "api", false, "must be written GET"},
		{"empty", "", "api", false, "is not one of"},
		{"CONNECT", "CONNECT", "api", false, "is not one of"},
		{"TRACE", "TRACE", "api", false, "is not one of"},
		{"request smuggled in the method", "GET / HTTP/1.1\r\nHost: evil\r\n\r\nGET", "api", false, "is not one of"},
		{"padded", "GET ", "api", false, "is not one of"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := g.Decide(tt.method, "https://"+tt.host+".example.com/")
			if d.Allowed != tt.allowed || !strings.Contains(d.Reason, tt.want) {
				t.Errorf("Decide = %v, %q (want %v, %q)", d.Allowed, d.Reason, tt.allowed, tt.want)
			}
		})
	}
}

// TestLabelAttacks: hosts that look harmless in a policy and are not, and
// labels that carry what belongs elsewhere.
func TestLabelAttacks(t *testing.T) {
	for _, tt := range []struct{ name, label, want string }{
		{"homograph", "\u0430pi.github.com", `write "xn--pi-6kc.github.com"`},
		{"everything", "*", "star where none"},
		{"star in the middle", "api.*.com", "star where none"},
		{"partial star", "api*.example.com", "star where none"},
		{"public suffix", "*.com", "every site under .com"},
		{"public suffix of two labels", "*.co.uk", "every site under .co.uk"},
		{"star before an address", "*.127.0.0.1", "star before an address"},
		{"userinfo", "me@example.com", "user information"},
		{"path", "example.com/v1", `paths = ["/v1"]`},
		{"slash", "example.com/", `paths = ["/**"]`},
		{"query", "example.com?x=1", `paths = ["/**"]`},
		{"port of zero", "example.com:0", "port"},
		{"websocket", "wss://example.com", "write https://"},
		{"upper-case scheme", "HTTP://example.com", "write https://"},
		{"trailing dot", "example.com.", "ends in a dot"},
		{"octal address", "0177.0.0.1", "plain IPv4"},
		{"mapped address", "[::ffff:10.0.0.1]", "write 10.0.0.1"},
		{"zone", "[fe80::1%eth0]", "zone"},
		{"any address", "0.0.0.0", "127.0.0.1"},
		{"any IPv6 address", "[::]", "127.0.0.1"},
		{"empty", "", "host is empty"},
		{"space", "api.example.com ", "space"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseHostLabel(tt.label)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("parseHostLabel(%q) = %v (want %q in it)", tt.label, err, tt.want)
			}
		})
	}
}

// TestFirstDeclaredRuleWins: a request that two rules allow goes with the
// credential of the first.
func TestFirstDeclaredRuleWins(t *testing.T) {
	g := granted(t, `
allow "*.example.com" {
  methods = ["GET"]
}
allow "api.example.com" {
  methods = ["GET", "POST"]
  credential "s" {
    bearer = true
  }
}`)
	if d := g.Decide("GET", "https://api.example.com/"); d.Credential != nil || d.Rule != "test.hcl:13" {
		t.Errorf("GET goes by %s, credential %v", d.Rule, d.Credential)
	}
	if d := g.Decide("POST", "https://api.example.com/"); d.Credential == nil || d.Rule != "test.hcl:16" {
		t.Errorf("POST goes by %s, credential %v", d.Rule, d.Credential)
	}
}
