package wasmbin

import (
	"fmt"
	"strconv"
)

// Kind says what is wrong with a file that is not a usable module.
type Kind int

const (
	// NotWasm is a file of another type.
	NotWasm Kind = iota + 1
	// Component is a component-model binary.
	Component
	// Truncated is a module whose end is missing.
	Truncated
	// Version is a module in a version of the format that is not 1.
	Version
	// Malformed is a module that breaks the format, or that uses a part of it
	// that no engine of ours supports.
	Malformed
)

func (k Kind) String() string {
	switch k {
	case NotWasm:
		return "not WebAssembly"
	case Component:
		return "component"
	case Truncated:
		return "truncated"
	case Version:
		return "version"
	case Malformed:
		return "malformed"
	}
	return "kind " + strconv.Itoa(int(k))
}

// FormatError says why bytes are not a core WebAssembly module. Reason is one
// line that says what the file is and what to do.
type FormatError struct {
	Kind   Kind
	Reason string
}

func (e *FormatError) Error() string { return e.Reason }

// GuestError says why a well-formed module cannot be a Ringfence guest, in one
// line that says what to do.
type GuestError struct {
	Reason string
}

func (e *GuestError) Error() string { return e.Reason }

// LimitError says that a module needs more from its first moment than it may
// have at most. Needs and Allowed are bytes for "memory" and elements for "table".
type LimitError struct {
	What           string
	Needs, Allowed uint64
}

func (e *LimitError) Error() string {
	if e.What == "memory" {
		return fmt.Sprintf("the module starts with %d bytes of memory, but limits.memory allows %d: raise it, or build the module with less",
			e.Needs, e.Allowed)
	}
	return fmt.Sprintf("the module starts with a table of %d elements (maximum %d)", e.Needs, e.Allowed)
}

func malformed(format string, args ...any) error {
	return &FormatError{Malformed, "a malformed WebAssembly module: " + fmt.Sprintf(format, args...)}
}

func truncated(format string, args ...any) error {
	return &FormatError{Truncated, "an incomplete WebAssembly module (" + fmt.Sprintf(format, args...) + "): build or download it again"}
}

func notGuest(format string, args ...any) error {
	return &GuestError{fmt.Sprintf(format, args...)}
}

// printable makes a name from a module fit for a one-line message: a hostile one
// could carry terminal escapes, line breaks or a megabyte.
func printable(name string) string {
	const most = 64
	cut := ""
	if len(name) > most {
		name, cut = name[:most], "…"
	}
	q := strconv.QuoteToASCII(name)
	if q == `"`+name+`"` && name != "" {
		return name + cut
	}
	return q + cut
}
