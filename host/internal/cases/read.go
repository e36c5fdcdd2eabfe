package cases

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"unicode"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/ringfence/ringfence/internal/hclscreen"
	"github.com/ringfence/ringfence/policies"
)

const (
	maxFile  = 4 << 20 // bytes of a file of cases, and of a file that one names
	maxFiles = 1000    // files of cases below a folder
)

// Case is one test case.
type Case struct {
	Name   string
	File   string // as found
	Line   int
	Tool   string // without its plugin
	Module string // the file of the plugin

	input   []byte // JSON
	policy  []byte // HCL
	plugin  string // its name in that
	files   map[string]string
	answers []answer
	expect  expectation
}

// fileBlock is a file of cases.
type fileBlock struct {
	Plugin *string     `hcl:"plugin,optional"`
	Cases  []caseBlock `hcl:"case,block"`
}

type caseBlock struct {
	Name    string            `hcl:"name,label"`
	Tool    string            `hcl:"tool"`
	Input   *hcl.Attribute    `hcl:"input,optional"`
	Grant   *grantBlock       `hcl:"grant,block"`
	Text    *string           `hcl:"grant_hcl,optional"`
	Secrets map[string]string `hcl:"secrets,optional"`
	Files   map[string]string `hcl:"files,optional"`
	Answers []answerBlock     `hcl:"answer,block"`
	Expect  *expectBlock      `hcl:"expect,block"` // gohcl's words for one that is missing are not ours
	Range   hcl.Range         `hcl:",def_range"`
}

// grantBlock is for package policies to read.
type grantBlock struct {
	Inside hcl.Body  `hcl:",remain"`
	Range  hcl.Range `hcl:",def_range"`
}

type answerBlock struct {
	Request string            `hcl:"request,label"`
	Status  *int              `hcl:"status,optional"`
	Headers map[string]string `hcl:"headers,optional"`
	Body    *string           `hcl:"body,optional"`
	JSON    *hcl.Attribute    `hcl:"json,optional"`
	Failure *string           `hcl:"failure,optional"`
	Range   hcl.Range         `hcl:",def_range"`
}

type expectBlock struct {
	Result       *hcl.Attribute    `hcl:"result,optional"`
	Includes     *hcl.Attribute    `hcl:"includes,optional"`
	Text         []string          `hcl:"text,optional"`
	Without      []string          `hcl:"without,optional"`
	Error        *string           `hcl:"error,optional"`
	BadArguments *string           `hcl:"bad_arguments,optional"`
	Denied       *string           `hcl:"denied,optional"`
	Cause        *string           `hcl:"cause,optional"`
	Requests     *[]string         `hcl:"requests,optional"`
	Logs         []string          `hcl:"logs,optional"`
	Files        map[string]string `hcl:"files,optional"`
	Range        hcl.Range         `hcl:",def_range"`
}

// Find reads the cases of a file, or of all *.case.hcl and *.case.json files below a
// folder. module is the plugin's file; if it is "", a file of cases says which one,
// or there is just one .wasm in the folder. The error for a mistake in a file is an
// *Error.
func Find(path, module string) ([]Case, error) {
	names, err := list(path)
	if err != nil {
		return nil, err
	}
	r := &reader{root: path, module: module, parser: hclparse.NewParser()}
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		r.root = filepath.Dir(path)
	}
	var all []Case
	for _, name := range names {
		all = append(all, r.file(name)...)
	}
	if len(r.diags) > 0 {
		return nil, &Error{r.diags, r.parser.Files()}
	}
	return all, nil
}

// Error is a mistake in files of cases.
type Error struct {
	diags hcl.Diagnostics
	files map[string]*hcl.File
}

// Error is the first mistake, in one line.
func (e *Error) Error() string {
	d := e.diags[0]
	text := d.Summary
	if d.Detail != "" {
		text += ": " + strings.TrimSuffix(strings.Join(strings.Fields(d.Detail), " "), ".")
	}
	if d.Subject != nil {
		text = fmt.Sprintf("%s:%d: %s", d.Subject.Filename, d.Subject.Start.Line, text)
	}
	if more := len(e.diags) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return text
}

