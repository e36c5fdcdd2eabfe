package mcp

import "time"

// What clients and plugins may use. Sizes are in bytes.
const (
	// maxMessage is the largest message of a client.
	maxMessage = 8 << 20
	// maxResult is the largest result of a tool. Clients in wide use give up
	// on messages over 16 MiB, and a structured result is in a message twice.
	maxResult = 4 << 20
	// maxSent is the largest message to a client, as it is encoded: escapes can
	// make six bytes of one, and a client that gives up on a message gives up
	// on the session.
	maxSent = 12 << 20
	// maxListed is what the lists of one plugin's tools, resources or prompts
	// may take of the message with all of them.
	maxListed = 512 << 10
	// maxCalls is how many calls of all clients run or wait at a time, and
	// maxPluginCalls how many of one plugin: a slow one cannot take all.
	maxCalls       = 64
	maxPluginCalls = 16
	// maxRequests is how many requests of all kinds are being answered.
	maxRequests = 256
	// maxLine is where a log or progress message is cut.
	maxLine = 4 << 10
	// maxWatched is how many resources a session may watch.
	maxWatched = 256
	// longestURI is the longest that a client may name.
	longestURI = 2 << 10
	// maxNotices is how many messages of a call wait for a slow client; more
	// are dropped.
	maxNotices = 128

	// listWait is how long after its start a server lets lists wait for plugins
	// that are still starting. Those that come later are announced.
	listWait = 10 * time.Second
	// flushWait is how long a call's result waits for its messages.
	flushWait = 2 * time.Second
	// closeWait is how long the end waits for a client that does not read.
	closeWait = 2 * time.Second

	// A plugin that does not start is tried again after retryFirst, then more
	// and more rarely up to retryLast.
	retryFirst = 5 * time.Second
	retryLast  = 5 * time.Minute
)

// What HTTP clients may use.
const (
	maxConnections = 256
	maxSessions    = 64
	maxHeader      = 16 << 10
	// maxBatch is how many messages one request may hold.
	maxBatch = 32

	idleTimeout = 2 * time.Minute
	// sessionTimeout ends sessions without a message of the client.
	sessionTimeout = 4 * time.Hour
)

// times is what a client has for parts of its requests. Tests give it less.
type times struct {
	header time.Duration // for the head of a request
	body   time.Duration // for its body
	write  time.Duration // for taking one write of an answer
}

var usualTimes = times{header: 10 * time.Second, body: 30 * time.Second, write: 30 * time.Second}
