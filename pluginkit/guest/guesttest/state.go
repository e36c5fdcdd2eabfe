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
	"github.com/ringfence/ringfence/pluginkit/wire"
)

// State implements abi.Host.
func (s *seam) State(request, value []byte) int64 {
	r, err := wire.ParseState(request)
	if err != nil {
		return int64(s.fail(fmt.Errorf("%w: %w", guest.ErrMalformed, err)))
	}
	reply := &wire.CapabilityReply{}
	if err := (*Host)(s).state(r, value, reply); err != nil {
		return int64(s.fail(err))
	}
	return s.keepReply(reply)
}

func (h *Host) state(r *wire.State, value []byte, reply *wire.CapabilityReply) error {
	if h.Kept == nil {
		return fmt.Errorf("%w: the policy does not let this plugin keep anything", guest.ErrDenied)
	}
	if r.Operation == wire.StateOperation_STATE_LIST {
		for _, key := range slices.Sorted(maps.Keys(h.Kept)) {
			if strings.HasPrefix(key, r.Key) && key > r.After {
				reply.Entries = append(reply.Entries, h.entry(key))
			}
		}
		return nil
	}
	if r.Key == "" || len(r.Key) > 256 {
		return fmt.Errorf("%w: a key of %d bytes (1 to 256 are allowed)", guest.ErrMalformed, len(r.Key))
	}
	old, there := h.Kept[r.Key]
	switch {
	case r.Absent && there:
		return fmt.Errorf("%w: %q", guest.ErrExists, r.Key)
	case r.Version != "" && (!there || h.entry(r.Key).Version != r.Version):
		return fmt.Errorf("%w: %q", guest.ErrChanged, r.Key)
	}
	switch r.Operation {
	case wire.StateOperation_STATE_GET:
		if !there {
			return fmt.Errorf("%w: %q", guest.ErrNotFound, r.Key)
		}
		reply.Data = []byte(old)
	case wire.StateOperation_STATE_SET:
		if len(value) > 1<<20 {
			return fmt.Errorf("%w: a value of %d bytes (maximum %d)", guest.ErrLimit, len(value), 1<<20)
		}
		if h.versions == nil {
			h.versions = map[string]int{}
		}
		h.sets++
		h.Kept[r.Key], h.versions[r.Key] = string(value), h.sets
	case wire.StateOperation_STATE_DELETE:
		delete(h.Kept, r.Key)
		return nil
	}
	reply.Entries = []*wire.Entry{h.entry(r.Key)}
	return nil
}

func (h *Host) entry(key string) *wire.Entry {
	return &wire.Entry{Name: key, Size: uint64(len(h.Kept[key])), Version: "v" + strconv.Itoa(h.versions[key])}
}

// Invoke implements abi.Host.
func (s *seam) Invoke(alias string, arguments []byte) int64 {
	tool := s.Invokes[alias]
	if tool == nil {
		return int64(s.fail(fmt.Errorf("%w: the policy gives this plugin no tool under the alias %q", guest.ErrDenied, alias)))
	}
	reply := &wire.CapabilityReply{}
	result, err := tool(arguments)
	if err == nil {
		reply.Data, err = json.Marshal(result)
	}
	if err != nil {
		for _, c := range codes {
			if errors.Is(err, c.kind) {
				return int64(s.fail(err))
			}
		}
		reply.Status, reply.Data = abi.StatusFailed, []byte(err.Error())
		if errors.Is(err, ErrBadArguments) {
			reply.Status = abi.StatusBad
		}
	}
	return s.keepReply(reply)
}

// Remaining implements abi.Host.
func (s *seam) Remaining() int64 {
	if s.Deadline.IsZero() {
		return -1
	}
	return max(0, time.Until(s.Deadline).Milliseconds())
}
