// Package host runs tools that nobody has reason to trust. It owns the policy
// and the secrets, takes every decision, and believes nothing that a sandbox
// says.
//
//	policy, err := policies.Load("ringfence.hcl", policies.Options{})
//	…
//	h, err := host.Open(policy, host.Options{})
//	…
//	defer h.Close()
//	result, err := h.Call(ctx, "jq.run", []byte(`{"program": ".a", "input": {"a": 1}}`))
//
// A call goes through these packages, in this order:
//
//	host                  finds the tool, checks arguments and result, keeps the audit record
//	internal/native       what kind the source is, and what a native program needs
//	internal/module       reads, pins, judges and limits the module
//	internal/modcache     compiled modules from earlier runs
//	internal/supervise    which sandbox serves the call
//	internal/sandbox      one sandbox process: launch, negotiate, load, call, kill
//	internal/launch       go-plugin with a runner that survives a hostile plugin
//	internal/transport    how frames travel
//	internal/broker       what the guest may ask for during the call: HTTP, secrets, its caller
//	internal/manifest     what a guest says of itself, and what its JSON is checked against
//	internal/content      answers that are more than JSON
//	internal/audit        the record of every decision
//
// Package host/mcp serves what plugins offer to assistants, and host/cli is the
// command line; both are on top of this package.
//
// Nothing in here knows a WASM engine, and nothing needs cgo.
//
// Errors that Call returns answer errors.Is to one of the sentinels of this
// package, and read as one line that names the tool, what happened and, where
// there is one, the remedy. All methods may be used by several goroutines.
package host
