package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"sort"

	"github.com/ringfence/ringfence/host/internal/beacon"
	"github.com/ringfence/ringfence/host/internal/printable"
	"github.com/ringfence/ringfence/host/internal/sandbox"
	"github.com/ringfence/ringfence/policies"
	"github.com/ringfence/ringfence/shmchan"
)

// SandboxStatus is one running sandbox process.
type SandboxStatus struct {
	Plugin string `json:"plugin"`
	PID    int    `json:"pid"`
	Busy   bool   `json:"busy"` // it serves a call
	// Engine is what runs it: "wasmer", "wazero", or "native" for a native plugin.
	Engine string `json:"engine"`
	// Transport is how its calls travel, "ring" or "grpc", and Reason why not over
	// the ring, "" when they do. The reason may hold words of the sandbox: one line,
	// printable, bounded.
	Transport string `json:"transport"`
	Reason    string `json:"reason,omitempty"`
	// Calls is how many calls have begun. Refused is how many reads were refused
	// because of their handle or range, of which a working tool makes none.
	Calls   uint64 `json:"calls"`
	Refused uint64 `json:"refused"`
	// Windows says that the guest reads and writes its calls in the ring's own
	// memory, by the sandbox's own word.
	Windows bool `json:"windows"`
	// Full counts how often a ring reached 90 percent, Grown how often the rings were
	// exchanged for larger ones because one stayed full, and Alerts how often one
	// stayed full and was not. Crowded says why not, the last time.
	Full    uint64 `json:"full"`
	Grown   uint64 `json:"grown"`
	Alerts  uint64 `json:"alerts"`
	Crowded string `json:"crowded,omitempty"`
	// Rings are the rings of the channel, none over gRPC.
	Rings []RingStatus `json:"rings,omitempty"`
}

// RingStatus is one ring: one direction of a lane, by the host's own count.
type RingStatus struct {
	Lane      string  `json:"lane"`      // "calls", "capabilities"
	Direction string  `json:"direction"` // "in": from the sandbox; "out"
	Bytes     int64   `json:"bytes"`     // of the data area
	Used      int64   `json:"used"`      // of which taken now
	Fill      float64 `json:"fill"`      // percent of the fuller of data area and slots
	Slots     int     `json:"slots"`
	Live      int     `json:"live"`     // of which taken now
	Messages  uint64  `json:"messages"` // pieces of large ones count each
	Carried   uint64  `json:"carried"`  // bytes in all
	Parks     uint64  `json:"parks"`    // times that the host went to sleep at this ring
	WakesSeen uint64  `json:"wakes"`    // times that the sandbox woke it
}

// HostStatus is what a running host says of itself.
type HostStatus struct {
	Host      string          `json:"host"` // its id in the audit log
	PID       int             `json:"pid"`
	Sandboxes []SandboxStatus `json:"sandboxes"`
}

// Status lists the sandbox processes of this host, by plugin and process number.
func (h *Host) Status() []SandboxStatus {
	all := []SandboxStatus{}
	for _, m := range h.pool.Members() {
		all = append(all, status(m.Plugin, m.Sandbox, m.Busy))
	}
	sort.Slice(all, func(i, j int) bool {
		if all[i].Plugin != all[j].Plugin {
			return all[i].Plugin < all[j].Plugin
		}
		return all[i].PID < all[j].PID
	})
	return all
}

func status(plugin string, s *sandbox.Sandbox, busy bool) SandboxStatus {
	stats := s.Stats()
	one := SandboxStatus{
		Plugin: plugin, PID: s.PID(), Busy: busy, Engine: s.Engine, Transport: s.TransportName(), Reason: s.Reason(),
		Windows: s.Windows(), Calls: stats.Calls, Refused: stats.Refused,
		Full: stats.Growth.Full, Grown: stats.Growth.Grown, Alerts: stats.Growth.Alerts, Crowded: s.Crowded(),
	}
	if stats.Ring == nil {
		return one
	}
	for _, lane := range stats.Ring.Lanes {
		one.Rings = append(one.Rings, ring(lane.Name, "out", lane.Outbound), ring(lane.Name, "in", lane.Inbound))
	}
	return one
}

func ring(lane, direction string, s shmchan.RingStats) RingStatus {
	fill := max(float64(s.Used)/float64(max(s.Size, 1)), float64(s.Live)/float64(max(s.Slots, 1)))
	return RingStatus{
		Lane: lane, Direction: direction, Bytes: s.Size, Used: s.Used, Fill: 100 * fill, Slots: s.Slots, Live: s.Live,
		Messages: s.Messages, Carried: s.Bytes, Parks: s.Wait.Parks, WakesSeen: s.Wait.Wakes,
	}
}

// clean makes the words of another process fit for a terminal.
func (s *HostStatus) clean() {
	line := func(text *string) { *text = printable.Line(*text, 1000) }
	line(&s.Host)
	for i := range s.Sandboxes {
		b := &s.Sandboxes[i]
		for _, text := range []*string{&b.Plugin, &b.Engine, &b.Transport, &b.Reason, &b.Crowded} {
			line(text)
		}
		for i := range b.Rings {
			line(&b.Rings[i].Lane)
			line(&b.Rings[i].Direction)
		}
	}
}

// Running asks every host that runs with these settings' state folder, in
// whatever process, for its status. Hosts that cannot be asked are in the error;
// those that can are in the result all the same.
func Running(settings policies.Settings) ([]HostStatus, error) {
	answers, problems := beacon.Look(settings.StateDir)
	all := []HostStatus{}
	for _, answer := range answers {
		var one HostStatus
		if err := json.Unmarshal(answer, &one); err != nil {
			problems = append(problems, fmt.Errorf("the status of a host of another version: %w", err))
			continue
		}
		one.clean()
		all = append(all, one)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].PID < all[j].PID })
	return all, errors.Join(problems...)
}
