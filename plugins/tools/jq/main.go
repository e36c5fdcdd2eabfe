package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/itchyny/gojq"

	"github.com/ringfence/ringfence/pluginkit/guest"
)

// Args are the arguments of the tool run.
type Args struct {
	Program   string                     `json:"program" description:"The jq program, for example: .items[] | select(.size > 10) | .name"`
	Input     json.RawMessage            `json:"input" description:"The JSON value that the program reads as \".\"."`
	Variables map[string]json.RawMessage `json:"variables,omitempty" description:"Values for the program: {\"min\": 2} makes $min the number 2."`
	Limit     int                        `json:"limit" description:"The program is stopped after this many outputs." default:"1000" minimum:"1" maximum:"1000000"`
}

// Result is what the program wrote.
type Result struct {
	Outputs []json.RawMessage `json:"outputs" description:"What the program put out, in order."`
	More    bool              `json:"more,omitempty" description:"True when the program was stopped at the limit and would have put out more."`
}

func init() {
	guest.Tool("run", "Runs a jq program over a JSON value and returns its outputs. "+
		"Use it to filter, reshape, count and sum large JSON exactly. "+
		"The program sees no files and no environment.", run,
		guest.Title("jq"), guest.ReadOnly(), guest.Idempotent(), guest.ClosedWorld())
}

func main() {}

func run(args Args) (Result, error) {
	var input any
	code, values, err := compile(args.Program, args.Variables, &input)
	if err != nil {
		return Result{}, guest.InvalidArgs(err)
	}
	var restore func()
	input, restore = largeTree(args.Input)
	defer restore()
	result := Result{Outputs: []json.RawMessage{}}
	outputs := code.Run(nil, values...)
	for {
		value, more := outputs.Next()
		if !more {
			return result, nil
		}
		if err, ok := value.(error); ok {
			var halt *gojq.HaltError
			if errors.As(err, &halt) && halt.Value() == nil {
				return result, nil
			}
			return result, fmt.Errorf("the program failed after %d outputs: %w", len(result.Outputs), err)
		}
		if len(result.Outputs) == args.Limit {
			result.More = true
			return result, nil
		}
		text, err := gojq.Marshal(value)
		if err != nil {
			return result, fmt.Errorf("output %d: %w", len(result.Outputs), err)
		}
		result.Outputs = append(result.Outputs, text)
	}
}

// inputFunction is the name of a function that returns the input. No program
// can call it: its name has a space.
const inputFunction = "the input"

// compile parses the program and orders the variables as gojq wants them. When
// the code runs, it reads *input.
//
// The input does not go through Code.Run, which would walk over the whole tree
// to normalise its numbers, for longer than it takes to parse it. Ours are normal.
func compile(program string, variables map[string]json.RawMessage, input *any) (*gojq.Code, []any, error) {
	query, err := gojq.Parse(program)
	if err != nil {
		return nil, nil, place(program, err)
	}
	source := &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeFunc, Func: &gojq.Func{Name: inputFunction}}}
	whole := &gojq.Query{Meta: query.Meta, Imports: query.Imports, Left: source, Op: gojq.OpPipe, Right: query}
	query.Meta, query.Imports = nil, nil
	var names []string
	for name := range variables {
		names = append(names, "$"+name)
	}
	slices.Sort(names)
	values := make([]any, len(names))
	for i, name := range names {
		values[i] = tree(variables[name[1:]])
	}
	code, err := gojq.Compile(whole, gojq.WithVariables(names), gojq.WithFunction("debug", 0, 1, debug),
		gojq.WithFunction(inputFunction, 0, 0, func(any, []any) any { return *input }))
	if err != nil {
		return nil, nil, fmt.Errorf("the jq program does not compile: %w", err)
	}
	return code, values, nil
}

// debug is jq's function of that name: it logs, and passes its input on.
func debug(input any, args []any) any {
	message := input
	if len(args) > 0 {
		message = args[0]
	}
	text, err := gojq.Marshal(message)
	if err != nil {
		return err
	}
	guest.Log(guest.LevelDebug, string(text))
	return input
}

// place says on which line and column of the program it went wrong.
func place(program string, err error) error {
	var parse *gojq.ParseError
	if !errors.As(err, &parse) {
		return fmt.Errorf("the jq program is wrong: %w", err)
	}
	before := program[:min(max(parse.Offset-len(parse.Token), 0), len(program))]
	line := strings.Count(before, "\n") + 1
	column := len([]rune(before[strings.LastIndexByte(before, '\n')+1:])) + 1
	return fmt.Errorf("the jq program is wrong at line %d, column %d: %w", line, column, err)
}
