package guest

import (
	"encoding/base64"
	"reflect"

	"github.com/ringfence/ringfence/pluginkit/internal/shape"
)

// Content is one block of an answer: make it with Text, Image, Audio, Embed or
// Link. The zero Content is an empty text.
type Content struct{ encoded []byte }

// Text is a block of text.
func Text(text string) Content {
	return Content{append(shape.AppendString([]byte(`{"type":"text","text":`), text), '}')}
}

// Image is a picture; its MIME type begins with image/.
func Image(mimeType string, data []byte) Content { return media("image", mimeType, data) }

// Audio is a sound; its MIME type begins with audio/.
func Audio(mimeType string, data []byte) Content { return media("audio", mimeType, data) }

func media(kind, mimeType string, data []byte) Content {
	b := shape.AppendString([]byte(`{"type":`), kind)
	b = shape.AppendString(append(b, `,"mime_type":`...), mimeType)
	return Content{append(appendBase64(append(b, `,"data":`...), data), '}')}
}

// Embed is a resource with its content.
func Embed(r ResourceContent) Content {
	return Content{append(r.appendJSON([]byte(`{"type":"resource","resource":`)), '}')}
}

// Link names a resource without its content. Only a URI and a name are needed.
func Link(r ResourceInfo) Content {
	return Content{append(r.appendJSON([]byte(`{"type":"link","resource":`), "uri"), '}')}
}

func (c Content) appendJSON(b []byte) []byte {
	if c.encoded == nil {
		return append(b, Text("").encoded...)
	}
	return append(b, c.encoded...)
}

// Answer is a result made of blocks. A tool whose function returns it has no
// output schema.
type Answer []Content

// Structured is a result of blocks and of a value, which is the tool's
// structured result and has an output schema: blocks are what a person or a model
// looks at, the value is for programs.
type Structured[T any] struct {
	Value   T
	Content []Content
}

// answers is what both have in common. The type is that of the value, or nil.
type answers interface {
	answer() (content []Content, value any)
	valueType() reflect.Type
}

func (a Answer) answer() ([]Content, any) { return a, nil }
func (Answer) valueType() reflect.Type    { return nil }

func (s Structured[T]) answer() ([]Content, any) { return s.Content, &s.Value }
func (Structured[T]) valueType() reflect.Type    { return reflect.TypeFor[T]() }

// appendAnswer writes an answer as docs/guest-abi.md says.
func appendAnswer(b []byte, a answers, out *shape.Shape) ([]byte, error) {
	content, value := a.answer()
	b = append(b, `{"content":`...)
	b = appendContents(b, content)
	if out != nil {
		var err error
		if b, err = out.Append(append(b, `,"structured":`...), reflect.ValueOf(value).Elem()); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

func appendContents(b []byte, content []Content) []byte {
	b = append(b, '[')
	for i, c := range content {
		if i > 0 {
			b = append(b, ',')
		}
		b = c.appendJSON(b)
	}
	return append(b, ']')
}

func appendBase64(b, data []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(append(b, '"'), data), '"')
}
