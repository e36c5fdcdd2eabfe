// Package content reads what guests answer where JSON alone would not do: blocks
// of text, images, audio and resources; the contents of a resource; the messages
// of a prompt; the completions of an argument.
//
// Everything here was written by somebody nobody trusts. It is bounded in number
// and depth before it is decoded, unknown members and kinds are refused, and what
// comes out holds no text that acts on whoever shows it (printable.Text).
package content

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/ringfence/ringfence/host/internal/jsonscan"
	"github.com/ringfence/ringfence/host/internal/manifest"
	"github.com/ringfence/ringfence/host/internal/printable"
)

const (
	// maxBlocks is how many blocks an answer, and messages a prompt, may have.
	maxBlocks = 256
	// MaxDepth is how deep JSON may nest that is handed to clients: what
	// parsers in wide use take at least.
	MaxDepth = 128
	// maxValues is how many completions the protocol takes.
	maxValues = 100
	// maxURI is the longest URI, and maxLine the longest name.
	maxURI  = 2 << 10
	maxLine = 1 << 10
)

// Kind is the kind of a block.
type Kind string

// The kinds of blocks.
const (
	KindText     Kind = "text"
	KindImage    Kind = "image"
	KindAudio    Kind = "audio"
	KindResource Kind = "resource"
	KindLink     Kind = "link"
)

// Block is one part of an answer.
type Block struct {
	Kind Kind
	// Text is that of a text.
	Text string
	// Data is that of an image or audio, and MIMEType its kind.
	Data     []byte
	MIMEType string
	// Resource is an embedded resource, or what a link leads to.
	Resource *Resource
}

// Resource is a resource's content: Text or Blob. A link has neither.
type Resource struct {
	URI, MIMEType            string
	Name, Title, Description string
	Text                     string
	Blob                     []byte
	Binary                   bool // Blob counts, even when it is empty
}

// Answer is what a tool that answers with content said.
type Answer struct {
	Blocks []Block
	// Structured is JSON, or nil.
	Structured json.RawMessage
}

// Message is one message of a prompt.
type Message struct {
	Role  string // "user" or "assistant"
	Block Block
}

// Messages is a prompt with its blanks filled.
type Messages struct {
	Description string
	Messages    []Message
}

// Completion is what an argument could be.
type Completion struct {
	Values  []string
	Total   int
	HasMore bool
}

type block struct {
	Type     Kind      `json:"type"`
	Text     *string   `json:"text"`
	MIMEType string    `json:"mime_type"`
	Data     *[]byte   `json:"data"`
	Resource *resource `json:"resource"`
}

type resource struct {
	URI         string  `json:"uri"`
	MIMEType    string  `json:"mime_type"`
	Name        string  `json:"name"`
	Title       string  `json:"title"`
	Description string  `json:"description"`
	Text        *string `json:"text"`
	Blob        *[]byte `json:"blob"`
}

// ParseAnswer reads {"content": […], "structured": …}.
func ParseAnswer(raw []byte) (Answer, error) {
	var doc struct {
		Content    []block         `json:"content"`
		Structured json.RawMessage `json:"structured"`
	}
	if err := decode(raw, &doc); err != nil {
		return Answer{}, err
	}
	if n := len(doc.Content); n > maxBlocks {
		return Answer{}, fmt.Errorf("%d blocks of content (maximum %d)", n, maxBlocks)
	}
	answer := Answer{Structured: doc.Structured}
	for i, b := range doc.Content {
		checked, err := b.check()
		if err != nil {
			return Answer{}, fmt.Errorf("block %d: %w", i, err)
		}
		answer.Blocks = append(answer.Blocks, checked)
	}
	return answer, nil
}

// ParseContents reads {"contents": […]}, what reading a resource gives.
func ParseContents(raw []byte) ([]Resource, error) {
	var doc struct {
		Contents []resource `json:"contents"`
	}
	if err := decode(raw, &doc); err != nil {
		return nil, err
	}
	if n := len(doc.Contents); n == 0 || n > maxBlocks {
		return nil, fmt.Errorf("%d contents (1 to %d are allowed)", n, maxBlocks)
	}
	var all []Resource
	for i, r := range doc.Contents {
		checked, err := r.check(manifest.CheckURI)
		if err != nil {
			return nil, fmt.Errorf("content %d: %w", i, err)
		}
		all = append(all, *checked)
	}
	return all, nil
}

// ParseMessages reads {"description": "…", "messages": [{"role": "user",
// "content": {…}}]}.
func ParseMessages(raw []byte) (Messages, error) {
	var doc struct {
		Description string `json:"description"`
		Messages    []struct {
			Role    string `json:"role"`
			Content block  `json:"content"`
		} `json:"messages"`
	}
	if err := decode(raw, &doc); err != nil {
		return Messages{}, err
	}
	if n := len(doc.Messages); n > maxBlocks {
		return Messages{}, fmt.Errorf("%d messages (maximum %d)", n, maxBlocks)
	}
	out := Messages{Description: printable.Line(doc.Description, maxLine)}
	for i, m := range doc.Messages {
		if m.Role != "user" && m.Role != "assistant" {
			return Messages{}, fmt.Errorf("message %d has the role %q (allowed: user, assistant)", i, printable.Line(m.Role, 40))
		}
		checked, err := m.Content.check()
		if err != nil {
			return Messages{}, fmt.Errorf("message %d: %w", i, err)
		}
		out.Messages = append(out.Messages, Message{m.Role, checked})
	}
	return out, nil
}

