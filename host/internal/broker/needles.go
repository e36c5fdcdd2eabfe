package broker

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// shortSecret is the length below which a secret is searched for as it is and
// not encoded: two or three characters of base64 are in every response. A short
// secret that is an ordinary word gets ordinary responses withheld, which is the
// safe way to fail.
const shortSecret = 8

// layers is how many escapes may lie over each other.
const layers = 3

// needles are the forms in which an injected secret must not come back:
//
//   - the secret itself;
//   - base64, standard and URL alphabet, at each of the three offsets that it can
//     have inside something longer that was encoded (such as "user:secret");
//   - hexadecimal, in lower and in upper case.
//
// Each is looked for in the text as it came and in its plain form (plain.go):
// with percent, backslash and HTML escapes resolved, wholly or here and there, and
// without white space and zeros, so that a line break inside base64 hides nothing, nor
// does UTF-16. The plain form is taken again of the plain form, up to layers times: a
// redirect to a login page escapes a URL in a URL, and JSON in JSON has \\\/ for a
// slash.
//
// What is not found: a secret that the server encrypts, reverses, splits over
// several responses, encodes in base64 twice or compresses itself. A server that
// wants to give the secret away can; this is for servers that echo.
type needles struct {
	name  string // of the secret
	asIs  [][]byte
	plain [][]byte
	keep  int // bytes of one block that a match in the next may begin with
}

func newNeedles(name, secret string) *needles {
	n := &needles{name: name}
	// Servers read headers as Latin-1 and write them as UTF-8.
	forms := append(formsOf(secret), latin1(secret))
	n.asIs = append(n.asIs, forms...)
	n.asIs = append(n.asIs, []byte(url.QueryEscape(secret))) // a space is a plus there
	plus := []byte(strings.ReplaceAll(secret, " ", "+"))     // as forms write it, under other escapes
	for _, f := range append(forms, plus) {
		// What looks like an escape in the secret itself may have been escaped on
		// the way, or not.
		n.plain = append(n.plain, withoutSpace(f))
		for range layers {
			f = plainForm(f)
			n.plain = append(n.plain, f)
		}
	}
	n.asIs, n.plain = distinct(n.asIs), distinct(n.plain)
	for _, f := range slices.Concat(n.asIs, n.plain) {
		n.keep = max(n.keep, len(f)-1)
	}
	return n
}

func latin1(s string) []byte {
	var out []byte
	for _, c := range []byte(s) {
		out = utf8.AppendRune(out, rune(c))
	}
	return out
}

func formsOf(secret string) [][]byte {
	forms := [][]byte{[]byte(secret)}
	if len(secret) < shortSecret {
		return forms
	}
	lower := []byte(hex.EncodeToString([]byte(secret)))
	forms = append(forms, lower, bytes.ToUpper(lower))
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for offset := range 3 {
			forms = append(forms, base64Within(enc, secret, offset))
		}
	}
	return forms
}

// base64Within is the part of the base64 of "…secret…" that does not depend on
// what stands around the secret, when so many bytes (modulo 3) stand before it.
func base64Within(enc *base64.Encoding, secret string, offset int) []byte {
	padded := append(make([]byte, offset), secret...)
	first, last := (offset*8+5)/6, len(padded)*8/6
	return []byte(enc.EncodeToString(padded))[first:last]
}

// distinct drops forms that occur twice or are empty: an empty one is in
// everything.
func distinct(forms [][]byte) [][]byte {
	slices.SortFunc(forms, bytes.Compare)
	forms = slices.CompactFunc(forms, bytes.Equal)
	return slices.DeleteFunc(forms, func(f []byte) bool { return len(f) == 0 })
}

// window is a stream seen through a gap: the block that came last and enough of
// the one before.
type window struct {
	buf   []byte
	forms [][]byte
	keep  int
}

// add takes the next block and reports whether a form is in sight.
func (w *window) add(block []byte) bool {
	w.buf = append(w.buf, block...)
	for _, f := range w.forms {
		if bytes.Contains(w.buf, f) {
			return true
		}
	}
	w.slide()
	return false
}

// pass takes a block that need not be searched.
func (w *window) pass(block []byte) {
	w.buf = append(w.buf, block...)
	w.slide()
}

func (w *window) slide() {
	if over := len(w.buf) - w.keep; over > 0 {
		w.buf = append(w.buf[:0], w.buf[over:]...)
	}
}

// peeler takes the layers of escapes off a stream, one after another, and looks
// under each.
type peeler [layers]layer

// layer is the stream with one more layer of escapes off. Where there was none,
// it is the stream above it, in which a form would have been found.
type layer struct {
	plainer
	window
	same int // bytes since an escape
}

func (n *needles) peeler() *peeler {
	p := new(peeler)
	for i := range p {
		p[i].window = window{forms: n.plain, keep: n.keep}
		if i > 0 {
			p[i].same = n.keep + 1
		}
	}
	return p
}

// add takes the next block and reports whether a form is in sight.
func (p *peeler) add(block []byte) bool {
	for i := range p {
		block = p[i].next(block)
		if p[i].look(block, i == 0) {
			return true
		}
	}
	return false
}

// end is add for the end of the stream.
func (p *peeler) end() bool {
	var tail []byte
	for i := range p {
		tail = append([]byte(nil), p[i].next(tail)...)
		tail = append(tail, p[i].rest()...)
		if p[i].look(tail, true) {
			return true
		}
	}
	return false
}

func (l *layer) look(block []byte, always bool) bool {
	if !always && !l.changed && l.same > l.keep {
		l.pass(block)
		return false
	}
	if l.same += len(block); l.changed {
		l.same = 0
	}
	return l.window.add(block)
}

// in reads a stream to its end, or to the first form of the secret.
func (n *needles) in(ctx context.Context, r io.Reader) (bool, error) {
	asIs := window{forms: n.asIs, keep: n.keep}
	plain := n.peeler()
	block := make([]byte, 64<<10)
	for {
		got, err := r.Read(block)
		if asIs.add(block[:got]) || plain.add(block[:got]) {
			return true, nil
		}
		if errors.Is(err, io.EOF) {
			return plain.end(), nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return false, err
		}
	}
}

// inText searches a short text.
func (n *needles) inText(s string) bool {
	found, _ := n.in(context.Background(), bytes.NewReader([]byte(s)))
	return found
}

// inHeader searches names and values.
func (n *needles) inHeader(h http.Header) bool {
	var text strings.Builder
	_ = h.Write(&text)
	return n.inText(text.String())
}
