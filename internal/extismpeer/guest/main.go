//go:build wasip1

// Command guest is plugins/tools/echo for extism.
package main

import (
	"strconv"

	"github.com/extism/go-pdk"
)

func main() {}

//go:wasmexport echo
func echo() int32 {
	pdk.Output(pdk.Input())
	return 0
}

//go:wasmexport head
func head() int32 {
	args := pdk.Input()
	n := len(args)
	if args[0] != '{' {
		n = 0
	}
	pdk.OutputString(strconv.Itoa(n))
	return 0
}
