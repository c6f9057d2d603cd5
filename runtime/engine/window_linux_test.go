//go:build mayfly_tuned && linux

package engine_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"mayfly/runtime/engine"
)

// windowGuard is how much inaccessible address space lies on both sides of a
// test's window: an access that gets there ends the test.
const windowGuard = 4 << 30

// windowMemory is a memory with a window.
type windowMemory struct {
	bytes  []byte // the linear memory
	window []byte // all of the window
}

func (m windowMemory) Bytes() []byte  { return m.bytes }
func (m windowMemory) Windowed() bool { return true }

func newWindow(t testing.TB, pages int) windowMemory {
	t.Helper()
	all, err := unix.Mmap(-1, 0, engine.WindowSize+2*windowGuard, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(all) })
	window := all[windowGuard:][:engine.WindowSize]
	if err := unix.Mprotect(window, unix.PROT_READ|unix.PROT_WRITE); err != nil {
		t.Fatal(err)
	}
	if err := unix.Madvise(window, unix.MADV_NOHUGEPAGE); err != nil {
		t.Fatal(err)
	}
	return windowMemory{window[:pages*engine.PageSize], window}
}

// drop forgets what was written, and tells how many of its pages there were.
func (m windowMemory) drop(t testing.TB) (resident int) {
	t.Helper()
	pages := make([]byte, len(m.window)/unix.Getpagesize())
	_, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&m.window[0])), uintptr(len(m.window)), uintptr(unsafe.Pointer(&pages[0])))
	if errno != 0 {
		t.Fatal(errno)
	}
	if err := unix.Madvise(m.window, unix.MADV_DONTNEED); err != nil {
		t.Fatal(err)
	}
	return bytes.Count(pages, []byte{1})
}

