package broker

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/ringfence/ringfence/pluginkit/wire"
)

func escapeAll(format, s string) string {
	var out strings.Builder
	for _, c := range []byte(s) {
		fmt.Fprintf(&out, format, c)
	}
	return out.String()
}

// wrapped breaks text into lines, as mail and GitHub do with base64.
func wrapped(s, with string) string {
	var out strings.Builder
	for ; len(s) > 10; s = s[10:] {
		out.WriteString(s[:10] + with)
	}
	return out.String() + s
}

// wide has so many bytes for each character.
func wide(order binary.AppendByteOrder, size int, s string) string {
	var out []byte
	for _, r := range s {
		if size == 2 {
			out = order.AppendUint16(out, uint16(r))
		} else {
			out = order.AppendUint32(out, uint32(r))
		}
	}
	return string(out)
}

// echoes are the ways in which a server that means no harm hands back what it
// was sent.
var echoes = map[string]func(secret string) string{
	"plain":                       func(s string) string { return "you sent " + s },
	"base64":                      func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	"base64 of user and secret":   func(s string) string { return base64.StdEncoding.EncodeToString([]byte("me:" + s)) },
	"base64, offset 1":            func(s string) string { return base64.StdEncoding.EncodeToString([]byte("x" + s + "yz")) },
	"base64, offset 2":            func(s string) string { return base64.StdEncoding.EncodeToString([]byte("xx" + s + "y")) },
	"base64url, no padding":       func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte("x" + s)) },
	"base64url, offset 2":         func(s string) string { return base64.URLEncoding.EncodeToString([]byte("{}" + s)) },
	"base64 in lines":             func(s string) string { return wrapped(base64.StdEncoding.EncodeToString([]byte(s)), "\r\n") },
	"base64 in lines inside JSON": func(s string) string { return wrapped(base64.StdEncoding.EncodeToString([]byte(s)), `\n`) },
	"hex":                         func(s string) string { return hex.EncodeToString([]byte(s)) },
	"UTF-16":                      func(s string) string { return wide(binary.LittleEndian, 2, "you sent "+s+".") },
	"UTF-16, big end first":       func(s string) string { return wide(binary.BigEndian, 2, s) },
	"UTF-32":                      func(s string) string { return wide(binary.LittleEndian, 4, s+s) },
	"UTF-32, big end first":       func(s string) string { return wide(binary.BigEndian, 4, "x"+s) },
	"base64 in UTF-16": func(s string) string {
		return wide(binary.LittleEndian, 2, base64.StdEncoding.EncodeToString([]byte("me:"+s)))
	},
	"JSON escapes in UTF-16":        func(s string) string { return wide(binary.BigEndian, 2, escapeAll(`\u%04x`, s)) },
	"percent-encoded in UTF-16":     func(s string) string { return wide(binary.LittleEndian, 2, escapeAll("%%%02x", s)) },
	"hex, upper case":               func(s string) string { return strings.ToUpper(hex.EncodeToString([]byte(s))) },
	"percent-encoded":               url.QueryEscape,
	"percent-encoded path":          url.PathEscape,
	"percent-encoded wholly":        func(s string) string { return escapeAll("%%%02X", s) },
	"percent-encoded in lower case": func(s string) string { return escapeAll("%%%02x", s) },
	"percent-encoded base64":        func(s string) string { return url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(s))) },
	"JSON":                          func(s string) string { b, _ := json.Marshal(map[string]string{"auth": s}); return string(b) },
	"JSON escapes throughout":       func(s string) string { return escapeAll(`\u%04x`, s) },
	"JSON escapes, upper case":      func(s string) string { return escapeAll(`\u%04X`, s) },
	"HTML":                          func(s string) string { return escapeAll("&#x%X;", s) },
	"HTML, decimal":                 func(s string) string { return escapeAll("&#%d;", s) },
	"HTML with leading zeros":       func(s string) string { return escapeAll("&#x%04x;", s) },
	"an HTML page of an error": func(s string) string {
		return strings.NewReplacer("/", "&#x2F;", "+", "&#43;", "=", "&#x3D;", "_", "&#95;", "-", "&#45;").Replace(s)
	},
	"a URL in a URL":          func(s string) string { return url.QueryEscape("/sign-in?next=" + url.QueryEscape("/a?key="+s)) },
	"a URL in a URL in a URL": func(s string) string { return url.QueryEscape(url.QueryEscape(url.QueryEscape(s))) },
	"escaped slashes, JSON in JSON": func(s string) string {
		b, _ := json.Marshal(`{"auth":"` + strings.ReplaceAll(s, "/", `\/`) + `"}`)
		return string(b)
	},
	"JSON escapes, JSON in JSON": func(s string) string { b, _ := json.Marshal(escapeAll(`\u%04x`, s)); return string(b) },
	"a URL in HTML in JSON": func(s string) string {
		b, _ := json.Marshal(`<a href="/?k=` + strings.ReplaceAll(url.QueryEscape(s), "%", "&#37;") + `">`)
		return string(b)
	},
	"JavaScript escapes":        func(s string) string { return escapeAll(`\x%02x`, s) },
	"JSON with escaped slashes": func(s string) string { return strings.ReplaceAll(s, "/", `\/`) },
	"every second character escaped": func(s string) string {
		return s[:1] + escapeAll("%%%02x", s[1:2]) + s[2:5] + escapeAll(`\u%04x`, s[5:])
	},
	"behind other escapes, near misses": func(s string) string { return `%zz\u12 \q%4` + s[:4] + " " + s },
}