// Problems lists all mistakes.
func (e *Error) Problems() []policies.Problem {
	var all []policies.Problem
	for _, d := range e.diags {
		p := policies.Problem{Summary: d.Summary, Detail: d.Detail}
		if d.Subject != nil {
			p.File, p.Line, p.Column = d.Subject.Filename, d.Subject.Start.Line, d.Subject.Start.Column
		}
		all = append(all, p)
	}
	return all
}

// Render writes all mistakes with the lines that they are in.
func (e *Error) Render(w io.Writer, width uint, color bool) error {
	return hcl.NewDiagnosticTextWriter(w, e.files, width, color).WriteDiagnostics(e.diags)
}

// list finds the files of cases.
func list(path string) ([]string, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("looking for cases: there is no %s", path)
	case err != nil:
		return nil, fmt.Errorf("looking for cases: %w", err)
	case info.IsDir():
	case isCase(path):
		return []string{path}, nil
	default:
		return nil, fmt.Errorf("%s is no file of cases: these are called NAME.case.hcl or NAME.case.json", path)
	}
	var names []string
	err = filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != path && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "node_modules"):
			return fs.SkipDir
		case entry.Type().IsRegular() && isCase(entry.Name()):
			if !printable(strings.TrimPrefix(name, path)) {
				return fmt.Errorf("%q is not the name of a file of cases: it is not printable", name)
			}
			names = append(names, name)
		}
		if len(names) > maxFiles {
			return fmt.Errorf("%s has more than %d files of cases", path, maxFiles)
		}
		return nil
	})
	if err == nil && len(names) == 0 {
		err = fmt.Errorf("there are no cases in %s: write one to NAME.case.hcl", path)
	}
	return names, err
}

// printable says whether a name is one line that steers no terminal.
func printable(name string) bool {
	return !strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) })
}

func isCase(name string) bool {
	return strings.HasSuffix(name, ".case.hcl") || strings.HasSuffix(name, ".case.json")
}

// reader reads files of cases and collects what is wrong with them.
type reader struct {
	root, module string
	parser       *hclparse.Parser
	diags        hcl.Diagnostics
}

func (r *reader) errorf(at hcl.Range, summary, format string, args ...any) {
	r.diags = append(r.diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...), Subject: &at})
}

// top is the place of what is wrong with a file as a whole.
func top(name string) hcl.Range {
	return hcl.Range{Filename: name, Start: hcl.InitialPos, End: hcl.InitialPos}
}

func (r *reader) file(name string) []Case {
	text, err := bounded(name)
	if err != nil {
		r.errorf(top(name), "The file cannot be read", "%s.", err)
		return nil
	}
	var block fileBlock
	var parsed *hcl.File
	var diags hcl.Diagnostics
	context := evalContext(filepath.Dir(name))
	isJSON := strings.HasSuffix(name, ".json")
	if diags = screen(text, name); diags.HasErrors() { // before the parser keeps it to be shown
		r.diags = append(r.diags, diags...)
		return nil
	}
	if isJSON {
		parsed, diags = r.parser.ParseJSON(text, name)
	} else {
		parsed, diags = r.parser.ParseHCL(text, name)
	}
	if !diags.HasErrors() {
		diags = gohcl.DecodeBody(parsed.Body, context, &block)
	}
	if diags.HasErrors() {
		if isJSON { // there, what follows the first mistake follows from it
			diags = diags[:1]
		}
		r.diags = append(r.diags, diags...)
		return nil
	}
	module, err := r.moduleOf(name, block.Plugin)
	if err != nil {
		r.errorf(top(name), "Which plugin is tested", "%s.", err)
		return nil
	}
	if len(block.Cases) == 0 {
		r.errorf(top(name), "A file without cases", "Write case \"what it shows\" { … }, or remove the file.")
	}
	seen := map[string]bool{}
	var cases []Case
	for i := range block.Cases {
		b := &block.Cases[i]
		if seen[b.Name] {
			r.errorf(b.Range, "Two cases of one name", "There is another case %q in this file.", b.Name)
		}
		seen[b.Name] = true
		// Attack: a name that prints a line of its own, "12 cases passed".
		if !printable(b.Name) {
			r.errorf(b.Range, "Not the name of a case", "%q is not one printable line.", b.Name)
		}
		c := Case{Name: b.Name, File: name, Line: b.Range.Start.Line, Tool: b.Tool, Module: module, plugin: pluginName(module), files: b.Files}
		r.fill(&c, b, context, parsed, text)
		cases = append(cases, c)
	}
	return cases
}

