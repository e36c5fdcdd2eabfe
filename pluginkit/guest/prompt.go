package guest

import (
	"runtime"

	"github.com/ringfence/ringfence/pluginkit/internal/abi"
	"github.com/ringfence/ringfence/pluginkit/internal/registry"
	"github.com/ringfence/ringfence/pluginkit/internal/shape"
)

// PromptInfo describes a prompt: a text that a person can choose in a client, with
// blanks to fill.
type PromptInfo struct {
	// Name is of the form of a tool's name.
	Name, Title, Description string
	Arguments                []PromptArgument
}

// PromptArgument is one blank.
type PromptArgument struct {
	Name, Title, Description string
	Required                 bool
}

// Message is one message of a prompt.
type Message struct {
	assistant bool
	content   Content
}

// UserMessage is a message of the person who chose the prompt.
func UserMessage(c Content) Message { return Message{content: c} }

// AssistantMessage is a message of the model, as an example or a beginning.
func AssistantMessage(c Content) Message { return Message{assistant: true, content: c} }

// Prompt offers a prompt. Call it from an init function. Fill gets the arguments
// that were given; the host has checked that the required ones are there.
//
// It panics when the prompt cannot be offered, with the line that called it.
func Prompt(info PromptInfo, fill func(arguments map[string]string) ([]Message, error)) {
	_, file, line, _ := runtime.Caller(1)
	offer("guest.Prompt", file, line, registry.AddPrompt(registry.Extra{
		Key: info.Name, JSON: info.appendJSON(nil),
		Run: func(arguments []byte) (uint32, []byte) {
			request, err := object(arguments)
			if err != nil {
				return abi.StatusBad, []byte(err.Error())
			}
			messages, err := fill(texts(request["arguments"]))
			if err != nil {
				return statusOf(err), []byte(err.Error())
			}
			return abi.StatusOK, appendMessages(nil, info.Description, messages)
		},
	}))
}

func (p PromptInfo) appendJSON(b []byte) []byte {
	b = shape.AppendString(append(b, `{"name":`...), p.Name)
	b = appendTexts(b, "title", p.Title, "description", p.Description)
	b = append(b, `,"arguments":[`...)
	for i, a := range p.Arguments {
		if i > 0 {
			b = append(b, ',')
		}
		b = shape.AppendString(append(b, `{"name":`...), a.Name)
		b = appendTexts(b, "title", a.Title, "description", a.Description)
		if a.Required {
			b = append(b, `,"required":true`...)
		}
		b = append(b, '}')
	}
	return append(b, "]}"...)
}

func appendMessages(b []byte, description string, messages []Message) []byte {
	b = shape.AppendString(append(b, `{"description":`...), description)
	b = append(b, `,"messages":[`...)
	for i, m := range messages {
		if i > 0 {
			b = append(b, ',')
		}
		role := `{"role":"user","content":`
		if m.assistant {
			role = `{"role":"assistant","content":`
		}
		b = append(m.content.appendJSON(append(b, role...)), '}')
	}
	return append(b, "]}"...)
}

// CompletionRequest asks what an argument could be.
type CompletionRequest struct {
	// Prompt is the name of the prompt, or Template the URI template, whose
	// argument it is.
	Prompt, Template string
	// Argument is its name, and Value what has been typed.
	Argument, Value string
	// Others are arguments that have a value already.
	Others map[string]string
}

// Completion is what an argument could be, the best first. A client gets the
// first 100.
type Completion struct {
	Values []string
	// Total is how many there are altogether; 0 means as many as there are
	// Values.
	Total int
}

// maxValues is how many completions the protocol takes.
const maxValues = 100

// Complete offers completions for the arguments of prompts and templates. A
// plugin has one such function.
func Complete(complete func(CompletionRequest) (Completion, error)) {
	_, file, line, _ := runtime.Caller(1)
	offer("guest.Complete", file, line, registry.SetComplete(func(arguments []byte) (uint32, []byte) {
		request, err := object(arguments)
		if err != nil {
			return abi.StatusBad, []byte(err.Error())
		}
		text := func(name string) string { t, _ := request[name].(string); return t }
		c, err := complete(CompletionRequest{
			Prompt: text("prompt"), Template: text("template"), Argument: text("argument"), Value: text("value"),
			Others: texts(request["others"]),
		})
		if err != nil {
			return statusOf(err), []byte(err.Error())
		}
		return abi.StatusOK, c.appendJSON(nil)
	}))
}

func (c Completion) appendJSON(b []byte) []byte {
	total := max(c.Total, len(c.Values))
	b = append(b, `{"values":[`...)
	values := c.Values[:min(len(c.Values), maxValues)]
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = shape.AppendString(b, v)
	}
	b = appendInt(append(b, `],"total":`...), total)
	if total > len(values) {
		b = append(b, `,"has_more":true`...)
	}
	return append(b, '}')
}
