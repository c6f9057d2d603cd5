package wasm

import (
	"fmt"
	"maps"
	"slices"
)

// maxImage bounds the stage-0 image, which a few bytes of a hostile module
// could otherwise stretch to 4 GiB.
const maxImage = 256 << 20

// lift lays the data segments out as the memory that instantiation would have
// made of them, and takes them and the start function out of the module.
func (m *module) lift(r *Result) {
	if m.memory != nil {
		r.MinPages, r.MaxPages = m.memory.min, m.memory.max
	}
	size := int64(0)
	starts := make([]int64, len(m.data))
	for i, d := range m.data {
		if !d.active {
			unsupported("segment %d is passive", i)
		}
		if len(d.offset) != 2 || d.offset[0].op != opI32Const {
			unsupported("segment %d has an offset that is no constant", i)
		}
		starts[i] = int64(uint32(d.offset[0].value))
		end := starts[i] + int64(len(d.bytes))
		if end > int64(r.MinPages)*pageBytes {
			malformed("segment %d ends at byte %d of a memory of %d pages", i, end, r.MinPages)
		}
		if len(d.bytes) > 0 {
			size = max(size, end)
		}
	}
	if size > maxImage {
		unsupported("an image of %d bytes, more than %d", size, maxImage)
	}
	r.Image = make([]byte, size)
	for i, d := range m.data {
		copy(r.Image[min(starts[i], size):], d.bytes)
	}
	m.data = nil
	if m.start >= 0 {
		if t := m.typeOf(uint32(m.start)); len(t.params)+len(t.results) > 0 {
			malformed("start function with parameters or results")
		}
		m.addExport(FunctionStart, externFunction, uint32(m.start))
		r.Start = FunctionStart
		m.start = -1
	}
}

// exportGlobals exports every mutable global, so that the host can save and
// restore them, and those that the caller names.
func (m *module) exportGlobals(named map[string]uint32, r *Result) {
	for _, name := range slices.Sorted(maps.Keys(named)) {
		x := named[name]
		if int64(x) >= int64(len(m.globals)) {
			unsupported("global %d is to be exported, there are %d", x, len(m.globals))
		}
		if slices.Contains(m.exports, export{name, externGlobal, x}) {
			continue
		}
		m.addExport(name, externGlobal, x)
	}
	exported := map[uint32]string{}
	for _, e := range m.exports {
		if _, ok := exported[e.x]; !ok && e.kind == externGlobal {
			exported[e.x] = e.name
		}
	}
	for i, g := range m.globals {
		if !g.mutable {
			continue
		}
		switch g.typ {
		case typeI32, typeI64, typeF32, typeF64:
		default:
			unsupported("global %d is mutable and no number", i)
		}
		x := uint32(i)
		name, ok := exported[x]
		if !ok {
			name = fmt.Sprintf("mayfly_global_%d", i)
			m.addExport(name, externGlobal, x)
		}
		r.Globals = append(r.Globals, name)
	}
}
