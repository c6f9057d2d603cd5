package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// An edit replaces a piece of one file. The piece must occur exactly once, so
// that another version of the module fails loudly instead of being changed in
// a wrong place.
type edit struct {
	name string // what it is for, in messages
	file string // slash-separated, in the module
	old  string
	new  string
}

const (
	lower     = "internal/engine/wazevo/frontend/lower.go"
	frontend  = "internal/engine/wazevo/frontend/frontend.go"
	engine    = "internal/engine/wazevo/engine.go"
	codeCache = "internal/engine/wazevo/engine_cache.go"
	module    = "internal/wasm/module.go"
	calls     = "internal/engine/wazevo/call_engine.go"
	amd64     = "internal/engine/wazevo/backend/isa/amd64/"
)

// edits are made in this order. The package comment says why they are safe.
var edits = []edit{
	// The switch: from the context of CompileModule into the module, and by
	// the module's ID into the keys of both code caches.
	{"take the switch from the context", "runtime.go",
		"\tinternal.AssignModuleID(binary, listeners, r.ensureTermination)\n",
		"\tinternal.UncheckedMemory = experimentalapi.UncheckedMemory(ctx)\n" +
			"\tinternal.AssignModuleID(experimentalapi.ModuleDigest(ctx, binary), listeners, r.ensureTermination)\n"},
	{"carry the switch in the module", module,
		"\tID ModuleID\n",
		"\tID ModuleID\n\n" +
			"\t// UncheckedMemory leaves out the bounds checks of loads and stores.\n" +
			"\tUncheckedMemory bool\n\n" +
			"\t// DeferFunctions makes Validate leave the validation of functions to\n" +
			"\t// whoever compiles them, who calls ValidateFunctions if it isn't nil.\n" +
			"\tDeferFunctions    bool\n" +
			"\tValidateFunctions func() error\n"},
	{"make the switch part of the module's ID", module,
		"\tm.ID[0] = boolToByte(withEnsureTermination)\n",
		"\tm.ID[0] = boolToByte(withEnsureTermination) | boolToByte(m.UncheckedMemory)<<1\n"},

	// 1. No bounds checks on loads and stores.
	{"read the switch where functions are lowered", frontend,
		"\tif c.needMemory {\n\t\tc.memoryBaseVariable =",
		"\tc.uncheckedMemory = c.m.UncheckedMemory && c.m.MemorySection != nil && !c.memoryShared\n" +
			"\tif c.needMemory {\n\t\tc.memoryBaseVariable ="},
	{"keep the switch where functions are lowered", frontend,
		"\tmemoryShared                          bool\n",
		"\tmemoryShared                          bool\n\tuncheckedMemory                       bool\n"},
	{"leave out the bounds check", lower,
		"func (c *Compiler) memOpSetup(baseAddr ssa.Value, constOffset, operationSizeInBytes uint64) (address ssa.Value) {\n" +
			"\taddress = ssa.ValueInvalid\n\tbuilder := c.ssaBuilder\n",
		"func (c *Compiler) memOpSetup(baseAddr ssa.Value, constOffset, operationSizeInBytes uint64) (address ssa.Value) {\n" +
			"\taddress = ssa.ValueInvalid\n\tbuilder := c.ssaBuilder\n\n" +
			"\tif c.uncheckedMemory {\n" +
			"\t\t// Both are used once, so that they become part of the addressing mode.\n" +
			"\t\textBaseAddr := builder.AllocateInstruction().AsUExtend(baseAddr, 32, 64).Insert(builder).Return()\n" +
			"\t\treturn builder.AllocateInstruction().AsIadd(c.getMemoryBaseValue(false), extBaseAddr).Insert(builder).Return()\n" +
			"\t}\n"},

	// 2. The memory's base and length are kept across calls.
	{"keep the memory's base across calls", lower,
		"\tif c.needMemory && !c.memoryShared {\n\t\tc.reloadMemoryBaseLen()\n",
		"\tif c.needMemory && !c.memoryShared && !c.uncheckedMemory {\n\t\tc.reloadMemoryBaseLen()\n"},

	// 3. Functions are validated if their code isn't in a cache.
	{"put off the validation of functions", module,
		"\t\tif err = m.validateFunctions(enabledFeatures, functions, globals, memory, tables, tags, MaximumFunctionIndex); err != nil {\n\t\t\treturn err\n\t\t}\n",
		"\t\tvalidate := func() error {\n" +
			"\t\t\treturn m.validateFunctions(enabledFeatures, functions, globals, memory, tables, tags, MaximumFunctionIndex)\n" +
			"\t\t}\n" +
			"\t\tif m.DeferFunctions {\n" +
			"\t\t\tm.ValidateFunctions = validate\n" +
			"\t\t} else if err = validate(); err != nil {\n\t\t\treturn err\n\t\t}\n"},
	{"ask the engine whether it validates functions", "runtime.go",
		"\tif err != nil {\n\t\treturn nil, err\n\t} else if err = internal.Validate(r.enabledFeatures); err != nil {\n",
		"\tif err != nil {\n\t\treturn nil, err\n\t}\n" +
			"\t_, internal.DeferFunctions = r.store.Engine.(interface{ ValidatesFunctions() })\n" +
			"\tif err = internal.Validate(r.enabledFeatures); err != nil {\n"},
	{"validate functions before they are compiled", engine,
		"\tif _, ok, err := e.getCompiledModule(module, listeners, ensureTermination); ok { // cache hit!\n\t\treturn nil\n\t} else if err != nil {\n\t\treturn err\n\t}\n",
		"\tif _, ok, err := e.getCompiledModule(module, listeners, ensureTermination); ok { // cache hit!\n\t\treturn nil\n\t} else if err != nil {\n\t\treturn err\n\t}\n" +
			"\tif module.ValidateFunctions != nil {\n\t\tif err := module.ValidateFunctions(); err != nil {\n\t\t\treturn err\n\t\t}\n\t}\n"},
	{"say that the engine validates functions", engine,
		"// CompileModule implements wasm.Engine.\nfunc (e *engine) CompileModule(",
		"// ValidatesFunctions says that CompileModule calls Module.ValidateFunctions before it compiles.\n" +
			"func (e *engine) ValidatesFunctions() {}\n\n" +
			"// CompileModule implements wasm.Engine.\nfunc (e *engine) CompileModule("},
	{"read cached code through a buffer", codeCache,
		"\tcm, staleCache, err = deserializeCompiledModule(e.wazeroVersion, cached)\n",
		"\tcm, staleCache, err = deserializeCompiledModule(e.wazeroVersion, struct {\n\t\tio.Reader\n\t\tio.Closer\n\t}{bufio.NewReaderSize(cached, 1<<16), cached})\n"},
	{"import the buffer", codeCache,
		"import (\n\t\"bytes\"\n",
		"import (\n\t\"bufio\"\n\t\"bytes\"\n"},
	{"read numbers whole", codeCache,
		"\tn, err := reader.Read(s)\n\tif err != nil {\n\t\treturn 0, err\n\t} else if n < 8 { // more strict than reader.Read\n\t\treturn 0, io.EOF\n\t}\n",
		"\tif _, err := io.ReadFull(reader, s); err != nil {\n\t\treturn 0, err\n\t}\n"},
	{"read the header whole", codeCache,
		"\tn, err := reader.Read(header)\n",
		"\tn, err := io.ReadFull(reader, header)\n"},

	// 4. On amd64 a 32-bit address is used as a 64-bit register, so that the
	// upper half of every 32-bit value must be zero.
	{"zero-extend constant addresses", amd64 + "lower_mem.go",
		"\t\tcase constInst && op == ssa.OpcodeSExtend:\n" +
			"\t\t\treturn addend{regalloc.VRegInvalid, int64(uint32(inputDef.Instr.ConstantVal())), 0}\n" +
			"\t\tcase constInst && op == ssa.OpcodeUExtend:\n" +
			"\t\t\treturn addend{regalloc.VRegInvalid, int64(int32(inputDef.Instr.ConstantVal())), 0} // sign-extend!\n",
		"\t\tcase constInst && op == ssa.OpcodeSExtend:\n" +
			"\t\t\treturn addend{regalloc.VRegInvalid, int64(int32(inputDef.Instr.ConstantVal())), 0} // sign-extend!\n" +
			"\t\tcase constInst && op == ssa.OpcodeUExtend:\n" +
			"\t\t\treturn addend{regalloc.VRegInvalid, int64(uint32(inputDef.Instr.ConstantVal())), 0}\n"},
	{"sign-extend bytes to the width of the result", amd64 + "machine.go",
		"\tcase ssa.OpcodeSload8:\n\t\tload.asMovsxRmR(extModeBQ, mem, dst)\n\tcase ssa.OpcodeSload16:\n\t\tload.asMovsxRmR(extModeWQ, mem, dst)\n",
		"\tcase ssa.OpcodeSload8:\n\t\tif m.c.TypeOf(dst) == ssa.TypeI32 {\n\t\t\tload.asMovsxRmR(extModeBL, mem, dst)\n\t\t} else {\n\t\t\tload.asMovsxRmR(extModeBQ, mem, dst)\n\t\t}\n" +
			"\tcase ssa.OpcodeSload16:\n\t\tif m.c.TypeOf(dst) == ssa.TypeI32 {\n\t\t\tload.asMovsxRmR(extModeWL, mem, dst)\n\t\t} else {\n\t\t\tload.asMovsxRmR(extModeWQ, mem, dst)\n\t\t}\n"},
	{"zero-extend the first result of a Go function", amd64 + "abi_go_call.go",
		"\t\tload := m.allocateInstr().asMov64MR(mem, execCtrPtr)\n\t\tcur = linkInstr(cur, load)\n\t}\n\n\t// Finally ready to return.\n",
		"\t\tload := m.allocateInstr()\n\t\tif abi.Rets[execCtxResult].Type == ssa.TypeI32 {\n\t\t\tload.asMovzxRmR(extModeLQ, mem, execCtrPtr)\n\t\t} else {\n\t\t\tload.asMov64MR(mem, execCtrPtr)\n\t\t}\n\t\tcur = linkInstr(cur, load)\n\t}\n\n\t// Finally ready to return.\n"},
	{"remember the first result of a Go function", amd64 + "abi_go_call.go",
		"\t\t\t\targOverlapWithExecCtxOffset = offsetInGoSlice\n",
		"\t\t\t\targOverlapWithExecCtxOffset = offsetInGoSlice\n\t\t\t\texecCtxResult = i\n"},
	{"declare the first result of a Go function", amd64 + "abi_go_call.go",
		"\tvar argOverlapWithExecCtxOffset int32 = -1\n",
		"\tvar argOverlapWithExecCtxOffset int32 = -1\n\tvar execCtxResult int\n"},

	// 5. Small frames are checked against the end of the stack as they are.
	{"keep a reserve below a new stack", calls,
		"\t} else {\n\t\tc.execCtx.stackBottomPtr = &c.stack[0]\n\t}\n",
		"\t} else {\n\t\tc.execCtx.stackBottomPtr = &c.stack[wazevoapi.StackReserve]\n\t}\n"},
	{"keep a reserve below a grown stack", calls,
		"\tnewSP, newFP, c.stackTop, c.stack = c.cloneStack(newLen)\n\tc.execCtx.stackBottomPtr = &c.stack[0]\n",
		"\tnewSP, newFP, c.stackTop, c.stack = c.cloneStack(newLen)\n\tc.execCtx.stackBottomPtr = &c.stack[wazevoapi.StackReserve]\n"},
	{"keep a reserve below a restored stack", calls,
		"\tec := &c.execCtx\n\tec.stackBottomPtr = &c.stack[0]\n",
		"\tec := &c.execCtx\n\tec.stackBottomPtr = &c.stack[wazevoapi.StackReserve]\n"},
	{"keep a reserve below the stack of a handler", calls,
		"\t\t\t\tec.stackBottomPtr = &c.stack[0]\n",
		"\t\t\t\tec.stackBottomPtr = &c.stack[wazevoapi.StackReserve]\n"},
	{"compare the stack pointer as it is", amd64 + "abi_go_call.go",
		"\tcur = m.addRSP(-int32(requiredStackSize), cur)\n\tcur = linkInstr(cur, m.allocateInstr().asCmpRmiR(true,\n",
		"\tmove := int32(requiredStackSize)\n\tif move <= wazevoapi.StackReserve {\n\t\tmove = 0 // addRSP does nothing\n\t}\n" +
			"\tcur = m.addRSP(-move, cur)\n\tcur = linkInstr(cur, m.allocateInstr().asCmpRmiR(true,\n"},
	{"put the stack pointer back where it was moved, on the slow way", amd64 + "abi_go_call.go",
		"\tcur = m.addRSP(int32(requiredStackSize), cur)\n\n\t// Save the temporary.\n",
		"\tcur = m.addRSP(move, cur)\n\n\t// Save the temporary.\n"},
	{"put the stack pointer back where it was moved, on the fast way", amd64 + "abi_go_call.go",
		"\t// On the ok path, we only need to reverse the temporary update.\n\tcur = m.addRSP(int32(requiredStackSize), cur)\n",
		"\t// On the ok path, we only need to reverse the temporary update.\n\tcur = m.addRSP(move, cur)\n"},
	{"compare once for a select", amd64 + "machine.go",
		"\t\ticmp.Lowered()\n",
		"\t\ticmp.MarkLowered()\n"},
}

