package launch

import (
	"fmt"

	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers what bounded wraps
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// maxFields is how many fields a message may have, those of the messages in it
// included. A request with all its headers has 400.
//
// The size of a message bounds neither the memory nor the time that decoding
// takes: an empty header is two bytes, and 88 in memory, so that a message of
// 4 MiB would come to 200 MB and a second of the host's, for a millisecond of the
// sandbox's.
const maxFields = 4096

// bounded is the codec of gRPC, for messages of somebody nobody trusts.
type bounded struct{ encoding.CodecV2 }

func newBounded() bounded { return bounded{encoding.GetCodecV2("proto")} }

// Unmarshal counts the fields before it makes anything of them.
func (c bounded) Unmarshal(data mem.BufferSlice, v any) error {
	whole := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer whole.Free()
	if m, ok := v.(proto.Message); ok {
		if left := countFields(whole.ReadOnlyData(), m.ProtoReflect().Descriptor(), maxFields); left < 0 {
			return fmt.Errorf("a message with more than %d fields", maxFields)
		}
	}
	return c.CodecV2.Unmarshal(mem.BufferSlice{whole}, v)
}

// countFields returns what is left of the number of fields, negative when they
// are too many. What is malformed is for the decoder to refuse. Types do not
// contain themselves, so the depth is that of the types.
func countFields(b []byte, is protoreflect.MessageDescriptor, left int) int {
	for len(b) > 0 && left >= 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return left
		}
		b = b[n:]
		left--
		if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
			return left
		}
		if field := is.Fields().ByNumber(num); typ == protowire.BytesType && field != nil && field.Message() != nil {
			inner, _ := protowire.ConsumeBytes(b)
			left = countFields(inner, field.Message(), left)
		}
		b = b[n:]
	}
	return left
}