// startTrusted is start for a trusted module.
func startTrusted(t testing.TB, m wasmModule, memory engine.Memory, imports ...engine.Import) machine {
	t.Helper()
	e, err := engine.New(engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	module, err := e.Compile(t.Context(), m.assemble(), engine.CompileOptions{Imports: imports, Trusted: true})
	if err != nil {
		t.Fatal(err)
	}
	in, err := module.Instantiate(t.Context(), memory)
	if err != nil {
		t.Fatal(err)
	}
	return machine{t, in}
}

func TestNoWindow(t *testing.T) {
	e, err := engine.New(engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	m, err := e.Compile(t.Context(), wasmModule{memory: 1, funcs: []wasmFunc{peekFunc}}.assemble(), engine.CompileOptions{Trusted: true})
	if err != nil {
		t.Fatal(err)
	}
	for name, memory := range map[string]engine.Memory{"none": nil, "plain": make(plainMemory, engine.PageSize)} {
		if _, err := m.Instantiate(t.Context(), memory); !errors.Is(err, engine.ErrNoWindow) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The same bytes, compiled both ways in one engine with one cache, twice.
func TestTrustedAndNot(t *testing.T) {
	dir := t.TempDir()
	wasm := wasmModule{memory: 1, funcs: []wasmFunc{peekFunc, pokeFunc}}.assemble()
	for range 2 {
		e, err := engine.New(engine.Config{CacheDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		for _, trusted := range []bool{true, false, true} {
			memory := newWindow(t, 1)
			m, err := e.Compile(t.Context(), wasm, engine.CompileOptions{Trusted: trusted})
			if err != nil {
				t.Fatal(err)
			}
			in, err := m.Instantiate(t.Context(), memory)
			if err != nil {
				t.Fatal(err)
			}
			_, err = machine{t, in}.try("poke", engine.PageSize, 1)
			var trap *engine.Trap
			if trapped := errors.As(err, &trap) && trap.Code == engine.TrapOutOfBounds; trapped == trusted {
				t.Errorf("trusted %v: a store past the end: %v", trusted, err)
			}
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// What keeps its checks in a trusted module.
func TestTrustedChecks(t *testing.T) {
	m := startTrusted(t, wasmModule{memory: 1, maximum: 4, table: []uint32{0}, funcs: []wasmFunc{
		{export: "fill", params: []byte{i32, i32}, body: code(opLocalGet, 0, i32Const(1), opLocalGet, 1, opPrefixBulk, 11, 0)},
		{export: "copy", params: []byte{i32, i32, i32}, body: code(opLocalGet, 0, opLocalGet, 1, opLocalGet, 2, opPrefixBulk, 10, 0, 0)},
		{export: "indirect", params: []byte{i32}, body: code(opLocalGet, 0, opCallIndirect, 3, 0, opDrop)},
		{export: "size", results: []byte{i32}, body: code(opMemorySize, 0)},
		{export: "grow", params: []byte{i32}, results: []byte{i32}, body: code(opLocalGet, 0, opMemoryGrow, 0)},
	}}, newWindow(t, 1))
	m.want(0xffffffff, "grow", 1)
	m.want(1, "size")
	m.call("fill", 0, engine.PageSize)
	for name, params := range map[string][]uint64{
		"fill": {engine.PageSize - 1, 2}, "copy": {engine.PageSize - 4, 0, 8}, "indirect": {1},
	} {
		if _, err := m.try(name, params...); !errors.As(err, new(*engine.Trap)) {
			t.Errorf("%s%v: %v", name, params, err)
		}
	}
}

// A constant address past 2 GiB, used again after a call: stock wazero takes
// it for a negative one the second time.
func TestConstantAddressAfterCall(t *testing.T) {
	store := func(v int32) []byte { return code(opLocalGet, 0, i32Const(v), 0x3a, memarg(0)) }
	const address = 0x90000000
	module := wasmModule{memory: 1, funcs: []wasmFunc{
		{export: "run", locals: []byte{i32}, body: code(i32Const(address-1<<32), opLocalSet, 0, store(1), opCall, 1, store(2))},
		{},
	}}
	memory := newWindow(t, 3<<30/engine.PageSize)
	for name, m := range map[string]machine{"checked": start(t, module, memory), "unchecked": startTrusted(t, module, memory)} {
		memory.drop(t)
		m.call("run")
		if memory.bytes[address] != 2 {
			t.Errorf("%s: the second store isn't where the first was", name)
		}
	}
}

// Addresses and offsets at the edges of what can be formed.
var (
	edgeAddresses = []uint32{0, 0x7fffffff, 0x80000000, 0xffffffff}
	edgeOffsets   = []uint32{0, 0x7fffffff, 0x80000000, 0xffffffff}
)

func memarg(offset uint32) []byte { return append([]byte{0}, uleb(uint64(offset))...) }

// storeOps are all stores: the opcode, the width, and how to make the value
// from an i64 that is local 1.
var storeOps = []struct {
	name  string
	op    []byte
	width int
	value []byte
	lane  bool
}{
	{"i32.store", []byte{0x36}, 4, code(opLocalGet, 1, 0xa7), false},
	{"i64.store", []byte{0x37}, 8, code(opLocalGet, 1), false},
	{"f32.store", []byte{0x38}, 4, code(opLocalGet, 1, 0xa7, 0xbe), false},
	{"f64.store", []byte{0x39}, 8, code(opLocalGet, 1, 0xbf), false},
	{"i32.store8", []byte{0x3a}, 1, code(opLocalGet, 1, 0xa7), false},
	{"i32.store16", []byte{0x3b}, 2, code(opLocalGet, 1, 0xa7), false},
	{"i64.store8", []byte{0x3c}, 1, code(opLocalGet, 1), false},
	{"i64.store16", []byte{0x3d}, 2, code(opLocalGet, 1), false},
	{"i64.store32", []byte{0x3e}, 4, code(opLocalGet, 1), false},
	{"v128.store", []byte{0xfd, 0x0b}, 16, code(opLocalGet, 1, opPrefixVector, 0x12), false},
	{"v128.store8_lane", []byte{0xfd, 0x58}, 1, code(opLocalGet, 1, opPrefixVector, 0x12), true},
	{"v128.store16_lane", []byte{0xfd, 0x59}, 2, code(opLocalGet, 1, opPrefixVector, 0x12), true},
	{"v128.store32_lane", []byte{0xfd, 0x5a}, 4, code(opLocalGet, 1, opPrefixVector, 0x12), true},
	{"v128.store64_lane", []byte{0xfd, 0x5b}, 8, code(opLocalGet, 1, opPrefixVector, 0x12), true},
}

// TestStoresStayInWindow makes every store at every edge, to addresses known
// and unknown to the compiler. The bytes must be where they belong, and no
// other page may have been touched; the guards would end the test.
func TestStoresStayInWindow(t *testing.T) {
	memory := newWindow(t, 1)
	const pattern = 0x8877665544332211
	want := make([]byte, 16)
	binary.LittleEndian.PutUint64(want, pattern)
	copy(want[8:], want[:8])
	for _, s := range storeOps {
		var module wasmModule
		module.memory = 1
		for _, offset := range edgeOffsets {
			body := func(address []byte) []byte {
				b := code(address, s.value, s.op, memarg(offset))
				if s.lane {
					b = append(b, 0)
				}
				return b
			}
			module.funcs = append(module.funcs, wasmFunc{export: fmt.Sprint(offset), params: []byte{i32, i64}, body: body(code(opLocalGet, 0))})
			for _, address := range edgeAddresses {
				module.funcs = append(module.funcs, wasmFunc{export: fmt.Sprint(offset, " ", address), params: []byte{i32, i64}, body: body(i32Const(int32(address)))})
			}
		}
		m := startTrusted(t, module, memory)
		memory.drop(t)
		for _, offset := range edgeOffsets {
			for _, address := range edgeAddresses {
				for _, name := range []string{fmt.Sprint(offset), fmt.Sprint(offset, " ", address)} {
					m.call(name, uint64(address), pattern)
					at := int(offset) + int(address)
					if got := memory.window[at : at+s.width]; !bytes.Equal(got, want[:s.width]) {
						t.Errorf("%s of %q to %#x: %x there", s.name, name, at, got)
					}
					first, last := at/unix.Getpagesize(), (at+s.width-1)/unix.Getpagesize()
					if n := memory.drop(t); n != last-first+1 {
						t.Errorf("%s of %q to %#x touched %d pages", s.name, name, at, n)
					}
				}
			}
		}
	}
}

// loadOps are the loads: the opcode, the width, whether they extend the sign,
// and how an i64 is made of the result.
var loadOps = []struct {
	name   string
	op     []byte
	width  int
	signed bool
	result []byte
}{
	{"i32.load", []byte{0x28}, 4, false, code(0xad)},
	{"i64.load", []byte{0x29}, 8, false, nil},
	{"f32.load", []byte{0x2a}, 4, false, code(0xbc, 0xad)},
	{"f64.load", []byte{0x2b}, 8, false, code(0xbd)},
	{"i32.load8_s", []byte{0x2c}, 1, true, code(0xac)},
	{"i32.load8_u", []byte{0x2d}, 1, false, code(0xad)},
	{"i32.load16_s", []byte{0x2e}, 2, true, code(0xac)},
	{"i32.load16_u", []byte{0x2f}, 2, false, code(0xad)},
	{"i64.load8_s", []byte{0x30}, 1, true, nil},
	{"i64.load8_u", []byte{0x31}, 1, false, nil},
	{"i64.load16_s", []byte{0x32}, 2, true, nil},
	{"i64.load16_u", []byte{0x33}, 2, false, nil},
	{"i64.load32_s", []byte{0x34}, 4, true, nil},
	{"i64.load32_u", []byte{0x35}, 4, false, nil},
	{"v128.load", []byte{0xfd, 0x00}, 8, false, code(opPrefixVector, 0x1d, 0)},
	{"v128.load64_splat", []byte{0xfd, 0x0a}, 8, false, code(opPrefixVector, 0x1d, 1)},
	{"v128.load32_zero", []byte{0xfd, 0x5c}, 4, false, code(opPrefixVector, 0x1d, 0)},
	{"v128.load64_zero", []byte{0xfd, 0x5d}, 8, false, code(opPrefixVector, 0x1d, 0)},
}

func TestLoadsStayInWindow(t *testing.T) {
	memory := newWindow(t, 1)
	const pattern = 0x8877665544332281
	for _, l := range loadOps {
		var module wasmModule
		module.memory = 1
		for _, offset := range edgeOffsets {
			body := func(address []byte) []byte { return code(address, l.op, memarg(offset), l.result) }
			module.funcs = append(module.funcs, wasmFunc{export: fmt.Sprint(offset), params: []byte{i32}, results: []byte{i64}, body: body(code(opLocalGet, 0))})
			for _, address := range edgeAddresses {
				module.funcs = append(module.funcs, wasmFunc{export: fmt.Sprint(offset, " ", address), params: []byte{i32}, results: []byte{i64}, body: body(i32Const(int32(address)))})
			}
		}
		m := startTrusted(t, module, memory)
		shift := 64 - 8*l.width
		want := uint64(pattern) << shift >> shift
		if l.signed {
			want = uint64(int64(uint64(pattern)<<shift) >> shift)
		}
		for _, offset := range edgeOffsets {
			for _, address := range edgeAddresses {
				at := int(offset) + int(address)
				binary.LittleEndian.PutUint64(memory.window[at:], pattern)
				for _, name := range []string{fmt.Sprint(offset), fmt.Sprint(offset, " ", address)} {
					if got := m.call(name, uint64(address)); got != want {
						t.Errorf("%s of %q from %#x: %#x, want %#x", l.name, name, at, got, want)
					}
				}
				memory.drop(t)
			}
		}
	}
}

// expression makes an i32 from parameters, in one instruction or so.
type expression struct {
	name   string
	params []byte
	body   []byte
}

// expressions are all the ways to make an i32.
func expressions() []expression {
	var out []expression
	add := func(name string, params []byte, parts ...any) {
		var body []byte
		for i := range params {
			body = append(body, opLocalGet, byte(i))
		}
		out = append(out, expression{name, params, append(body, code(parts...)...)})
	}
	for op := 0x46; op <= 0x4f; op++ {
		add(fmt.Sprintf("i32 comparison %#x", op), []byte{i32, i32}, op)
	}
	for op := 0x51; op <= 0x5a; op++ {
		add(fmt.Sprintf("i64 comparison %#x", op), []byte{i64, i64}, op)
	}
	for op := 0x5b; op <= 0x60; op++ {
		add(fmt.Sprintf("f32 comparison %#x", op), []byte{i32, i32}, opDrop, 0xbe, opLocalGet, 1, 0xbe, op)
	}
	for op := 0x61; op <= 0x66; op++ {
		add(fmt.Sprintf("f64 comparison %#x", op), []byte{f64, f64}, op)
	}
	for op := 0x6a; op <= 0x78; op++ {
		add(fmt.Sprintf("i32 arithmetic %#x", op), []byte{i32, i32}, op)
	}
	for _, op := range []int{0x45, 0x67, 0x68, 0x69, 0xc0, 0xc1} {
		add(fmt.Sprintf("i32 unary %#x", op), []byte{i32}, op)
	}
	add("i64.eqz", []byte{i64}, 0x50)
	add("i32.wrap_i64", []byte{i64}, 0xa7)
	add("i32.wrap_i64 of a sum", []byte{i64, i64}, opI64Add, 0xa7)
	add("i32.wrap_i64 of a shift", []byte{i64, i64}, 0x86, 0xa7)
	add("i32.trunc_f64_s", []byte{f64}, 0xaa)
	add("i32.trunc_f64_u", []byte{f64}, 0xab)
	add("i32.trunc_f32_s", []byte{i32}, 0xbe, 0xa8)
	add("i32.trunc_f32_u", []byte{i32}, 0xbe, 0xa9)
	for op := range 2 {
		add(fmt.Sprintf("i32.trunc_sat_f32 %d", op), []byte{i32}, 0xbe, opPrefixBulk, op)
		add(fmt.Sprintf("i32.trunc_sat_f64 %d", op), []byte{f64}, opPrefixBulk, 2+op)
	}
	add("i32.reinterpret_f32", []byte{i32}, 0xbe, 0xbc)
	add("select", []byte{i32, i32, i32}, 0x1b)
	for _, op := range []int{0x28, 0x2c, 0x2d, 0x2e, 0x2f} {
		// The parameter goes to memory, from where it is loaded.
		add(fmt.Sprintf("i32 load %#x", op), []byte{i32}, opDrop, i32Const(64), opLocalGet, 0, opI32Store, 2, 0, i32Const(64), op, memarg(0))
	}
	for _, v := range []int{0x0f, 0x10, 0x11} {
		splat := []any{opPrefixVector, v, opPrefixVector}
		for _, op := range []int{0x15, 0x16, 0x18, 0x19, 0x1b} {
			add(fmt.Sprintf("extract_lane %#x of splat %#x", op, v), []byte{i32}, append(splat[:3:3], op, 1)...)
		}
		for _, op := range []uint64{0x53, 0x63, 0x64, 0x83, 0x84, 0xa3, 0xa4, 0xc3, 0xc4} {
			add(fmt.Sprintf("vector test %#x of splat %#x", op, v), []byte{i32}, append(splat[:3:3], uleb(op))...)
		}
	}
	add("memory.size", nil, opMemorySize, 0)
	add("memory.grow", []byte{i32}, opMemoryGrow, 0)
	add("global.get", []byte{i32}, opGlobalSet, 0, opGlobalGet, 0)
	add("host call", []byte{i32}, opCall, 0)
	add("call", []byte{i32}, opCall, 1)
	add("call_indirect", []byte{i32}, opDrop, opLocalGet, 0, i32Const(0), opCallIndirect, 1, 0)
	for _, c := range []int32{0, 1, -1, math.MinInt32, math.MaxInt32} {
		add(fmt.Sprintf("constant %d", c), nil, i32Const(c))
	}
	return out
}

// TestEveryInt32IsAnAddress stores through the result of every instruction
// that makes an i32: at once, kept in a local across a call, and joined from
// two branches. The upper half of a register must not have a part in it.
func TestEveryInt32IsAnAddress(t *testing.T) {
	memory := newWindow(t, 1)
	operands := map[byte][]uint64{
		i32: {0, 1, 3, 31, 0x7f, 0x80, 0xff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffff80, 0xffffffff, 0x4f000000, 0x4f7fffff, 0xbf800000},
		i64: {0, 1, 33, 0x7fffffff, 0x80000000, 0xffffffff, 0x1_0000_0010, 0xffff_ffff_0000_0020, math.MaxUint64, 1 << 63},
		f64: {math.Float64bits(0), math.Float64bits(-1), math.Float64bits(1e5), math.Float64bits(2147483647), math.Float64bits(-2147483648),
			math.Float64bits(4294967295), math.Float64bits(1e300), math.Float64bits(-1e300), math.Float64bits(math.NaN())},
	}
	host := engine.Import{Module: "env", Name: "host", Params: []engine.ValueType{engine.I32}, Results: []engine.ValueType{engine.I32},
		Func: func(_ engine.Instance, stack []uint64) { stack[0] = uint64(int64(int32(stack[0]))) | 0xabc<<40 }}
	store := code(i32Const(0x5a), 0x3a, memarg(0))
	for _, x := range expressions() {
		params := len(x.params)
		m := startTrusted(t, wasmModule{
			memory: 1, table: []uint32{1}, globals: []wasmGlobal{{typ: i32, mutable: true}},
			imports: []wasmImport{{"env", "host", []byte{i32}, []byte{i32}}},
			funcs: []wasmFunc{
				{params: []byte{i32}, results: []byte{i32}, body: code(opLocalGet, 0)},
				{export: "value", params: x.params, results: []byte{i32}, body: x.body},
				{export: "at once", params: x.params, body: code(x.body, store)},
				{export: "kept", params: x.params, locals: []byte{i32}, body: code(x.body, opLocalSet, params, i32Const(0), opCall, 1, opDrop, opLocalGet, params, store)},
				{export: "joined", params: x.params, body: code(opMemorySize, 0, opIf, i32, x.body, opElse, i32Const(7), opEnd, store)},
			},
		}, memory, host)
		var try func(params []uint64)
		stores := 0
		try = func(params []uint64) {
			if len(params) < len(x.params) {
				for _, v := range operands[x.params[len(params)]] {
					try(append(params[:len(params):len(params)], v))
				}
				return
			}
			at, err := m.try("value", params...)
			if err != nil {
				if !errors.As(err, new(*engine.Trap)) {
					t.Fatal(err)
				}
				return
			}
			for _, form := range []string{"at once", "kept", "joined"} {
				m.call(form, params...)
				if memory.window[at] != 0x5a {
					t.Errorf("%s%#x, %s: the store isn't at %#x", x.name, params, form, at)
				}
				memory.window[at] = 0
			}
			stores++
		}
		try(nil)
		if stores == 0 {
			t.Errorf("%s: no operands gave a result", x.name)
		}
		memory.drop(t)
	}
}

// An invalid function is refused although functions are validated late, and
// nothing of it gets into the cache.
func TestInvalidFunctionIsNotCached(t *testing.T) {
	dir := t.TempDir()
	wasm := wasmModule{funcs: []wasmFunc{{export: "run", results: []byte{i32}, body: code(opI64Const, 1)}}}.assemble()
	for range 2 {
		e, err := engine.New(engine.Config{CacheDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		_, err = e.Compile(t.Context(), wasm, engine.CompileOptions{Trusted: true})
		if !errors.Is(err, engine.ErrInvalidModule) || !strings.Contains(err.Error(), "cannot use i64") {
			t.Errorf("an ill-typed function: %v", err)
		}
		if n := len(cacheFiles(t, dir)); n != 0 {
			t.Errorf("%d files in the cache", n)
		}
		e.Close()
	}
}
