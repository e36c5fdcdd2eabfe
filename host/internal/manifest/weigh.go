package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp/syntax"
	"strings"

	"github.com/ringfence/ringfence/host/internal/printable"
)

const (
	// maxWeight is how many subschemas a schema may come to when every
	// reference is followed.
	maxWeight = 10_000
	// maxDepth is how deep schemas and references may nest.
	maxDepth = 64
	// maxTextual bounds the compiled patterns of a schema, in instructions.
	// "a{1000}" is seven bytes and a thousand of them.
	maxTextual = 10_000
	// textPart is how much text counts as one more part: a complaint quotes it.
	textPart = 64
)

// weigh refuses schemas that would be expensive or endless to evaluate. It
// counts every JSON value as a subschema, which is at most a few times too much.
func weigh(raw json.RawMessage) (*scales, error) {
	var root any
	if err := json.Unmarshal(raw, &root); err != nil {
		return nil, errors.New("not JSON")
	}
	w := &scales{root: root}
	var err error
	w.breadth, err = w.add(root, isSchema, 0)
	return w, err
}

// place is what a JSON value in a schema stands for. A property may be called
// "allOf", and data may hold a "$ref".
type place int

const (
	isSchema  place = iota
	isSchemas       // schemas by name
	isData
)

type scales struct {
	root   any
	weight int
	// textual is what one byte of a string may cost: the instructions of all
	// patterns, and one for each keyword that counts characters.
	textual int
	// breadth is how many parts may look at one and the same value. The schemas
	// of two properties do not look at the same one.
	breadth int
}

// add weighs a value and returns its breadth.
func (w *scales) add(v any, at place, depth int) (breadth int, err error) {
	if err := w.put(1); err != nil {
		return 0, err
	}
	if depth > maxDepth {
		return 0, fmt.Errorf("the schema nests deeper than %d, or its references run in a circle", maxDepth)
	}
	breadth = 1
	switch v := v.(type) {
	case string:
		breadth += len(v) / textPart
		return breadth, w.put(len(v) / textPart)
	case map[string]any:
		for key, child := range v {
			if err := w.put(len(key) / textPart); err != nil {
				return 0, err
			}
			b, err := w.addMember(key, child, at, depth)
			if err != nil {
				return 0, err
			}
			breadth += b + len(key)/textPart
		}
	case []any:
		for _, child := range v {
			b, err := w.add(child, at, depth+1)
			if err != nil {
				return 0, err
			}
			breadth += b
		}
	}
	return breadth, nil
}

func (w *scales) put(n int) error {
	if w.weight += n; w.weight > maxWeight {
		return fmt.Errorf("the schema comes to more than %d parts once its references are followed", maxWeight)
	}
	return nil
}

func (w *scales) addMember(key string, child any, at place, depth int) (breadth int, err error) {
	switch at {
	case isData:
		return w.add(child, isData, depth+1)
	case isSchemas:
		return w.add(child, isSchema, depth+1)
	}
	return w.addKeyword(key, child, depth)
}

func (w *scales) addKeyword(key string, child any, depth int) (breadth int, err error) {
	switch key {
	case "$ref":
		target, ok := child.(string)
		if !ok {
			return 0, errors.New("the schema has a $ref that is not text")
		}
		to, err := w.resolve(target)
		if err != nil {
			return 0, err
		}
		return w.add(to, isSchema, depth+1)
	case "$dynamicRef", "$recursiveRef", "$dynamicAnchor", "$anchor", "$id", "uniqueItems":
		// Their targets depend on the evaluation, or rename the schema under
		// our feet; uniqueItems compares every pair.
		return 0, fmt.Errorf("the schema uses %q, which is not supported", key)
	case "properties":
		return w.addProperties(child, depth)
	case "$defs", "definitions": // count where a reference leads to them
		_, err := w.add(child, isSchemas, depth+1)
		return 0, err
	case "patternProperties":
		patterns, _ := child.(map[string]any)
		for pattern := range patterns {
			if err := w.addPattern(pattern); err != nil {
				return 0, err
			}
		}
		return w.add(child, isSchemas, depth+1)
	case "dependentSchemas", "dependencies":
		return w.add(child, isSchemas, depth+1)
	case "enum", "const", "default", "examples":
		return w.add(child, isData, depth+1)
	case "pattern":
		pattern, _ := child.(string)
		if err := w.addPattern(pattern); err != nil {
			return 0, err
		}
	case "minLength", "maxLength":
		w.textual++
	}
	return w.add(child, isSchema, depth+1)
}

// addProperties is as broad as looking up every name and then the broadest of
// them.
func (w *scales) addProperties(child any, depth int) (breadth int, err error) {
	properties, ok := child.(map[string]any)
	if !ok {
		return 0, errors.New("the schema has properties that are not an object")
	}
	broadest := 0
	for name, p := range properties {
		if err := w.put(len(name) / textPart); err != nil {
			return 0, err
		}
		b, err := w.add(p, isSchema, depth+2)
		if err != nil {
			return 0, err
		}
		broadest = max(broadest, b)
	}
	return len(properties) + broadest, nil
}

// addPattern refuses a pattern before it is compiled for good: one of 20 KB can
// take 100 MB.
func (w *scales) addPattern(pattern string) error {
	const longest = 1 << 10
	if len(pattern) > longest {
		return fmt.Errorf("the schema has a pattern of %d bytes (maximum %d)", len(pattern), longest)
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return fmt.Errorf("the schema has a bad pattern: %s", printable.Line(err.Error(), 256))
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return fmt.Errorf("the schema has a bad pattern: %s", printable.Line(err.Error(), 256))
	}
	if w.textual += len(program.Inst); w.textual > maxTextual {
		return fmt.Errorf("the schema's patterns come to more than %d instructions", maxTextual)
	}
	return nil
}

// resolve follows a reference within the schema: "#" or "#/a/b".
func (w *scales) resolve(target string) (any, error) {
	pointer, ok := strings.CutPrefix(target, "#")
	if !ok || pointer != "" && pointer[0] != '/' || strings.Contains(pointer, "%") {
		return nil, fmt.Errorf("the schema refers to %.80q; only \"#/…\" is supported", target)
	}
	at := w.root
	if pointer == "" {
		return at, nil
	}
	for part := range strings.SplitSeq(pointer[1:], "/") {
		part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		object, ok := at.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("the schema refers to %.80q, which is not in it", target)
		}
		if at, ok = object[part]; !ok {
			return nil, fmt.Errorf("the schema refers to %.80q, which is not in it", target)
		}
	}
	return at, nil
}

// checkNames refuses JSON that names a member twice. Readers do not agree on
// which one counts (encoding/json even merges the two), so one of them would
// escape the scales.
func checkNames(raw []byte) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	var open []map[string]bool // the names so far; nil for an array
	name := false              // whether a text here is a name
	for {
		token, err := d.Token()
		if err != nil {
			return nil // its end; that it is JSON is for others to say
		}
		text, isText := token.(string)
		switch {
		case token == json.Delim('{'):
			open = append(open, make(map[string]bool))
			name = true
			continue
		case token == json.Delim('['):
			open = append(open, nil)
			name = false
			continue
		case token == json.Delim('}'), token == json.Delim(']'):
			open = open[:len(open)-1]
		case name && isText:
			if names := open[len(open)-1]; names[text] {
				return fmt.Errorf("it names %q twice in one object", printable.Line(text, 80))
			} else {
				names[text] = true
			}
			name = false
			continue
		}
		name = len(open) > 0 && open[len(open)-1] != nil
	}
}
