// Package cases runs the test cases of a plugin's author against the real sandbox:
// `ringfence test`.
//
//	files, err := cases.Find(dir, module)  // *.case.hcl and *.case.json, read and checked
//	run := &cases.Runner{Options: options}
//	outcome := run.Case(ctx, c)            // one call, and what is wrong with it
//
// A case is a call with all that it may touch: what the policy grants, the answers
// that stand in for the network, the files of its workspaces. Nothing else is within
// reach: a request without an answer fails the case, and never leaves the machine.
//
// The grant of a case is the inside of a policy's plugin block, handed to package
// policies as it was written. So there is one language, and one set of errors.
package cases
