// Command hang is a plugin that never gets ready.
package main

import "github.com/ringfence/ringfence/pluginkit/guest"

func init() {
	guest.Tool("never", "Is never offered.", func(struct{}) (int, error) { return 0, nil })
	for {
	}
}

func main() {}
