// Command notes is a native plugin: it searches a folder of Markdown notes and
// adds to it. It is a program of the machine's own because it works on files,
// which WebAssembly plugins do not have; the folder is all of the machine that it
// sees.
package main

import (
	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/guest"
)

func init() {
	guest.ToolContext("list", "Lists the notes, the most recently changed first.", list)
	guest.ToolContext("search", "Finds lines of the notes that contain all the given words, whatever their case.", search)
	guest.ToolContext("read", "Returns one note as Markdown.", read)
	guest.ToolContext("add", "Adds a note. It never changes one that is there.", add)
}

func main() { pluginkit.Serve() }
