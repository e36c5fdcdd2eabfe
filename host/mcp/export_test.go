package mcp

import (
	"time"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/policies"
)

// NewPatient is New with another time that lists wait.
func NewPatient(h *host.Host, policy *policies.Policy, opts Options, patience time.Duration) *Server {
	return newServer(h, policy, opts, patience)
}

// Hurry gives clients less time, so that tests need not wait.
func (s *Server) Hurry(header, body, write time.Duration) {
	s.times = times{header, body, write}
}

// Sessions is how many sessions of HTTP clients there may be.
const Sessions = maxSessions

// MaxMessage is the largest message of a client.
const MaxMessage = maxMessage

// MaxPluginCalls is how many calls of a plugin run or wait.
const MaxPluginCalls = maxPluginCalls
