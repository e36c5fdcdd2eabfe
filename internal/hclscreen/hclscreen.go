// Package hclscreen looks at HCL before it is parsed, and refuses what must not reach
// the parser or a reviewer's eyes: what nests without end, numbers without end, and
// characters by which a file reads differently from what it means.
package hclscreen

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// The HCL parser and evaluator recurse as deep as the text nests and know no
// limit: a megabyte of "[" or "!" would grow the stack until Go aborts the
// process. The tokens are counted before the parser sees them.
const (
	// maxNesting bounds brackets, quotes and templates inside each other.
	maxNesting = 32
	// maxOperators bounds the operators in one expression at one nesting
	// level, since a chain of them nests in the syntax tree without brackets.
	maxOperators = 64
	// maxDigits bounds a number literal. An exponent is refused altogether:
	// "${1e999999999}" would be a gigabyte of digits.
	maxDigits = 18
)

// Text screens the text of a file in HCL's own syntax. what is what the file is, such
// as "policy", for the messages.
func Text(text []byte, name, what string) (hclsyntax.Tokens, hcl.Diagnostics) {
	if diags := characters(text, name, what); diags.HasErrors() {
		return nil, diags
	}
	tokens, _ := hclsyntax.LexConfig(text, name, hcl.InitialPos)
	return tokens, screen(tokens, what)
}

// maxJSON bounds how deep objects and arrays of HCL's JSON nest.
const maxJSON = 128

// JSON screens the text of a file in HCL's JSON, whose strings are templates.
//
// It does not decode: what is no JSON is for the parser to refuse, which recurses on
// that, too.
func JSON(text []byte, name, what string) hcl.Diagnostics {
	if diags := characters(text, name, what); diags.HasErrors() {
		return diags
	}
	pos, depth := hcl.InitialPos, 0
	for pos.Byte < len(text) {
		size := 1
		switch text[pos.Byte] {
		case '\n':
			pos.Line, pos.Column = pos.Line+1, 0
		case '[', '{':
			if depth++; depth > maxJSON {
				return refuse(hcl.Range{Filename: name, Start: pos, End: pos}, what+" is nested too deep", fmt.Sprintf("Objects and arrays may be inside each other at most %d deep.", maxJSON))
			}
		case ']', '}':
			depth--
		case '"':
			size = quoted(text[pos.Byte:])
			if diags := template(text[pos.Byte:pos.Byte+size], hcl.Range{Filename: name, Start: pos, End: pos}, what); diags.HasErrors() {
				return diags
			}
		}
		pos.Byte += size
		pos.Column += size
	}
	return nil
}

// quoted is the length of the JSON string that text begins with, or of the rest of the
// text if it does not end.
func quoted(text []byte) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

// template screens a JSON string.
func template(literal []byte, at hcl.Range, what string) hcl.Diagnostics {
	var text string
	if json.Unmarshal(literal, &text) != nil || !strings.Contains(text, "${") && !strings.Contains(text, "%{") {
		return nil // for the parser to refuse, or plain
	}
	tokens, _ := hclsyntax.LexTemplate([]byte(text), at.Filename, at.Start)
	diags := screen(tokens, what)
	for _, d := range diags {
		d.Subject = &at // the positions inside are not those in the file
	}
	return diags
}

// characters refuses what makes a file read differently from what it
// means: control characters (they also move the cursor when a terminal shows
// the line) and bidirectional overrides ("Trojan Source", CVE-2021-42574: a
// reviewed allow rule that is in truth inside a comment).
func characters(text []byte, name, what string) hcl.Diagnostics {
	pos := hcl.InitialPos
	for pos.Byte < len(text) {
		r, size := utf8.DecodeRune(text[pos.Byte:])
		if bad := Forbidden(r, size); bad != "" {
			end := pos
			end.Byte += size
			end.Column++
			remedy := "Save the file as UTF-8."
			if r != utf8.RuneError {
				remedy = fmt.Sprintf("Remove the character; inside a string it can be written as \"\\u%04x\".", r)
			}
			return hcl.Diagnostics{{
				Severity: hcl.DiagError,
				Summary:  bad + " in the " + what,
				Detail:   "A " + what + " must read the same to a person, a terminal and the parser. " + remedy,
				Subject:  &hcl.Range{Filename: name, Start: pos, End: end},
			}}
		}
		pos.Byte += size
		pos.Column++
		if r == '\n' {
			pos.Line++
			pos.Column = 1
		}
	}
	return nil
}

