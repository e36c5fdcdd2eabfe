// Package broker carries out what a guest may ask the host for during a call:
// HTTP requests, files of a workspace, values to keep, other plugins' tools, whether a
// secret exists, questions to whoever called. It is the only way from a guest to anything outside its sandbox.
//
//	b := broker.New(broker.Config{Plugin: "github", HTTP: plugin.HTTP(), Secrets: plugin.Secrets(), Audit: log})
//	s := b.Call(ctx, "call-17")
//	reply := s.Handle(ctx, request) // for each request of the sandbox
//	s.Close()                       // every handle ends with the call
//
// A Broker serves one plugin: connections, quotas and rates are never shared
// between plugins. A Session serves one call and owns its response bodies.
//
// An HTTP request passes the links of chain.go in order, and each can stop it:
//
//	form → endpoint → (leak scan) → slot → rate → record → credential → execute → reflection → (leak scan) → guest
//
// The links in brackets are places, not code: guards stand there later.
//
// The body of a response follows as the guest pulls it (stream.go), unless a credential
// was injected: then all of it is searched first.
//
// files.go, state.go and invoke.go have the chains of the others, which are shorter.
//
// What holds:
//
//   - Nothing is ambient. No proxy, cookie, netrc, redirect or client certificate
//     of the host takes part; the guest's headers cannot name another host, method
//     or path than the ones that were decided.
//   - The address that was checked is the one that is connected to. A name that
//     leads to a private address is refused, however often it changes its mind;
//     only a rule that spells out an address may reach one (dialer.go).
//   - A secret is in the outgoing request and nowhere else: no error text, audit
//     record or reply carries it, and a response in which it comes back, plain or
//     encoded, never reaches the guest (needles.go says what is found and what not).
//   - Nothing is allowed that is not on record first: when the audit log cannot be
//     written, the request is refused.
//   - Everything is bounded: Limits lists how much a guest may use of what.
//
// Every reply's message is written here. What a server, a resolver or the
// operating system said about a failure goes to the audit log and not to the
// guest, which could otherwise map the host's network.
package broker
