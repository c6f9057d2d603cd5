package wasm

import "encoding/binary"

// Modules that the host makes for itself: what a program makes without a
// module of its own (a memory, a table, a global), and what ties imports to
// exports that have other names.

// MemoryModule exports a memory as ExportName(Memory, 0). Min and max are in
// pages.
func MemoryModule(min, max uint32, bounded bool) []byte {
	if !bounded {
		max = 1 << 16
	}
	m := &module{start: -1, memory: &memory{min, max, bounded}}
	m.exports = []export{{ExportName(Memory, 0), externMemory, 0}}
	return m.encode()
}

// GlobalModule exports a global as ExportName(Global, 0). Bits are its value,
// of a number; references and vectors are null and zero.
func GlobalModule(typ byte, mutable bool, bits uint64) []byte {
	var init instruction
	switch t := valueType(typ); t {
	case typeI32:
		init = constant(int32(bits))
	case typeI64:
		init = instruction{op: opI64Const, value: int64(bits)}
	case typeF32:
		init.raw = binary.LittleEndian.AppendUint32([]byte{byte(opF32Const)}, uint32(bits))
	case typeF64:
		init.raw = binary.LittleEndian.AppendUint64([]byte{byte(opF64Const)}, bits)
	case typeV128:
		init.raw = append([]byte{0xfd, 12}, make([]byte, 16)...)
	default:
		init = instruction{op: opRefNull, lane: byte(t)}
	}
	m := &module{start: -1, globals: []global{{valueType(typ), mutable, []instruction{init, plain(opEnd)}}}}
	m.exports = []export{{ExportName(Global, 0), externGlobal, 0}}
	return m.encode()
}

// The functions by which the host works with a table: get (i32) → ref,
// set (i32, ref), grow (ref, i32) → i32, size () → i32.
const (
	TableGet  = "get"
	TableSet  = "set"
	TableGrow = "grow"
	TableSize = "size"
)

// TableModule exports a table as ExportName(Table, 0), and its functions.
func TableModule(typ byte, min, max uint32, bounded bool) []byte {
	m := &module{start: -1, tables: []table{{valueType(typ), min, max, bounded}}}
	m.tableFunctions(valueType(typ))
	return m.encode()
}

// TableAccess imports a table under a name, and exports its functions.
func TableAccess(typ byte, name string) []byte {
	m := &module{start: -1, foreign: &foreign{}}
	b := append(appendName(appendName(nil, linkModule), name), externTable, typ)
	m.foreign.other = [][]byte{appendLimits(b, 0, 0, false)}
	m.tableFunctions(valueType(typ))
	return m.encode()
}

func (m *module) tableFunctions(t valueType) {
	i32, ref := []valueType{typeI32}, []valueType{t}
	add := func(name string, params, results []valueType, code ...instruction) {
		m.exports = append(m.exports, export{name, externFunction, m.addFunction(name, params, results, nil, code...)})
	}
	add(TableGet, i32, ref, index(opLocalGet, 0), index(opTableGet, 0))
	add(TableSet, []valueType{typeI32, t}, nil, index(opLocalGet, 0), index(opLocalGet, 1), index(opTableSet, 0))
	add(TableGrow, []valueType{t, typeI32}, i32, index(opLocalGet, 0), index(opLocalGet, 1), index(opTableGrow, 0))
	add(TableSize, nil, i32, index(opTableSize, 0))
	m.exports = append(m.exports, export{ExportName(Table, 0), externTable, 0})
}

// A Tie is one import of a glue module: what is imported under Name from the
// module of its Place, as the importing module declares it.
type Tie struct {
	Extern
	Name string
}

// Glue imports the i-th tie from module Place(i), and exports it as Place(i).
func Glue(ties []Tie) []byte {
	m := &module{start: -1, foreign: &foreign{}}
	next := map[ExternKind]uint32{}
	for i, t := range ties {
		place := placeName(i)
		m.exports = append(m.exports, export{place, byte(t.Kind), next[t.Kind]})
		next[t.Kind]++
		if t.Kind == Function {
			m.imports = append(m.imports, importedFunction{place, t.Name, m.addType(decodedTypes(t.Params), decodedTypes(t.Results))})
			continue
		}
		b := append(appendName(appendName(nil, place), t.Name), byte(t.Kind))
		switch t.Kind {
		case Table:
			b = appendLimits(append(b, t.Type), t.Min, t.Max, t.Bounded)
		case Memory:
			b = appendLimits(b, t.Min, t.Max, t.Bounded)
		case Global:
			b = append(b, t.Type, 0)
			if t.Mutable {
				b[len(b)-1] = 1
			}
		}
		m.foreign.other = append(m.foreign.other, b)
	}
	return m.encode()
}

func decodedTypes(b []byte) []valueType {
	ts := make([]valueType, len(b))
	for i, t := range b {
		ts[i] = valueType(t)
	}
	return ts
}
