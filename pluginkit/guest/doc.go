// Package guest is the SDK for tools that run as WebAssembly inside a Ringfence
// sandbox.
//
// # A tool
//
// A plugin is a Go program whose init functions offer tools:
//
//	package main
//
//	import (
//		"strings"
//
//		"github.com/ringfence/ringfence/pluginkit/guest"
//	)
//
//	type Args struct {
//		Text  string `json:"text" description:"the text to repeat"`
//		Times int    `json:"times" description:"how often" minimum:"1" maximum:"100" default:"2"`
//	}
//
//	type Result struct {
//		Text string `json:"text"`
//	}
//
//	func repeat(args Args) (Result, error) {
//		return Result{Text: strings.Repeat(args.Text, args.Times)}, nil
//	}
//
//	func init() { guest.Tool("repeat", "Repeats a text.", repeat) }
//
//	func main() {} // never runs: the host calls the tools
//
// Build it with the Go toolchain alone, then call it:
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -trimpath -ldflags='-s -w' -o repeat.wasm
//	ringfence call repeat.repeat '{"text": "ha"}'
//
// A native plugin offers the same tools with pluginkit.Serve, and may give them
// the context of their call ([ToolContext]); docs/native-plugins.md compares.
//
// # What it can do
//
// Nothing but compute, until the operator's policy grants more. Then there is
// [Fetch] for HTTP, [SecretExists] to find out whether a credential is there
// (the host adds it to requests; its value never enters the guest) and the
// environment variables that the policy names. [Workspace] is a folder as an fs.FS
// that can be written to, [State] keeps values between calls, and [Invoke] calls a tool
// of another plugin. [Deadline] says when the call ends. [Log] always works, and so does printing: lines on stdout
// and stderr become log lines. Package guestslog is a slog.Handler. There are no other files and no sockets; packages os
// and net compile and answer with errors.
//
// A capability that was refused is an [Error]; errors.Is tells [ErrDenied] from
// [ErrLimit] and the others. Pass such errors on: their text is written for the
// person who can change the policy.
//
// # More than JSON
//
// A function that returns [Answer] or [Structured] answers with texts, images,
// audio and resources ([Text], [Image], [Audio], [Embed], [Link]). Options of
// [Tool] say what it does to the world: [ReadOnly], [Destructive] and others, and
// a [Title]. Beside tools a plugin can offer a [Resource], a [ResourceTemplate], a
// [Prompt], and [Complete] their arguments.
//
// While it runs, a tool can tell its [Progress], and where the policy lets it
// (client { elicitation = true, sampling = true }) ask whoever called: [Elicit]
// shows a person a form, [Sample] has the client's model answer. Assistants get
// all of this over MCP (ringfence mcp); elsewhere there may be nobody to ask.
//
// # Arguments, results and their schemas
//
// The JSON schemas that an assistant sees are derived from the types. Property
// names, omitempty and omitzero come from json tags. A field is required unless
// it is a pointer or has omitempty, omitzero or a default. More tags narrow it:
//
//	description:"…"        what it is for (jsonschema:"…" means the same)
//	enum:"open,closed"     the only values of a string or number, or of a slice's elements
//	minimum:"1"            bounds of a number, or of a slice's numbers
//	maximum:"100"
//	default:"30"           the value when the caller leaves it out: plain text for a
//	                       string, else JSON
//
//	bool, string, numbers  boolean, string, integer (with the bounds of its size), number
//	[]T, [N]T, []byte      array, array of that length, string in base64
//	map[string]T           object with any keys
//	struct                 object with these properties and no others; embedded structs are flattened
//	*T                     as T, and optional; left out of results when nil
//	time.Time              string in the form of RFC 3339
//	any, json.RawMessage   any JSON
//
// Types with their own MarshalJSON, UnmarshalJSON, MarshalText or UnmarshalText
// keep their say. Recursive types, functions, channels and other interfaces
// have no schema, and [Tool] says so.
//
// Decoding is strict: unknown, missing and repeated fields and values out of
// bounds never reach the function, nor does nesting deeper than 1000; the caller
// is told which field was expected to be what. [InvalidArgs] reports what only the tool can know.
//
// Arguments of many megabytes are cheap as json.RawMessage: it is a part of the
// buffer that the host filled, not a copy. It is valid until the function returns
// and must not be written to. A result of type json.RawMessage goes out as it is.
//
// # Failures
//
// An error from the function is the tool's answer: its text reaches the caller.
// A panic is not recovered, since nobody knows what state it leaves: the
// instance ends, the message and the stack go to the log, and the next call
// gets a fresh instance. So do running out of memory and recursion that is too
// deep: the engine's stack is small, some thousand Go calls. Go's collector
// lets the heap double before it works; a tool that fills most of the memory
// that the policy grants should call debug.SetMemoryLimit, or the policy can
// set GOMEMLIMIT in the plugin's env. There is one thread, and a function that
// computes for long keeps it: one that makes much garbage should call
// runtime.Gosched now and then, so that the collector can finish what it began.
//
// One instance runs one call at a time. Goroutines work, but stand still
// when the function has returned. Whether package variables survive to the next
// call is the policy's choice (lifetime "call" or "session"): use them as
// a cache at most, and [State] for what must stay.
//
// # Testing
//
// The package compiles everywhere. Outside a sandbox every capability answers
// [ErrNoSandbox]; package guesttest puts a host in place that answers from an
// http.Handler, has workspaces in memory, keeps state and answers for other tools, so
// that a tool can be tested with go test.
//
// # Size
//
// A tool that does nothing is 2.9 MB of WebAssembly, of which Go's runtime is 1.8,
// and compiling a module takes one to five seconds per megabyte, once. fmt adds
// 0.5 MB, encoding/json 0.9 MB, log/slog (package guestslog) 1.1 MB, net/http 8 MB; package
// nethttp is there for libraries that need the latter.
package guest
