package wasm

// Bulk operations are charged one unit of fuel for this many bytes, as a
// power of two, or for each element of a table.
const bulkShift = 6

const (
	// bulkSmall is the length in bytes up to which an operation is left whole,
	// and only charged.
	bulkSmall = 4 << 10
	// bulkTiny is the length up to which an operation of constant length is
	// not even charged: it is like any other instruction.
	bulkTiny = 64
	// bulkChunk is the most that is done between two looks at the fuel.
	bulkChunk = 256 << 10
)

// bulkLocals are the locals of a function that hold operands; made when first
// needed.
type bulkLocals struct {
	made    bool
	x, y, n uint32
}

func (b *bulkLocals) make(f *function) {
	if !b.made {
		b.x, b.y, b.n, b.made = f.local(typeI32), f.local(typeI32), f.local(typeI32), true
	}
}

// bulk emits memory.copy or memory.fill.
func (p *fuel) bulk(f *function, out []instruction, in instruction, b *bulkLocals) []instruction {
	if n := len(out); n > 0 && out[n-1].op == opI32Const && uint32(out[n-1].value) <= bulkSmall {
		if length := int32(out[n-1].value); length > bulkTiny {
			out = append(out, index(opGlobalGet, p.count), constant(length>>bulkShift), plain(opI32Sub), index(opGlobalSet, p.count))
		}
		return append(out, in)
	}
	chunked := p.copy
	if in.op == opMemoryFill {
		chunked = p.fill
	}
	b.make(f)
	operands := []instruction{index(opLocalGet, b.x), index(opLocalGet, b.y), index(opLocalGet, b.n)}
	out = append(out,
		index(opLocalSet, b.n), index(opLocalSet, b.y), index(opLocalSet, b.x),
		index(opLocalGet, b.n), constant(bulkSmall), plain(opI32GtU),
		block(opIf))
	out = append(append(out, operands...), index(opCall, chunked), plain(opElse),
		index(opGlobalGet, p.count), index(opLocalGet, b.n), constant(bulkShift), plain(opI32ShrU), plain(opI32Sub), index(opGlobalSet, p.count))
	return append(append(out, operands...), in, plain(opEnd))
}

// bulkTable charges a table operation by the number of elements on top of the
// stack, which stays there. Tables are small beside memories: they are not
// done in chunks.
func (p *fuel) bulkTable(f *function, out []instruction, b *bulkLocals) []instruction {
	b.make(f)
	return append(out, index(opLocalTee, b.n), index(opLocalGet, b.n), index(opCall, p.charge))
}

// bulkInit charges memory.init, which is as long as a data segment at most.
func (p *fuel) bulkInit(f *function, out []instruction, b *bulkLocals) []instruction {
	b.make(f)
	return append(out, index(opLocalTee, b.n), index(opLocalGet, b.n), constant(bulkShift), plain(opI32ShrU), index(opCall, p.charge))
}

// chargeCode takes parameter 0, unsigned, and yields if nothing is left.
func (p *fuel) chargeCode() []instruction {
	const n, most = 0, 1 << 30
	return []instruction{
		// A count that wraps would be a gift.
		index(opGlobalGet, p.count),
		index(opLocalGet, n), constant(most), index(opLocalGet, n), constant(most), plain(opI32LeU), plain(opSelect),
		plain(opI32Sub), index(opGlobalSet, p.count),
		index(opGlobalGet, p.count), constant(0), plain(opI32LeS),
		block(opIf), index(opCall, p.yield), plain(opEnd),
	}
}

// Parameters and the local of the chunked operations.
const (
	chunkTo   = 0
	chunkFrom = 1 // or the value of memory.fill
	chunkLeft = 2
	chunkPart = 3
)

