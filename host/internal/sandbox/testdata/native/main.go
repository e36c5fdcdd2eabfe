// Command native is a plugin of pluginkit's with one tool for each thing that the
// tests of transports ask for.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/guest"
)

func main() { pluginkit.Serve() }

type none struct{}

type target struct {
	URL string `json:"url"`
}

var calls int

func init() {
	guest.Tool("echo", "Returns what it gets.", func(args guest.Bytes) (guest.Bytes, error) {
		return guest.Bytes(append(guest.Room(), args...)), nil
	})
	guest.Tool("room", "Says how much room there is.", func(guest.Bytes) (guest.Bytes, error) {
		return guest.Bytes(strconv.Itoa(cap(guest.Room()))), nil
	})
	guest.Tool("fail", "Fails.", func(guest.Bytes) (guest.Bytes, error) { return nil, errors.New("it failed") })
	guest.Tool("typed", "Has typed arguments and a typed result.", func(t target) (target, error) { return t, nil })
	guest.Tool("count", "Counts its calls.", func(none) (int, error) { calls++; return calls, nil })
	guest.Tool("panic", "Panics.", func(none) (none, error) { panic("boom") })
	guest.Tool("scribble", "Writes to its arguments.", func(args guest.Bytes) (guest.Bytes, error) {
		args[len(args)/2] = '!'
		return args, nil
	})
	guest.ToolContext("wait", "Waits for the end of its call.", func(ctx context.Context, _ none) (none, error) {
		<-ctx.Done()
		return none{}, ctx.Err()
	})
	guest.ToolContext("busy", "Reads a body, and writes a thousand lines.", busy)
	guest.ToolContext("many", "Fetches and logs from several goroutines at once.", many)
	guest.ToolContext("late", "Leaves something behind that logs and asks.", late)
}

func busy(ctx context.Context, t target) (string, error) {
	r, err := guest.FetchContext(ctx, guest.Request{URL: t.URL})
	if err != nil {
		return "", err
	}
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		return "", err
	}
	for i := range 1000 {
		guest.LogContext(ctx, guest.LevelInfo, fmt.Sprintf("line %d", i))
	}
	return fmt.Sprint(n), nil
}

func many(ctx context.Context, _ none) (int, error) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	answered := 0
	for i := range 8 {
		wg.Go(func() {
			for range 20 {
				guest.LogContext(ctx, guest.LevelInfo, strconv.Itoa(i))
				exists, err := guest.SecretExistsContext(ctx, strconv.Itoa(i))
				mu.Lock()
				if err == nil && exists == (i%2 == 0) {
					answered++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return answered, nil
}

func late(ctx context.Context, _ none) (none, error) {
	for range 4 {
		go func() {
			for range 1000 {
				guest.LogContext(ctx, guest.LevelInfo, "left behind")
				_, _ = guest.SecretExistsContext(ctx, "left behind")
				time.Sleep(10 * time.Microsecond)
			}
		}()
	}
	return none{}, nil
}
