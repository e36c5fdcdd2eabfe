// Package policies turns HCL files into an immutable [Policy] and answers the
// question that everything else asks: may this plugin do that?
//
// # From file to decision
//
//	p, err := policies.Load("github.hcl", policies.Options{})
//	var wrong *policies.DiagnosticsError
//	if errors.As(err, &wrong) {
//		wrong.Render(os.Stderr, 80, true) // file, line, snippet, what to do
//	}
//	plugin, ok := p.Plugin("github")
//	d := plugin.HTTP().Decide("GET", "https://api.github.com/repos/a/b/issues")
//	if d.Allowed {
//		// send d.URL and nothing else, with d.Credential applied
//	}
//
// Text passes four stations, one file or a few each: screen.go refuses what
// must not reach the parser; schema.go refuses names that mean nothing;
// evaluate.go and variables.go turn expressions into values; the files named
// after blocks decode them. Every fault is gathered, with its place, so that
// one run shows them all.
//
// # What holds
//
// Deny by default: a plugin without an http block has a nil [HTTPGrant], and a
// nil grant denies. A name that the language does not have is an error, and so
// is one that it has but nobody enforces yet: a setting is never read and then
// ignored.
//
// A guest's URL is refused when two parsers could read it in two ways; what is
// left has one spelling, and that one is matched and sent ([Decision].URL).
// Paths are matched by whole segments. Hosts are matched exactly or below a
// "*.", with scheme and port.
//
// A [Secret] does not print. A sensitive variable can only flow into a secret,
// and what stands as a value in the files is masked in messages.
//
// # What does not live here
//
// No processes and no network. Names are not resolved: that an allowed name
// leads to a private address is the dialer's to refuse, unless the rule spells
// the address out ([Decision].LiteralAddr). Redirects are new requests and need
// a new [HTTPGrant.Decide]. Counting requests against [HTTPGrant.Rate] and
// refusing a guest's own Host or credential header ([Credential.SetsHeader])
// are the broker's.
package policies