// Forbidden names what is wrong with a rune, or returns "".
func Forbidden(r rune, size int) string {
	switch {
	case r == utf8.RuneError && size <= 1:
		return "bytes that are not UTF-8"
	case r == '\n', r == '\t', r == '\r':
		return ""
	case r < 0x20, r >= 0x7f && r <= 0x9f:
		return fmt.Sprintf("control character U+%04X", r)
	case isBidiControl(r):
		return fmt.Sprintf("bidirectional control character U+%04X", r)
	}
	return ""
}

func isBidiControl(r rune) bool {
	return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 ||
		r == 0x200e || r == 0x200f || r == 0x061c
}

// level is one open bracket, quote or template, with the operators seen in the
// expression that is being read inside it.
type level struct {
	braces    bool // newlines end an expression here
	operators int
}

// screenTokens bounds nesting, chained operators and number literals.
func screen(tokens hclsyntax.Tokens, what string) hcl.Diagnostics {
	levels := []level{{braces: true}}
	for _, t := range tokens {
		top := &levels[len(levels)-1]
		switch t.Type {
		case hclsyntax.TokenOBrack:
			top.operators++ // also the index operator, which chains: a[b][b][b]
			levels = append(levels, level{})
		case hclsyntax.TokenOBrace:
			levels = append(levels, level{braces: true})
		case hclsyntax.TokenTemplateControl:
			top.operators++ // %{ if } nests without brackets
			levels = append(levels, level{})
		case hclsyntax.TokenOParen, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc, hclsyntax.TokenTemplateInterp:
			levels = append(levels, level{})
		case hclsyntax.TokenCBrack, hclsyntax.TokenCBrace, hclsyntax.TokenCParen, hclsyntax.TokenCQuote,
			hclsyntax.TokenCHeredoc, hclsyntax.TokenTemplateSeqEnd:
			if len(levels) > 1 {
				levels = levels[:len(levels)-1]
			}
		case hclsyntax.TokenEqual, hclsyntax.TokenComma:
			top.operators = 0
		case hclsyntax.TokenNewline, hclsyntax.TokenComment: // a comment takes its line break with it
			if top.braces {
				top.operators = 0
			}
		case hclsyntax.TokenNumberLit:
			if !plainNumber(t.Bytes) {
				return refuse(t.Range, "number is too long", fmt.Sprintf("Write numbers with at most %d digits and without an exponent.", maxDigits))
			}
		default:
			if isOperator(t.Type) {
				top.operators++
			}
		}
		if len(levels) > maxNesting {
			return refuse(t.Range, what+" is nested too deep", fmt.Sprintf("Brackets, quotes and templates may be inside each other at most %d deep.", maxNesting))
		}
		if levels[len(levels)-1].operators > maxOperators || top.operators > maxOperators {
			return refuse(t.Range, "expression is too long", fmt.Sprintf("One expression may have at most %d operators.", maxOperators))
		}
	}
	return nil
}

func isOperator(t hclsyntax.TokenType) bool {
	switch t {
	case hclsyntax.TokenStar, hclsyntax.TokenSlash, hclsyntax.TokenPlus, hclsyntax.TokenMinus, hclsyntax.TokenPercent,
		hclsyntax.TokenEqualOp, hclsyntax.TokenNotEqual, hclsyntax.TokenLessThan, hclsyntax.TokenLessThanEq,
		hclsyntax.TokenGreaterThan, hclsyntax.TokenGreaterThanEq, hclsyntax.TokenAnd, hclsyntax.TokenOr,
		hclsyntax.TokenBang, hclsyntax.TokenQuestion, hclsyntax.TokenDot, hclsyntax.TokenDoubleColon:
		return true
	}
	return false
}

func plainNumber(lit []byte) bool {
	for _, c := range lit {
		if (c < '0' || c > '9') && c != '.' {
			return false
		}
	}
	return len(lit) <= maxDigits
}

func refuse(at hcl.Range, summary, detail string) hcl.Diagnostics {
	return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &at}}
}
