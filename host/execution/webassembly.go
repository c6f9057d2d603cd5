package execution

import (
	"mayfly/host/op"
	"mayfly/host/webassembly"
	"mayfly/runtime/isolate"
)

// callWasm answers the operations of WebAssembly.
func (b *sandbox) callWasm(iso *isolate.Isolate, o op.Op, in, out []byte) ([]byte, error) {
	if b.wasm == nil {
		b.wasm = webassembly.NewStore(iso, webassembly.Options{
			Compiler: &b.service.webassembly, CPU: b.limits.CPU,
			Exceeded: func() {
				iso.Unwind(ExceededCPU, "compiling a module takes more processor time than the CPU limit of "+b.limits.CPU.String()+" leaves")
			},
		})
	}
	return b.wasm.Call(o, in, out)
}

func (b *sandbox) closeWasm() {
	if b.wasm == nil {
		return
	}
	if err := b.wasm.Close(); err != nil {
		b.service.config.Log.Error("modules of a program could not be closed", "err", err)
	}
}
