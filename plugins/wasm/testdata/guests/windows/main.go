// A test guest of the SDK that uses its windows, and misuses them.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/ringfence/ringfence/pluginkit/guest"
)

func main() {}

var (
	kept  [][]byte
	calls int
)

func init() {
	guest.Tool("echo", "Returns what it gets.", func(args guest.Bytes) (guest.Bytes, error) {
		return guest.Bytes(append(guest.Room(), args...)), nil
	})
	guest.Tool("head", "Reads the first bytes only.", func(args guest.Bytes) (guest.Bytes, error) {
		return guest.Bytes(strconv.AppendInt(guest.Room(), int64(args[0])+int64(len(args)), 10)), nil
	})
	guest.Tool("room", "Says how much room there is.", func(guest.Bytes) (guest.Bytes, error) {
		return guest.Bytes(strconv.AppendInt(guest.Room(), int64(cap(guest.Room())), 10)), nil
	})
	guest.Tool("heap", "Answers from its own memory.", func(args guest.Bytes) (guest.Bytes, error) {
		return append(guest.Bytes(nil), args...), nil
	})
	guest.Tool("keep", "Counts its calls.", func(guest.Bytes) (guest.Bytes, error) {
		calls++
		return guest.Bytes(strconv.Itoa(calls)), nil
	})
	guest.Tool("typed", "Has a typed result.", func(struct{}) ([]int, error) { return []int{1, 2, 3}, nil })
	guest.Tool("fail", "Fails.", func(guest.Bytes) (guest.Bytes, error) { return nil, errors.New("it failed") })
	guest.Tool("scribble", "Writes to its arguments.", func(args guest.Bytes) (guest.Bytes, error) {
		args[len(args)/2] = '!'
		return args, nil
	})
	guest.Tool("grow", "Grows its memory, and then looks at its arguments again.", func(args guest.Bytes) (guest.Bytes, error) {
		before := string(args)
		for range 24 {
			b := make([]byte, 1<<20)
			for i := range b {
				b[i] = 1
			}
			kept = append(kept, b)
		}
		if string(args) != before {
			return nil, errors.New("the arguments have changed")
		}
		kept = nil
		return guest.Bytes(append(guest.Room(), args...)), nil
	})
	guest.Tool("forge", "Fills all of its room, and answers with a piece of it.", func(args guest.Bytes) (guest.Bytes, error) {
		room := guest.Room()
		room = room[:cap(room)]
		for i := range room {
			room[i] = 0xff
		}
		return guest.Bytes(room[7:100]), nil
	})
	guest.Tool("fetch", "Reads a body into its arguments' memory.", func(args guest.Bytes) (guest.Bytes, error) {
		var url string
		if err := json.Unmarshal(args, &struct {
			URL *string `json:"url"`
		}{&url}); err != nil {
			return nil, err
		}
		r, err := guest.Fetch(guest.Request{URL: url})
		if err != nil {
			return nil, err
		}
		defer r.Body.Close()
		n, err := r.Body.Read(args)
		return nil, fmt.Errorf("%d bytes: %v", n, err)
	})
}
