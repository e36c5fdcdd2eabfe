package shmchan

import (
	"context"
	"errors"
	"fmt"
)

var (
	// ErrUnsupported means that this system or kernel has no sealed memory
	// files. Pipe works everywhere.
	ErrUnsupported = errors.New("shmchan: not supported on this system")
	// ErrConfig means that a Config, or an argument, is out of range.
	ErrConfig = errors.New("shmchan: invalid configuration")
	// ErrClosed means that this end closed the channel.
	ErrClosed = errors.New("shmchan: channel closed")
	// ErrPeerClosed means that the other end closed the channel in order.
	ErrPeerClosed = errors.New("shmchan: peer closed the channel")
	// ErrPeerDied means that Config.Alive reported the peer's death.
	ErrPeerDied = errors.New("shmchan: peer died")
	// ErrTimeout means that the peer made no progress within the message
	// timeout, or that the context's deadline passed first.
	ErrTimeout = errors.New("shmchan: timeout")
	// ErrTooLarge is what every *TooLargeError is.
	ErrTooLarge = errors.New("shmchan: message too large")
	// ErrViolation is what every *ViolationError is.
	ErrViolation = errors.New("shmchan: protocol violation")
	// ErrAborted means that the peer began a message in fragments and gave it up.
	ErrAborted = errors.New("shmchan: message aborted by the peer")

	// ErrConcurrentUse means that a second goroutine used one end of a ring
	// while the first was in the middle of a wait or of a message.
	ErrConcurrentUse = errors.New("shmchan: concurrent use of one end of a ring")
	// ErrCommitted means that the reservation was committed before.
	ErrCommitted = errors.New("shmchan: reservation already committed")
	// ErrAbandoned means that the reservation was abandoned before.
	ErrAbandoned = errors.New("shmchan: reservation abandoned")
	// ErrReleased means that the frame was released before.
	ErrReleased = errors.New("shmchan: frame already released")
)

// ViolationError says which rule the peer broke. It ends the channel: a peer
// that writes one impossible value is not trusted with the next.
type ViolationError struct {
	What  string // the value, and what it had to be
	Got   uint64 // as the peer wrote it
	Limit uint64
}

func (e *ViolationError) Error() string {
	return fmt.Sprintf("shmchan: protocol violation: %s: got %d, limit %d", e.What, e.Got, e.Limit)
}

// Is makes errors.Is(err, ErrViolation) true.
func (e *ViolationError) Is(target error) bool { return target == ErrViolation }

// TooLargeError says that a message does not fit what was agreed.
type TooLargeError struct {
	Got, Max int64 // bytes
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("shmchan: message of %d bytes (maximum %d)", e.Got, e.Max)
}

// Is makes errors.Is(err, ErrTooLarge) true.
func (e *TooLargeError) Is(target error) bool { return target == ErrTooLarge }

// contextError keeps the context's own error and adds ErrTimeout to a deadline,
// so that callers have one thing to ask for.
func contextError(ctx context.Context) error {
	err := context.Cause(ctx)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", ErrTimeout, err)
	}
	return err
}

var (
	errNoRoom  = fmt.Errorf("%w: the peer released nothing, so that there is no room", ErrTimeout)
	errStalled = fmt.Errorf("%w: the peer stopped in the middle of a message", ErrTimeout)
	errBatch   = errors.New("shmchan: a batch is reservations of one producer in order, each with a header")
)
