package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

const (
	// maxWeight is how many subschemas a schema may come to when every
	// reference is followed.
	maxWeight = 10_000
	// maxDepth is how deep schemas and references may nest.
	maxDepth = 64
)

// weigh refuses schemas that would be expensive or endless to evaluate. It
// counts every JSON value as a subschema, which is at most a few times too much.
func weigh(raw json.RawMessage) error {
	var root any
	if err := json.Unmarshal(raw, &root); err != nil {
		return errors.New("not JSON")
	}
	w := scales{root: root}
	return w.add(root, 0)
}

type scales struct {
	root   any
	weight int
}

func (w *scales) add(v any, depth int) error {
	if w.weight++; w.weight > maxWeight {
		return fmt.Errorf("the schema comes to more than %d parts once its references are followed", maxWeight)
	}
	if depth > maxDepth {
		return fmt.Errorf("the schema nests deeper than %d, or its references run in a circle", maxDepth)
	}
	switch v := v.(type) {
	case map[string]any:
		for key, child := range v {
			if err := w.addKeyword(key, child, depth); err != nil {
				return err
			}
		}
	case []any:
		for _, child := range v {
			if err := w.add(child, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *scales) addKeyword(key string, child any, depth int) error {
	switch key {
	case "$ref":
		target, ok := child.(string)
		if !ok {
			break // a property that is called $ref
		}
		to, err := w.resolve(target)
		if err != nil {
			return err
		}
		return w.add(to, depth+1)
	case "$dynamicRef", "$recursiveRef", "$dynamicAnchor", "$anchor", "$id", "uniqueItems":
		// Their targets depend on the evaluation, or rename the schema under
		// our feet; uniqueItems compares every pair.
		if _, isProperty := child.(map[string]any); !isProperty {
			return fmt.Errorf("the schema uses %q, which is not supported", key)
		}
	}
	return w.add(child, depth+1)
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
