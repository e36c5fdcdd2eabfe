package main

import (
	"encoding/json"
	"fmt"

	"github.com/ringfence/ringfence/pluginkit/guest"
)

func init() {
	guest.Tool("keep", "Keeps values between its calls.", keep)
	guest.Tool("hoard", "Keeps as much as the host lets it.", hoardState)
	guest.Tool("invoke", "Calls a tool of another plugin and tells what came.", invoke)
}

// KeepArgs are the arguments of keep.
type KeepArgs struct {
	Do    string `json:"do" enum:"get,set,delete,keys,count"`
	Key   string `json:"key,omitempty"`
	Value string `json:"value,omitempty"`
}

// Kept is what there is.
type Kept struct {
	Value string   `json:"value,omitempty"`
	Keys  []string `json:"keys,omitempty"`
}

func keep(args KeepArgs) (k Kept, err error) {
	switch args.Do {
	case "get":
		var b []byte
		b, err = guest.State.Get(args.Key)
		k.Value = string(b)
	case "set":
		err = guest.State.Set(args.Key, []byte(args.Value))
	case "delete":
		err = guest.State.Delete(args.Key)
	case "keys":
		k.Keys, err = guest.State.Keys(args.Key)
	case "count":
		err = guest.State.Update(args.Key, func(old []byte) ([]byte, error) {
			n := 0
			_, _ = fmt.Sscan(string(old), &n)
			k.Value = fmt.Sprint(n + 1)
			return []byte(k.Value), nil
		})
	}
	return k, err
}

func hoardState(Nothing) (Filled, error) {
	var done Filled
	for {
		if err := guest.State.Set(fmt.Sprint("k", done.Files), make([]byte, 10_000)); err != nil {
			done.Why = err.Error()
			return done, nil
		}
		done.Files++
	}
}

// InvokeArgs are the arguments of invoke.
type InvokeArgs struct {
	Alias     string          `json:"alias"`
	Arguments json.RawMessage `json:"arguments,omitempty"`
}

// Invoked is what came.
type Invoked struct {
	Result json.RawMessage `json:"result"`
}

func invoke(args InvokeArgs) (Invoked, error) {
	var arguments any
	if len(args.Arguments) > 0 {
		arguments = args.Arguments
	}
	result, err := guest.Invoke[json.RawMessage](args.Alias, arguments)
	return Invoked{result}, err
}
