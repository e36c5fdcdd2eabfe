package guest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/pluginkit/guest"
	"github.com/ringfence/ringfence/pluginkit/guest/guesttest"
)

// A person answers, says no, closes the form, or is not there. Only an answer fills
// the value; a tool that may destroy something does so after no other.
func ExampleElicit() {
	host := &guesttest.Host{Person: func(message, _ string) (guest.Elicited, string, error) {
		fmt.Println("the client asks:", message)
		return guest.Accepted, `{"really": true}`, nil
	}} // where the policy has client { elicitation = true }
	defer host.Start()()

	type Form struct {
		Really bool   `json:"really" description:"remove them for ever"`
		Reason string `json:"reason,omitempty" enum:"old,wrong,other"`
	}
	remove := func() (string, error) {
		form, how, err := guest.Elicit[Form]("Remove 12 notes?")
		switch {
		case errors.Is(err, guest.ErrDenied), errors.Is(err, guest.ErrUnreachable):
			return "nobody can be asked, so nothing was removed", nil
		case err != nil:
			return "", err
		case how != guest.Accepted || !form.Really:
			return "nothing was removed", nil
		}
		return "12 notes removed", nil
	}
	fmt.Println(remove())
	host.Person = func(string, string) (guest.Elicited, string, error) { return guest.Declined, "", nil }
	fmt.Println(remove())
	host.Person = nil // the policy does not let it ask
	fmt.Println(remove())
	// Output:
	// the client asks: Remove 12 notes?
	// 12 notes removed <nil>
	// nothing was removed <nil>
	// nobody can be asked, so nothing was removed <nil>
}

// The client's model answers. It sees these messages, and nothing of the conversation.
func ExampleSample() {
	host := &guesttest.Host{Model: func(request string) (string, error) {
		return "A note about rockets.", nil
	}} // where the policy has client { sampling = true }
	defer host.Start()()

	answer, err := guest.Sample(guest.SampleRequest{
		System:    "You sum up notes in one sentence.",
		Messages:  []guest.Message{guest.UserMessage(guest.Text("Nozzle overheats above 80 % thrust."))},
		MaxTokens: 100,
	})
	fmt.Println(answer.Text, answer.StopReason, err)
	host.Model = nil
	_, err = guest.Sample(guest.SampleRequest{Messages: []guest.Message{guest.UserMessage(guest.Text("?"))}, MaxTokens: 1})
	fmt.Println(errors.Is(err, guest.ErrDenied))
	// Output:
	// A note about rockets. endTurn <nil>
	// true
}

// A resource is read each time that somebody reads it.
func ExampleResource() {
	menu := "soup"
	guest.Resource(guest.ResourceInfo{
		URI: "menu://today", Name: "today", Title: "Today's menu", MIMEType: "text/plain",
	}, func() ([]guest.ResourceContent, error) {
		return []guest.ResourceContent{guest.TextResource("menu://today", "text/plain", menu)}, nil
	})

	result, err := guesttest.Read("menu://today")
	fmt.Println(string(result), err)
	// Output: {"contents":[{"uri":"menu://today","mime_type":"text/plain","text":"soup"}]} <nil>
}

// A template stands for all resources whose URIs fit it.
func ExampleResourceTemplate() {
	menus := map[string]string{"monday": "soup", "tuesday": "stew"}
	guest.ResourceTemplate(guest.ResourceInfo{URI: "menu://day/{day}", Name: "day"},
		func(uri string, parts map[string]string) ([]guest.ResourceContent, error) {
			menu, ok := menus[parts["day"]]
			if !ok {
				return nil, guest.InvalidArgs(fmt.Errorf("there is no menu for %q; there are monday and tuesday", parts["day"]))
			}
			return []guest.ResourceContent{guest.TextResource(uri, "text/plain", menu)}, nil
		})

	const template = "menu://day/{day}"
	result, err := guesttest.ReadTemplate(template, "menu://day/tuesday", map[string]string{"day": "tuesday"})
	fmt.Println(string(result), err)
	_, err = guesttest.ReadTemplate(template, "menu://day/sunday", map[string]string{"day": "sunday"})
	fmt.Println(err)
	// Output:
	// {"contents":[{"uri":"menu://day/tuesday","mime_type":"text/plain","text":"stew"}]} <nil>
	// bad arguments: there is no menu for "sunday"; there are monday and tuesday
}

// A person chooses a prompt in a client and fills its blanks.
func ExamplePrompt() {
	guest.Prompt(guest.PromptInfo{
		Name: "review", Title: "Review a text", Description: "Asks for a review.",
		Arguments: []guest.PromptArgument{{Name: "text", Required: true}, {Name: "tone"}},
	}, func(arguments map[string]string) ([]guest.Message, error) {
		tone := arguments["tone"]
		if tone == "" {
			tone = "friendly"
		}
		return []guest.Message{guest.UserMessage(guest.Text("Review this in a " + tone + " tone: " + arguments["text"]))}, nil
	})

	result, err := guesttest.Prompt("review", map[string]string{"text": "It was a dark night."})
	var filled struct {
		Messages []struct{ Content struct{ Text string } }
	}
	err = errors.Join(err, json.Unmarshal(result, &filled))
	fmt.Println(filled.Messages[0].Content.Text, err)
	// Output: Review this in a friendly tone: It was a dark night. <nil>
}

// One function completes the arguments of all prompts and templates of a plugin.
func ExampleComplete() {
	known := map[string][]string{"tone": {"friendly", "formal", "harsh"}, "day": {"monday", "tuesday"}}
	guest.Complete(func(r guest.CompletionRequest) (guest.Completion, error) {
		matching := slices.DeleteFunc(slices.Clone(known[r.Argument]), func(v string) bool { return !strings.HasPrefix(v, r.Value) })
		return guest.Completion{Values: matching}, nil
	})

	for _, argument := range slices.Sorted(maps.Keys(known)) {
		result, err := guesttest.CompleteRequest(guest.CompletionRequest{Prompt: "review", Argument: argument, Value: "f"})
		fmt.Println(argument, string(result), err)
	}
	result, err := guesttest.CompleteRequest(guest.CompletionRequest{Template: "menu://day/{day}", Argument: "day", Value: "t"})
	fmt.Println(string(result), err)
	// Output:
	// day {"values":[],"total":0} <nil>
	// tone {"values":["friendly","formal"],"total":2} <nil>
	// {"values":["tuesday"],"total":1} <nil>
}
