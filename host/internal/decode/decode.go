// Package decode reads protobuf messages of somebody nobody trusts.
package decode

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// MaxFields is how many fields a message may have, those of the messages in it
// included. A request with all its headers has 400.
//
// The size of a message bounds neither the memory nor the time that decoding
// takes: an empty header is two bytes, and 88 in memory, so that a message of
// 4 MiB would come to 200 MB and a second of the host's, for a millisecond of the
// sandbox's.
const MaxFields = 4096

// Check counts the fields of an encoded m before anything is made of them.
func Check(b []byte, m proto.Message) error {
	if countFields(b, m.ProtoReflect().Descriptor(), MaxFields) < 0 {
		return fmt.Errorf("a message with more than %d fields", MaxFields)
	}
	return nil
}

// Message checks and decodes b into m, which keeps nothing of b.
func Message(b []byte, m proto.Message) error {
	if err := Check(b, m); err != nil {
		return err
	}
	return proto.Unmarshal(b, m)
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
