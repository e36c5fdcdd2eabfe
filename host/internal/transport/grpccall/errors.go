package grpccall

import (
	"fmt"

	"google.golang.org/grpc/status"

	"github.com/ringfence/ringfence/host/internal/printable"
	"github.com/ringfence/ringfence/host/internal/transport"
)

// lost wraps the end of a stream. The text of a gRPC status is the peer's.
func lost(err error) error {
	s := status.Convert(err)
	return fmt.Errorf("%w: %s: %s", transport.ErrLost, s.Code(), printable.Line(s.Message(), 256))
}

func tooLarge(n, max uint64) string {
	return fmt.Sprintf("the result has %d bytes (maximum %d)", n, max)
}
