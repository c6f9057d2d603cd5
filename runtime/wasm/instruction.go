package wasm

import "fmt"

// An opcode is an instruction's first byte, or prefix<<16 | the number after
// the prefix.
type opcode uint32

// Opcodes that decoding or the passes name (WebAssembly Core 2.0, 5.4; tail
// calls and exceptions as in Core 3.0).
const (
	opUnreachable        opcode = 0x00
	opNop                opcode = 0x01
	opBlock              opcode = 0x02
	opLoop               opcode = 0x03
	opIf                 opcode = 0x04
	opElse               opcode = 0x05
	opLegacyTry          opcode = 0x06
	opLegacyCatch        opcode = 0x07
	opThrow              opcode = 0x08
	opLegacyRethrow      opcode = 0x09
	opThrowRef           opcode = 0x0a
	opEnd                opcode = 0x0b
	opBr                 opcode = 0x0c
	opBrIf               opcode = 0x0d
	opBrTable            opcode = 0x0e
	opReturn             opcode = 0x0f
	opCall               opcode = 0x10
	opCallIndirect       opcode = 0x11
	opReturnCall         opcode = 0x12
	opReturnCallIndirect opcode = 0x13
	opLegacyDelegate     opcode = 0x18
	opLegacyCatchAll     opcode = 0x19
	opDrop               opcode = 0x1a
	opSelect             opcode = 0x1b
	opSelectTyped        opcode = 0x1c
	opTryTable           opcode = 0x1f
	opLocalGet           opcode = 0x20
	opLocalSet           opcode = 0x21
	opLocalTee           opcode = 0x22
	opGlobalGet          opcode = 0x23
	opGlobalSet          opcode = 0x24
	opTableGet           opcode = 0x25
	opTableSet           opcode = 0x26
	opI32Load            opcode = 0x28
	opI64Store32         opcode = 0x3e
	opMemorySize         opcode = 0x3f
	opMemoryGrow         opcode = 0x40
	opI32Const           opcode = 0x41
	opI64Const           opcode = 0x42
	opF32Const           opcode = 0x43
	opF64Const           opcode = 0x44
	opI32Eqz             opcode = 0x45
	opI32Eq              opcode = 0x46
	opI32Ne              opcode = 0x47
	opI32GtS             opcode = 0x4a
	opI32GtU             opcode = 0x4b
	opI32LeS             opcode = 0x4c
	opI32LeU             opcode = 0x4d
	opI64Eqz             opcode = 0x50
	opI64GtU             opcode = 0x56
	opI32Add             opcode = 0x6a
	opI32Sub             opcode = 0x6b
	opI32DivS            opcode = 0x6d
	opI32RemU            opcode = 0x70
	opI32And             opcode = 0x71
	opI32Or              opcode = 0x72
	opI32ShrU            opcode = 0x76
	opI64Add             opcode = 0x7c
	opI64DivS            opcode = 0x7f
	opI64RemU            opcode = 0x82
	opI64Or              opcode = 0x84
	opI64Shl             opcode = 0x86
	opI64ShrU            opcode = 0x88
	opF32Sqrt            opcode = 0x91
	opF32Div             opcode = 0x95
	opF64Sqrt            opcode = 0x9f
	opF64Div             opcode = 0xa3
	opI32WrapI64         opcode = 0xa7
	opI64ExtendI32U      opcode = 0xad
	opI64Extend32S       opcode = 0xc4
	opRefNull            opcode = 0xd0
	opRefIsNull          opcode = 0xd1
	opRefFunc            opcode = 0xd2
	opI64TruncSatF64U    opcode = 0xfc<<16 | 7
	opMemoryInit         opcode = 0xfc<<16 | 8
	opDataDrop           opcode = 0xfc<<16 | 9
	opMemoryCopy         opcode = 0xfc<<16 | 10
	opMemoryFill         opcode = 0xfc<<16 | 11
	opTableInit          opcode = 0xfc<<16 | 12
	opElemDrop           opcode = 0xfc<<16 | 13
	opTableCopy          opcode = 0xfc<<16 | 14
	opTableGrow          opcode = 0xfc<<16 | 15
	opTableSize          opcode = 0xfc<<16 | 16
	opTableFill          opcode = 0xfc<<16 | 17
	opV128Const          opcode = 0xfd<<16 | 12
	opV128Shuffle        opcode = 0xfd<<16 | 13
)

