package host

import "sort"

// SandboxStatus is one running sandbox process.
type SandboxStatus struct {
	Plugin    string `json:"plugin"`
	PID       int    `json:"pid"`
	Transport string `json:"transport"` // "grpc"
	Busy      bool   `json:"busy"`      // it serves a call
}

// Status lists the sandbox processes of this host, by plugin and process number.
func (h *Host) Status() []SandboxStatus {
	var all []SandboxStatus
	for _, m := range h.pool.Members() {
		all = append(all, SandboxStatus{m.Plugin, m.Sandbox.PID(), m.Sandbox.TransportName(), m.Busy})
	}
	sort.Slice(all, func(i, j int) bool {
		if all[i].Plugin != all[j].Plugin {
			return all[i].Plugin < all[j].Plugin
		}
		return all[i].PID < all[j].PID
	})
	return all
}
