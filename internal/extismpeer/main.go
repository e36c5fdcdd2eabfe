// Command extism-peer measures the calls of extism/go-sdk, in its own process, for
// `ringfence bench --peer`: what a Go program would use to run a guest without a
// process around it. It is a module of its own, so that nobody else depends on it.
//
//	extism-peer 64,4096 150
//
// measures calls with 64 and with 4096 bytes for 150 ms each. The guest lies beside
// the program, as extism-peer.wasm, and has the tools of plugins/tools/echo.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	extism "github.com/extism/go-sdk"
)

// row is a Peer of host/cli/bench.
type row struct {
	Way   string  `json:"way"`
	Tool  string  `json:"tool"`
	Size  int     `json:"size"`
	Calls int     `json:"calls"`
	P50   float64 `json:"p50_us"`
	P99   float64 `json:"p99_us"`
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "extism-peer:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("usage: extism-peer SIZE,… MILLISECONDS")
	}
	ms, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ctx := context.Background()
	plugin, err := extism.NewPlugin(ctx, extism.Manifest{Wasm: []extism.Wasm{extism.WasmFile{Path: self + ".wasm"}}},
		extism.PluginConfig{EnableWasi: true}, nil)
	if err != nil {
		return err
	}
	defer plugin.Close(ctx)
	var rows []row
	for _, tool := range []string{"head", "echo"} {
		for text := range strings.SplitSeq(args[0], ",") {
			size, err := strconv.Atoi(text)
			if err != nil {
				return err
			}
			one, err := measure(plugin, tool, size, time.Duration(ms)*time.Millisecond)
			if err != nil {
				return err
			}
			rows = append(rows, one)
		}
	}
	return json.NewEncoder(os.Stdout).Encode(rows)
}

// fewest is how many calls a figure rests on at least.
const fewest = 5

func measure(plugin *extism.Plugin, tool string, size int, slice time.Duration) (row, error) {
	const frame = `{"text":""}`
	arguments := []byte(`{"text":"` + strings.Repeat("x", size-len(frame)) + `"}`)
	want := string(arguments)
	if tool == "head" {
		want = strconv.Itoa(size)
	}
	var took []time.Duration
	for began := time.Now(); len(took) < fewest || time.Since(began) < slice; {
		at := time.Now()
		_, out, err := plugin.Call(tool, arguments)
		took = append(took, time.Since(at))
		if err != nil || string(out) != want {
			return row{}, fmt.Errorf("%s with %d bytes: %d bytes came back: %w", tool, size, len(out), err)
		}
	}
	slices.Sort(took)
	at := func(percent int) float64 { return float64(took[(len(took)-1)*percent/100].Nanoseconds()) / 1000 }
	return row{Way: "extism", Tool: tool, Size: size, Calls: len(took), P50: at(50), P99: at(99)}, nil
}
