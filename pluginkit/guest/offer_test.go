package guest_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/pluginkit/guest"
	"github.com/ringfence/ringfence/pluginkit/guest/guesttest"
	"github.com/ringfence/ringfence/pluginkit/internal/registry"
)

func TestAnswersOfBlocks(t *testing.T) {
	t.Cleanup(registry.Reset())
	guest.Tool("all", "", func(struct{}) (guest.Answer, error) {
		return guest.Answer{
			guest.Text(`a"b`), guest.Image("image/png", []byte{1}), guest.Audio("audio/wav", nil), {},
			guest.Embed(guest.BlobResource("a:b", "", nil)), guest.Embed(guest.TextResource("a:c", "text/plain", "")),
			guest.Link(guest.ResourceInfo{URI: "a:d", Name: "n"}),
		}, nil
	})
	guest.Tool("both", "", func(struct{}) (guest.Structured[map[string]int], error) {
		return guest.Structured[map[string]int]{Value: map[string]int{"a": 1}}, nil
	})
	for tool, want := range map[string]string{
		"all": `{"content":[{"type":"text","text":"a\"b"},{"type":"image","mime_type":"image/png","data":"AQ=="},` +
			`{"type":"audio","mime_type":"audio/wav","data":""},{"type":"text","text":""},` +
			`{"type":"resource","resource":{"uri":"a:b","blob":""}},{"type":"resource","resource":{"uri":"a:c","mime_type":"text/plain","text":""}},` +
			`{"type":"link","resource":{"uri":"a:d","name":"n"}}]}`,
		"both": `{"content":[],"structured":{"a":1}}`,
	} {
		if got, err := guesttest.Call(tool, `{}`); err != nil || string(got) != want {
			t.Errorf("%s answers\n%s (%v), want\n%s", tool, got, err, want)
		}
	}
	manifest := string(guesttest.Manifest())
	if strings.Count(manifest, `"content":true`) != 2 || strings.Count(manifest, `"output_schema"`) != 1 {
		t.Errorf("the manifest is %s", manifest)
	}
}

func TestOptions(t *testing.T) {
	t.Cleanup(registry.Reset())
	guest.Tool("t", "", divide, guest.Title("T"), guest.Additive(), guest.Idempotent(), guest.ClosedWorld())
	if got, want := string(guesttest.Manifest()), `"title":"T","description":"","annotations":{"read_only":false,"destructive":false,"idempotent":true,"open_world":false}`; !strings.Contains(got, want) {
		t.Errorf("the manifest is %s, want it to say %s", got, want)
	}
	for name, offer := range map[string]func(){
		"a schema of the author's for a type": func() { guest.Tool("u", "", divide, guest.InputSchema(`{}`)) },
		"a schema that is none":               func() { guest.Tool("u", "", divide, guest.InputSchema(`{`)) },
		"an empty title":                      func() { guest.Tool("u", "", divide, guest.Title("")) },
		"a resource without URI":              func() { guest.Resource(guest.ResourceInfo{Name: "n"}, nil) },
		"a prompt with a bad name":            func() { guest.Prompt(guest.PromptInfo{Name: "A"}, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if p, _ := recover().(string); !strings.Contains(p, "offer_test.go:") {
					t.Errorf("the panic is %q, which does not name the line", p)
				}
			}()
			offer()
		})
	}
}

