package cases

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/ringfence/ringfence/host/internal/content"
)

// evalContext is what the expressions of a file can use: file("…"), relative to the
// file's folder, and functions for texts and JSON.
func evalContext(dir string) *hcl.EvalContext {
	file := function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			text, err := fileIn(dir, args[0].AsString())
			return cty.StringVal(string(text)), err
		},
	})
	// What it decodes can come from a file, and it recurses as deep as that nests.
	decode := function.New(&function.Spec{
		Params: []function.Parameter{{Name: "json", Type: cty.String}},
		Type: func(args []cty.Value) (cty.Type, error) {
			if args[0].IsKnown() {
				if err := content.CheckDepth([]byte(args[0].AsString())); err != nil {
					return cty.NilType, err
				}
			}
			return stdlib.JSONDecodeFunc.ReturnTypeForValues(args)
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return stdlib.JSONDecodeFunc.Call(args) },
	})
	return &hcl.EvalContext{Functions: map[string]function.Function{
		"file": file, "jsondecode": decode, "jsonencode": stdlib.JSONEncodeFunc,
		"format": stdlib.FormatFunc, "join": stdlib.JoinFunc, "trimspace": stdlib.TrimSpaceFunc,
	}}
}

// fileIn reads a file of the plugin's folder, which is the one of the cases, or the
// one above where that is called cases. Cases come with a plugin, and what they read
// goes to it: no other file of the machine is theirs to give, nor one that a link
// leads to.
func fileIn(dir, name string) ([]byte, error) {
	top := dir
	if abs, err := filepath.Abs(dir); err == nil && filepath.Base(abs) == "cases" {
		top = filepath.Dir(abs)
		dir = abs
	}
	inside, err := filepath.Rel(top, filepath.Join(dir, filepath.FromSlash(name)))
	if filepath.IsAbs(name) || err != nil || !filepath.IsLocal(inside) {
		return nil, fmt.Errorf("%q is not inside the plugin's folder %s", name, top)
	}
	root, err := os.OpenRoot(top)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.OpenFile(inside, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a named pipe would be waited for
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return boundedFile(f)
}

// json is the value of an attribute as JSON.
func (r *reader) json(a *hcl.Attribute, context *hcl.EvalContext) ([]byte, bool) {
	value, diags := a.Expr.Value(context)
	if diags.HasErrors() {
		r.diags = append(r.diags, diags...)
		return nil, false
	}
	text, err := json.Marshal(ctyjson.SimpleJSONValue{Value: value})
	if err != nil {
		r.errorf(a.Range, "Not JSON", "The value of %s cannot be written as JSON: %s.", a.Name, err)
	}
	return text, err == nil
}

// decode reads JSON for comparing. Numbers keep their digits.
func decode(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}

// answer is a canned answer to an HTTP request.
type answer struct {
	request string // as requestLine makes it
	status  int
	header  http.Header
	body    []byte
	failure string // instead of an answer
	line    int
}

func (r *reader) answer(b *answerBlock, context *hcl.EvalContext) (answer, bool) {
	a := answer{status: http.StatusOK, header: http.Header{}, line: b.Range.Start.Line}
	var err error
	if a.request, err = requestLine(b.Request); err != nil {
		r.errorf(b.Range, "Not a request", "%s. Write answer \"GET https://host/path\".", err)
		return a, false
	}
	if b.Status != nil {
		if a.status = *b.Status; a.status < 200 || a.status > 599 {
			r.errorf(b.Range, "Not a status", "The status is %d (200 to 599 are allowed).", a.status)
			return a, false
		}
	}
	ways := 0
	if b.Body != nil {
		a.body = []byte(*b.Body)
		ways++
	}
	if b.JSON != nil {
		var ok bool
		if a.body, ok = r.json(b.JSON, context); !ok {
			return a, false
		}
		a.header.Set("Content-Type", "application/json")
		ways++
	}
	if b.Failure != nil {
		a.failure = *b.Failure
		ways++
	}
	if ways > 1 {
		r.errorf(b.Range, "Two answers in one", "Keep one of body, json and failure.")
		return a, false
	}
	for name, value := range b.Headers {
		a.header.Set(name, value)
	}
	return a, true
}

// expectation is what must come of a call.
type expectation struct {
	kind     string // "", error, bad_arguments, denied or cause
	text     string // of kind
	result   any
	includes any
	exact    bool // result is set
	partly   bool // includes is set
	contains []string
	without  []string
	requests *[]string
	logs     []string
	files    map[string]string
}

func (r *reader) expectation(c *Case, b *expectBlock, context *hcl.EvalContext) {
	e := expectation{contains: b.Text, without: b.Without, requests: b.Requests, logs: b.Logs, files: b.Files}
	failures := 0
	for _, f := range []struct {
		kind string
		text *string
	}{{"error", b.Error}, {"bad_arguments", b.BadArguments}, {"denied", b.Denied}, {"cause", b.Cause}} {
		if f.text != nil {
			e.kind, e.text = f.kind, *f.text
			failures++
		}
	}
	e.result, e.exact = r.expected(b.Result, context)
	e.includes, e.partly = r.expected(b.Includes, context)
	successes := e.exact || e.partly || len(b.Text) > 0
	switch {
	case failures > 1 || failures == 1 && successes:
		r.errorf(b.Range, "More than one outcome is expected", "A call has a result (result, includes, text), or one of error, bad_arguments, denied and cause.")
	case e.kind == "cause" && !slices.Contains(causes, e.text):
		r.errorf(b.Range, "Not a cause", "%q is not a cause. The causes are %q.", e.text, causes)
	}
	if e.requests != nil {
		for i, line := range *e.requests {
			canonical, err := requestLine(line)
			if err != nil {
				r.errorf(b.Range, "Not a request", "%s.", err)
			}
			(*e.requests)[i] = canonical
		}
	}
	c.expect = e
}

func (r *reader) expected(a *hcl.Attribute, context *hcl.EvalContext) (any, bool) {
	if a == nil {
		return nil, false
	}
	text, ok := r.json(a, context)
	if !ok {
		return nil, false
	}
	v, err := decode(text)
	return v, err == nil
}
