// Package wasm reads, rewrites and writes WebAssembly modules: the passes that
// make a guest meter itself, grow virtually, do without the engine's exceptions,
// and start from a memory image.
package wasm
