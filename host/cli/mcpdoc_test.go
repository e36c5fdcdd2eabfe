package cli_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// The configurations in the documents start a server that a client can use, and
// the policies in them are valid.
func TestTheMCPDocumentsAreTrue(t *testing.T) {
	d := deploy(t, simple)
	for _, name := range []string{"../../README.md", "../../docs/mcp.md"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		block := regexp.MustCompile("(?s)```json\n(\\{\\s+\"mcpServers\".*?)```").FindSubmatch(text)
		if block == nil {
			t.Fatalf("%s has no configuration of a client", name)
		}
		var config struct {
			Servers map[string]struct {
				Command string
				Args    []string
			} `json:"mcpServers"`
		}
		if err := json.Unmarshal(block[1], &config); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		server := config.Servers["ringfence"]
		server.Args[len(server.Args)-1] = filepath.Join(d.dir, "ringfence.hcl")
		if filepath.Base(server.Command) != "ringfence" {
			t.Errorf("%s starts %s", name, server.Command)
		}
		cmd := d.command(server.Args...)
		client := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, nil)
		session, err := client.Connect(t.Context(), &sdk.CommandTransport{Command: cmd}, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		listed, err := session.ListTools(t.Context(), nil)
		if err != nil || len(listed.Tools) == 0 {
			t.Errorf("%s: the tools are %v (%v)", name, listed, err)
		}
		if err := session.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	text, err := os.ReadFile("../../docs/mcp.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range regexp.MustCompile("(?s)```hcl\n(.*?)```").FindAllSubmatch(text, -1) {
		path := d.write("doc.hcl", string(block[1]))
		if out := d.run("validate", "-p", path); out.code != 0 {
			t.Errorf("a policy of docs/mcp.md: %+v", out)
		}
	}
	for _, line := range regexp.MustCompile(`(?m)^(?:.* -- )?ringfence (mcp .*)$`).FindAllSubmatch(text, -1) {
		for _, flag := range regexp.MustCompile(`--[a-z-]+`).FindAllString(string(line[1]), -1) {
			help, err := exec.Command(filepath.Join(d.bin, "ringfence"), "mcp", "--help").Output()
			if err != nil || !strings.Contains(string(help), flag) {
				t.Errorf("%s is not a flag of ringfence mcp", flag)
			}
		}
	}
}
