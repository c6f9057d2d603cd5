package wasm

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// The cases of testdata/exceptions.wat, made with wasmtime's wat2wasm, and
// what the specification makes of them: function, argument, result; EXC is an
// exception that nobody catches.
var (
	//go:embed testdata/exceptions.wasm
	exceptionsWasm []byte
	//go:embed testdata/exceptions.txt
	exceptionsResults string
)

// features are those of the engine and tail calls, which it leaves out.
const features = api.CoreFeaturesV2 | experimental.CoreFeaturesTailCall

// instantiate runs a module in wazero itself: with features, or as an
// interpreter that knows exceptions.
func instantiate(t interface {
	Helper()
	Fatal(...any)
}, config wazero.RuntimeConfig, wasm []byte) (api.Module, func()) {
	t.Helper()
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, config)
	yield := r.NewHostModuleBuilder("env").NewFunctionBuilder().WithFunc(func() {}).Export("yield")
	if _, err := yield.Instantiate(ctx); err != nil {
		t.Fatal(err)
	}
	m, err := r.Instantiate(ctx, wasm)
	if err != nil {
		t.Fatal(err)
	}
	return m, func() { _ = r.Close(ctx) }
}

// reference is wazero's interpreter, whose exceptions are right.
func reference() wazero.RuntimeConfig {
	return wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(features | experimental.CoreFeaturesExceptionHandling)
}

// outcome calls an export: its result, EXC or TRAP.
func outcome(m api.Module, name string, params ...uint64) string {
	v, err := m.ExportedFunction(name).Call(context.Background(), params...)
	// The globals are kept after exceptions and traps alike: the one that is
	// pending goes by them.
	if g, ok := m.ExportedGlobal(GlobalException).(api.MutableGlobal); ok && g.Get() != 0 {
		g.Set(0)
		return "EXC"
	}
	switch {
	case err == nil:
		return fmt.Sprint(api.DecodeI32(v[0]))
	case strings.Contains(err.Error(), "uncaught exception"):
		return "EXC"
	}
	return "TRAP"
}

func TestExceptions(t *testing.T) {
	cases := strings.Split(strings.TrimSpace(exceptionsResults), "\n")
	if len(cases) < 180 {
		t.Errorf("only %d cases", len(cases))
	}
	check := func(config wazero.RuntimeConfig, wasm []byte, what any) {
		m, stop := instantiate(t, config, wasm)
		defer stop()
		for _, c := range cases {
			var name, want string
			var x int32
			if _, err := fmt.Sscan(c, &name, &x, &want); err != nil {
				t.Fatal(err)
			}
			if got := outcome(m, name, api.EncodeI32(x)); got != want {
				t.Errorf("%s(%d) = %s, want %s (%+v)", name, x, got, want, what)
			}
		}
	}
	check(reference(), exceptionsWasm, "as it is")
	for _, o := range []Options{{}, {Fuel: 1}, {Fuel: 100, MemoryPages: 3}} {
		o.LowerExceptions = true
		r, err := Rewrite(exceptionsWasm, o)
		if err != nil {
			t.Fatal(err)
		}
		check(wazero.NewRuntimeConfig().WithCoreFeatures(features), r.Wasm, o)
		check(wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(features), r.Wasm, o)
	}
}