// outOfBounds pushes whether the range that starts at a local ends beyond the
// memory.
func outOfBounds(start uint32) []instruction {
	return []instruction{
		index(opLocalGet, start), plain(opI64ExtendI32U), index(opLocalGet, chunkLeft), plain(opI64ExtendI32U), plain(opI64Add),
		plain(opMemorySize), plain(opI64ExtendI32U), {op: opI64Const, value: 16}, plain(opI64Shl),
		plain(opI64GtU),
	}
}

// nextPart sets chunkPart to the length of the next chunk and charges it.
func (p *fuel) nextPart() []instruction {
	return []instruction{
		index(opLocalGet, chunkLeft), constant(bulkChunk), index(opLocalGet, chunkLeft), constant(bulkChunk), plain(opI32LeU), plain(opSelect),
		index(opLocalTee, chunkPart), constant(bulkShift), plain(opI32ShrU), index(opCall, p.charge),
	}
}

func add(local, by uint32, op opcode) []instruction {
	return []instruction{index(opLocalGet, local), index(opLocalGet, by), plain(op), index(opLocalSet, local)}
}

// copyCode is memory.copy(to, from, left). Nothing is written if any of it is
// out of bounds: then the whole operation is tried at once, and traps. Chunks
// go forwards or backwards, so that none is overwritten before it is read.
func (p *fuel) copyCode() []instruction {
	whole := []instruction{index(opLocalGet, chunkTo), index(opLocalGet, chunkFrom), index(opLocalGet, chunkLeft), plain(opMemoryCopy)}
	var c []instruction
	c = append(c, outOfBounds(chunkTo)...)
	c = append(c, outOfBounds(chunkFrom)...)
	c = append(c, plain(opI32Or), block(opIf))
	c = append(c, whole...)
	c = append(c, plain(opReturn), plain(opEnd))

	c = append(c, index(opLocalGet, chunkTo), index(opLocalGet, chunkFrom), plain(opI32LeU), block(opIf))
	c = append(c, block(opLoop), index(opLocalGet, chunkLeft), block(opIf))
	c = append(c, p.nextPart()...)
	c = append(c, index(opLocalGet, chunkTo), index(opLocalGet, chunkFrom), index(opLocalGet, chunkPart), plain(opMemoryCopy))
	c = append(c, add(chunkTo, chunkPart, opI32Add)...)
	c = append(c, add(chunkFrom, chunkPart, opI32Add)...)
	c = append(c, add(chunkLeft, chunkPart, opI32Sub)...)
	c = append(c, index(opBr, 1), plain(opEnd), plain(opEnd))

	c = append(c, plain(opElse))
	c = append(c, block(opLoop), index(opLocalGet, chunkLeft), block(opIf))
	c = append(c, p.nextPart()...)
	c = append(c, add(chunkLeft, chunkPart, opI32Sub)...)
	c = append(c,
		index(opLocalGet, chunkTo), index(opLocalGet, chunkLeft), plain(opI32Add),
		index(opLocalGet, chunkFrom), index(opLocalGet, chunkLeft), plain(opI32Add),
		index(opLocalGet, chunkPart), plain(opMemoryCopy))
	c = append(c, index(opBr, 1), plain(opEnd), plain(opEnd))
	return append(c, plain(opEnd))
}

// fillCode is memory.fill(to, value, left), likewise.
func (p *fuel) fillCode() []instruction {
	c := append(outOfBounds(chunkTo), block(opIf),
		index(opLocalGet, chunkTo), index(opLocalGet, chunkFrom), index(opLocalGet, chunkLeft), plain(opMemoryFill),
		plain(opReturn), plain(opEnd))
	c = append(c, block(opLoop), index(opLocalGet, chunkLeft), block(opIf))
	c = append(c, p.nextPart()...)
	c = append(c, index(opLocalGet, chunkTo), index(opLocalGet, chunkFrom), index(opLocalGet, chunkPart), plain(opMemoryFill))
	c = append(c, add(chunkTo, chunkPart, opI32Add)...)
	c = append(c, add(chunkLeft, chunkPart, opI32Sub)...)
	return append(c, index(opBr, 1), plain(opEnd), plain(opEnd))
}
