package mcp

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"regexp"
	"slices"

	"github.com/ringfence/ringfence/host/internal/printable"
)

// A schema that one client cannot read costs it the list of all tools, those of
// other plugins too. What is relayed is what clients agree on.

// inputSchema makes a tool's schema one that clients take: an object that says
// so, with objects as the schemas of its properties. The host checks arguments
// against the original.
func inputSchema(raw json.RawMessage) (json.RawMessage, error) {
	s, changed, err := objectSchema(raw)
	if err != nil {
		return nil, err
	}
	if !changed { // the author's order of properties is of use to a model
		return printable.JSON(raw), nil
	}
	return json.Marshal(s)
}

// outputSchema is the same for results, cut to keywords that mean the same to
// every client: they compile it, and one that fails fails for the whole list.
// nil: nothing is promised.
func outputSchema(raw json.RawMessage) json.RawMessage {
	if raw == nil {
		return nil
	}
	s, _, err := objectSchema(raw)
	if err != nil {
		return nil // clients take structured results of objects only
	}
	cut, err := json.Marshal(common(s))
	if err != nil {
		return nil
	}
	return cut
}

var errNoObject = errors.New("the schema is not that of an object")

func objectSchema(raw json.RawMessage) (schema map[string]any, changed bool, err error) {
	var s any
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, false, err
	}
	if s == true {
		s = map[string]any{}
	}
	o, ok := s.(map[string]any)
	if !ok {
		return nil, false, errNoObject
	}
	switch o["type"] {
	case "object":
	case nil:
		o["type"], changed = "object", true
	default:
		return nil, false, errNoObject
	}
	properties, _ := o["properties"].(map[string]any)
	for name, p := range properties {
		switch p {
		case true:
			properties[name], changed = map[string]any{}, true
		case false:
			properties[name], changed = map[string]any{"not": map[string]any{}}, true
		}
	}
	return o, changed, nil
}

// keywords are those that stay, each with what it does to its value; false leaves
// the keyword out, too. Leaving one out must never make a schema stricter.
var keywords map[string]func(any) (any, bool)

func init() { // it refers to itself
	keywords = map[string]func(any) (any, bool){
		"type": typeNames, "title": always, "description": always, "const": always, "default": always,
		"enum": someOf, "required": distinct,
		"minimum": number, "maximum": number, "exclusiveMinimum": number, "exclusiveMaximum": number, "multipleOf": positive,
		"minLength": count, "maxLength": count, "minItems": count, "maxItems": count, "minProperties": count, "maxProperties": count,
		"properties": byName, "$defs": byName, "definitions": byName,
		"items": subschema, "additionalProperties": subschema, "anyOf": each, "allOf": each,
		"not": unchanged, "oneOf": unchanged, "$ref": reference,
	}
}

func common(s map[string]any) map[string]any {
	out := map[string]any{}
	for name, value := range s {
		keep, known := keywords[name]
		if !known {
			continue
		}
		if value, ok := keep(value); ok {
			out[name] = value
		}
	}
	return out
}

func always(v any) (any, bool) { return v, true }

func subschema(v any) (any, bool) {
	switch v := v.(type) {
	case bool:
		return v, true
	case map[string]any:
		return common(v), true
	}
	return nil, false
}

// unchanged is for keywords that turn a weaker schema into a stricter one.
func unchanged(v any) (any, bool) {
	var kept any
	ok := false
	switch v.(type) {
	case []any:
		kept, ok = each(v)
	default:
		kept, ok = subschema(v)
	}
	return v, ok && reflect.DeepEqual(v, kept)
}

func each(v any) (any, bool) {
	list, _ := v.([]any)
	out := []any{}
	for _, s := range list {
		kept, ok := subschema(s)
		if !ok {
			return nil, false
		}
		out = append(out, kept)
	}
	return out, len(out) > 0
}

func byName(v any) (any, bool) {
	all, ok := v.(map[string]any)
	out := map[string]any{}
	for name, s := range all {
		if out[name], ok = subschema(s); !ok {
			return nil, false
		}
	}
	return out, ok
}

func number(v any) (any, bool) { _, ok := v.(float64); return v, ok }

func positive(v any) (any, bool) { n, ok := v.(float64); return v, ok && n > 0 }

func count(v any) (any, bool) {
	n, ok := v.(float64)
	return v, ok && n >= 0 && n == math.Trunc(n) && n < 1<<53
}

func someOf(v any) (any, bool) { list, ok := v.([]any); return v, ok && len(list) > 0 }

func distinct(v any) (any, bool) {
	list, ok := v.([]any)
	seen := map[any]bool{}
	for _, e := range list {
		text, isText := e.(string)
		if !isText || seen[text] {
			return nil, false
		}
		seen[text] = true
	}
	return v, ok
}

func typeNames(v any) (any, bool) {
	list, isList := v.([]any)
	if !isList {
		list = []any{v}
	}
	for _, e := range list {
		if !slices.Contains([]any{"null", "boolean", "object", "array", "number", "string", "integer"}, e) {
			return nil, false
		}
	}
	if isList {
		if _, ok := distinct(v); !ok || len(list) == 0 {
			return nil, false
		}
	}
	return v, true
}

var toDefinition = regexp.MustCompile(`^#/(\$defs|definitions)/[A-Za-z0-9_.-]+$`)

// reference keeps those whose target is kept.
func reference(v any) (any, bool) {
	text, ok := v.(string)
	return v, ok && toDefinition.MatchString(text)
}
