package guest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/plugins/wasm/internal/engine"
)

// importModule is the name under which guests import the functions below.
const importModule = "ringfence"

// maxHandles is how many responses a guest may have open at a time.
const maxHandles = 256

// maxSecretName is longer than any name in a policy.
const maxSecretName = 256

// body is an import: it returns what the guest sees.
type body func(ctx context.Context, memory engine.Memory, args []uint64) int64

func (i *Instance) imports() []engine.HostFunction {
	const a, b = engine.I32, engine.I64
	return []engine.HostFunction{
		importFunction("log", i.importLog, []engine.ValueType{a, a, a}),
		importFunction("http", i.importHTTP, []engine.ValueType{a, a, a, a}, b),
		importFunction("head", i.importHead, []engine.ValueType{b, a, a}, a),
		importFunction("read", i.importRead, []engine.ValueType{b, b, a, a}, a),
		importFunction("close", i.importClose, []engine.ValueType{b}, a),
		importFunction("secret_exists", i.importSecretExists, []engine.ValueType{a, a}, a),
		importFunction("progress", i.importProgress, []engine.ValueType{a, a}, a),
		importFunction("ask", i.importAsk, []engine.ValueType{a, a, a}, b),
		importFunction("updated", i.importUpdated, []engine.ValueType{a, a}, a),
		importFunction("files", i.importFiles, []engine.ValueType{a, a, a, a}, b),
		importFunction("state", i.importState, []engine.ValueType{a, a, a, a}, b),
		importFunction("invoke", i.importInvoke, []engine.ValueType{a, a, a, a}, b),
		importFunction("remaining", i.importRemaining, nil, b),
		importFunction("error", i.importError, []engine.ValueType{a, a}, a),
	}
}

func importFunction(name string, f body, params []engine.ValueType, results ...engine.ValueType) engine.HostFunction {
	return engine.HostFunction{
		Module: importModule, Name: name, Params: params, Results: results,
		Call: func(ctx context.Context, memory engine.Memory, stack []uint64) {
			v := f(ctx, memory, stack)
			if len(results) == 0 {
				return
			}
			stack[0] = uint64(v)
			if results[0] == engine.I32 {
				stack[0] = uint64(uint32(v))
			}
		},
	}
}

// refuse remembers why, for the import "error", and gives the guest the code.
func (i *Instance) refuse(r *Refusal) int64 {
	i.lastError = clean(r.Message, pluginkit.MaxFailure)
	return r.result()
}

func (i *Instance) importLog(_ context.Context, memory engine.Memory, args []uint64) int64 {
	level := min(max(int(int32(uint32(args[0]))), 0), 3)
	if text, fits := memory.Read(args[1], min(args[2], pluginkit.MaxLog)); fits {
		i.log.line(level, string(text))
	}
	return 0
}

func (i *Instance) importHTTP(ctx context.Context, memory engine.Memory, args []uint64) int64 {
	if args[1] > pluginkit.MaxRequestHead || args[3] > pluginkit.MaxRequestBody {
		return i.refuse(&Refusal{Limit, "the request is too large"})
	}
	if len(i.handles) >= maxHandles {
		return i.refuse(&Refusal{Limit, "too many open responses"})
	}
	head, headFits := memory.Read(args[0], args[1])
	content, bodyFits := memory.Read(args[2], args[3])
	if !headFits || args[3] > 0 && !bodyFits {
		return i.refuse(&Refusal{Invalid, "the request is not in the guest's memory"})
	}
	request, err := parseRequest(head)
	if err != nil {
		return i.refuse(&Refusal{Invalid, "the request is not valid: " + err.Error()})
	}
	request.Body = content
	response, refusal := i.capabilities.HTTP(ctx, request)
	if refusal != nil {
		return i.refuse(refusal)
	}
	i.lastHandle++
	i.handles[i.lastHandle] = response
	return int64(i.lastHandle)
}

