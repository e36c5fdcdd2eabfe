package wasmer

import (
	"runtime"

	"github.com/ringfence/ringfence/plugins/wasm/internal/engine/artifact"
	"github.com/ringfence/ringfence/plugins/wasm/internal/engine/border"
)

// parts are what Compile makes and Load takes.
type parts struct {
	guest, gate []byte
	border      border.Border
}

func identity() string {
	return "5 wasmer 2.0.0 cranelift universal " + runtime.GOOS + "/" + runtime.GOARCH
}

func (p parts) marshal() []byte {
	return artifact.Marshal(identity(), p.guest, p.gate, p.border.Encode())
}

func parse(compiled []byte) (parts, error) {
	found, err := artifact.Parse(compiled, identity())
	if err != nil {
		return parts{}, err
	}
	b, err := border.Decode(found[2])
	return parts{guest: found[0], gate: found[1], border: b}, err
}