func TestEchoedCredentialIsWithheld(t *testing.T) {
	for name, echo := range echoes {
		for _, where := range []string{"body", "large body", "header", "gzip"} {
			t.Run(name+" in "+where, func(t *testing.T) {
				srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
					text := echo(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
					switch where {
					case "body":
						_, _ = io.WriteString(w, text)
					case "large body":
						_, _ = w.Write(bytes.Repeat([]byte("0123456789abcde\n"), 1<<17))
						_, _ = io.WriteString(w, text+strings.Repeat(".", 99_999))
					case "header":
						w.Header().Set("X-Echo", strings.NewReplacer("\r", "", "\n", "", "\x00", "").Replace(text))
					case "gzip":
						w.Header().Set("Content-Encoding", "gzip")
						_, _ = w.Write(packed([]byte(text)))
					}
				})
				k := newKit(t, allow(srv.URL, credentialBlock))
				r := k.get(srv.URL + "/")
				want(t, r, wire.Code_CODE_DENIED, `the response contains the credential "token"`)
				if r.GetHandle() != 0 || len(r.GetHeaders()) > 0 || r.GetStatus() != 0 {
					t.Errorf("some of it is handed out: %v", r)
				}
				if s := k.log.summary(); s != "http allow, http_response deny" {
					t.Errorf("records: %s", s)
				}
			})
		}
	}
}

func TestOrdinaryResponsesAreNotWithheld(t *testing.T) {
	n := newNeedles("token", canary)
	for _, text := range []string{"", "%", `\u`, canary[:len(canary)-1], canary[1:], base64.StdEncoding.EncodeToString([]byte(canary[2:])), strings.ToLower(canary)} {
		if n.inText(text) {
			t.Errorf("found in %q", text)
		}
	}
	random := make([]byte, 4<<20)
	src := rand.NewChaCha8([32]byte{})
	_, _ = src.Read(random)
	if n.inText(string(random)) || newNeedles("x", "k3y=%41b").inText(base64.StdEncoding.EncodeToString(random)) {
		t.Error("found in random bytes")
	}
}

func TestShortSecretsAreSearchedForAsTheyAre(t *testing.T) {
	n := newNeedles("pin", "4711")
	if !n.inText("pin=4711") || !n.inText("pin=%34711") || n.inText(base64.StdEncoding.EncodeToString([]byte("4711"))) {
		t.Error("a short secret is found plain and escaped, not encoded")
	}
	if newNeedles("empty", "").inText("anything") {
		t.Error("an empty secret is in everything")
	}
}

func TestSecretsBeyondASCIIAndWithSpacesAreFound(t *testing.T) {
	const secret = "pässwörd of nine"
	n := newNeedles("password", secret)
	for _, text := range []string{
		`{"auth":"p\u00e4ssw\u00f6rd of nine"}`, "p\u00c3\u00a4ssw\u00c3\u00b6rd of nine", "pÃ¤sswÃ¶rd of nine",
		url.QueryEscape(secret), url.QueryEscape(url.QueryEscape(secret)), url.PathEscape(url.QueryEscape(secret)),
	} {
		if !n.inText(text) {
			t.Errorf("not found in %q", text)
		}
	}
}

