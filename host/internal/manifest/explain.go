package manifest

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

// maxNamed is how many names or values an explanation lists.
const maxNamed = 24

// explain says what is wrong with a value in words that whoever wrote it can act on:
// where, what was expected, and what came. It knows the common complaints; for all
// others it returns "", and the validator's own words have to do.
func explain(s *jsonschema.Schema, v any, path string) string {
	if s == nil || s.Ref != "" || s.DynamicRef != "" {
		return ""
	}
	got := typeOf(v)
	if s.Type != "" && got != s.Type && !(s.Type == "number" && got == "integer") {
		return fmt.Sprintf("%s: expected %s, got %s", where(path), withArticle(s.Type), shown(v, got))
	}
	if len(s.Enum) > 0 && got != "object" && got != "array" && !slices.ContainsFunc(s.Enum, func(e any) bool { return reflect.DeepEqual(e, plain(v)) }) {
		return fmt.Sprintf("%s: expected one of %s, got %s", where(path), listed(s.Enum), shown(v, got))
	}
	switch value := reflect.ValueOf(v); {
	case got == "object" && value.Kind() == reflect.Map:
		return explainObject(s, value, path)
	case got == "array" && value.Kind() == reflect.Slice:
		for i := range value.Len() {
			if text := explain(s.Items, value.Index(i).Interface(), fmt.Sprintf("%s[%d]", path, i)); text != "" {
				return text
			}
		}
	case got == "integer", got == "number":
		f, _ := v.(float64)
		switch {
		case s.Minimum != nil && f < *s.Minimum:
			return fmt.Sprintf("%s: expected at least %s, got %s", where(path), number(*s.Minimum), number(f))
		case s.Maximum != nil && f > *s.Maximum:
			return fmt.Sprintf("%s: expected at most %s, got %s", where(path), number(*s.Maximum), number(f))
		}
	}
	return ""
}

func explainObject(s *jsonschema.Schema, object reflect.Value, path string) string {
	names := slices.Sorted(maps.Keys(s.Properties))
	key := func(name string) reflect.Value {
		return object.MapIndex(reflect.ValueOf(name).Convert(object.Type().Key()))
	}
	var given []string
	for _, k := range object.MapKeys() {
		given = append(given, k.String())
	}
	slices.Sort(given)
	for _, name := range given {
		if _, known := s.Properties[name]; !known && s.AdditionalProperties != nil && isNever(s.AdditionalProperties) && len(s.PatternProperties) == 0 {
			in := ""
			if path != "" {
				in = path + ": "
			}
			if len(names) == 0 {
				return fmt.Sprintf("%sunknown field %.80q; there are none", in, name)
			}
			return fmt.Sprintf("%sunknown field %.80q; the fields are %s", in, name, strings.Join(cut(names), ", "))
		}
	}
	for _, name := range s.Required {
		if !key(name).IsValid() {
			return fmt.Sprintf("%s: missing", where(join(path, name)))
		}
	}
	for _, name := range names {
		if v := key(name); v.IsValid() {
			if text := explain(s.Properties[name], v.Interface(), join(path, name)); text != "" {
				return text
			}
		}
	}
	return ""
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func where(path string) string {
	if path == "" {
		return "the value"
	}
	return path
}

// typeOf is the JSON type of a decoded value, "" for what was not decoded.
func typeOf(v any) string {
	switch value := reflect.ValueOf(v); value.Kind() {
	case reflect.Invalid:
		return "null"
	case reflect.Bool:
		return "boolean"
	case reflect.String:
		return "string"
	case reflect.Map:
		return "object"
	case reflect.Slice:
		return "array"
	case reflect.Float64:
		if f := value.Float(); f == math.Trunc(f) {
			return "integer"
		}
		return "number"
	}
	return ""
}

// plain is a value as encoding/json makes it, as far as enums need it.
func plain(v any) any {
	if value := reflect.ValueOf(v); value.Kind() == reflect.String {
		return value.String()
	}
	return v
}

func shown(v any, typ string) string {
	switch typ {
	case "string":
		return fmt.Sprintf("%.60q", reflect.ValueOf(v).String())
	case "integer", "number":
		return number(reflect.ValueOf(v).Float())
	case "boolean":
		return strconv.FormatBool(reflect.ValueOf(v).Bool())
	case "null":
		return "null"
	}
	return withArticle(typ)
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

func withArticle(typ string) string {
	switch typ {
	case "object", "array", "integer":
		return "an " + typ
	case "null":
		return typ
	}
	return "a " + typ
}

func listed(values []any) string {
	var texts []string
	for _, v := range values {
		texts = append(texts, shown(v, typeOf(v)))
	}
	return strings.Join(cut(texts), ", ")
}

func cut(texts []string) []string {
	if len(texts) <= maxNamed {
		return texts
	}
	return append(slices.Clone(texts[:maxNamed]), fmt.Sprintf("and %d more", len(texts)-maxNamed))
}
