//go:build !wasip1

package abi

var outermost Host = noHost{}

// noHost refuses everything: this program does not run inside a sandbox.
type noHost struct{}

func (noHost) Log(_ int32, line string)        { println(line) }
func (noHost) HTTP([]byte, []byte) int64       { return NoHost }
func (noHost) Head(int64, []byte) int32        { return NoHost }
func (noHost) Read(int64, int64, []byte) int32 { return NoHost }
func (noHost) Close(int64) int32               { return NoHost }
func (noHost) SecretExists(string) int32       { return NoHost }
func (noHost) Progress([]byte) int32           { return NoHost }
func (noHost) Ask(int32, []byte) int64         { return NoHost }
func (noHost) Updated(string) int32            { return NoHost }
func (noHost) Files([]byte, []byte) int64      { return NoHost }
func (noHost) State([]byte, []byte) int64      { return NoHost }
func (noHost) Invoke(string, []byte) int64     { return NoHost }
func (noHost) Remaining() int64                { return -1 }
func (noHost) Error([]byte) int32              { return 0 }
