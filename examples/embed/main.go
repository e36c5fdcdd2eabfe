// Command embed is a Go program with sandboxed tools in it: it opens a host for a
// policy, lists what the plugins offer, and calls one.
//
//	go run ./examples/embed -sandbox bin/ringfence-plugin-wasm examples/embed/ringfence.hcl 'map(.name)' <<< '[{"name":"a"}]'
//
// An embedding program needs ringfence-plugin-wasm, its lib folder and
// ringfence-jail beside it, or says where they are.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/policies"
)

func main() {
	sandbox := flag.String("sandbox", "", "path of ringfence-plugin-wasm (default beside this program)")
	flag.Parse()
	if flag.NArg() != 2 {
		fmt.Fprintln(os.Stderr, "usage: embed [-sandbox FILE] POLICY PROGRAM <JSON")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *sandbox, flag.Arg(0), flag.Arg(1), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "embed:", err)
		os.Exit(1)
	}
}

// run filters the JSON of in with a jq program, in a sandbox.
func run(ctx context.Context, sandbox, policyFile, program string, in io.Reader, out io.Writer) (err error) {
	policy, err := policies.Load(policyFile, policies.Options{})
	if err != nil {
		return err
	}
	h, err := host.Open(policy, host.Options{Sandbox: sandbox})
	if err != nil {
		return err
	}
	// Close ends the sandboxes and says what went wrong with that.
	defer func() { err = errors.Join(err, h.Close()) }()

	tools, err := h.Tools(ctx, "jq")
	if err != nil {
		return err
	}
	for _, tool := range tools {
		fmt.Fprintf(out, "tool %s\n", tool.Name)
	}

	input, err := io.ReadAll(io.LimitReader(in, 8<<20))
	if err != nil {
		return err
	}
	arguments, err := json.Marshal(map[string]any{"program": program, "input": json.RawMessage(input)})
	if err != nil {
		return fmt.Errorf("the input is not JSON: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	result, err := h.Call(ctx, "jq.run", arguments)
	switch {
	case errors.Is(err, host.ErrBadArguments):
		return fmt.Errorf("the program is wrong: %w", err)
	case err != nil:
		// One of a few kinds (errors.Is) and causes, for programs to act on.
		return fmt.Errorf("%w (cause %s)", err, host.CauseOf(err))
	}
	// What a tool answers is JSON that fits its schema, and the word of somebody
	// nobody trusts.
	var answer struct{ Outputs []json.RawMessage }
	if err := json.Unmarshal(result.JSON, &answer); err != nil {
		return err
	}
	for _, output := range answer.Outputs {
		fmt.Fprintf(out, "%s\n", output)
	}
	return nil
}
