package wasmer

import (
	"math"
	"testing"

	"github.com/ringfence/ringfence/plugins/wasm/internal/engine"
	"github.com/ringfence/ringfence/plugins/wasm/internal/engine/border"
	"github.com/ringfence/ringfence/plugins/wasm/internal/engine/enginetest"
	_ "github.com/ringfence/ringfence/plugins/wasm/internal/threads"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEngine(t *testing.T) {
	enginetest.Run(t, func() engine.Engine { return New() })
}

func TestValuesCross(t *testing.T) {
	for _, v := range []uint64{0, 1, math.MaxUint64, 1 << 63} {
		if got := fromGo(toGo(v, 1)); got[0] != v {
			t.Errorf("i64 %#x became %#x", v, got[0])
		}
	}
}

func BenchmarkInstance(b *testing.B) {
	enginetest.Benchmark(b, func() engine.Engine { return New() })
}

// The gate is WASM of our own; what it is made of is the guest's.
func FuzzAssembleGate(f *testing.F) {
	f.Add("a", "b", uint8(2), uint8(1))
	f.Fuzz(func(t *testing.T, module, name string, params, results uint8) {
		one := border.Function{Module: module, Name: name}
		for n := range params % (border.MaxValues + 1) {
			one.Params = append(one.Params, []engine.ValueType{engine.I32, engine.I64}[n%2])
		}
		for range results % 2 {
			one.Results = append(one.Results, engine.I64)
		}
		if met, err := border.Check(assembleGate([]border.Function{one})); err != nil || len(met.Imports) != 1 {
			t.Errorf("%+v: %v", met, err)
		}
	})
}
