package mcp

//lint:file-ignore SA1019 sampling and logging are deprecated in drafts without sessions; see sessionVersions

import (
	"context"
	"encoding/json"
	"fmt"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/host/internal/printable"
)

// maxSampled is where a model's answer is cut, in bytes.
const maxSampled = 256 << 10

// elicit shows the person a form of a tool's, and says whose it is: a form that
// asks for a password should not look like the client's own.
func (n *notices) elicit(ctx context.Context, form host.Form) (host.FormAnswer, error) {
	if c := n.capabilities(); c == nil || c.Elicitation == nil || c.Elicitation.Form == nil && c.Elicitation.URL != nil {
		return host.FormAnswer{}, fmt.Errorf("%w: the client shows no forms", host.ErrNobody)
	}
	result, err := n.session.Elicit(ctx, &sdk.ElicitParams{
		Mode:            "form",
		Meta:            sdk.Meta{metaUntrusted: true, metaTool: n.tool},
		Message:         fmt.Sprintf("The untrusted tool %s asks (give it no passwords): %s", n.tool, form.Message),
		RequestedSchema: form.Schema,
	})
	if err != nil {
		return host.FormAnswer{}, err
	}
	answer := host.FormAnswer{Action: "cancel"}
	switch result.Action {
	case "accept", "decline":
		answer.Action = result.Action
	}
	if answer.Action == "accept" {
		if answer.Content, err = json.Marshal(result.Content); err != nil {
			return host.FormAnswer{}, err
		}
		if result.Content == nil {
			answer.Content = json.RawMessage(`{}`)
		}
	}
	return answer, nil
}

// sample has the client's model answer a tool. Nothing of the conversation goes
// along.
func (n *notices) sample(ctx context.Context, q host.Sampling) (host.Sampled, error) {
	if c := n.capabilities(); c == nil || c.Sampling == nil {
		return host.Sampled{}, fmt.Errorf("%w: the client lets no model answer", host.ErrNobody)
	}
	params := &sdk.CreateMessageParams{
		Meta:           sdk.Meta{metaUntrusted: true, metaTool: n.tool},
		IncludeContext: "none",
		MaxTokens:      int64(q.MaxTokens),
		SystemPrompt:   q.System,
	}
	for _, m := range q.Messages {
		params.Messages = append(params.Messages, &sdk.SamplingMessage{Role: sdk.Role(m.Role), Content: blockContent(m.Block)})
	}
	result, err := n.session.CreateMessage(ctx, params)
	if err != nil {
		return host.Sampled{}, err
	}
	out := host.Sampled{Model: printable.Line(result.Model, 256), StopReason: printable.Line(result.StopReason, 64)}
	if text, ok := result.Content.(*sdk.TextContent); ok {
		out.Text = text.Text[:min(len(text.Text), maxSampled)]
	}
	return out, nil
}

// capabilities are the client's, or nil.
func (n *notices) capabilities() *sdk.ClientCapabilities {
	if p := n.session.InitializeParams(); p != nil {
		return p.Capabilities
	}
	return nil
}
