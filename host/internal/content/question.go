package content

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/ringfence/ringfence/host/internal/printable"
)

const (
	maxFields  = 32
	maxChoices = 256
	// maxQuestion is the longest text for a person, in bytes.
	maxQuestion = 4 << 10
)

// Form is a question for a person: a message and fields to fill. All texts are a
// guest's, printable and bounded.
type Form struct {
	Message string
	// Schema is JSON: an object of plain fields, written anew from what was
	// understood of the guest's.
	Schema json.RawMessage
}

// FormAnswer is what the person did: "accept", "decline" or "cancel", and for the
// first the fields as JSON.
type FormAnswer struct {
	Action  string          `json:"action"`
	Content json.RawMessage `json:"content,omitempty"`
}

// Sampling is a question for a model.
type Sampling struct {
	System    string
	Messages  []Message
	MaxTokens int
}

// Sampled is a model's answer.
type Sampled struct {
	Text       string `json:"text"`
	Model      string `json:"model"`
	StopReason string `json:"stop_reason"`
}

type field struct {
	Type        string          `json:"type"`
	Title       string          `json:"title,omitempty"`
	Description string          `json:"description,omitempty"`
	Format      string          `json:"format,omitempty"`
	Enum        []string        `json:"enum,omitempty"`
	EnumNames   []string        `json:"enumNames,omitempty"`
	OneOf       []choice        `json:"oneOf,omitempty"`
	Items       *choices        `json:"items,omitempty"`
	Default     json.RawMessage `json:"default,omitempty"`
	Minimum     *float64        `json:"minimum,omitempty"`
	Maximum     *float64        `json:"maximum,omitempty"`
	MinLength   *uint           `json:"minLength,omitempty"`
	MaxLength   *uint           `json:"maxLength,omitempty"`
	MinItems    *uint           `json:"minItems,omitempty"`
	MaxItems    *uint           `json:"maxItems,omitempty"`
}

type choice struct {
	Const string `json:"const"`
	Title string `json:"title,omitempty"`
}

type choices struct {
	Type  string   `json:"type,omitempty"`
	Enum  []string `json:"enum,omitempty"`
	AnyOf []choice `json:"anyOf,omitempty"`
}

// ParseForm reads {"message": "…", "schema": {…}}.
func ParseForm(raw []byte) (Form, error) {
	var doc struct {
		Message string `json:"message"`
		Schema  struct {
			Type       string           `json:"type"`
			Properties map[string]field `json:"properties"`
			Required   []string         `json:"required"`
		} `json:"schema"`
	}
	if err := CheckDepth(raw); err != nil {
		return Form{}, err
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return Form{}, fmt.Errorf("not a question: %s", printable.Line(err.Error(), 256))
	}
	switch n := len(doc.Schema.Properties); {
	case doc.Message == "" || len(doc.Message) > maxQuestion:
		return Form{}, fmt.Errorf("a message of %d bytes (1 to %d are allowed)", len(doc.Message), maxQuestion)
	case doc.Schema.Type != "object":
		return Form{}, errors.New("the schema of a form is that of an object")
	case n > maxFields:
		return Form{}, fmt.Errorf("a form of %d fields (maximum %d)", n, maxFields)
	}
	for name, f := range doc.Schema.Properties {
		checked, err := f.check()
		if err == nil && !fieldName.MatchString(name) {
			err = fmt.Errorf("the name is not one (allowed: %s)", fieldName)
		}
		if err != nil {
			return Form{}, fmt.Errorf("the field %q: %w", printable.Line(name, 80), err)
		}
		doc.Schema.Properties[name] = checked
	}
	slices.Sort(doc.Schema.Required)
	required := slices.Compact(doc.Schema.Required)
	for _, name := range required {
		if _, ok := doc.Schema.Properties[name]; !ok {
			return Form{}, fmt.Errorf("the field %q is required and is not there", printable.Line(name, 80))
		}
	}
	schema := map[string]any{"type": "object", "properties": doc.Schema.Properties}
	if doc.Schema.Properties == nil {
		schema["properties"] = map[string]any{}
	}
	if len(required) > 0 {
		schema["required"] = required
	}
	encoded, err := json.Marshal(schema)
	return Form{Message: printable.Text(doc.Message), Schema: encoded}, err
}

