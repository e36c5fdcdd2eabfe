// Command conformance is a plugin that offers what the public conformance suite of
// the Model Context Protocol asks a server for. It runs in a sandbox, as every
// plugin does.
package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/ringfence/ringfence/pluginkit/guest"
)

// Nothing is what a tool takes that takes nothing.
type Nothing struct{}

// A red pixel, and a hundredth of a second of silence.
const (
	pixel   = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
	silence = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAAAAA=="
)

func init() {
	contentTools()
	callerTools()
	resources()
	prompts()
}

func main() {}

func contentTools() {
	guest.Tool("test_simple_text", "Answers with a text.", func(Nothing) (guest.Answer, error) {
		return guest.Answer{guest.Text("This is a simple text response for testing.")}, nil
	}, guest.ReadOnly())
	guest.Tool("test_image_content", "Answers with an image.", func(Nothing) (guest.Answer, error) {
		return guest.Answer{guest.Image("image/png", decoded(pixel))}, nil
	}, guest.ReadOnly())
	guest.Tool("test_audio_content", "Answers with a sound.", func(Nothing) (guest.Answer, error) {
		return guest.Answer{guest.Audio("audio/wav", decoded(silence))}, nil
	}, guest.ReadOnly())
	guest.Tool("test_embedded_resource", "Answers with a resource.", func(Nothing) (guest.Answer, error) {
		return guest.Answer{guest.Embed(guest.TextResource("test://embedded-resource", "text/plain", "This is an embedded resource content."))}, nil
	}, guest.ReadOnly())
	guest.Tool("test_multiple_content_types", "Answers with a text, an image and a resource.", func(Nothing) (guest.Answer, error) {
		return guest.Answer{
			guest.Text("Multiple content types test:"),
			guest.Image("image/png", decoded(pixel)),
			guest.Embed(guest.TextResource("test://mixed-content-resource", "application/json", `{"test":"data","value":123}`)),
		}, nil
	}, guest.ReadOnly())
	guest.Tool("test_structured", "Answers with blocks and a value.", func(Nothing) (guest.Structured[map[string]int], error) {
		return guest.Structured[map[string]int]{
			Value:   map[string]int{"answer": 42},
			Content: []guest.Content{guest.Text("forty-two"), guest.Link(guest.ResourceInfo{URI: "test://static-text", Name: "text"})},
		}, nil
	}, guest.ReadOnly())
	guest.Tool("test_error_handling", "Fails.", func(Nothing) (Nothing, error) {
		return Nothing{}, errors.New("This tool intentionally returns an error for testing")
	})
	guest.Tool("json_schema_2020_12_tool", "Has a schema with keywords of JSON Schema 2020-12.",
		func(arguments json.RawMessage) (guest.Answer, error) {
			return guest.Answer{guest.Text("JSON Schema 2020-12 tool called with: " + string(arguments))}, nil
		}, guest.InputSchema(`{
			"$schema": "https://json-schema.org/draft/2020-12/schema",
			"type": "object",
			"$defs": {"address": {"type": "object", "properties": {"street": {"type": "string"}, "city": {"type": "string"}}}},
			"properties": {"name": {"type": "string"}, "address": {"$ref": "#/$defs/address"}},
			"additionalProperties": false
		}`))
}

// Prompted is what test_sampling takes.
type Prompted struct {
	Prompt string `json:"prompt" description:"the prompt to send to the model"`
}

// Asking is what test_elicitation takes.
type Asking struct {
	Message string `json:"message" description:"the message to show"`
}

// Person is what test_elicitation asks for.
type Person struct {
	Username string `json:"username" description:"User's response"`
	Email    string `json:"email" description:"User's email address"`
}

func callerTools() {
	guest.Tool("test_tool_with_logging", "Logs while it runs.", func(Nothing) (guest.Answer, error) {
		for _, line := range []string{"Tool execution started", "Tool processing data", "Tool execution completed"} {
			guest.Log(guest.LevelInfo, line)
		}
		return guest.Answer{guest.Text("Tool with logging executed successfully")}, nil
	})
	guest.Tool("test_tool_with_progress", "Reports progress while it runs.", func(Nothing) (guest.Answer, error) {
		for _, done := range []float64{0, 50, 100} {
			guest.Progress(done, 100, fmt.Sprintf("Completed step %v of 100", done))
		}
		return guest.Answer{guest.Text("done")}, nil
	})
	guest.Tool("test_sampling", "Has the client's model answer.", func(args Prompted) (guest.Answer, error) {
		answer, err := guest.Sample(guest.SampleRequest{
			Messages: []guest.Message{guest.UserMessage(guest.Text(args.Prompt))}, MaxTokens: 100,
		})
		if err != nil {
			return nil, err
		}
		return guest.Answer{guest.Text("LLM response: " + answer.Text)}, nil
	})
	guest.Tool("test_elicitation", "Asks the person at the client.", func(args Asking) (guest.Answer, error) {
		person, how, err := guest.Elicit[Person](args.Message)
		if err != nil {
			return nil, err
		}
		return guest.Answer{guest.Text(fmt.Sprintf("User response: action=%s, content=%+v", how, person))}, nil
	})
	form("test_elicitation_sep1034_defaults", `{"type":"object","properties":{
		"name":{"type":"string","description":"User name","default":"John Doe"},
		"age":{"type":"integer","description":"User age","default":30},
		"score":{"type":"number","description":"User score","default":95.5},
		"status":{"type":"string","description":"User status","enum":["active","inactive","pending"],"default":"active"},
		"verified":{"type":"boolean","description":"Verification status","default":true}},"required":[]}`)
	form("test_elicitation_sep1330_enums", `{"type":"object","properties":{
		"untitledSingle":{"type":"string","enum":["option1","option2","option3"]},
		"titledSingle":{"type":"string","oneOf":[{"const":"value1","title":"First Option"},{"const":"value2","title":"Second Option"},{"const":"value3","title":"Third Option"}]},
		"legacyEnum":{"type":"string","enum":["opt1","opt2","opt3"],"enumNames":["Option One","Option Two","Option Three"]},
		"untitledMulti":{"type":"array","minItems":1,"maxItems":3,"items":{"type":"string","enum":["option1","option2","option3"]}},
		"titledMulti":{"type":"array","minItems":1,"maxItems":3,"items":{"anyOf":[{"const":"value1","title":"First Choice"},{"const":"value2","title":"Second Choice"},{"const":"value3","title":"Third Choice"}]}}},"required":[]}`)
}

