package decode

import (
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers what Codec wraps
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
)

// Codec is a codec of gRPC, for messages of somebody nobody trusts.
type Codec struct {
	encoding.CodecV2
	// Took is told the size of each message that has come, unless it is nil. What a
	// message decodes to can be far smaller: of a field that it has twice, the last
	// one counts.
	Took func(bytes int)
}

// NewCodec makes a Codec.
func NewCodec(took func(bytes int)) Codec {
	return Codec{CodecV2: encoding.GetCodecV2("proto"), Took: took}
}

// Unmarshal looks at the message before it makes anything of it.
func (c Codec) Unmarshal(data mem.BufferSlice, v any) error {
	if c.Took != nil {
		c.Took(data.Len())
	}
	whole := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer whole.Free()
	if m, ok := v.(proto.Message); ok {
		if err := Check(whole.ReadOnlyData(), m); err != nil {
			return err
		}
	}
	return c.CodecV2.Unmarshal(mem.BufferSlice{whole}, v)
}