// screen refuses what must not reach a parser, nor a terminal: cases come with a plugin.
func screen(text []byte, name string) (diags hcl.Diagnostics) {
	const what = "file of cases"
	if strings.HasSuffix(name, ".json") {
		return hclscreen.JSON(text, name, what)
	}
	_, diags = hclscreen.Text(text, name, what)
	return diags
}

// fill reads what a case gives to its call.
func (r *reader) fill(c *Case, b *caseBlock, context *hcl.EvalContext, parsed *hcl.File, text []byte) {
	c.input = []byte("{}")
	if b.Input != nil {
		if input, ok := r.json(b.Input, context); ok {
			c.input = input
		}
	}
	for i := range b.Answers {
		if a, ok := r.answer(&b.Answers[i], context); ok {
			c.answers = append(c.answers, a)
		}
	}
	if b.Expect == nil {
		r.errorf(b.Range, "A case without an expect block", "Write expect { … } with what must come of the call; an empty one expects a result, whatever it is.")
	} else {
		r.expectation(c, b.Expect, context)
	}
	inside, line := "", b.Range.Start.Line
	switch {
	case b.Text != nil && b.Grant != nil:
		r.errorf(b.Grant.Range, "Two grants", "Keep the block, or grant_hcl.")
	case b.Text != nil:
		inside = *b.Text
	case b.Grant != nil:
		line = b.Grant.Range.Start.Line
		if inside = insideOf(parsed, b.Grant.Range, text); inside == "" && strings.HasSuffix(c.File, ".json") {
			r.errorf(b.Grant.Range, "A grant in JSON", "Write grant_hcl = \"http { … }\": what a policy grants is written in HCL.")
		}
	}
	if err := checkGrant(inside); err != nil {
		r.errorf(b.Range, "A grant that is not whole", "%s", err)
	}
	c.policy = policyOf(c, inside, line, b.Secrets)
	if err := c.checkFiles(); err != nil {
		r.errorf(b.Range, "The files of a case", "%s.", err)
	}
}

// insideOf is the text of a block between its brackets.
func insideOf(parsed *hcl.File, at hcl.Range, text []byte) string {
	body, ok := parsed.Body.(*hclsyntax.Body)
	if !ok {
		return ""
	}
	for _, outer := range body.Blocks {
		for _, b := range outer.Body.Blocks {
			if b.Type == "grant" && b.TypeRange.Start == at.Start {
				return string(text[b.OpenBraceRange.End.Byte:b.CloseBraceRange.Start.Byte])
			}
		}
	}
	return ""
}

// moduleOf finds the plugin that a file of cases is about.
func (r *reader) moduleOf(name string, said *string) (string, error) {
	switch {
	case r.module != "":
		return r.module, nil
	case said != nil:
		if filepath.IsAbs(*said) {
			return *said, nil
		}
		return filepath.Join(filepath.Dir(name), *said), nil
	}
	found, err := filepath.Glob(filepath.Join(r.root, "*.wasm"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("there are %d .wasm files in %s, and neither --plugin nor plugin = \"…\" in the file names one (is it built?)", len(found), r.root)
	}
	return found[0], nil
}

var notName = regexp.MustCompile(`[^a-z0-9_-]+`)

// pluginName is a name that a policy takes, made of the module's.
func pluginName(module string) string {
	name := strings.TrimSuffix(filepath.Base(module), filepath.Ext(module))
	name = strings.TrimLeft(notName.ReplaceAllString(strings.ToLower(name), "_"), "_-0123456789")
	if name == "" {
		return "plugin"
	}
	return name[:min(len(name), 63)]
}

// bounded reads a regular file of a size that is sensible here.
func bounded(name string) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a named pipe would be waited for
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return boundedFile(f)
}

// boundedFile reads an open file, which must be a regular one.
func boundedFile(f *os.File) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", f.Name())
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s has more than %d bytes", f.Name(), maxFile)
	}
	return text, err
}
