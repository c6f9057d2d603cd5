// Package platform answers the operations that a guest has whatever it runs
// for: clocks and randomness, cryptography, compression, encodings, WebAssembly,
// files.
package platform

import (
	"time"

	"mayfly/host/compression"
	"mayfly/host/crypto"
	"mayfly/host/encoding"
	"mayfly/host/op"
	"mayfly/host/system"
	"mayfly/host/vfs"
	"mayfly/host/webassembly"
	"mayfly/runtime/isolate"
)

// Options configure a Platform.
type Options struct {
	System system.Options
	// Files makes the isolate's files, when they are first asked for.
	Files func() *vfs.Tree
	// Compiler compiles the modules of programs.
	Compiler *webassembly.Compiler
	// CPU is the isolate's limit of processor time; 0: none.
	CPU time.Duration
}

// A Platform answers for one isolate. It is not safe for concurrent use.
type Platform struct {
	options Options
	system  *system.System
	// What follows is made when first used.
	crypto  *crypto.Crypto
	streams *compression.Streams
	wasm    *webassembly.Store
}

// New makes a platform. It costs next to nothing until it is used.
func New(options Options) *Platform {
	return &Platform{options: options, system: system.New(options.System)}
}

// Call answers a synchronous operation, as isolate.Host does. An operation that
// is none of the platform's is one of files.
func (p *Platform) Call(iso *isolate.Isolate, o op.Op, in, out []byte) ([]byte, error) {
	switch o {
	case op.Random, op.Clock:
		return p.system.Call(o, in, out)
	case op.CryptoHash, op.CryptoCipher, op.CryptoSign, op.CryptoDerive, op.CryptoKey, op.CryptoGenerate:
		if p.crypto == nil {
			p.crypto = crypto.New(crypto.Options{Pause: iso.Yield})
		}
		return p.crypto.Call(o, in, out)
	case op.Decode:
		return encoding.Call(in, out, iso.Yield)
	case op.Crc32:
		return compression.Checksum(in, out, iso.Yield)
	case op.CompressStep, op.CompressClose:
		if p.streams == nil {
			p.streams = compression.New(compression.Options{Pause: iso.Yield})
		}
		return p.streams.Call(o, in, out)
	case op.WasmCompile, op.WasmInstantiate, op.WasmCall, op.WasmObject:
		if p.wasm == nil {
			p.wasm = p.newStore(iso)
		}
		return p.wasm.Call(o, in, out)
	}
	return p.options.Files().Call(o, in, out)
}

func (p *Platform) newStore(iso *isolate.Isolate) *webassembly.Store {
	return webassembly.NewStore(iso, webassembly.Options{
		Compiler: p.options.Compiler, CPU: p.options.CPU,
		Exceeded: func() {
			iso.Unwind(isolate.ExceededCPU, "compiling a module takes more processor time than the CPU limit of "+p.options.CPU.String()+" leaves")
		},
	})
}

// Rooted says whether the isolate has what is of no use to another that goes on
// from its state: instances of WebAssembly, and what belongs to them. It is asked
// between turns.
func (p *Platform) Rooted() bool { return p.wasm != nil && p.wasm.Instantiated() }

// Close lets go of what the isolate has. It no longer runs.
func (p *Platform) Close() error {
	if p.streams != nil {
		p.streams.Close()
	}
	if p.wasm != nil {
		return p.wasm.Close()
	}
	return nil
}
