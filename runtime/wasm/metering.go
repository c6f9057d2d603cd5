package wasm

// metering is the fuel pass for code that nobody vouches for. Guests are
// charged where compilers put loops; here no way through a function may be
// free:
//
//   - a function costs 1 when it is entered, unless it is so small and calls
//     so little that its caller pays for it;
//   - a loop costs 1 each time that its header is reached;
//   - on whatever way through the code instructions of a weight of freeRun
//     follow each other, 1 is charged: at a place where ways meet the longest
//     counts;
//   - bulk operations cost their length, as in guests.
type metering struct {
	fuel
	table uint32 // function: MeterTable
}

const (
	freeRun = 32
	// tinyFunction is how many instructions a function may have, the last end
	// included, to be paid for by its callers.
	tinyFunction = 16
	weightCall   = tinyFunction / 2
	weightDivide = 8
	weightAccess = 2 // which misses the caches, if it is meant to take long
)

// weightOf is what an instruction counts.
func weightOf(op opcode) int {
	switch {
	case op == opCall || op == opCallIndirect || op == opReturnCall || op == opReturnCallIndirect:
		return weightCall
	case op >= opI32Load && op <= opI64Store32, op == opTableGet, op == opTableSet, op == opGlobalGet, op == opGlobalSet:
		return weightAccess
	case op>>16 == 0xfd && (op&0xffff <= 11 || op&0xffff >= 84 && op&0xffff <= 93):
		return weightAccess
	case op >= opI32DivS && op <= opI32RemU, op >= opI64DivS && op <= opI64RemU:
		return weightDivide
	case op == opF32Sqrt || op == opF32Div || op == opF64Sqrt || op == opF64Div:
		return weightDivide
	}
	return 1
}

// isTiny says that a function does so little that its entry is free.
func isTiny(code []instruction) bool {
	if len(code) > tinyFunction {
		return false
	}
	for i := range code {
		switch op := code[i].op; {
		case op == opLoop, op == opMemoryGrow, op>>16 == 0xfc && op >= opMemoryInit, weightOf(op) >= weightDivide:
			return false
		}
	}
	return true
}

// A frame is a block that is open: the longest run with which its end, or what
// jumps to it, is reached.
type frame struct {
	op      opcode
	longest int
	before  int // if: the run at its beginning, for the other arm
}

func (p *metering) function(f *function, out []instruction) []instruction {
	var calls []uint32
	var b bulkLocals
	scratch := f.local(typeI32)
	if !isTiny(f.code) {
		out = p.countOne(out, scratch)
	}
	frames := []frame{{op: opBlock}}
	run, dead := 0, false
	jump := func(label uint32) {
		if int64(label) < int64(len(frames)) { // else the module is invalid
			if to := &frames[len(frames)-1-int(label)]; to.op != opLoop {
				to.longest = max(to.longest, run)
			}
		}
	}
	for i := range f.code {
		in := f.code[i]
		if !dead {
			run += weightOf(in.op)
		}
		if run >= freeRun && in.op != opElse && in.op != opEnd {
			out = append(out, index(opGlobalGet, p.count), constant(int32(run/freeRun)), plain(opI32Sub), index(opGlobalSet, p.count))
			run = 0
		}
		switch in.op {
		case opBlock, opTryTable:
			frames = append(frames, frame{op: opBlock})
		case opLoop:
			frames = append(frames, frame{op: opLoop})
			out = p.countOne(append(out, in), scratch)
			run = 0
			continue
		case opIf:
			frames = append(frames, frame{op: opIf, before: run})
		case opElse:
			if top := &frames[len(frames)-1]; top.op == opIf {
				if !dead {
					top.longest = max(top.longest, run)
				}
				top.op = opElse
				run, dead = top.before, false
			}
		case opEnd:
			top := frames[len(frames)-1]
			if len(frames) > 1 {
				frames = frames[:len(frames)-1]
			}
			if dead {
				run = 0
			}
			run, dead = max(run, top.longest), false
			if top.op == opIf { // without the other arm
				run = max(run, top.before)
			}
		case opBr:
			jump(in.x)
			dead = true
		case opBrIf:
			jump(in.x)
		case opBrTable:
			for _, label := range in.labels {
				jump(label)
			}
			dead = true
		case opReturn, opUnreachable, opThrow, opThrowRef:
			dead = true
		case opCall, opReturnCall:
			in.x, in.raw = p.move(in.x), nil
			calls = append(calls, in.x)
			dead = dead || in.op == opReturnCall
		case opReturnCallIndirect:
			dead = true
		case opRefFunc:
			in.x, in.raw = p.move(in.x), nil
		case opMemoryCopy, opMemoryFill:
			if p.copy == 0 {
				malformed("a memory is used, and there is none")
			}
			out = p.bulk(f, out, in, &b)
			continue
		case opMemoryInit:
			out = p.bulkInit(f, out, &b)
		case opTableInit, opTableCopy, opTableFill:
			out = p.bulkTable(f, out, &b)
		case opTableGrow:
			out = p.growTable(p.bulkTable(f, out, &b), in, &b)
			continue
		}
		if dead {
			run = 0
		}
		out = append(out, in)
	}
	p.calls[f.index-uint32(len(p.m.imports))] = calls
	return out
}

// growTable asks before a table grows, and tells when it has. The number of
// elements is on top of the stack and in b.n.
func (p *metering) growTable(out []instruction, in instruction, b *bulkLocals) []instruction {
	return append(out,
		constant(0), index(opCall, p.table),
		in, index(opLocalTee, b.x),
		constant(-1), plain(opI32Ne), block(opIf),
		index(opLocalGet, b.n), constant(1), index(opCall, p.table), plain(opDrop),
		plain(opEnd),
		index(opLocalGet, b.x))
}
