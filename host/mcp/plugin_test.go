package mcp_test

//lint:file-ignore SA1019 sampling and logging are deprecated in drafts without sessions; see sessionVersions

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/host/mcp"
	"github.com/ringfence/ringfence/pluginkit/guest/guesttest"
)

// everything serves that plugin with a client block.
func everything(t testing.TB, client string) *deployment {
	t.Helper()
	path, _ := guesttest.Build(t, "testdata/conformance")
	return deploy(t, `
ringfence {
  state_dir = "STATE"
}
plugin "all" {
  source = "`+path+`"
`+client+`
}
`, mcp.Options{}, host.Options{})
}

func TestContentOfEveryKind(t *testing.T) {
	s := everything(t, "").connect(nil)
	kinds := func(tool string) string {
		var all []string
		for _, c := range call(t, s, tool, `{}`).Content {
			switch c := c.(type) {
			case *sdk.TextContent:
				if c.Meta["ringfence/mark"] == nil {
					all = append(all, "text")
				}
			case *sdk.ImageContent:
				all = append(all, fmt.Sprintf("%s of %d", c.MIMEType, len(c.Data)))
			case *sdk.AudioContent:
				all = append(all, fmt.Sprintf("%s of %d", c.MIMEType, len(c.Data)))
			case *sdk.EmbeddedResource:
				all = append(all, c.Resource.URI)
			case *sdk.ResourceLink:
				all = append(all, "link to "+c.URI)
			}
		}
		return strings.Join(all, ", ")
	}
	for tool, want := range map[string]string{
		"test_simple_text":            "text",
		"test_image_content":          "image/png of 70",
		"test_audio_content":          "audio/wav of 46",
		"test_embedded_resource":      "test://embedded-resource",
		"test_multiple_content_types": "text, image/png of 70, test://mixed-content-resource",
		"test_structured":             "text, link to test://static-text",
	} {
		if got := kinds(tool); got != want {
			t.Errorf("%s answers with %s, want %s", tool, got, want)
		}
	}
	structured, _ := json.Marshal(call(t, s, "test_structured", `{}`).StructuredContent)
	if string(structured) != `{"answer":42}` {
		t.Errorf("the structured part is %s", structured)
	}
}