func TestResourcesPromptsAndCompletions(t *testing.T) {
	t.Cleanup(registry.Reset())
	guest.Tool("t", "", divide)
	guest.Resource(guest.ResourceInfo{URI: "n:today", Name: "today"}, func() ([]guest.ResourceContent, error) {
		return []guest.ResourceContent{guest.TextResource("n:today", "", "x")}, nil
	})
	guest.ResourceTemplate(guest.ResourceInfo{URI: "n:{id}", Name: "one", MIMEType: "text/plain"}, func(uri string, parts map[string]string) ([]guest.ResourceContent, error) {
		if parts["id"] == "" {
			return nil, guest.InvalidArgs(errors.New("no id"))
		}
		return []guest.ResourceContent{guest.TextResource(uri, "", parts["id"])}, nil
	})
	guest.Prompt(guest.PromptInfo{Name: "p", Arguments: []guest.PromptArgument{{Name: "a", Required: true}}}, func(args map[string]string) ([]guest.Message, error) {
		return []guest.Message{guest.UserMessage(guest.Text(args["a"])), guest.AssistantMessage(guest.Text("yes"))}, nil
	})
	guest.Complete(func(r guest.CompletionRequest) (guest.Completion, error) {
		return guest.Completion{Values: make([]string, 150), Total: 200}, nil
	})
	want := func(got []byte, err error, text string) {
		t.Helper()
		if err != nil || string(got) != text {
			t.Errorf("got %s (%v), want %s", got, err, text)
		}
	}
	got, err := guesttest.Read("n:today")
	want(got, err, `{"contents":[{"uri":"n:today","text":"x"}]}`)
	got, err = guesttest.ReadTemplate("n:{id}", "n:7", map[string]string{"id": "7"})
	want(got, err, `{"contents":[{"uri":"n:7","text":"7"}]}`)
	if _, err := guesttest.ReadTemplate("n:{id}", "n:", nil); !errors.Is(err, guesttest.ErrBadArguments) {
		t.Errorf("no id gives %v", err)
	}
	got, err = guesttest.Prompt("p", map[string]string{"a": "b"})
	want(got, err, `{"description":"","messages":[{"role":"user","content":{"type":"text","text":"b"}},{"role":"assistant","content":{"type":"text","text":"yes"}}]}`)
	if got, err := guesttest.Complete("p", "a", ""); err != nil || strings.Count(string(got), `""`) != 100 || !strings.Contains(string(got), `"total":200,"has_more":true`) {
		t.Errorf("the completions are %s (%v)", got, err)
	}
	if got := string(guesttest.Manifest()); !strings.HasSuffix(got, `],"resources":[{"uri":"n:today","name":"today"}],`+
		`"resource_templates":[{"uri_template":"n:{id}","name":"one","mime_type":"text/plain"}],`+
		`"prompts":[{"name":"p","arguments":[{"name":"a","required":true}]}],"completions":true}`) {
		t.Errorf("the manifest is %s", got)
	}
}

func TestAskingWhoeverCalled(t *testing.T) {
	type form struct {
		Name string `json:"name" description:"your name"`
		Age  int    `json:"age" minimum:"1" default:"30"`
	}
	h := (&guesttest.Host{}).Use(t)
	if _, _, err := guest.Elicit[form]("who?"); !errors.Is(err, guest.ErrDenied) {
		t.Errorf("without a person: %v", err)
	}
	h.Person = func(message, schema string) (guest.Elicited, string, error) {
		if message != "who?" || !strings.Contains(schema, `"your name"`) {
			t.Errorf("the person is asked %q with %s", message, schema)
		}
		return guest.Accepted, `{"name":"ada"}`, nil
	}
	if v, how, err := guest.Elicit[form]("who?"); err != nil || how != guest.Accepted || v != (form{"ada", 30}) {
		t.Errorf("got %+v, %s, %v", v, how, err)
	}
	h.Person = func(string, string) (guest.Elicited, string, error) { return guest.Accepted, `{"name":7}`, nil }
	if _, _, err := guest.Elicit[form]("who?"); err == nil || !strings.Contains(err.Error(), "name: expected a string") {
		t.Errorf("an answer of another form: %v", err)
	}
	h.Person = func(string, string) (guest.Elicited, string, error) { return guest.Declined, "", nil }
	if v, how, err := guest.Elicit[form]("who?"); err != nil || how != guest.Declined || v != (form{}) {
		t.Errorf("got %+v, %s, %v", v, how, err)
	}
	h.Model = func(request string) (string, error) {
		if want := `{"description":"","messages":[{"role":"user","content":{"type":"text","text":"2+2"}}],"system":"short","max_tokens":9}`; request != want {
			t.Errorf("the model is asked %s, want %s", request, want)
		}
		return "4", nil
	}
	q := guest.SampleRequest{System: "short", Messages: []guest.Message{guest.UserMessage(guest.Text("2+2"))}, MaxTokens: 9}
	if a, err := guest.Sample(q); err != nil || a.Text != "4" || a.Model != "test" {
		t.Errorf("got %+v, %v", a, err)
	}
	q.System = strings.Repeat("x", 70_000)
	if _, err := guest.Sample(q); !errors.Is(err, guest.ErrLimit) {
		t.Errorf("a long question: %v", err)
	}
	guest.Progress(1, 2, `ha"lf`)
	if got := strings.Join(h.Reports, ";"); got != `{"done":1,"total":2,"message":"ha\"lf"}` {
		t.Errorf("the progress is %s", got)
	}
	if err := guest.ResourceUpdated("n:x"); err != nil || len(h.Changes) != 1 {
		t.Errorf("%v, %q", err, h.Changes)
	}
}
