// Command jq is a Ringfence tool that runs a jq program over a JSON value.
//
// The language is that of github.com/itchyny/gojq, inside the guest. The program
// sees its input and the variables of the call, and nothing else: no files, no
// modules, no environment ($ENV is empty), no further inputs. It needs no
// capability, so a policy for it is empty.
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -trimpath -ldflags='-s -w' -o jq.wasm ./plugins/tools/jq
//	ringfence call jq.run '{"program": ".[] | select(.age > $min)", "input": [{"age": 3}], "variables": {"min": 2}}'
//
// Input of tens of megabytes is meant to work. Strings and keys are not copied
// out of the host's buffer; even so the tree that gojq works on takes about three
// times the size of the text, besides the text. Grant eight times the largest
// input as memory (measured: grouping 30 MB of records takes 200 MiB, 60 MB 400 MiB).
// Where it is tight, GOMEMLIMIT in the policy's env, 40 MiB below the policy's
// limit, makes the collector hold to it.
//
// A program without end is stopped by its limit of outputs or, if it writes none,
// by the policy's limits.
package main
