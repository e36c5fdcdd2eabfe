package guesttest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ringfence/ringfence/pluginkit/guest"
	"github.com/ringfence/ringfence/pluginkit/internal/abi"
	"github.com/ringfence/ringfence/pluginkit/internal/guestjson"
)

// State implements abi.Host.
func (s *seam) State(request, value []byte) int64 {
	r, err := guestjson.ParseState(request)
	if err != nil {
		return int64(s.fail(fmt.Errorf("%w: %w", guest.ErrMalformed, err)))
	}
	answered, err := (*Host)(s).state(r, value)
	if err != nil {
		return int64(s.fail(err))
	}
	return s.keepReply(answered)
}

func (h *Host) state(r guestjson.State, value []byte) (done reply, err error) {
	if h.Kept == nil {
		return done, fmt.Errorf("%w: the policy does not let this plugin keep anything", guest.ErrDenied)
	}
	if r.Operation == "list" {
		for _, key := range slices.Sorted(maps.Keys(h.Kept)) {
			if strings.HasPrefix(key, r.Key) && key > r.After {
				done.Entries = append(done.Entries, h.entry(key))
			}
		}
		return done, nil
	}
	if r.Key == "" || len(r.Key) > 256 {
		return done, fmt.Errorf("%w: a key of %d bytes (1 to 256 are allowed)", guest.ErrMalformed, len(r.Key))
	}
	old, there := h.Kept[r.Key]
	switch {
	case r.Absent && there:
		return done, fmt.Errorf("%w: %q", guest.ErrExists, r.Key)
	case r.Version != "" && (!there || h.entry(r.Key).Version != r.Version):
		return done, fmt.Errorf("%w: %q", guest.ErrChanged, r.Key)
	}
	switch r.Operation {
	case "get":
		if !there {
			return done, fmt.Errorf("%w: %q", guest.ErrNotFound, r.Key)
		}
		done.data = []byte(old)
	case "set":
		if len(value) > 1<<20 {
			return done, fmt.Errorf("%w: a value of %d bytes (maximum %d)", guest.ErrLimit, len(value), 1<<20)
		}
		if h.versions == nil {
			h.versions = map[string]int{}
		}
		h.sets++
		h.Kept[r.Key], h.versions[r.Key] = string(value), h.sets
	case "delete":
		delete(h.Kept, r.Key)
		return done, nil
	}
	done.Entries = []guestjson.Entry{h.entry(r.Key)}
	return done, nil
}

func (h *Host) entry(key string) guestjson.Entry {
	return guestjson.Entry{Name: key, Size: uint64(len(h.Kept[key])), Version: "v" + strconv.Itoa(h.versions[key])}
}

// Invoke implements abi.Host.
func (s *seam) Invoke(alias string, arguments []byte) int64 {
	tool := s.Invokes[alias]
	if tool == nil {
		return int64(s.fail(fmt.Errorf("%w: the policy gives this plugin no tool under the alias %q", guest.ErrDenied, alias)))
	}
	var done reply
	result, err := tool(arguments)
	if err == nil {
		done.data, err = json.Marshal(result)
	}
	if err != nil {
		for _, c := range codes {
			if errors.Is(err, c.kind) {
				return int64(s.fail(err))
			}
		}
		done.Status, done.data = abi.StatusFailed, []byte(err.Error())
		if errors.Is(err, ErrBadArguments) {
			done.Status = abi.StatusBad
		}
	}
	return s.keepReply(done)
}

// Remaining implements abi.Host.
func (s *seam) Remaining() int64 {
	if s.Deadline.IsZero() {
		return -1
	}
	return max(0, time.Until(s.Deadline).Milliseconds())
}
