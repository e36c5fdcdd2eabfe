package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/ringfence/ringfence/host/mcp"
	"github.com/ringfence/ringfence/policies"
)

// assistant plays a session of an assistant over MCP: a client of the protocol's
// own SDK, over pipes, as ringfence mcp serves one.
func (d *show) assistant(ctx context.Context, policy *policies.Policy, internet *internet) error {
	d.title("The same tools, served to an assistant (ringfence mcp).")
	server := mcp.New(d.host, policy, mcp.Options{})
	defer server.Close()
	fromClient, toServer := io.Pipe()
	fromServer, toClient := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- server.Serve(ctx, fromClient, toClient)
		_ = toClient.Close()
	}()
	client := sdk.NewClient(&sdk.Implementation{Name: "demo", Version: "1"}, nil)
	session, err := client.Connect(ctx, &sdk.IOTransport{Reader: fromServer, Writer: toServer}, nil)
	if err != nil {
		return err
	}
	err = d.converse(ctx, session, internet.URL)
	return errors.Join(err, session.Close(), <-ended)
}

// converse lists the tools, calls two that may do their work, and one that may not.
// Two tools are called fetch, so both have their plugin's name before theirs.
func (d *show) converse(ctx context.Context, session *sdk.ClientSession, internet string) error {
	listed, err := session.ListTools(ctx, nil)
	if err != nil {
		return err
	}
	var names []string
	for _, tool := range listed.Tools {
		names = append(names, tool.Name)
	}
	d.message("assistant ▸ tools/list", strings.Join(names, ", "))
	for _, call := range []struct {
		name      string
		arguments object
		fails     string
	}{
		{"run", object{"program": "map(. * 2)", "input": []int{1, 2, 3}}, ""},
		{"webfetch_fetch", object{"url": internet + "/news/launch"}, ""},
		{"rogue_fetch", object{"url": "https://evil.example/"}, "denied by policy"},
	} {
		if err := d.converseCall(ctx, session, call.name, call.arguments, call.fails); err != nil {
			return err
		}
	}
	return nil
}

func (d *show) converseCall(ctx context.Context, session *sdk.ClientSession, name string, arguments object, fails string) error {
	began := time.Now()
	result, err := session.CallTool(ctx, &sdk.CallToolParams{Name: name, Arguments: arguments})
	if err != nil {
		return err
	}
	var texts []string
	for _, c := range result.Content {
		if text, ok := c.(*sdk.TextContent); ok {
			texts = append(texts, text.Text)
		}
	}
	all := strings.Join(texts, " ")
	shown, err := json.Marshal(arguments)
	if err != nil {
		return err
	}
	d.message(fmt.Sprintf("assistant ▸ tools/call %s %s", name, shown), all)
	outcome := Outcome{Title: "An assistant calls " + name + ".", Tool: "mcp " + name, Requests: []string{}, DurationMS: float64(time.Since(began).Microseconds()) / 1000}
	switch {
	case fails != "" && (!result.IsError || !strings.Contains(all, fails)):
		return fmt.Errorf("%s answered an assistant %q, but should have failed: %s", name, all, fails)
	case fails == "" && result.IsError:
		return fmt.Errorf("%s failed for an assistant: %s", name, all)
	case strings.Contains(all, hiddenText):
		return fmt.Errorf("%s passes on what the page hides: %s", name, all)
	case !strings.Contains(all, "untrusted tool"):
		return fmt.Errorf("the result of %s is not marked: %s", name, all)
	case fails != "":
		outcome.Stopped = texts[0]
	default:
		if outcome.Result, err = json.Marshal(result.StructuredContent); err != nil {
			return err
		}
	}
	d.report.Scenes = append(d.report.Scenes, outcome)
	return nil
}

// message prints one message of the session and its answer.
func (d *show) message(asked, answered string) {
	fmt.Fprintf(d.Out, "  %s\n  %s %s\n", short(asked, 160), d.paint(green, "answer  ◂"), short(answered, 240))
}
