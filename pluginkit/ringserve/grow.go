package ringserve

import (
	"context"
	"errors"
	"fmt"

	"github.com/ringfence/ringfence/pluginkit/ringwire"
	"github.com/ringfence/ringfence/shmchan"
)

var errCannotGrow = errors.New("the plugin takes no new memory while it runs")

// maxWhy is the longest reason that the host is given, in bytes.
const maxWhy = 200

// grow answers the host's offer of larger memory. The answer is the first message
// in it, so that the host knows that it is in use; the host's own messages follow.
func (s *server) grow(frame shmchan.Frame, handler Handler) error {
	number := frame.Header().Call
	asked, err := ringwire.ParseGrow(frame.Bytes())
	if err := errors.Join(err, frame.Release()); err != nil {
		return fmt.Errorf("the host sent %w", err)
	}
	shape := ringwire.ShapeOf(asked.Ring, s.channel.MessageTimeout())
	shape.Capabilities = asked.Capabilities
	windows, err := false, shape.Check()
	if g, able := handler.(Grower); !able {
		err = errCannotGrow
	} else if err == nil {
		windows, err = g.Grow(shape)
	}
	producer := s.calls.Producer()
	if err != nil {
		why := err.Error()
		return producer.Send(context.Background(), shmchan.Header{Kind: ringwire.KindStays, Call: number}, []byte(why[:min(len(why), maxWhy)]))
	}
	kind := ringwire.KindGrown
	if windows {
		kind = ringwire.KindWindows
	}
	return producer.Send(context.Background(), shmchan.Header{Kind: kind, Call: number}, nil)
}
