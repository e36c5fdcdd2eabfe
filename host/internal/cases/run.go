package cases

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ringfence/ringfence/host"
)

// causes are those of host.CauseOf that a case may expect.
var causes = []string{
	string(host.CauseGuestCrashed), string(host.CauseGuestMemory), string(host.CauseTimeout), string(host.CauseCPUTime),
	string(host.CauseBadResult), string(host.CauseSandboxMemory), string(host.CauseSyscall), string(host.CauseSandboxCrashed),
}

// Runner runs cases.
type Runner struct {
	Options host.Options // Transport, GuestLog and State are the runner's own
}

// Outcome is what came of a case: it passed if there are no problems.
type Outcome struct {
	Problems []string // each may have several lines
	Duration time.Duration
}

// Case runs a case in a host and a folder of its own. The error is about the case's
// policy or about this machine, and no verdict on the plugin.
func (r *Runner) Case(ctx context.Context, c *Case) (outcome Outcome, err error) {
	dir, err := os.MkdirTemp("", "ringfence-case-")
	if err != nil {
		return outcome, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	kept, err := os.MkdirTemp("", "ringfence-case-") // out of reach of a workspace
	if err != nil {
		return outcome, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(kept)) }()
	if err := c.lay(dir); err != nil {
		return outcome, err
	}
	policy, err := c.Policy(dir)
	if err != nil {
		return outcome, c.blame(dir, err)
	}
	if err := c.checkReach(policy, dir); err != nil {
		return outcome, err
	}
	network := newNetwork(c.answers)
	logs := &logs{}
	options := r.Options
	options.Transport, options.GuestLog, options.State = network, logs.add, kept
	h, err := host.Open(policy, options)
	if err != nil {
		return outcome, err
	}
	result, failure := h.Call(ctx, c.plugin+"."+c.Tool, c.input)
	if err := h.Close(); err != nil {
		return outcome, err
	}
	if ctx.Err() != nil {
		return outcome, ctx.Err()
	}
	for _, setup := range []error{host.ErrUnknownTool, host.ErrModule, host.ErrAudit} {
		if errors.Is(failure, setup) {
			return outcome, fmt.Errorf("%s:%d: %w", c.File, c.Line, failure)
		}
	}
	if host.CauseOf(failure) == host.CauseStart {
		return outcome, failure
	}
	if result != nil {
		outcome.Duration = result.Duration
	}
	outcome.Problems = c.expect.outcome(result, failure)
	outcome.Problems = append(outcome.Problems, network.problems(c.expect.requests)...)
	outcome.Problems = append(outcome.Problems, logs.missing(c.expect.logs)...)
	outcome.Problems = append(outcome.Problems, c.expect.filesIn(dir)...)
	return outcome, nil
}

// blame puts the name of the file of cases where a policy's error has that of the
// folder in which the case ran.
func (c *Case) blame(dir string, err error) error {
	return errors.New(strings.ReplaceAll(err.Error(), filepath.Join(dir, filepath.Base(c.File)), c.File))
}

// outcome compares what a call answered with what was expected.
func (e *expectation) outcome(result *host.Result, failure error) []string {
	switch {
	case e.kind == "" && failure != nil:
		return []string{"the call failed: " + failure.Error()}
	case e.kind != "" && failure == nil:
		return []string{fmt.Sprintf("expected %s, but the call succeeded with\n%s", e.wanted(), indent(shorten(string(result.JSON), 2000)))}
	case failure != nil:
		return e.failed(failure)
	}
	got, err := decode(result.JSON)
	if err != nil {
		return []string{"the result is not JSON: " + err.Error()}
	}
	var problems []string
	if e.exact {
		problems = append(problems, compare("result", e.result, got, false)...)
	}
	if e.partly {
		problems = append(problems, compare("result", e.includes, got, true)...)
	}
	texts := strings.Join(stringsIn(got), "\n")
	for _, text := range e.contains {
		if !strings.Contains(texts, text) {
			problems = append(problems, fmt.Sprintf("the result does not contain %q. Its texts:\n%s", text, indent(shorten(texts, 2000))))
		}
	}
	for _, text := range e.without {
		if strings.Contains(texts, text) {
			problems = append(problems, fmt.Sprintf("the result contains %q", text))
		}
	}
	return problems
}

func (e *expectation) wanted() string {
	switch e.kind {
	case "error":
		return fmt.Sprintf("an error with %q", e.text)
	case "bad_arguments":
		return fmt.Sprintf("bad arguments with %q", e.text)
	case "denied":
		return fmt.Sprintf("a denial with %q", e.text)
	}
	return "the cause " + e.text
}

func (e *expectation) failed(failure error) []string {
	right := string(host.CauseOf(failure)) == e.text
	switch e.kind {
	case "error":
		right = errors.Is(failure, host.ErrToolFailed)
	case "bad_arguments":
		right = errors.Is(failure, host.ErrBadArguments)
	case "denied":
		right = errors.Is(failure, host.ErrDenied)
	}
	if !right || e.kind != "cause" && !strings.Contains(failure.Error(), e.text) {
		return []string{fmt.Sprintf("expected %s, but got (%s)\n%s", e.wanted(), host.CauseOf(failure), indent(failure.Error()))}
	}
	return nil
}

// logs keeps what a tool logs.
type logs struct {
	mu    sync.Mutex
	lines []string
}

const maxLogs = 10_000

func (l *logs) add(r host.GuestRecord) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.lines) < maxLogs {
		l.lines = append(l.lines, r.Message)
	}
}

func (l *logs) missing(want []string) (problems []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := strings.Join(l.lines, "\n")
	for _, text := range want {
		if !strings.Contains(all, text) {
			problems = append(problems, fmt.Sprintf("nothing that the tool logged contains %q. It logged:\n%s", text, indent(shorten(all, 2000))))
		}
	}
	return problems
}

// filesIn compares the files that the call left with those that were expected.
func (e *expectation) filesIn(dir string) (problems []string) {
	for _, name := range slices.Sorted(maps.Keys(e.files)) {
		got, err := readIn(dir, name)
		if err != nil {
			problems = append(problems, fmt.Sprintf("the file %q: %s", name, strings.ReplaceAll(err.Error(), dir+"/", "")))
			continue
		}
		problems = append(problems, compare("the file "+name, e.files[name], string(got), false)...)
	}
	return problems
}

// readIn reads a file that a plugin may have written, without following a link that
// it may have made.
func readIn(dir, name string) ([]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Lstat(name)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("it is not a regular file (%s)", info.Mode().Type())
	case info.Size() > maxFile:
		return nil, fmt.Errorf("it has %d bytes (maximum %d)", info.Size(), maxFile)
	}
	return root.ReadFile(name)
}