// added are new files of the module.
var added = map[string]string{
	"internal/engine/wazevo/wazevoapi/reserve.go": `package wazevoapi

// StackReserve is how many bytes of each stack of wasm calls lie beyond the
// bottom that functions compare with. A function that needs no more than them
// compares its stack pointer without moving it first.
const StackReserve = 512
`,
	"experimental/mayfly.go": `package experimental

import "context"

// Edits is the digest of the edits that were made to this copy of the module.
const Edits = "EDITS"

type uncheckedMemoryKey struct{}

// WithUncheckedMemory makes CompileModule leave out the bounds checks of loads
// and stores. Every instance must then own the 8 GiB + 64 KiB of address space
// from the start of its memory on, readable and writable, and its memory must
// neither grow nor move.
func WithUncheckedMemory(ctx context.Context) context.Context {
	return context.WithValue(ctx, uncheckedMemoryKey{}, true)
}

// UncheckedMemory says whether the context is of WithUncheckedMemory.
func UncheckedMemory(ctx context.Context) bool {
	unchecked, _ := ctx.Value(uncheckedMemoryKey{}).(bool)
	return unchecked
}

type moduleDigestKey struct{}

// WithModuleDigest makes CompileModule take the digest for the module's bytes
// in the keys of its caches. It must be collision-resistant.
func WithModuleDigest(ctx context.Context, digest string) context.Context {
	return context.WithValue(ctx, moduleDigestKey{}, digest)
}

// ModuleDigest is the digest of WithModuleDigest, or the module's bytes.
func ModuleDigest(ctx context.Context, binary []byte) []byte {
	if digest, ok := ctx.Value(moduleDigestKey{}).(string); ok {
		return []byte(digest)
	}
	return binary
}
`,
}

// editsDigest names the edits and the files added.
func editsDigest() string {
	h := sha256.New()
	for _, e := range edits {
		fmt.Fprintf(h, "%q %q %q\n", e.file, e.old, e.new)
	}
	for _, name := range slices.Sorted(maps.Keys(added)) {
		fmt.Fprintf(h, "%q %q\n", name, added[name])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// An anchorError says that an edit doesn't fit the module.
type anchorError struct {
	edit  edit
	found int
}

func (e *anchorError) Error() string {
	return fmt.Sprintf("%s: %s: the text to be replaced occurs %d times, want 1: the edits are made for another version of the module",
		e.edit.file, e.edit.name, e.found)
}

// apply makes the edits that are for a file.
func apply(file, content string, edits []edit) (string, error) {
	for _, e := range edits {
		if e.file != file {
			continue
		}
		if n := strings.Count(content, e.old); n != 1 {
			return "", &anchorError{e, n}
		}
		content = strings.Replace(content, e.old, e.new, 1)
	}
	return content, nil
}
