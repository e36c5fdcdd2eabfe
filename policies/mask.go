package policies

import (
	"bytes"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/ringfence/ringfence/internal/hclscreen"
)

// printable returns a copy of a policy file that may be shown to anybody: the
// snippets of diagnostics are cut from it. It has the same length as the
// original, so that positions keep their meaning.
//
// Two things are overwritten. Characters that steer a terminal, and whatever
// was written as the value of a secret or the default of a variable: somebody
// who pastes a token into the policy and forgets a quote must not find it in a
// build log. It works on tokens because it must work on files that do not parse.
func printable(src sourceFile, tokens hclsyntax.Tokens) []byte {
	out := bytes.Clone(src.text)
	for i := 0; i < len(out); {
		r, size := utf8.DecodeRune(out[i:])
		if hclscreen.Forbidden(r, size) != "" {
			overwrite(out[i:i+size], '?')
		}
		i += size
	}
	for i := range tokens {
		if startsSecretValue(tokens, i) {
			maskExpression(out, tokens[i+2:])
		}
	}
	return out
}

// startsSecretValue reports whether token i begins `value =` or `default =`.
func startsSecretValue(tokens hclsyntax.Tokens, i int) bool {
	if i+1 >= len(tokens) || tokens[i].Type != hclsyntax.TokenIdent || tokens[i+1].Type != hclsyntax.TokenEqual {
		return false
	}
	name := string(tokens[i].Bytes)
	return name == "value" || name == "default"
}

// maskExpression overwrites the literals up to the end of the line. What names
// a variable or an environment variable stays readable: it is what the reader
// of the message has to mend.
func maskExpression(out []byte, tokens hclsyntax.Tokens) {
	depth := 0
	inEnv := 0 // depth of the parenthesis that env opened, 0 outside
	for i, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenNewline, hclsyntax.TokenComment, hclsyntax.TokenEOF:
			if depth <= 0 {
				return
			}
		case hclsyntax.TokenOParen, hclsyntax.TokenOBrack, hclsyntax.TokenOBrace, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl, hclsyntax.TokenOHeredoc:
			depth++
			if t.Type == hclsyntax.TokenOParen && i > 0 && string(tokens[i-1].Bytes) == "env" && inEnv == 0 {
				inEnv = depth
			}
		case hclsyntax.TokenCParen, hclsyntax.TokenCBrack, hclsyntax.TokenCBrace, hclsyntax.TokenTemplateSeqEnd, hclsyntax.TokenCHeredoc:
			if depth == inEnv {
				inEnv = 0
			}
			depth--
			if depth < 0 {
				return // the closing brace of a block on one line
			}
		default:
			if inEnv == 0 && !names(tokens, i) {
				overwrite(out[t.Range.Start.Byte:t.Range.End.Byte], '*')
			}
		}
	}
}

// names reports whether token i is punctuation or part of a reference, and so
// holds nothing of a literal.
func names(tokens hclsyntax.Tokens, i int) bool {
	t := tokens[i]
	switch t.Type {
	case hclsyntax.TokenIdent:
		if i >= 2 && tokens[i-1].Type == hclsyntax.TokenDot && string(tokens[i-2].Bytes) == "var" {
			return true
		}
		switch string(t.Bytes) {
		case "var", "env", "cpus", "true", "false", "null":
			return true
		}
		return false
	case hclsyntax.TokenOQuote, hclsyntax.TokenCQuote, hclsyntax.TokenDot, hclsyntax.TokenComma, hclsyntax.TokenEqual, hclsyntax.TokenQuestion, hclsyntax.TokenColon:
		return true
	}
	return false
}

// overwrite keeps line breaks: they carry the line numbers.
func overwrite(b []byte, with byte) {
	for i, c := range b {
		if c != '\n' && c != '\r' {
			b[i] = with
		}
	}
}
