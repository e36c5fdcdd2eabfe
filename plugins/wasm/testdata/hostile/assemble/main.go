// Command assemble writes the hostile modules to a folder, as NAME.wasm.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/ringfence/ringfence/plugins/wasm/testdata/hostile"
	"github.com/wasmerio/wasmer-go/wasmer"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: assemble FOLDER")
		os.Exit(2)
	}
	if err := assemble(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func assemble(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, m := range hostile.Modules() {
		binary, err := wasmer.Wat2Wasm(m.WAT)
		if err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
		if err := os.WriteFile(filepath.Join(folder, m.Name+".wasm"), binary, 0o644); err != nil {
			return err
		}
	}
	return nil
}