// simdLast is the last vector opcode of Core 2.0.
const simdLast = 255

// A valueType is an encoded value type (5.3.4).
type valueType byte

const (
	typeI32    valueType = 0x7f
	typeI64    valueType = 0x7e
	typeF32    valueType = 0x7d
	typeF64    valueType = 0x7c
	typeV128   valueType = 0x7b
	typeFunc   valueType = 0x70
	typeExtern valueType = 0x6f
	typeExn    valueType = 0x69
	blockEmpty           = -64 // block type without results, as s33
)

func (r *reader) valueType() valueType {
	t := valueType(r.byte())
	switch t {
	case typeI32, typeI64, typeF32, typeF64, typeV128, typeFunc, typeExtern, typeExn:
	default:
		unsupported("value type %#x", byte(t))
	}
	return t
}

// A clause of try_table: catch 0, catch_ref 1, catch_all 2, catch_all_ref 3.
type clause struct {
	kind       byte
	tag, label uint32
}

// An instruction is one decoded instruction, or one made by a pass.
type instruction struct {
	op   opcode
	x, y uint32 // indices in the order of the binary format; of a memory access alignment and offset
	lane byte   // of a vector access; the heap type of ref.null
	// value is a block type as s33, or the value of i32.const or i64.const.
	value int64
	// raw is the instruction as it was read. A pass that changes other fields
	// sets it to nil, so that it is encoded anew.
	raw     []byte
	labels  []uint32 // of br_table, the default last
	clauses []clause // of try_table
}

// call calls a function, constant pushes an i32, and so on: instructions as
// passes make them.
func index(op opcode, x uint32) instruction { return instruction{op: op, x: x} }
func plain(op opcode) instruction           { return instruction{op: op} }
func constant(v int32) instruction          { return instruction{op: opI32Const, value: int64(v)} }
func block(op opcode) instruction           { return instruction{op: op, value: blockEmpty} }

// instruction decodes the next instruction.
func (r *reader) instruction(in *instruction) {
	start := r.p
	op := opcode(r.byte())
	*in = instruction{op: op}
	switch {
	case op == opBlock || op == opLoop || op == opIf:
		in.value = r.blockType()
	case op == opBr || op == opBrIf || op == opCall || op == opReturnCall || op == opThrow ||
		op >= opLocalGet && op <= opTableSet || op == opRefFunc:
		in.x = r.u32()
	case op >= opI32Load && op <= opI64Store32:
		r.access(in)
	case op == opI32Const:
		in.value = r.signed(32)
	case op == opI64Const:
		in.value = r.signed(64)
	case op == opF32Const:
		r.bytes(4)
	case op == opF64Const:
		r.bytes(8)
	case op == opCallIndirect || op == opReturnCallIndirect:
		in.x, in.y = r.u32(), r.u32()
	case op == opBrTable:
		n := r.count()
		in.labels = make([]uint32, n+1)
		for i := range in.labels {
			in.labels[i] = r.u32()
		}
	case op == opTryTable:
		in.value = r.blockType()
		in.clauses = make([]clause, r.count())
		for i := range in.clauses {
			in.clauses[i] = r.clause()
		}
	case op == opSelectTyped:
		for n := r.count(); n > 0; n-- {
			r.valueType()
		}
	case op == opMemorySize || op == opMemoryGrow:
		if in.x = r.u32(); in.x != 0 {
			unsupported("memory %d", in.x)
		}
	case op == opRefNull:
		in.lane = byte(r.valueType())
	case op == 0xfc:
		r.bulk(in)
	case op == 0xfd:
		r.vector(in)
	case op == opUnreachable || op == opNop || op == opElse || op == opThrowRef || op == opEnd || op == opReturn ||
		op == opDrop || op == opSelect || op >= opI32Eqz && op <= opI64Extend32S || op == opRefIsNull:
	case op == opLegacyTry || op == opLegacyCatch || op == opLegacyRethrow || op == opLegacyDelegate || op == opLegacyCatchAll:
		unsupported("legacy exception instruction %#x", uint32(op))
	default:
		unsupported("instruction %#x at byte %d", uint32(op), start)
	}
	in.raw = r.b[start:r.p:r.p]
}

