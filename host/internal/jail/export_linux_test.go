package jail

import (
	"os"
	"path/filepath"
)

// unlimit takes a limit back.
func (g *group) unlimit(controller, file string) {
	if g == nil {
		return
	}
	<-g.made
	if g.v2 {
		controller = ""
	}
	dir := g.dirs[controller]
	if dir == "" {
		return // there is no such limit here
	}
	if err := os.WriteFile(filepath.Join(dir, file), []byte("max"), 0); err != nil {
		panic(err)
	}
}
