// Package demo shows the main job on a terminal: tools that nobody has reason to
// trust, doing what they should and what they should not. Everything in it is
// real: the sandbox processes, the policy, and an HTTP server that stands in for
// the internet and prints what reached it.
package demo

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/policies"
)

//go:embed policy.hcl
var policyText string

// token is what the demo's guests must never see.
const token = "ghp_demo0nly0nly0nly0nly0nly0nly0nly0nly"

// Config says where the demo prints, and what it runs.
type Config struct {
	// Out gets the show as text.
	Out   io.Writer
	Color bool
	// Tools is the folder of the first-party .wasm files.
	Tools string
	// Options go to the host as they are.
	Options host.Options
}

// Report is what the demo showed, for programs.
type Report struct {
	Scenes []Outcome `json:"scenes"`
	// Transport is how the calls travelled, and SpeedUp how many times as long the
	// median call took over gRPC, for each size of its arguments in bytes.
	Transport string          `json:"transport"`
	SpeedUp   map[int]float64 `json:"speed_up_over_grpc"`
	// AuditLog is the file with the record of every decision.
	AuditLog string  `json:"audit_log"`
	Seconds  float64 `json:"seconds"`
}

// Outcome is what became of one call. All were as they should be.
type Outcome struct {
	Title string `json:"title"`
	Tool  string `json:"tool"`
	// Result is the tool's, Stopped the error that the call had to end with.
	Result  json.RawMessage `json:"result,omitempty"`
	Stopped string          `json:"stopped,omitempty"`
	// Requests are those that reached the server.
	Requests   []string `json:"requests"`
	DurationMS float64  `json:"duration_ms"`
}

// Run plays the demo to its end. It fails when anything in it goes otherwise
// than it should, so that it is a test, too.
func Run(ctx context.Context, c Config) (_ *Report, err error) {
	d := &show{Config: c, began: time.Now()}
	internet, err := listen(d)
	if err != nil {
		return nil, err
	}
	defer internet.Close()
	policy, err := d.policy(internet.URL)
	if err != nil {
		return nil, err
	}
	d.host, err = host.Open(policy, c.Options)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.host.Close()) }()
	d.title("Four plugins: github, jq and webfetch do honest work, rogue does not. This is the policy:")
	d.printPolicy()
	for _, p := range policy.Plugins() { // one-time compiling, with progress
		if err := d.host.Prepare(ctx, p.Name()); err != nil {
			return nil, err
		}
	}
	for _, scene := range scenes {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := d.play(ctx, scene, internet); err != nil {
			return nil, err
		}
	}
	if err := d.compare(ctx); err != nil {
		return nil, err
	}
	if err := d.assistant(ctx, policy, internet); err != nil {
		return nil, err
	}
	if err := d.close(policy); err != nil {
		return nil, err
	}
	return &d.report, nil
}

// policy writes the policy of the demo, as an operator would, and loads it.
func (d *show) policy(internet string) (*policies.Policy, error) {
	dir, err := os.MkdirTemp("", "ringfence-demo-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	tools, err := filepath.Abs(d.Tools)
	if err != nil {
		return nil, err
	}
	d.text = strings.NewReplacer("TOOLS", filepath.ToSlash(tools), "INTERNET", internet).Replace(policyText)
	path := filepath.Join(dir, "demo.hcl")
	if err := os.WriteFile(path, []byte(d.text), 0o600); err != nil {
		return nil, err
	}
	return policies.Load(path, policies.Options{LookupEnv: func(name string) (string, bool) {
		if name == "DEMO_TOKEN" {
			return token, true
		}
		return os.LookupEnv(name)
	}})
}

// scene is one call and what must come of it.
type scene struct {
	title     string
	tool      string
	arguments func(d *show, internet string) ([]byte, error)
	show      string // the arguments, when they are too long to print
	want      error  // nil, or the kind of error that must come
	listens   bool   // whether it is worth saying that nothing reached the server
	check     func(result string, internet *internet) error
}

func (d *show) play(ctx context.Context, s scene, internet *internet) error {
	d.title("%s", s.title)
	arguments, err := s.arguments(d, internet.URL)
	if err != nil {
		return err
	}
	shown := s.show
	if shown == "" {
		shown = string(arguments)
	}
	d.command("ringfence call %s '%s'", s.tool, shown)
	began := time.Now()
	result, err := d.host.Call(ctx, s.tool, arguments)
	took := time.Since(began)
	outcome := Outcome{
		Title: s.title, Tool: s.tool, Requests: internet.settle(s.listens),
		DurationMS: float64(took.Microseconds()) / 1000,
	}
	switch {
	case err != nil && s.want != nil && errors.Is(err, s.want):
		outcome.Stopped = err.Error()
		d.bad(err.Error(), took)
	case err != nil:
		return fmt.Errorf("%s: %w", s.tool, err)
	case s.want != nil:
		return fmt.Errorf("%s succeeded, but should have failed: %s", s.tool, s.want)
	default:
		outcome.Result = result.JSON
		d.good(result, took)
	}
	d.report.Scenes = append(d.report.Scenes, outcome)
	if s.check == nil {
		return nil
	}
	text := ""
	if result != nil {
		text = string(result.JSON)
	}
	return s.check(text, internet)
}

func jsonOf(v any) func(*show, string) ([]byte, error) {
	return func(*show, string) ([]byte, error) { return json.Marshal(v) }
}

// close says what the demo proved, after looking.
func (d *show) close(policy *policies.Policy) error {
	path := host.AuditPath(policy.Settings())
	log, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if bytes.Contains(log, []byte(token)) {
		return errors.New("the token is in the audit log")
	}
	d.title("Every decision is on record in %s, the last denial for example:", path)
	records := strings.Split(string(log), "\n")
	for i := len(records) - 1; i >= 0; i-- {
		if strings.Contains(records[i], `"kind":"http","decision":"deny"`) {
			d.note("%s", records[i])
			break
		}
	}
	d.report.AuditLog, d.report.Seconds = path, time.Since(d.began).Seconds()
	d.note("%.1f s in all.", d.report.Seconds)
	return nil
}