func (r *reader) blockType() int64 {
	v := r.signed(33)
	if v < 0 && v != blockEmpty {
		switch valueType(v & 0x7f) {
		case typeI32, typeI64, typeF32, typeF64, typeV128, typeFunc, typeExtern, typeExn:
		default:
			unsupported("block type %d", v)
		}
		if v < blockEmpty {
			malformed("block type %d", v)
		}
	}
	return v
}

// access reads alignment and offset of a memory access.
func (r *reader) access(in *instruction) {
	if in.x = r.u32(); in.x&0x40 != 0 {
		unsupported("access to a memory by its index")
	}
	in.y = r.u32()
}

func (r *reader) clause() (c clause) {
	if c.kind = r.byte(); c.kind > 3 {
		malformed("catch clause %d", c.kind)
	}
	if c.kind < 2 {
		c.tag = r.u32()
	}
	c.label = r.u32()
	return c
}

// bulk decodes an instruction with prefix 0xfc: saturating truncation, bulk
// memory, tables.
func (r *reader) bulk(in *instruction) {
	n := r.u32()
	if n > 17 {
		unsupported("instruction 0xfc %d", n)
	}
	in.op = 0xfc<<16 | opcode(n)
	switch {
	case in.op <= opI64TruncSatF64U:
	case in.op == opMemoryInit, in.op == opMemoryCopy, in.op == opTableInit, in.op == opTableCopy:
		in.x, in.y = r.u32(), r.u32()
	default:
		in.x = r.u32()
	}
	memory := in.op == opMemoryInit && in.y != 0 || in.op == opMemoryCopy && in.x|in.y != 0 || in.op == opMemoryFill && in.x != 0
	if memory {
		unsupported("more than one memory")
	}
}

// vector decodes an instruction with prefix 0xfd (5.4.8).
func (r *reader) vector(in *instruction) {
	n := r.u32()
	if n > simdLast {
		unsupported("instruction 0xfd %d", n)
	}
	in.op = 0xfd<<16 | opcode(n)
	switch {
	case n <= 11 || n == 92 || n == 93: // loads and stores
		r.access(in)
	case in.op == opV128Const || in.op == opV128Shuffle:
		r.bytes(16)
	case n >= 21 && n <= 34: // lanes
		in.lane = r.byte()
	case n >= 84 && n <= 91: // loads and stores of lanes
		r.access(in)
		in.lane = r.byte()
	}
}

// appendTo encodes the instruction.
func (in *instruction) appendTo(b []byte) []byte {
	if in.raw != nil {
		return append(b, in.raw...)
	}
	if prefix := in.op >> 16; prefix != 0 {
		b = appendU32(append(b, byte(prefix)), uint32(in.op&0xffff))
	} else {
		b = append(b, byte(in.op))
	}
	switch op := in.op; {
	case op == opBlock || op == opLoop || op == opIf:
		return appendSigned(b, in.value)
	case op == opI32Const || op == opI64Const:
		return appendSigned(b, in.value)
	case op == opBr || op == opBrIf || op == opCall || op == opReturnCall || op == opThrow ||
		op >= opLocalGet && op <= opTableSet || op == opRefFunc || op == opMemorySize || op == opMemoryGrow || op == opMemoryFill ||
		op == opDataDrop || op == opElemDrop || op == opTableSize || op == opTableGrow:
		return appendU32(b, in.x)
	case op == opBrTable:
		b = appendU32(b, uint32(len(in.labels)-1))
		for _, l := range in.labels {
			b = appendU32(b, l)
		}
		return b
	case op == opMemoryInit || op == opTableInit || op == opMemoryCopy || op == opCallIndirect || op == opReturnCallIndirect || op >= opI32Load && op <= opI64Store32:
		return appendU32(appendU32(b, in.x), in.y)
	case op == opRefNull:
		return append(b, in.lane)
	case op == opUnreachable || op == opNop || op == opElse || op == opEnd || op == opReturn || op == opDrop || op == opSelect ||
		op >= opI32Eqz && op <= opI64Extend32S || op == opRefIsNull:
		return b
	}
	panic(fmt.Sprintf("wasm: a pass made instruction %#x", uint32(in.op)))
}