func TestNamedCharactersOfHTMLAreFound(t *testing.T) {
	const secret = `p&ss<w>"rd'42`
	n := newNeedles("password", secret)
	for _, text := range []string{secret, html.EscapeString(secret), "p&amp;ss&lt;w&gt;&quot;rd&apos;42", "&amp;&&;&lt" + html.EscapeString(secret)} {
		if !n.inText(text) {
			t.Errorf("not found in %q", text)
		}
	}
}

// A match must not hide at the border of two reads.
func TestNeedlesAcrossBlocks(t *testing.T) {
	n := newNeedles("token", canary)
	for name, echo := range echoes {
		text := strings.Repeat("x", 50) + echo(canary)
		for chop, r := range map[string]io.Reader{"one byte at a time": iotest.OneByteReader(strings.NewReader(text)), "halves": iotest.HalfReader(strings.NewReader(text)), "data with EOF": iotest.DataErrReader(strings.NewReader(text))} {
			if found, err := n.in(context.Background(), r); err != nil || !found {
				t.Errorf("%s, %s: %v, %v", name, chop, found, err)
			}
		}
	}
	for shift := range 200 {
		text := strings.Repeat("x", 64<<10-100+shift) + escapeAll(`\u%04x`, canary)
		if !n.inText(text) {
			t.Errorf("hidden at offset %d", 64<<10-100+shift)
		}
	}
}

// FuzzNeedles holds that an encoded secret is found whatever stands around it
// and however it arrives, and that searching never fails.
func FuzzNeedles(f *testing.F) {
	f.Add("s3cr3t-token", "", "", uint8(0), uint8(1))
	f.Add("a%41\\u0041 b", "%", "%41", uint8(3), uint8(7))
	f.Add("ünïcödé\x00\xff", `\`, `\`, uint8(5), uint8(2))
	f.Fuzz(func(t *testing.T, secret, before, after string, which, chop uint8) {
		if len(secret) < shortSecret || strings.TrimSpace(secret) == "" || len(secret)+len(before)+len(after) > 2048 {
			return
		}
		n := newNeedles("x", secret)
		for _, encoded := range []string{
			secret, hex.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString([]byte(before + secret + after)),
			base64.RawURLEncoding.EncodeToString([]byte(before + secret)), url.QueryEscape(secret), escapeAll("%%%02x", secret),
		} {
			text := "<" + before + ">" + encoded + after
			if which%2 == 0 {
				text = before + "\n" + encoded + "\n" + after
			}
			r := io.Reader(&chopped{strings.NewReader(text), int(chop) + 1})
			if found, err := n.in(context.Background(), r); err != nil || !found {
				t.Fatalf("secret %q as %q in %q: %v, %v", secret, encoded, text, found, err)
			}
		}
		for range layers { // text around it could be an escape that begins too early
			secret = []func(string) string{url.QueryEscape, url.PathEscape, func(s string) string { return escapeAll(`\u%04x`, s) }}[which%3](secret)
			which /= 3
			if found, err := n.in(context.Background(), &chopped{strings.NewReader(secret), int(chop) + 1}); err != nil || !found {
				t.Fatalf("as %q: %v, %v", secret, found, err)
			}
		}
	})
}

type chopped struct {
	r io.Reader
	n int
}

func (c *chopped) Read(p []byte) (int, error) { return c.r.Read(p[:min(len(p), c.n)]) }

func BenchmarkNeedles(b *testing.B) {
	n := newNeedles("token", canary)
	random := make([]byte, 12<<20)
	src := rand.NewChaCha8([32]byte{})
	_, _ = src.Read(random)
	for name, text := range map[string][]byte{
		"JSON":   bytes.Repeat([]byte(`{"id": 12345, "title": "An issue", "body": "Some \"text\"\nwith lines", "url": "https://api.example.com/a%20b"},`+"\n"), 80_000),
		"base64": []byte(base64.StdEncoding.EncodeToString(random)),
		"binary": random,
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if found, _ := n.in(context.Background(), bytes.NewReader(text)); found {
					b.Fatal("found")
				}
			}
		})
	}
}