func form(name, schema string) {
	guest.Tool(name, "Asks the person at the client with a form.", func(Nothing) (guest.Answer, error) {
		how, content, err := guest.ElicitForm("Please review and update the form", schema)
		if err != nil {
			return nil, err
		}
		return guest.Answer{guest.Text(fmt.Sprintf("Elicitation completed: action=%s, content=%s", how, content))}, nil
	})
}

func resources() {
	guest.Resource(guest.ResourceInfo{URI: "test://static-text", Name: "text", Description: "A text that never changes.", MIMEType: "text/plain"},
		func() ([]guest.ResourceContent, error) {
			return []guest.ResourceContent{guest.TextResource("test://static-text", "text/plain", "This is the content of the static text resource.")}, nil
		})
	guest.Resource(guest.ResourceInfo{URI: "test://static-binary", Name: "binary", Description: "An image that never changes.", MIMEType: "image/png"},
		func() ([]guest.ResourceContent, error) {
			return []guest.ResourceContent{guest.BlobResource("test://static-binary", "image/png", decoded(pixel))}, nil
		})
	guest.Resource(guest.ResourceInfo{URI: "test://watched-resource", Name: "watched", MIMEType: "text/plain"},
		func() ([]guest.ResourceContent, error) {
			return []guest.ResourceContent{guest.TextResource("test://watched-resource", "text/plain", "watched")}, nil
		})
	guest.ResourceTemplate(guest.ResourceInfo{URI: "test://template/{id}/data", Name: "template", MIMEType: "application/json"},
		func(uri string, parts map[string]string) ([]guest.ResourceContent, error) {
			text := fmt.Sprintf(`{"id":%q,"templateTest":true,"data":"Data for ID: %s"}`, parts["id"], parts["id"])
			return []guest.ResourceContent{guest.TextResource(uri, "application/json", text)}, nil
		})
	guest.Tool("touch", "Says that the watched resource has changed.", func(Nothing) (Nothing, error) {
		return Nothing{}, guest.ResourceUpdated("test://watched-resource")
	})
}

func prompts() {
	guest.Prompt(guest.PromptInfo{Name: "test_simple_prompt", Description: "A prompt without blanks."},
		func(map[string]string) ([]guest.Message, error) {
			return []guest.Message{guest.UserMessage(guest.Text("This is a simple prompt for testing."))}, nil
		})
	guest.Prompt(guest.PromptInfo{Name: "test_prompt_with_arguments", Description: "A prompt with blanks.", Arguments: []guest.PromptArgument{
		{Name: "arg1", Description: "First test argument", Required: true}, {Name: "arg2", Description: "Second test argument", Required: true},
	}}, func(args map[string]string) ([]guest.Message, error) {
		return []guest.Message{guest.UserMessage(guest.Text(fmt.Sprintf("Prompt with arguments: arg1='%s', arg2='%s'", args["arg1"], args["arg2"])))}, nil
	})
	guest.Prompt(guest.PromptInfo{Name: "test_prompt_with_embedded_resource", Description: "A prompt with a resource.", Arguments: []guest.PromptArgument{
		{Name: "resourceUri", Description: "URI of the resource to embed", Required: true},
	}}, func(args map[string]string) ([]guest.Message, error) {
		return []guest.Message{
			guest.UserMessage(guest.Embed(guest.TextResource(args["resourceUri"], "text/plain", "Embedded resource content for testing."))),
			guest.UserMessage(guest.Text("Please process the embedded resource above.")),
		}, nil
	})
	guest.Prompt(guest.PromptInfo{Name: "test_prompt_with_image", Description: "A prompt with an image."},
		func(map[string]string) ([]guest.Message, error) {
			return []guest.Message{
				guest.UserMessage(guest.Image("image/png", decoded(pixel))),
				guest.UserMessage(guest.Text("Please analyze the image above.")),
			}, nil
		})
	guest.Complete(func(r guest.CompletionRequest) (guest.Completion, error) {
		var c guest.Completion
		for _, word := range []string{"paris", "park", "party"} {
			if strings.HasPrefix(word, r.Value) {
				c.Values = append(c.Values, word)
			}
		}
		return c, nil
	})
}

func decoded(text string) []byte {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return b
}