var fieldName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,62}$`)

// check takes a field of a form: a text, a number, a yes or no, or a choice.
func (f field) check() (field, error) {
	f.Title, f.Description = printable.Line(f.Title, maxLine), printable.Line(f.Description, maxLine)
	switch f.Type {
	case "string", "number", "integer", "boolean":
		if f.Items != nil {
			return field{}, errors.New("only an array has items")
		}
	case "array":
		if f.Items == nil || f.Items.Type != "" && f.Items.Type != "string" || (f.Items.Enum == nil) == (f.Items.AnyOf == nil) {
			return field{}, errors.New("an array is a choice of several texts: items with an enum or anyOf")
		}
		f.Items.Type = "string"
		if err := checkChoices(f.Items.Enum, f.Items.AnyOf); err != nil {
			return field{}, err
		}
	default:
		return field{}, fmt.Errorf("the type %q (allowed: string, number, integer, boolean, array)", printable.Line(f.Type, 40))
	}
	if f.Format != "" && !slices.Contains([]string{"email", "uri", "date", "date-time"}, f.Format) {
		return field{}, fmt.Errorf("the format %q (allowed: email, uri, date, date-time)", printable.Line(f.Format, 40))
	}
	if (f.Enum != nil || f.OneOf != nil) && f.Type != "string" || f.EnumNames != nil && len(f.EnumNames) != len(f.Enum) {
		return field{}, errors.New("a choice is one of texts, each with one name")
	}
	for i, name := range f.EnumNames {
		f.EnumNames[i] = printable.Line(name, maxLine)
	}
	if f.Enum == nil && f.OneOf == nil {
		return f, nil
	}
	return f, checkChoices(f.Enum, f.OneOf)
}

func checkChoices(enum []string, named []choice) error {
	if n := len(enum) + len(named); n == 0 || n > maxChoices {
		return fmt.Errorf("%d choices (1 to %d are allowed)", n, maxChoices)
	}
	for _, text := range enum {
		if text != printable.Line(text, maxLine) {
			return fmt.Errorf("the choice %q cannot be shown", printable.Line(text, 80))
		}
	}
	for i, c := range named {
		if c.Const != printable.Line(c.Const, maxLine) {
			return fmt.Errorf("the choice %q cannot be shown", printable.Line(c.Const, 80))
		}
		named[i].Title = printable.Line(c.Title, maxLine)
	}
	return nil
}

// ParseSampling reads {"messages": […], "system": "…", "max_tokens": 100}.
func ParseSampling(raw []byte, most int) (Sampling, error) {
	var doc struct {
		Description string          `json:"description"`
		Messages    json.RawMessage `json:"messages"`
		System      string          `json:"system"`
		MaxTokens   int             `json:"max_tokens"`
	}
	if err := decode(raw, &doc); err != nil {
		return Sampling{}, err
	}
	if doc.MaxTokens < 1 {
		return Sampling{}, fmt.Errorf("max_tokens is %d (at least 1)", doc.MaxTokens)
	}
	again, err := json.Marshal(map[string]any{"messages": doc.Messages})
	if err != nil {
		return Sampling{}, err
	}
	m, err := ParseMessages(again)
	if err != nil {
		return Sampling{}, err
	}
	if len(m.Messages) == 0 {
		return Sampling{}, errors.New("there is no message")
	}
	for i, message := range m.Messages {
		if k := message.Block.Kind; k != KindText && k != KindImage && k != KindAudio {
			return Sampling{}, fmt.Errorf("message %d is a %s (allowed: text, image, audio)", i, k)
		}
	}
	return Sampling{System: printable.Text(doc.System), Messages: m.Messages, MaxTokens: min(doc.MaxTokens, most)}, nil
}
