package decode

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/wire"
)

func field(num protowire.Number, content []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), content)
}

func TestFieldsAreCountedAtEveryDepth(t *testing.T) {
	empty := []byte{3<<3 | byte(protowire.BytesType), 0}
	frame := func(headers []byte) []byte { return field(1, field(2, headers)) }
	real := &wire.SandboxFrame{Kind: &wire.SandboxFrame_Request{Request: &wire.CapabilityRequest{Id: 1,
		Op: &wire.CapabilityRequest_Http{Http: &wire.HttpRequest{Method: "GET", Url: "https://example.com/", Body: make([]byte, pluginkit.MaxRequestBody)}}}}}
	for range 128 {
		h := real.GetRequest().GetHttp()
		h.Headers = append(h.Headers, &wire.Header{Name: "Name", Value: "value"})
	}
	whole, err := proto.Marshal(real)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		message []byte
		fits    bool
	}{
		"the largest request":  {whole, true},
		"as many headers":      {frame(bytes.Repeat(empty, MaxFields-2)), true},
		"one more":             {frame(bytes.Repeat(empty, MaxFields-1)), false},
		"a bomb of headers":    {frame(bytes.Repeat(empty, 2_000_000)), false},
		"spread over requests": {bytes.Repeat(frame(bytes.Repeat(empty, 100)), 1000), false},
		"many kinds":           {bytes.Repeat([]byte{0x0a, 0, 0x12, 0}, 1_000_000), false},
		"unknown fields":       {bytes.Repeat([]byte{0x78, 0}, 2_000_000), false},
		"malformed":            {[]byte{0xff}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if err := Check(tt.message, &wire.SandboxFrame{}); (err == nil) != tt.fits {
				t.Error(err)
			}
		})
	}
}