// parseRequest reads the JSON that a guest passes to http.
func parseRequest(head []byte) (Request, error) {
	var raw struct {
		Method  string     `json:"method"`
		URL     string     `json:"url"`
		Headers [][]string `json:"headers"`
	}
	d := json.NewDecoder(bytes.NewReader(head))
	d.DisallowUnknownFields()
	if err := d.Decode(&raw); err != nil {
		return Request{}, err
	}
	if _, err := d.Token(); err != io.EOF {
		return Request{}, errors.New("text after the end of the object")
	}
	request := Request{Method: raw.Method, URL: raw.URL}
	for _, h := range raw.Headers {
		if len(h) != 2 {
			return Request{}, errors.New("a header is not a pair of name and value")
		}
		request.Headers = append(request.Headers, [2]string{h[0], h[1]})
	}
	return request, nil
}

var noHandle = &Refusal{NotFound, "no such response"}

func (i *Instance) importHead(_ context.Context, memory engine.Memory, args []uint64) int64 {
	response, open := i.handles[args[0]]
	if !open {
		return i.refuse(noHandle)
	}
	head, err := response.head()
	if err != nil {
		return i.refuse(&Refusal{Internal, err.Error()})
	}
	if uint64(len(head)) <= args[2] && !memory.Write(args[1], head) {
		return i.refuse(&Refusal{Invalid, "the buffer is not in the guest's memory"})
	}
	return int64(len(head))
}

func (r Response) head() ([]byte, error) {
	if r.Head != nil {
		return r.Head, nil
	}
	headers := r.Headers
	if headers == nil {
		headers = [][2]string{}
	}
	return json.Marshal(struct {
		Status    uint32      `json:"status"`
		Headers   [][2]string `json:"headers"`
		BodyBytes *uint64     `json:"body_bytes,omitempty"`
	}{r.Status, headers, r.size()})
}

// size is the body's length, or nil.
func (r Response) size() *uint64 {
	if r.Unsized {
		return nil
	}
	return &r.BodyBytes
}

func (i *Instance) importRead(ctx context.Context, memory engine.Memory, args []uint64) int64 {
	offset, pointer, length := args[1], args[2], args[3]
	response, open := i.handles[args[0]]
	if !open {
		return i.refuse(noHandle)
	}
	length = min(length, pluginkit.MaxPiece)
	if size := memory.Size(); pointer > size || length > size-pointer {
		return i.refuse(&Refusal{Invalid, "the buffer is not in the guest's memory"})
	}
	if length == 0 {
		return 0
	}
	if response.Handle == 0 {
		return response.readLocal(memory, offset, pointer, length)
	}
	n, refusal := i.capabilities.Read(ctx, response.Handle, offset, uint32(length), func(at uint64, b []byte) bool {
		return at <= length && uint64(len(b)) <= length-at && memory.Write(pointer+at, b)
	})
	if refusal != nil {
		return i.refuse(refusal)
	}
	return int64(n)
}

func (i *Instance) importClose(ctx context.Context, _ engine.Memory, args []uint64) int64 {
	response, open := i.handles[args[0]]
	if !open {
		return i.refuse(noHandle)
	}
	delete(i.handles, args[0])
	if i.held -= len(response.Data) + len(response.Head); response.Handle == 0 {
		return 0
	}
	if refusal := i.capabilities.Close(ctx, response.Handle); refusal != nil {
		return i.refuse(refusal)
	}
	return 0
}

func (i *Instance) importSecretExists(ctx context.Context, memory engine.Memory, args []uint64) int64 {
	if args[1] > maxSecretName {
		return 0
	}
	name, fits := memory.Read(args[0], args[1])
	if !fits {
		return i.refuse(&Refusal{Invalid, "the name is not in the guest's memory"})
	}
	exists, refusal := i.capabilities.SecretExists(ctx, clean(string(name), maxSecretName))
	if refusal != nil {
		return i.refuse(refusal)
	}
	if exists {
		return 1
	}
	return 0
}

func (i *Instance) importError(_ context.Context, memory engine.Memory, args []uint64) int64 {
	text := []byte(i.lastError)
	if !memory.Write(args[0], text[:min(uint64(len(text)), args[1])]) {
		return -int64(Invalid)
	}
	return int64(len(text))
}
