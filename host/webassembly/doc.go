// Package webassembly is the WebAssembly interface of guests (WebAssembly
// JavaScript Interface): modules that programs bring are compiled by the same
// engine as guests, and their instances run under the limits of the isolate
// that made them.
//
// A module is metered like a guest (runtime/wasm.Meter), and keeps its bounds
// checks. Its memory is a block of the guest's own heap, so that JavaScript
// sees it without a copy, and so that it counts towards the isolate's memory,
// is reset and saved with it. What else an instance has (globals, tables) is
// the engine's, and ends with the isolate's event.
package webassembly
