package main

import (
	"bytes"
	"encoding/json"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// tree turns checked JSON into the values that gojq works on: nil, bool, int,
// float64, *big.Int, string, []any and map[string]any.
//
// The SDK has checked the syntax of a json.RawMessage, so there is no error.
// Strings are parts of text: they live as long as the call, and so does the tree.
func tree(text json.RawMessage) any {
	if !utf8.Valid(text) {
		text = bytes.ToValidUTF8(text, []byte("\ufffd"))
	}
	p := &parser{text: view(text)}
	return p.value()
}

type parser struct {
	text string
	at   int
	// Elements wait here until their array or object is complete and its size
	// is known; growing each on its own would leave half the memory as waste.
	values []any
	keys   []string
}

// token skips white space, commas and colons, which the syntax check has seen.
func (p *parser) token() byte {
	for {
		switch c := p.text[p.at]; c {
		case ' ', '\t', '\n', '\r', ',', ':':
			p.at++
		default:
			return c
		}
	}
}

func (p *parser) value() any {
	switch p.token() {
	case '{':
		return p.object()
	case '[':
		return p.array()
	case '"':
		return p.string()
	case 't':
		p.at += len("true")
		return true
	case 'f':
		p.at += len("false")
		return false
	case 'n':
		p.at += len("null")
		return nil
	}
	return p.number()
}

func (p *parser) array() any {
	p.at++
	mark := len(p.values)
	for p.token() != ']' {
		p.values = append(p.values, p.value())
	}
	p.at++
	list := make([]any, len(p.values)-mark)
	copy(list, p.values[mark:])
	clear(p.values[mark:])
	p.values = p.values[:mark]
	return list
}

func (p *parser) object() any {
	p.at++
	mark, keys := len(p.values), len(p.keys)
	for p.token() != '}' {
		p.keys = append(p.keys, p.string())
		p.values = append(p.values, p.value())
	}
	p.at++
	object := make(map[string]any, len(p.keys)-keys)
	for i, key := range p.keys[keys:] {
		object[key] = p.values[mark+i]
	}
	clear(p.values[mark:])
	p.values, p.keys = p.values[:mark], p.keys[:keys]
	return object
}

// string finds the quotes with IndexByte, which is several times as fast in
// WebAssembly as a loop in Go.
func (p *parser) string() string {
	p.at++
	rest := p.text[p.at:]
	end := strings.IndexByte(rest, '"')
	if strings.IndexByte(rest[:end], '\\') >= 0 {
		return p.escaped(p.at)
	}
	p.at += end + 1
	return rest[:end]
}

// escaped takes the rest of a string that has an escape.
func (p *parser) escaped(start int) string {
	for p.text[p.at] != '"' {
		if p.text[p.at] == '\\' {
			p.at++
		}
		p.at++
	}
	p.at++
	var s string
	// The syntax is known to be good.
	_ = json.Unmarshal([]byte(p.text[start-1:p.at]), &s)
	return s
}

// number keeps integers exact, however large, as gojq does.
func (p *parser) number() any {
	start := p.at
	integer := true
	for p.at < len(p.text) {
		c := p.text[p.at]
		if c == '.' || c == 'e' || c == 'E' {
			integer = false
		} else if c != '-' && c != '+' && (c < '0' || c > '9') {
			break
		}
		p.at++
	}
	text := p.text[start:p.at]
	if !integer {
		// Out of range is an infinity, which jq writes as the largest number.
		f, _ := strconv.ParseFloat(text, 64)
		return f
	}
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	n, _ := new(big.Int).SetString(strings.Clone(text), 10)
	return n
}
