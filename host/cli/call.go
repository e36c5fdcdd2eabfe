package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/pluginkit"
)

func (a *app) callCommand() *cobra.Command {
	var timeout time.Duration
	var raw, timing bool
	cmd := &cobra.Command{
		Use:   "call TOOL [JSON | @FILE | -]",
		Short: "Run a tool and print its result",
		Long: `Call runs one tool of the policy and prints its result, which is JSON.

TOOL is plugin.tool, or plugin when it has only one. The arguments are a JSON
object: as text, from a file (@FILE), or from standard input (-). Without any,
the tool gets {}.

Exit codes: 0 done, 1 the tool failed, 2 usage or policy error, 3 denied by the
policy, 4 the sandbox died or timed out, 130 interrupted, 141 nobody reads the
output any more.`,
		Example: `  ringfence call jq.run '{"program": "map(.id)", "input": [{"id": 1}]}'
  ringfence call jq.run @arguments.json
  curl -s https://example.com/a.json | jq '{program: ".", input: .}' | ringfence call jq.run -`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return usagef("%s takes a tool and its arguments as one JSON text, not %d arguments; see `%s --help`", cmd.CommandPath(), len(args), cmd.CommandPath())
			}
			return nil
		},
		ValidArgsFunction: a.completeTool,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("timeout") && timeout <= 0 {
				return usagef("--timeout %s: write a time that is more than nothing, such as 30s", timeout)
			}
			arguments, err := a.readArguments(cmd.Context(), args[1:])
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			if timeout > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, timeout)
				defer cancel()
			}
			err = a.call(ctx, args[0], arguments, raw, timing)
			if errors.Is(err, host.ErrTimeout) && ctx.Err() == context.DeadlineExceeded {
				return fmt.Errorf("%w (--timeout %s)", err, timeout)
			}
			if errors.Is(err, host.ErrBadArguments) {
				plugin, _, _ := strings.Cut(args[0], ".")
				return fmt.Errorf("%w (`ringfence tools %s --json` shows what it takes)", err, plugin)
			}
			return err
		},
	}
	a.policyFlags(cmd)
	cmd.Flags().DurationVar(&timeout, "timeout", 0, "give up after this time, compiling included (the policy's call_timeout holds in any case)")
	cmd.Flags().BoolVarP(&raw, "raw", "r", false, "print a result that is a string without quotes, and any other without changing it")
	cmd.Flags().BoolVar(&timing, "timing", false, "say on standard error how long the call took")
	return cmd
}

// called is how --json prints a result.
type called struct {
	OK         bool            `json:"ok"`
	Tool       string          `json:"tool"`
	Result     json.RawMessage `json:"result"`
	Transport  string          `json:"transport"`
	DurationMS float64         `json:"duration_ms"`
	ReadyMS    float64         `json:"ready_ms"`
}

func (a *app) call(ctx context.Context, tool string, arguments []byte, raw, timing bool) (err error) {
	policy, err := a.loadPolicy(false)
	if err != nil {
		return err
	}
	h, err := a.openHost(policy)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	result, err := h.Call(ctx, tool, arguments)
	if err != nil {
		return err
	}
	if timing {
		fmt.Fprintf(a.err, "%s: %.1f ms in the sandbox, %.1f ms to get there, over %s\n", result.Tool, ms(result.Duration), ms(result.Ready), result.Transport)
	}
	return a.printResult(result, raw)
}

func (a *app) printResult(r *host.Result, raw bool) error {
	if a.json {
		return a.printJSON(called{true, r.Tool, r.JSON, r.Transport, ms(r.Duration), ms(r.Ready)})
	}
	var text string
	if raw && json.Unmarshal(r.JSON, &text) == nil {
		_, err := a.out.Write(a.shown([]byte(text + "\n")))
		return err
	}
	var out bytes.Buffer
	if raw {
		out.Write(r.JSON)
	} else if err := json.Indent(&out, r.JSON, "", "  "); err != nil {
		return err
	}
	out.WriteByte('\n')
	_, err := a.out.Write(a.shown(out.Bytes()))
	return err
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// readArguments reads the arguments of a call, which may be large, or slow to
// come.
func (a *app) readArguments(ctx context.Context, args []string) ([]byte, error) {
	if len(args) == 0 {
		return nil, nil
	}
	text := args[0]
	var b []byte
	var err error
	switch {
	case text == "-":
		b, err = interruptible(ctx, func() ([]byte, error) { return readBounded(a.in, "standard input") })
	case strings.HasPrefix(text, "@"):
		b, err = interruptible(ctx, func() ([]byte, error) { return readFile(text[1:]) })
	default:
		b = []byte(text)
	}
	if err != nil {
		return nil, err
	}
	return b, checkJSON(b, text)
}

// interruptible stops waiting for a read when ctx ends. A terminal, a pipe or a
// FIFO cannot be told to stop; the goroutine ends with the process.
func interruptible(ctx context.Context, read func() ([]byte, error)) ([]byte, error) {
	type bytesOrError struct {
		b   []byte
		err error
	}
	done := make(chan bytesOrError, 1)
	go func() {
		b, err := read()
		done <- bytesOrError{b, err}
	}()
	select {
	case r := <-done:
		return r.b, r.err
	case <-ctx.Done():
		return nil, errInterrupted
	}
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usagef("there is no file %s to read the arguments from", path)
	}
	if err != nil {
		return nil, usagef("read the arguments: %s", err)
	}
	defer f.Close()
	return readBounded(f, path)
}

func readBounded(r io.Reader, name string) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, pluginkit.MaxArguments+1))
	if err != nil {
		return nil, usagef("read the arguments: %s", err)
	}
	if len(b) > pluginkit.MaxArguments {
		return nil, usagef("%s holds more than a call may carry (maximum %d bytes)", name, pluginkit.MaxArguments)
	}
	return b, nil
}

// checkJSON points at the place where the arguments stop being JSON.
func checkJSON(b []byte, from string) error {
	if json.Valid(b) {
		return nil
	}
	var v any
	err := json.Unmarshal(b, &v)
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return usagef("the arguments are not JSON: %v", err)
	}
	at := int(min(syntax.Offset, int64(len(b))))
	line, column := 1+bytes.Count(b[:at], []byte("\n")), at-bytes.LastIndexByte(b[:at], '\n')-1
	where := fmt.Sprintf("line %d, column %d", line, max(1, column))
	if from == "-" {
		where += " of standard input"
	} else if strings.HasPrefix(from, "@") {
		where += " of " + from[1:]
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return usagef("the arguments are empty, not JSON (%s): leave them out, or write {}", where)
	}
	return usagef("the arguments are not JSON: %s at %s", syntax, where)
}
