// Command nothing is the smallest tool: its size is what every tool costs.
package main

import "github.com/ringfence/ringfence/pluginkit/guest"

func init() {
	guest.Tool("nothing", "Does nothing.", func(struct{}) (struct{}, error) { return struct{}{}, nil })
}

func main() {}
