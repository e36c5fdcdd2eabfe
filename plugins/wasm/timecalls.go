package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/ringfence/ringfence/plugins/wasm/internal/engine"
)

// timeCalls is the first argument of a process that serves nobody: it measures what
// calling a function costs in an engine, without a sandbox around it, and prints
// that as JSON. `ringfence bench` holds calls into guests against it.
const timeCalls = "-time-calls"

// calledModule exports a memory, and the function "call" of the type of
// ringfence_call, which returns its last parameter.
const calledModule = "\x00asm\x01\x00\x00\x00" +
	"\x01\x08\x01\x60\x03\x7f\x7f\x7f\x01\x7f" + // type (i32 i32 i32) -> i32
	"\x03\x02\x01\x00" + // one function of it
	"\x05\x04\x01\x01\x01\x01" + // one memory of one page
	"\x07\x11\x02\x06memory\x02\x00\x04call\x00\x00" +
	"\x0a\x06\x01\x04\x00\x20\x02\x0b" // local.get 2

// batch is how many calls are made between two readings of the clock, which takes
// as long as the faster engine's call.
const batch = 64

// engineCalls is what one engine's calls took, in microseconds each, on average of
// a batch.
type engineCalls struct {
	Calls int     `json:"calls"`
	P50   float64 `json:"p50_us"`
	P99   float64 `json:"p99_us"`
}

// printCallTimes measures an engine for a while, such as "wasmer" for "50ms".
func printCallTimes(name, duration string) error {
	d, err := time.ParseDuration(duration)
	if err != nil {
		return err
	}
	start := config().Engines[name]
	if start == nil {
		return fmt.Errorf("there is no engine %q", name)
	}
	timed := make(chan error)
	go func() { // no guest runs on the main thread
		e := start()
		defer e.Close()
		r, err := measureCalls(e, d)
		if err == nil {
			err = json.NewEncoder(os.Stdout).Encode(r)
		}
		timed <- err
	}()
	return <-timed
}

func measureCalls(e engine.Engine, d time.Duration) (r engineCalls, err error) {
	artifact, err := e.Compile([]byte(calledModule))
	if err != nil {
		return r, err
	}
	module, err := e.Load(artifact)
	if err != nil {
		return r, err
	}
	defer module.Close()
	instance, err := module.Instantiate(nil)
	if err != nil {
		return r, err
	}
	defer instance.Close()
	var took []float64
	for began := time.Now(); len(took) == 0 || time.Since(began) < d; {
		at := time.Now()
		for range batch {
			if got, err := instance.Call(context.Background(), "call", 1, 2, 3); err != nil || len(got) != 1 || got[0] != 3 {
				return r, fmt.Errorf("the function returned %v, %v", got, err)
			}
		}
		took = append(took, float64(time.Since(at).Nanoseconds())/1000/batch)
	}
	slices.Sort(took)
	at := func(percent int) float64 { return took[(len(took)-1)*percent/100] }
	return engineCalls{Calls: len(took) * batch, P50: at(50), P99: at(99)}, nil
}
