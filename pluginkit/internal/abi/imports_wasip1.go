package abi

// The functions that the sandbox provides. Pointers are into linear memory and
// are used by the host only while the function runs.

//go:wasmimport ringfence log
func hostLog(level int32, line string)

//go:wasmimport ringfence http
func hostHTTP(request *byte, requestLength uint32, body *byte, bodyLength uint32) int64

//go:wasmimport ringfence head
func hostHead(handle int64, into *byte, capacity uint32) int32

//go:wasmimport ringfence read
func hostRead(handle, offset int64, into *byte, length uint32) int32

//go:wasmimport ringfence close
func hostClose(handle int64) int32

//go:wasmimport ringfence secret_exists
func hostSecretExists(name string) int32

//go:wasmimport ringfence progress
func hostProgress(report *byte, length uint32) int32

//go:wasmimport ringfence ask
func hostAsk(kind int32, request *byte, length uint32) int64

//go:wasmimport ringfence updated
func hostUpdated(uri string) int32

//go:wasmimport ringfence files
func hostFiles(request *byte, requestLength uint32, data *byte, dataLength uint32) int64

//go:wasmimport ringfence state
func hostState(request *byte, requestLength uint32, value *byte, valueLength uint32) int64

//go:wasmimport ringfence invoke
func hostInvoke(alias string, arguments *byte, argumentsLength uint32) int64

//go:wasmimport ringfence remaining
func hostRemaining() int64

//go:wasmimport ringfence error
func hostError(into *byte, capacity uint32) int32

var outermost Host = imports{}

type imports struct{}

func (imports) Log(level int32, line string) { hostLog(level, line) }

func (imports) HTTP(request, body []byte) int64 {
	return hostHTTP(first(request), uint32(len(request)), first(body), uint32(len(body)))
}

func (imports) Head(handle int64, into []byte) int32 {
	return hostHead(handle, first(into), uint32(len(into)))
}

func (imports) Read(handle, offset int64, into []byte) int32 {
	return hostRead(handle, offset, first(into), uint32(len(into)))
}

func (imports) Close(handle int64) int32 { return hostClose(handle) }

func (imports) SecretExists(name string) int32 { return hostSecretExists(name) }

func (imports) Progress(report []byte) int32 {
	return hostProgress(first(report), uint32(len(report)))
}

func (imports) Ask(kind int32, request []byte) int64 {
	return hostAsk(kind, first(request), uint32(len(request)))
}

func (imports) Updated(uri string) int32 { return hostUpdated(uri) }

func (imports) Files(request, data []byte) int64 {
	return hostFiles(first(request), uint32(len(request)), first(data), uint32(len(data)))
}

func (imports) State(request, value []byte) int64 {
	return hostState(first(request), uint32(len(request)), first(value), uint32(len(value)))
}

func (imports) Invoke(alias string, arguments []byte) int64 {
	return hostInvoke(alias, first(arguments), uint32(len(arguments)))
}

func (imports) Remaining() int64 { return hostRemaining() }

func (imports) Error(into []byte) int32 { return hostError(first(into), uint32(len(into))) }

// first points at the first byte, or nowhere when there is none.
func first(b []byte) *byte {
	if len(b) == 0 {
		return nil
	}
	return &b[0]
}
