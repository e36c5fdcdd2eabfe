package policies

import (
	"strings"
	"testing"
	"time"
)

const clientPolicy = `
plugin "notes" {
  source = "./notes.wasm"

  client {
    elicitation = true
    sampling    = true
    max_tokens  = 200
    rate        = "3/h"
    timeout     = "90s"
  }

  tool "remove" {
    read_only   = false
    destructive = true
    idempotent  = true
  }
  tool "list" {
    read_only = true
  }
}
plugin "silent" {
  source = "./silent.wasm"
}
plugin "asks" {
  source = "./asks.wasm"
  client {
    elicitation = true
  }
}
`

func TestClientGrantsNothingThatIsNotWritten(t *testing.T) {
	p := parse1(t, clientPolicy, Options{})
	silent, _ := p.Plugin("silent")
	if g := silent.Client(); g.Elicitation() || samples(g) {
		t.Fatalf("no client block grants %v", g)
	}
	asks, _ := p.Plugin("asks")
	if g := asks.Client(); !g.Elicitation() || samples(g) {
		t.Fatalf("elicitation = true grants %v", g)
	}
	if n, per := asks.Client().Rate(); n != 10 || per != time.Minute {
		t.Fatalf("the default rate is %d per %s", n, per)
	}
	notes, _ := p.Plugin("notes")
	g := notes.Client()
	tokens, ok := g.Sampling()
	n, per := g.Rate()
	if !g.Elicitation() || !ok || tokens != 200 || n != 3 || per != time.Hour {
		t.Fatalf("the client block is %+v", g)
	}
}

// A person's time is not the tool's: who may ask has more, unless the policy says how
// much.
func TestPluginsThatAskHaveTime(t *testing.T) {
	p := parse1(t, clientPolicy, Options{})
	for name, want := range map[string]struct{ timeout, call time.Duration }{
		"notes":  {90 * time.Second, 150 * time.Second},
		"silent": {0, time.Minute},
		"asks":   {5 * time.Minute, 6 * time.Minute},
	} {
		plugin, _ := p.Plugin(name)
		if got := plugin.Client().Timeout(); got != want.timeout || plugin.Limits().CallTimeout != want.call {
			t.Errorf("%s: a question may take %s, and a call %s", name, got, plugin.Limits().CallTimeout)
		}
	}
	for text, warned := range map[string]bool{`timeout = "1m"`: true, `timeout = "10s"`: false, "": false} {
		p = parse1(t, `
plugin "p" {
  source = "./p.wasm"
  limits {
    call_timeout = "20s"
  }
  client {
    elicitation = true
    `+text+`
  }
}`, Options{})
		plugin, _ := p.Plugin("p")
		if got := plugin.Limits().CallTimeout; got != 20*time.Second || len(p.Warnings()) > 0 != warned {
			t.Errorf("with %q: %s, %v", text, got, p.Warnings())
		}
	}
}

func samples(g *ClientGrant) bool {
	_, ok := g.Sampling()
	return ok
}

func TestToolHints(t *testing.T) {
	p := parse1(t, clientPolicy, Options{})
	notes, _ := p.Plugin("notes")
	all := notes.Tools()
	if len(all) != 2 || all[0].Tool != "list" || all[1].Tool != "remove" {
		t.Fatalf("the tools are %+v", all)
	}
	if list := all[0]; list.ReadOnly == nil || !*list.ReadOnly || list.Destructive != nil || list.OpenWorld != nil {
		t.Errorf("list is %+v", list)
	}
	if remove := all[1]; *remove.ReadOnly || !*remove.Destructive || !*remove.Idempotent {
		t.Errorf("remove is %+v", remove)
	}
}

func TestToolAndClientBlocksThatSayNothing(t *testing.T) {
	p := parse1(t, `
plugin "p" {
  source = "./p.wasm"
  client {
    max_tokens = 5
  }
  tool "t" {
  }
}`, Options{})
	var all []string
	for _, w := range p.Warnings() {
		all = append(all, w.Summary)
	}
	for _, want := range []string{"this client block grants nothing", "max_tokens has no effect", "this tool block says nothing"} {
		if !strings.Contains(strings.Join(all, "\n"), want) {
			t.Errorf("no warning %q in %q", want, all)
		}
	}
}
