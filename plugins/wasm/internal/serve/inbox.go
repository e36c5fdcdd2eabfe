package serve

import (
	"context"
	"errors"

	"github.com/ringfence/ringfence/pluginkit/wire"
)

// errCanceled is the cause of a call's end when the host asked for it.
var errCanceled = errors.New("the host cancelled the call")

// inbox reads what the host sends once a call has its arguments: answers to
// requests, and at any moment that the call is to end. The guest runs in another
// goroutine, so that a Cancel reaches it while it waits.
type inbox struct {
	replies chan *wire.CapabilityReply
}

// read reads until the stream ends, and then ends the call, too. The context of
// the stream ends with the call, so this does.
func (i *inbox) read(stream wire.Sandbox_CallServer, cancel context.CancelCauseFunc) {
	for {
		frame, err := stream.Recv()
		if err != nil {
			cancel(err)
			return
		}
		if reply := frame.GetReply(); reply != nil {
			select {
			case i.replies <- reply:
				continue
			default: // nobody asked: the host broke the protocol
			}
		}
		cancel(errCanceled)
	}
}
