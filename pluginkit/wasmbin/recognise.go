package wasmbin

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

const preamble = "\x00asm\x01\x00\x00\x00"

// otherFormats are recognised by their first bytes, so that a user who named the
// wrong file learns which one it was.
var otherFormats = []struct{ magic, what string }{
	{"\x7fELF", "a native Linux program (ELF); native plugins are not supported yet: build it with GOOS=wasip1 GOARCH=wasm"},
	{"MZ", "a native Windows program; build it with GOOS=wasip1 GOARCH=wasm"},
	{"\xcf\xfa\xed\xfe", "a native macOS program; build it with GOOS=wasip1 GOARCH=wasm"},
	{"\xca\xfe\xba\xbe", "a native macOS program or a Java class; build it with GOOS=wasip1 GOARCH=wasm"},
	{"\x1f\x8b", "a gzip archive; unpack it first (gunzip)"},
	{"PK\x03\x04", "a zip archive; unpack it first (unzip)"},
	{"\x28\xb5\x2f\xfd", "a zstd archive; unpack it first (unzstd)"},
	{"\xfd7zXZ\x00", "an xz archive; unpack it first (unxz)"},
	{"!<arch>\n", "a library of object files; link it into a module first"},
	{"BC\xc0\xde", "LLVM bitcode; compile and link it into a module first"},
}

// checkPreamble recognises the first eight bytes.
func checkPreamble(b []byte) error {
	if bytes.HasPrefix(b, []byte(preamble)) {
		return nil
	}
	if len(b) == 0 {
		return &FormatError{NotWasm, "an empty file, not a WebAssembly module"}
	}
	if n := min(len(b), 4); string(b[:n]) == preamble[:n] {
		return checkVersion(b)
	}
	for _, f := range otherFormats {
		if bytes.HasPrefix(b, []byte(f.magic)) {
			return &FormatError{NotWasm, "not a WebAssembly module but " + f.what}
		}
	}
	if text, ok := leadingText(b); ok {
		return &FormatError{NotWasm, "not a WebAssembly module but " + describeText(text)}
	}
	return &FormatError{NotWasm, fmt.Sprintf("not a WebAssembly module: it starts with % x, not 00 61 73 6d", b[:min(len(b), 4)])}
}

// checkVersion judges bytes that start like a module but not like version 1.
func checkVersion(b []byte) error {
	if len(b) < len(preamble) {
		return truncated("%d bytes, a header alone has %d", len(b), len(preamble))
	}
	version, layer := uint(b[4])|uint(b[5])<<8, uint(b[6])|uint(b[7])<<8
	if layer == 1 {
		return &FormatError{Component, "a component-model binary, not a core module; build a core module (GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared), or take one out with wasm-tools component unbundle"}
	}
	return &FormatError{Version, fmt.Sprintf("WebAssembly version %d, layer %d; version 1 is supported: build it again with a released toolchain", version, layer)}
}

// leadingText returns the start of the file when it looks like text.
func leadingText(b []byte) (string, bool) {
	head := b[:min(len(b), 512)]
	if len(b) > len(head) { // do not cut a character in two
		for i := 0; i < utf8.UTFMax && !utf8.Valid(head); i++ {
			head = head[:len(head)-1]
		}
	}
	if !utf8.Valid(head) || bytes.ContainsFunc(head, func(r rune) bool { return r < ' ' && !strings.ContainsRune("\t\n\r\f", r) }) {
		return "", false
	}
	return string(head), true
}

func describeText(text string) string {
	t := strings.TrimPrefix(text, "\ufeff")
	for {
		t = strings.TrimSpace(t)
		if !strings.HasPrefix(t, ";;") {
			break
		}
		_, t, _ = strings.Cut(t, "\n")
	}
	switch {
	case strings.HasPrefix(t, "(module"), strings.HasPrefix(t, "(component"), strings.HasPrefix(t, "(;"), t == "" && strings.Contains(text, ";;"):
		return "WebAssembly text (WAT); compile it first, e.g. wat2wasm"
	case strings.HasPrefix(t, "<"):
		return "an HTML or XML page; was it a failed download?"
	case strings.HasPrefix(t, "version https://git-lfs"):
		return "a Git LFS pointer; fetch the file with git lfs pull"
	}
	return "a text file"
}
