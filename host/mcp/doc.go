// Package mcp serves the tools of a host's plugins to assistants, over the Model
// Context Protocol.
//
//	s := mcp.New(h, policy, mcp.Options{})
//	defer s.Close()
//	err := s.Serve(ctx, os.Stdin, os.Stdout)          // one client, over its pipes
//	err := s.ServeHTTP(ctx, listener, mcp.HTTP{Token: token}) // many, over loopback
//
// The protocol is the official Go SDK's. What is here decides what crosses from
// plugins to clients:
//
//	server.go, offers.go  what is offered: learned from the plugins in the background
//	names.go, schema.go   names that never meet, schemas that every client can read
//	call.go, limits.go    one call: limits, cancellation, what goes to the client meanwhile
//	result.go             a result, marked as the word of somebody nobody trusts
//	stdio.go              one client over pipes, and how that ends
//	http.go, sessions.go  who may connect, how many, how slowly
//
// What holds:
//
//   - Clients are served whatever a plugin does. A plugin that compiles, hangs or
//     crashes is missing from the list, or fails its own calls; no lock is held and
//     no session waits meanwhile.
//   - What a tool gets wrong is a tool error, which an assistant sees and can act
//     on. Protocol errors are for faults of the protocol.
//   - Text of plugins is shown, not acted on: no control characters, no marks that
//     turn or hide text. Structured data keeps its meaning.
//   - A client that goes away takes its calls with it.
//   - Everything is bounded: see the constants of limits.go.
package mcp
