// Command nothing is the smallest tool: the budget of 3 MB is measured on it.
package main

import "github.com/ringfence/ringfence/pluginkit/guest"

func init() {
	guest.Tool("nothing", "Does nothing.", func(struct{}) (struct{}, error) { return struct{}{}, nil })
}

func main() {}
