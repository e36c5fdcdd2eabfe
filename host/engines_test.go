package host_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/host"
)

// Every first-party tool works, and is stopped, alike under each engine: in the
// jail, under both stages of the filter. A system call that only one engine makes
// would show here.
func TestEveryToolUnderEachEngine(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `[{"number":7,"title":"a title","state":"open","user":{"login":"wile"},"labels":[]}]`)
	}))
	defer server.Close()
	for _, engine := range []string{"wasmer", "wazero"} {
		t.Run(engine, func(t *testing.T) {
			h := open(t, strings.NewReplacer("ENGINE", engine, "SERVER", server.URL).Replace(eachEngine), host.Options{})
			for _, c := range []struct {
				tool, arguments, result string
				fails                   error
				cause                   host.Cause
			}{
				{"echo.echo", `{"a":"b"}`, `{"a":"b"}`, nil, ""},
				{"kept.echo", `{"a":"b"}`, `{"a":"b"}`, nil, ""},
				{"kept.head", `{"a":"b"}`, "", nil, ""},
				{"jq.run", `{"program":"[.[]|.*2]","input":[1,2,3]}`, `{"outputs":[[2,4,6]]}`, nil, ""},
				{"jq.run", `{"program":"def f: f; f","input":1}`, "", host.ErrCPUTime, host.CauseCPUTime},
				{"github.list_issues", `{"owner":"acme","repo":"rockets"}`, `"title":"a title"`, nil, ""},
				{"rogue.look", `{}`, `"environment":[]`, nil, ""},
				{"rogue.fetch", `{"url":"https://evil.example/"}`, "", host.ErrDenied, host.CauseDenied},
				{"rogue.loop", `{}`, "", host.ErrCPUTime, host.CauseCPUTime},
				{"rogue.eat", `{}`, "", host.ErrMemory, host.CauseGuestMemory},
				{"rogue.crash", `{}`, "", host.ErrCrashed, host.CauseGuestCrashed},
				{"rogue.look", `{}`, `"environment":[]`, nil, ""}, // after all that
			} {
				r, err := h.Call(t.Context(), c.tool, []byte(c.arguments))
				if !errors.Is(err, c.fails) || host.CauseOf(err) != c.cause || err == nil && !strings.Contains(string(r.JSON), c.result) {
					t.Errorf("%s %s: %v, %v (cause %q), want %s, %v (cause %q)", c.tool, c.arguments, r, err, host.CauseOf(err), c.result, c.fails, c.cause)
				}
			}
			for _, s := range h.Status() {
				if s.Transport != "ring" || s.Plugin == "kept" && !s.Windows {
					t.Errorf("%+v", s)
				}
			}
		})
	}
}

const eachEngine = `
ringfence {
  state_dir     = "STATE"
  max_sandboxes = 5
}
plugin "echo" {
  source = "TOOLS/echo.wasm"
  engine = "ENGINE"
}
plugin "kept" {
  source   = "TOOLS/echo.wasm"
  engine   = "ENGINE"
  lifetime = "session"
}
plugin "jq" {
  source = "TOOLS/jq.wasm"
  engine = "ENGINE"
  limits {
    cpu_time = "2s"
  }
}
plugin "github" {
  source = "TOOLS/github.wasm"
  engine = "ENGINE"
  env = {
    GITHUB_API_URL = "SERVER"
  }
  http {
    allow "SERVER" {
      paths = ["/repos/*/*/issues"]
    }
  }
}
plugin "rogue" {
  source = "TOOLS/rogue.wasm"
  engine = "ENGINE"
  limits {
    memory   = "64MiB"
    cpu_time = "1s"
  }
  http {
    allow "SERVER" {
    }
  }
}
`
