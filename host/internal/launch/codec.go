package launch

import (
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers what bounded wraps
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/ringfence/ringfence/host/internal/decode"
)

// bounded is the codec of gRPC, for messages of somebody nobody trusts.
type bounded struct{ encoding.CodecV2 }

func newBounded() bounded { return bounded{encoding.GetCodecV2("proto")} }

// Unmarshal looks at the message before it makes anything of it.
func (c bounded) Unmarshal(data mem.BufferSlice, v any) error {
	whole := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer whole.Free()
	if m, ok := v.(proto.Message); ok {
		if err := decode.Check(whole.ReadOnlyData(), m); err != nil {
			return err
		}
	}
	return c.CodecV2.Unmarshal(mem.BufferSlice{whole}, v)
}
