package examples

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/ringfence/ringfence/internal/built"
)

// Each configuration that the README offers to paste starts a server that has all
// tools, and answers.
func TestTheAssistantsConfigurationsWork(t *testing.T) {
	bin := built.Bin(t)
	policy, err := filepath.Abs("assistant/ringfence.hcl")
	if err != nil {
		t.Fatal(err)
	}
	state := filepath.Dir(built.State(t))
	environment := append(os.Environ(), "GITHUB_TOKEN=unused-by-this-test", "XDG_STATE_HOME="+state)
	warm := exec.Command(filepath.Join(bin, "ringfence"), "cache", "warm", "-p", policy)
	warm.Env = environment
	if out, err := warm.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile("assistant/README.md")
	if err != nil {
		t.Fatal(err)
	}
	type server struct {
		Command string
		Args    []string
		Env     map[string]string
	}
	var servers []server
	for _, block := range regexp.MustCompile("(?s)```json\n(.*?)```").FindAllSubmatch(text, -1) {
		var config struct {
			A map[string]server `json:"mcpServers"`
			B map[string]server `json:"servers"`
			C map[string]server `json:"context_servers"`
		}
		if err := json.Unmarshal(block[1], &config); err != nil {
			t.Fatalf("%v in\n%s", err, block[1])
		}
		for _, named := range []map[string]server{config.A, config.B, config.C} {
			if s, ok := named["ringfence"]; ok {
				servers = append(servers, s)
			}
		}
	}
	if command := regexp.MustCompile(`claude mcp add ringfence .* -- (.*)`).FindSubmatch(text); command != nil {
		words := strings.Fields(string(command[1]))
		servers = append(servers, server{words[0], words[1:], map[string]string{"GITHUB_TOKEN": ""}})
	}
	if len(servers) != 4 {
		t.Fatalf("found %d configurations", len(servers))
	}
	for _, s := range servers {
		if s.Command != "/usr/local/bin/ringfence" || s.Args[len(s.Args)-1] != "/path/to/assistant/ringfence.hcl" {
			t.Errorf("%q", s)
		}
		if _, ok := s.Env["GITHUB_TOKEN"]; !ok {
			t.Errorf("%q has no token", s)
		}
		cmd := exec.Command(filepath.Join(bin, "ringfence"), append(s.Args[:len(s.Args)-1:len(s.Args)-1], policy)...)
		cmd.Env = environment
		session, err := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(), &sdk.CommandTransport{Command: cmd}, nil)
		if err != nil {
			t.Fatal(err)
		}
		listed, err := session.ListTools(t.Context(), nil)
		if err != nil || len(listed.Tools) != 13 {
			t.Errorf("%d tools, %v", len(listed.Tools), err)
		}
		result, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: "fetch", Arguments: map[string]any{"url": "https://elsewhere.example/"}})
		if err != nil || !result.IsError || !strings.Contains(result.Content[0].(*sdk.TextContent).Text, "denied by policy") {
			t.Errorf("a page of a site that is not named: %+v, %v", result, err)
		}
		if err := session.Close(); err != nil {
			t.Error(err)
		}
	}
}

// The command of the README finds the note that comes with it.
func TestTheAssistantsNotesAreFound(t *testing.T) {
	cmd := exec.Command(filepath.Join(built.Bin(t), "ringfence"), "call", "-p", "examples/assistant", "notes.search", `{"query": "assistant"}`)
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "GITHUB_TOKEN=unused-by-this-test", "XDG_STATE_HOME="+filepath.Dir(built.State(t)))
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), `"name": "welcome"`) {
		t.Errorf("%v\n%s", err, out)
	}
}
