package policies

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// maxShown bounds how many problems are rendered: one wrong brace can make
// thousands, and only the first few are worth reading.
const maxShown = 25

// DiagnosticsError says that a policy is at fault, and where. Its Error method
// gives the first problem on one line; Render shows all of them with the lines
// of the policy they are about.
type DiagnosticsError struct {
	diags hcl.Diagnostics
	files map[string]*hcl.File
}

// Problem is one diagnostic, for callers that print their own form of it.
type Problem struct {
	File    string `json:"file,omitempty"`   // as the policy was named
	Line    int    `json:"line,omitempty"`   // from 1; 0 when the problem has no place in a file
	Column  int    `json:"column,omitempty"` // from 1
	Warning bool   `json:"warning,omitempty"`
	Summary string `json:"summary"`
	Detail  string `json:"detail,omitempty"` // what to do about it
}

// String is "file:line: summary; detail" on one line.
func (p Problem) String() string {
	s := p.Summary
	if p.Detail != "" {
		s += ": " + strings.TrimSuffix(oneLine(p.Detail), ".")
	}
	if p.Line == 0 {
		return s
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, s)
}

// Error is the first problem on one line and how many more there are.
func (e *DiagnosticsError) Error() string {
	problems := e.Problems()
	if len(problems) == 0 {
		return "policy is not valid"
	}
	s := problems[0].String()
	switch n := len(problems) - 1; {
	case n == 1:
		s += " (and 1 more problem)"
	case n > 1:
		s += fmt.Sprintf(" (and %d more problems)", n)
	}
	return s
}

// Problems lists the errors first, then the warnings.
func (e *DiagnosticsError) Problems() []Problem { return problems(e.diags) }

// Render writes every problem with its place, the line of the policy and what
// to do. Width 0 means no wrapping.
func (e *DiagnosticsError) Render(w io.Writer, width uint, color bool) error {
	return render(w, e.files, e.diags, width, color)
}

// WriteTo is Render without colour or wrapping; it makes a DiagnosticsError an
// io.WriterTo.
func (e *DiagnosticsError) WriteTo(w io.Writer) (int64, error) {
	var buf bytes.Buffer
	if err := e.Render(&buf, 0, false); err != nil {
		return 0, err
	}
	return buf.WriteTo(w)
}

func problems(diags hcl.Diagnostics) []Problem {
	out := make([]Problem, 0, len(diags))
	for _, d := range diags {
		p := Problem{Summary: d.Summary, Detail: d.Detail, Warning: d.Severity == hcl.DiagWarning}
		if d.Subject != nil {
			p.File, p.Line, p.Column = d.Subject.Filename, d.Subject.Start.Line, d.Subject.Start.Column
		}
		out = append(out, p)
	}
	return out
}

func render(w io.Writer, files map[string]*hcl.File, diags hcl.Diagnostics, width uint, color bool) error {
	shown := diags
	if len(shown) > maxShown {
		shown = shown[:maxShown]
	}
	excerpts, short := excerpts(files, shown)
	if err := hcl.NewDiagnosticTextWriter(w, excerpts, width, color).WriteDiagnostics(short); err != nil {
		return err
	}
	if n := len(diags) - len(shown); n > 0 {
		_, err := fmt.Fprintf(w, "%d more problems are not shown.\n", n)
		return err
	}
	return nil
}

// errorFirst orders errors before warnings and otherwise keeps the order.
func errorFirst(diags hcl.Diagnostics) hcl.Diagnostics {
	out := make(hcl.Diagnostics, 0, len(diags))
	for _, want := range []hcl.DiagnosticSeverity{hcl.DiagError, hcl.DiagWarning} {
		for _, d := range diags {
			if d.Severity == want {
				out = append(out, d)
			}
		}
	}
	return out
}

// distinct keeps the first diagnostic of each kind: one missing quote makes the
// HCL parser complain about every line that follows.
func distinct(diags hcl.Diagnostics) hcl.Diagnostics {
	seen := map[string]bool{}
	var out hcl.Diagnostics
	for _, d := range diags {
		if !seen[d.Summary] {
			seen[d.Summary] = true
			out = append(out, d)
		}
	}
	return out
}

// withoutValues removes what makes the diagnostic writer print "with var.x as
// …": the value may be a secret.
func withoutValues(diags hcl.Diagnostics) hcl.Diagnostics {
	for _, d := range diags {
		d.Expression, d.EvalContext = nil, nil
	}
	return diags
}

// place is "file.hcl:31", the short form for messages and the audit log.
func place(rng hcl.Range) string {
	return fmt.Sprintf("%s:%d", filepath.Base(rng.Filename), rng.Start.Line)
}

func oneLine(s string) string {
	out := []byte(s)
	for i, c := range out {
		if c == '\n' || c == '\r' || c == '\t' {
			out[i] = ' '
		}
	}
	return string(out)
}