func TestResourcesAndTemplates(t *testing.T) {
	watched := make(chan string, 4)
	s := everything(t, "").connect(&sdk.ClientOptions{
		ResourceUpdatedHandler: func(_ context.Context, r *sdk.ResourceUpdatedNotificationRequest) { watched <- r.Params.URI },
	})
	read := func(uri string) (*sdk.ResourceContents, error) {
		r, err := s.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: uri})
		if err != nil {
			return nil, err
		}
		return r.Contents[0], nil
	}
	if r, err := read("test://static-text"); err != nil || !strings.Contains(r.Text, "static text") || r.Meta["ringfence/untrusted"] != true {
		t.Errorf("the text is %+v (%v)", r, err)
	}
	if r, err := read("test://static-binary"); err != nil || len(r.Blob) != 70 || r.MIMEType != "image/png" {
		t.Errorf("the binary is %+v (%v)", r, err)
	}
	if r, err := read("test://template/a%20b/data"); err != nil || !strings.Contains(r.Text, `"id":"a b"`) {
		t.Errorf("the template gives %+v (%v)", r, err)
	}
	for _, uri := range []string{"test://nope", "test://template/a/b/data", "file:///etc/passwd", "", "test://static-text\n"} {
		if r, err := read(uri); err == nil {
			t.Errorf("%q gives %+v", uri, r)
		}
	}
	if err := s.Subscribe(t.Context(), &sdk.SubscribeParams{URI: "test://watched-resource"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Subscribe(t.Context(), &sdk.SubscribeParams{URI: "test://nope"}); err == nil {
		t.Error("what is not there can be watched")
	}
	for i := range 255 { // with the one above as many as a session may watch
		if err := s.Subscribe(t.Context(), &sdk.SubscribeParams{URI: fmt.Sprintf("test://template/%d/data", i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Subscribe(t.Context(), &sdk.SubscribeParams{URI: "test://template/more/data"}); err == nil || !strings.Contains(err.Error(), "unsubscribe") {
		t.Errorf("one more than the limit: %v", err)
	}
	if err := s.Unsubscribe(t.Context(), &sdk.UnsubscribeParams{URI: "test://template/7/data"}); err != nil {
		t.Error(err)
	}
	for range 2 { // the same twice counts once
		if err := s.Subscribe(t.Context(), &sdk.SubscribeParams{URI: "test://template/more/data"}); err != nil {
			t.Error(err)
		}
	}
	call(t, s, "touch", `{}`)
	if uri := <-watched; uri != "test://watched-resource" {
		t.Errorf("%s has changed", uri)
	}
}

func TestPromptsAndCompletions(t *testing.T) {
	s := everything(t, "").connect(nil)
	p, err := s.GetPrompt(t.Context(), &sdk.GetPromptParams{Name: "test_prompt_with_arguments", Arguments: map[string]string{"arg1": "a", "arg2": "b"}})
	if err != nil || !strings.Contains(p.Messages[0].Content.(*sdk.TextContent).Text, "arg1='a', arg2='b'") || p.Meta["ringfence/plugin"] != "all" {
		t.Errorf("the prompt is %+v (%v)", p, err)
	}
	if _, err := s.GetPrompt(t.Context(), &sdk.GetPromptParams{Name: "test_prompt_with_arguments", Arguments: map[string]string{"arg1": "a"}}); wireCode(err) != -32602 {
		t.Errorf("a missing argument gives %v", err)
	}
	c, err := s.Complete(t.Context(), &sdk.CompleteParams{
		Ref: &sdk.CompleteReference{Type: "ref/prompt", Name: "test_prompt_with_arguments"}, Argument: sdk.CompleteParamsArgument{Name: "arg1", Value: "par"},
	})
	if err != nil || !slices.Equal(c.Completion.Values, []string{"paris", "park", "party"}) {
		t.Errorf("the completions are %+v (%v)", c, err)
	}
	if _, err := s.Complete(t.Context(), &sdk.CompleteParams{
		Ref: &sdk.CompleteReference{Type: "ref/prompt", Name: "nope"}, Argument: sdk.CompleteParamsArgument{Name: "x"},
	}); wireCode(err) != -32602 {
		t.Errorf("a prompt that is not there gives %v", err)
	}
}

func TestProgress(t *testing.T) {
	var mu sync.Mutex
	var heard []float64
	s := everything(t, "").connect(&sdk.ClientOptions{ProgressNotificationHandler: func(_ context.Context, r *sdk.ProgressNotificationClientRequest) {
		mu.Lock()
		defer mu.Unlock()
		heard = append(heard, r.Params.Progress)
	}})
	params := &sdk.CallToolParams{Name: "test_tool_with_progress", Arguments: map[string]any{}}
	params.SetProgressToken("t1")
	if _, err := s.CallTool(t.Context(), params); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(heard, []float64{0, 50, 100}) {
		t.Errorf("before the result came %v", heard)
	}
}

const asking = `
  client {
    elicitation = true
    sampling    = true
    max_tokens  = 7
    rate        = "2/h"
  }
`

// A client that answers everything, and tells what it was asked.
func answering(asked *[]string, tokens *int64) *sdk.ClientOptions {
	return &sdk.ClientOptions{
		ElicitationHandler: func(_ context.Context, r *sdk.ElicitRequest) (*sdk.ElicitResult, error) {
			*asked = append(*asked, r.Params.Message)
			return &sdk.ElicitResult{Action: "accept", Content: map[string]any{"username": "ada", "email": "ada@example.com"}}, nil
		},
		CreateMessageHandler: func(_ context.Context, r *sdk.CreateMessageRequest) (*sdk.CreateMessageResult, error) {
			*tokens = r.Params.MaxTokens
			return &sdk.CreateMessageResult{Role: "assistant", Model: "m", Content: &sdk.TextContent{Text: "four"}}, nil
		},
	}
}

func TestAToolAsksOnlyWhereThePolicyLetsIt(t *testing.T) {
	var asked []string
	var tokens int64
	s := everything(t, "").connect(answering(&asked, &tokens))
	for tool, arguments := range map[string]string{"test_elicitation": `{"message": "who?"}`, "test_sampling": `{"prompt": "2+2"}`} {
		r := call(t, s, tool, arguments)
		if !r.IsError || r.Meta["ringfence/error"] != "denied by policy" {
			t.Errorf("%s without a grant: %q (%v)", tool, text(r), r.Meta)
		}
	}
	if len(asked) > 0 || tokens > 0 {
		t.Errorf("the client was asked %q", asked)
	}
}

func TestAToolAsksWhoeverCalled(t *testing.T) {
	var asked []string
	var tokens int64
	d := everything(t, asking)
	s := d.connect(answering(&asked, &tokens))
	if r := call(t, s, "test_elicitation", `{"message": "who\u001b[2J?"}`); r.IsError || !strings.Contains(text(r), "Username:ada") {
		t.Errorf("elicitation: %q", text(r))
	}
	if len(asked) != 1 || !strings.Contains(asked[0], "untrusted tool all.test_elicitation") || strings.Contains(asked[0], "\x1b") {
		t.Errorf("the person reads %q", asked)
	}
	if r := call(t, s, "test_sampling", `{"prompt": "2+2"}`); r.IsError || text(r) != "LLM response: four" {
		t.Errorf("sampling: %q", text(r))
	}
	if tokens != 7 {
		t.Errorf("the model may use %d tokens, where the policy says 7", tokens)
	}
	if r := call(t, s, "test_sampling", `{"prompt": "again"}`); !r.IsError || !strings.Contains(text(r), "more than 2 questions in 1h") {
		t.Errorf("the third question of two an hour: %q", text(r))
	}
}

func TestAClientThatCannotBeAsked(t *testing.T) {
	d := everything(t, asking)
	if r := call(t, d.connect(nil), "test_elicitation", `{"message": "who?"}`); !r.IsError || !strings.Contains(text(r), "shows no forms") {
		t.Errorf("got %q", text(r))
	}
	if _, err := d.host.Call(t.Context(), "all.test_elicitation", []byte(`{"message": "who?"}`)); err == nil || !strings.Contains(err.Error(), "cannot be asked") {
		t.Errorf("without any client: %v", err)
	}
}
