package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Several hosts and sandboxes write to one folder at once: nothing is lost, and of
// those that create the same note one wins.
func TestNotesUnderConcurrentEdits(t *testing.T) {
	d := deploy(t, `
ringfence {
  state_dir = "STATE"
}
plugin "notes" {
  source = "TOOLS/notes.wasm"
  workspace "notes" {
    path   = "./notes"
    access = "write"
  }
}
`)
	folder := filepath.Join(d.dir, "notes")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	d.write("notes/log.md", "# Log\n")
	const writers, rounds = 3, 4
	outs := make([][]output, writers)
	var group sync.WaitGroup
	for w := range writers {
		outs[w] = make([]output, rounds*2)
		group.Go(func() {
			for r := range rounds {
				outs[w][r] = d.run("call", "notes.append", fmt.Sprintf(`{"name": "log", "text": "entry %d of writer %d"}`, r, w))
				outs[w][rounds+r] = d.run("call", "notes.create", fmt.Sprintf(`{"title": "Note %d", "text": "by writer %d"}`, r, w))
			}
		})
	}
	group.Wait()
	text, err := os.ReadFile(filepath.Join(folder, "log.md"))
	if err != nil {
		t.Fatal(err)
	}
	for r := range rounds {
		var winners []int
		for w := range writers {
			if out := outs[w][r]; out.code != 0 || strings.Count(string(text), fmt.Sprintf("\nentry %d of writer %d\n", r, w)) != 1 {
				t.Errorf("entry %d of writer %d: %+v", r, w, out)
			}
			switch out := outs[w][rounds+r]; {
			case out.code == 0:
				winners = append(winners, w)
			case out.code != 1 || !strings.Contains(out.stderr, "there is already a note"):
				t.Errorf("note %d by writer %d: %+v", r, w, out)
			}
		}
		note, err := os.ReadFile(filepath.Join(folder, fmt.Sprintf("note-%d.md", r)))
		if err != nil || len(winners) != 1 || string(note) != fmt.Sprintf("# Note %d\n\nby writer %d\n", r, winners[0]) {
			t.Errorf("note %d is %q, won by %v (%v)", r, note, winners, err)
		}
	}
	if t.Failed() {
		t.Logf("the log:\n%s", text)
	}
}
