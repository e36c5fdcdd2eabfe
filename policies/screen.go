package policies

import (
	"fmt"
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

// screen refuses text that must not reach the parser or a reviewer's eyes.
func screen(src sourceFile) (hclsyntax.Tokens, hcl.Diagnostics) {
	if diags := screenCharacters(src); diags.HasErrors() {
		return nil, diags
	}
	tokens, _ := hclsyntax.LexConfig(src.text, src.name, hcl.InitialPos)
	return tokens, screenTokens(tokens)
}

// screenCharacters refuses what makes a file read differently from what it
// means: control characters (they also move the cursor when a terminal shows
// the line) and bidirectional overrides ("Trojan Source", CVE-2021-42574: a
// reviewed allow rule that is in truth inside a comment).
func screenCharacters(src sourceFile) hcl.Diagnostics {
	pos := hcl.InitialPos
	for pos.Byte < len(src.text) {
		r, size := utf8.DecodeRune(src.text[pos.Byte:])
		if what := forbiddenRune(r, size); what != "" {
			end := pos
			end.Byte += size
			end.Column++
			remedy := "Save the file as UTF-8."
			if r != utf8.RuneError {
				remedy = fmt.Sprintf("Remove the character; inside a string it can be written as \"\\u%04x\".", r)
			}
			return hcl.Diagnostics{{
				Severity: hcl.DiagError,
				Summary:  what + " in the policy",
				Detail:   "A policy must read the same to a person, a terminal and the parser. " + remedy,
				Subject:  &hcl.Range{Filename: src.name, Start: pos, End: end},
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

// forbiddenRune names what is wrong with a rune, or returns "".
func forbiddenRune(r rune, size int) string {
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
func screenTokens(tokens hclsyntax.Tokens) hcl.Diagnostics {
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
				return tokenError(t, "number is too long", fmt.Sprintf("Write numbers with at most %d digits and without an exponent.", maxDigits))
			}
		default:
			if isOperator(t.Type) {
				top.operators++
			}
		}
		if len(levels) > maxNesting {
			return tokenError(t, "policy is nested too deep", fmt.Sprintf("Brackets, quotes and templates may be inside each other at most %d deep.", maxNesting))
		}
		if levels[len(levels)-1].operators > maxOperators || top.operators > maxOperators {
			return tokenError(t, "expression is too long", fmt.Sprintf("One expression may have at most %d operators.", maxOperators))
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

func tokenError(t hclsyntax.Token, summary, detail string) hcl.Diagnostics {
	rng := t.Range
	return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &rng}}
}
