package guest

import (
	"errors"
	"runtime"
	"strconv"

	"github.com/ringfence/ringfence/pluginkit/internal/abi"
	"github.com/ringfence/ringfence/pluginkit/internal/registry"
	"github.com/ringfence/ringfence/pluginkit/internal/shape"
)

// ResourceInfo describes a resource, or a template of resources.
type ResourceInfo struct {
	// URI has a scheme of the plugin's own, such as notes://today: those of
	// files and websites are refused. In a template, {name} stands for a part
	// without slashes and {+name} for any: notes://{folder}/{+path}.
	URI string
	// Name is for programs, Title and Description are for people and models.
	Name, Title, Description string
	// MIMEType is the kind of the content, if it is always the same.
	MIMEType string
}

func (r ResourceInfo) appendJSON(b []byte, uri string) []byte {
	b = shape.AppendString(append(b, '{'), uri)
	b = shape.AppendString(append(b, ':'), r.URI)
	b = shape.AppendString(append(b, `,"name":`...), r.Name)
	return append(appendTexts(b, "title", r.Title, "description", r.Description, "mime_type", r.MIMEType), '}')
}

// appendTexts writes members that have a text.
func appendTexts(b []byte, pairs ...string) []byte {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			b = shape.AppendString(append(b, ','), pairs[i])
			b = shape.AppendString(append(b, ':'), pairs[i+1])
		}
	}
	return b
}

// ResourceContent is what a resource holds: make it with TextResource or
// BlobResource.
type ResourceContent struct {
	uri, mimeType string
	text          string
	blob          []byte
	binary        bool
}

// TextResource is a resource that is text. The MIME type may be empty.
func TextResource(uri, mimeType, text string) ResourceContent {
	return ResourceContent{uri: uri, mimeType: mimeType, text: text}
}

// BlobResource is a resource that is not.
func BlobResource(uri, mimeType string, blob []byte) ResourceContent {
	return ResourceContent{uri: uri, mimeType: mimeType, blob: blob, binary: true}
}

func (r ResourceContent) appendJSON(b []byte) []byte {
	b = shape.AppendString(append(b, `{"uri":`...), r.uri)
	b = appendTexts(b, "mime_type", r.mimeType)
	if r.binary {
		return append(appendBase64(append(b, `,"blob":`...), r.blob), '}')
	}
	return append(shape.AppendString(append(b, `,"text":`...), r.text), '}')
}

// Resource offers something to read. Call it from an init function. Read is
// called each time somebody reads it, and may return several contents.
//
// It panics when the resource cannot be offered, with the line that called it.
func Resource(info ResourceInfo, read func() ([]ResourceContent, error)) {
	_, file, line, _ := runtime.Caller(1)
	offer("guest.Resource", file, line, registry.AddResource(registry.Extra{
		Key: info.URI, JSON: info.appendJSON(nil, "uri"),
		Run: func([]byte) (uint32, []byte) { return readResult(read()) },
	}))
}

// ResourceTemplate offers all resources whose URIs fit a template. Read gets the
// URI and its parts by name.
func ResourceTemplate(info ResourceInfo, read func(uri string, parts map[string]string) ([]ResourceContent, error)) {
	_, file, line, _ := runtime.Caller(1)
	offer("guest.ResourceTemplate", file, line, registry.AddTemplate(registry.Extra{
		Key: info.URI, JSON: info.appendJSON(nil, "uri_template"),
		Run: func(arguments []byte) (uint32, []byte) {
			request, err := object(arguments)
			if err != nil {
				return abi.StatusBad, []byte(err.Error())
			}
			uri, _ := request["uri"].(string)
			return readResult(read(uri, texts(request["variables"])))
		},
	}))
}

func offer(function, file string, line int, err error) {
	if err != nil {
		panic(function + " at " + file + ":" + strconv.Itoa(line) + ": " + err.Error())
	}
}

func readResult(contents []ResourceContent, err error) (uint32, []byte) {
	if err != nil {
		return statusOf(err), []byte(err.Error())
	}
	b := []byte(`{"contents":[`)
	for i, c := range contents {
		if i > 0 {
			b = append(b, ',')
		}
		b = c.appendJSON(b)
	}
	return abi.StatusOK, append(b, "]}"...)
}

// object reads the arguments of what is not a tool: the host wrote them.
func object(arguments []byte) (map[string]any, error) {
	value, err := shape.Any(arguments)
	if err != nil {
		return nil, err
	}
	o, ok := value.(map[string]any)
	if !ok {
		return nil, errors.New("the host passed something other than an object")
	}
	return o, nil
}

func texts(value any) map[string]string {
	out := map[string]string{}
	all, _ := value.(map[string]any)
	for name, v := range all {
		if text, ok := v.(string); ok {
			out[name] = text
		}
	}
	return out
}

// ResourceUpdated says that a resource reads differently now, so that clients
// which watch it read it again. It works while a call runs.
func ResourceUpdated(uri string) error {
	host := abi.Current()
	if code := host.Updated(uri); code < 0 {
		return hostError(host, "resource "+uri, int64(code))
	}
	return nil
}