// ParseCompletion reads {"values": […], "total": 3, "has_more": false}.
func ParseCompletion(raw []byte) (Completion, error) {
	var doc struct {
		Values  []string `json:"values"`
		Total   int      `json:"total"`
		HasMore bool     `json:"has_more"`
	}
	if err := decode(raw, &doc); err != nil {
		return Completion{}, err
	}
	if n := len(doc.Values); n > maxValues || doc.Total < 0 {
		return Completion{}, fmt.Errorf("%d completions of %d (maximum %d)", n, doc.Total, maxValues)
	}
	out := Completion{Values: make([]string, 0, len(doc.Values)), Total: doc.Total, HasMore: doc.HasMore}
	for _, v := range doc.Values {
		out.Values = append(out.Values, printable.Line(v, maxLine))
	}
	return out, nil
}

func (b block) check() (Block, error) {
	out := Block{Kind: b.Type, MIMEType: b.MIMEType}
	has := func(text, data, resource bool) error {
		if (b.Text != nil) != text || (b.Data != nil) != data || (b.Resource != nil) != resource || (b.MIMEType != "") != data {
			return fmt.Errorf("a %s has other members than this kind has", b.Type)
		}
		return nil
	}
	switch b.Type {
	case KindText:
		if err := has(true, false, false); err != nil {
			return Block{}, err
		}
		out.Text = printable.Text(*b.Text)
	case KindImage, KindAudio:
		if err := has(false, true, false); err != nil {
			return Block{}, err
		}
		if !manifest.IsMIMEType(b.MIMEType) || !bytes.HasPrefix([]byte(b.MIMEType), []byte(string(b.Type)+"/")) {
			return Block{}, fmt.Errorf("the MIME type %q for %s", printable.Line(b.MIMEType, 80), b.Type)
		}
		out.Data = *b.Data
	case KindResource, KindLink:
		if err := has(false, false, true); err != nil {
			return Block{}, err
		}
		if filled := b.Resource.Text != nil || b.Resource.Blob != nil; filled != (b.Type == KindResource) {
			return Block{}, errors.New("a resource has a text or a blob, and a link has none")
		}
		var err error
		if out.Resource, err = b.Resource.check(checkAnyURI); err != nil {
			return Block{}, err
		}
	default:
		return Block{}, fmt.Errorf("a block of the kind %q (allowed: text, image, audio, resource, link)", printable.Line(string(b.Type), 40))
	}
	return out, nil
}

// check takes a resource. Its URI is data where a tool speaks of a resource, and
// a name where a plugin is read.
func (r *resource) check(uri func(string) error) (*Resource, error) {
	if err := uri(r.URI); err != nil {
		return nil, err
	}
	if r.MIMEType != "" && !manifest.IsMIMEType(r.MIMEType) {
		return nil, fmt.Errorf("the MIME type %q", printable.Line(r.MIMEType, 80))
	}
	if r.Text != nil && r.Blob != nil {
		return nil, errors.New("both a text and a blob")
	}
	out := &Resource{
		URI: r.URI, MIMEType: r.MIMEType, Name: printable.Line(r.Name, maxLine),
		Title: printable.Line(r.Title, maxLine), Description: printable.Line(r.Description, maxLine),
	}
	if r.Text != nil {
		out.Text = printable.Text(*r.Text)
	}
	if r.Blob != nil {
		out.Blob, out.Binary = *r.Blob, true
	}
	return out, nil
}

func checkAnyURI(uri string) error {
	if uri == "" || len(uri) > maxURI {
		return fmt.Errorf("a URI of %d bytes (1 to %d are allowed)", len(uri), maxURI)
	}
	for _, r := range uri {
		if r <= ' ' || r >= 0x7f {
			return fmt.Errorf("%q has characters that a URI does not have", printable.Line(uri, 80))
		}
	}
	return nil
}

// decode reads one JSON value of known form.
func decode(raw []byte, into any) error {
	if err := CheckDepth(raw); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("not the JSON that docs/guest-abi.md asks for: %s", printable.Line(err.Error(), 256))
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("text after the end of the JSON")
	}
	return nil
}

// CheckDepth refuses JSON that nests deeper than MaxDepth. It must be valid.
func CheckDepth(raw []byte) error {
	for _, depth := range jsonscan.Structure(raw) {
		if depth > MaxDepth {
			return fmt.Errorf("JSON that nests deeper than %d", MaxDepth)
		}
	}
	return nil
}
