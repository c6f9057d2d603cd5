package wasi

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math/rand/v2"
	"testing"
	"time"

	"mayfly/host/vfs"
)

// used is a guest with files of all kinds open.
func used(t testing.TB) *guest {
	g := newGuest(t, vfs.Options{}, Options{Stdin: []byte("input")})
	g.write(g.open("tmp/f", vfs.OpenCreate), "content")     // 4
	g.open("tmp", vfs.OpenDirectory)                        // 5
	g.write(g.open("tmp/orphan", vfs.OpenCreate), "orphan") // 6
	g.open("tmp/closed", vfs.OpenCreate)                    // 7
	g.openAt(preopened, "tmp/f", 0, readOnly, flagAppend)   // 8
	g.must("path_create_directory", preopened, atPath, uint64(g.name("tmp/gone")))
	g.open("tmp/gone", vfs.OpenDirectory) // 9
	g.must("path_remove_directory", preopened, atPath, uint64(g.name("tmp/gone")))
	g.must("path_unlink_file", preopened, atPath, uint64(g.name("tmp/orphan")))
	g.must("fd_close", 7)
	return g
}

func (g *guest) name(name string) int {
	_, n := g.path(name)
	return int(n)
}

// checkUsed looks at what used left.
func checkUsed(t *testing.T, g *guest) {
	t.Helper()
	g.write(4, "+")
	if got := g.read(8, 100); got != "content+" {
		t.Errorf("%q", got)
	}
	g.must("fd_seek", 6, 0, 0, atResult)
	if got := g.read(6, 100); got != "orphan" || g.fstat(6).nlink != 0 {
		t.Errorf("%q", got)
	}
	if got := names(g.list(5, 1000)); len(got) != 4 {
		t.Errorf("%q", got)
	}
	if got := names(g.list(9, 1000)); len(got) != 2 {
		t.Errorf("%q", got)
	}
	if fd := g.open("tmp/new", vfs.OpenCreate); fd != 7 {
		t.Errorf("descriptor %d", fd)
	}
	g.must("fd_fdstat_get", 8, atResult)
	if g.in.memory[atResult+2] != flagAppend || g.u64(atResult+8) != readOnly {
		t.Error("flags and rights are others")
	}
	for _, fd := range []uint64{4, 5, 6, 7, 8, 9} {
		g.must("fd_close", fd)
	}
	if u := g.port.system.tree.Usage(); u != (vfs.Usage{Bytes: 8, Inodes: 3}) {
		t.Errorf("usage %v", u)
	}
}

// with is the guest with another system.
func (g *guest) with(s *System) *guest {
	c := &guest{TB: g.TB, port: &fakePort{now: g.port.now, system: s}}
	c.in = &fakeInstance{memory: bytes.Clone(g.in.memory), data: c.port}
	o := c.options(s.options)
	s.options.Now, s.options.Write = o.Now, o.Write
	return c
}

func TestForks(t *testing.T) {
	g := used(t)
	g.port.now = g.port.now.Add(time.Minute)
	uptime := g.port.system.Uptime()
	forks := []*guest{}
	for range 2 {
		forks = append(forks, g.with(g.port.system.Fork(g.options(Options{Tree: g.port.system.tree.Fork(), Stdin: []byte("other")}))))
	}
	for _, f := range append(forks, g) {
		if f.port.system.Uptime() != uptime {
			t.Errorf("uptime %v, want %v", f.port.system.Uptime(), uptime)
		}
		checkUsed(t, f)
	}
	if got := forks[0].read(0, 100); got != "other" {
		t.Errorf("%q", got)
	}
}

func TestState(t *testing.T) {
	g := used(t)
	g.port.now = g.port.now.Add(time.Minute)
	s := g.port.system
	treeState, state := s.tree.AppendState(nil), s.AppendState([]byte("before"))[6:]
	restore := func(state []byte) (*System, error) {
		tree, err := vfs.Decode(treeState, vfs.Options{Now: g.port.system.options.Now})
		if err != nil {
			t.Fatal(err)
		}
		return Decode(state, g.options(Options{Tree: tree}))
	}
	back, err := restore(state)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(back.AppendState(nil), state) || back.Uptime() != time.Hour+time.Minute {
		t.Error("another state")
	}
	checkUsed(t, g.with(back))

	for i := range state {
		bad := bytes.Clone(state)
		bad[i] ^= 0x20
		if _, err := restore(bad); !errors.Is(err, ErrState) {
			t.Errorf("byte %d changed: %v", i, err)
		}
		if _, err := restore(state[:i]); !errors.Is(err, ErrState) {
			t.Errorf("cut to %d: %v", i, err)
		}
	}
	fresh := newGuest(t, vfs.Options{}, Options{})
	if _, err := Decode(state, fresh.options(Options{Tree: fresh.port.system.tree})); !errors.Is(err, ErrState) {
		t.Errorf("another tree: %v", err)
	}
	if _, err := restore(fresh.port.system.AppendState(nil)); !errors.Is(err, ErrState) {
		t.Errorf("another table: %v", err)
	}
}

// FuzzState decodes any table: what is taken can be used, and is encoded as the
// same.
func FuzzState(f *testing.F) {
	g := used(f)
	treeState := g.port.system.tree.AppendState(nil)
	state := g.port.system.AppendState(nil)
	f.Add(state[len(stateMagic) : len(state)-4])
	f.Add([]byte{1, 0, 0, 0})
	f.Fuzz(func(t *testing.T, body []byte) {
		b := append([]byte(stateMagic), body...)
		b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
		tree, err := vfs.Decode(treeState, vfs.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s, err := Decode(b, g.options(Options{Tree: tree}))
		if err != nil {
			if !errors.Is(err, ErrState) {
				t.Error(err)
			}
			return
		}
		if !bytes.Equal(s.AppendState(nil), b) {
			t.Error("encoded as another one")
		}
		c := g.with(s)
		for fd := range uint64(len(s.files) + 1) {
			c.call("fd_filestat_get", fd, atResult)
			c.call("fd_read", fd, atVector, 1, atResult)
			c.call("fd_write", fd, atVector, 1, atResult)
			c.call("fd_readdir", fd, atData, 100, 0, atResult)
			c.call("fd_close", fd)
		}
	})
}

// FuzzCalls makes any calls with any numbers: nothing but the stop of an exit
// comes of it, and what is left can be forked, encoded and decoded.
func FuzzCalls(f *testing.F) {
	for i := range len(functions) + 1 {
		f.Add([]byte{byte(i), 3, 0, 1, 2, 3, 4, 5, 6, 7, byte(i), 4, 1, 2, 3, 4, 5, 6, 7, 8})
	}
	f.Add([]byte{31, 3, 1, 2, 9, 1, 7, 7, 0, 3, 26, 4, 4, 1, 3, 0, 0, 0, 0, 0, 36, 3, 2, 9, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, program []byte) { runProgram(t, program) })
}

func TestRandomCalls(t *testing.T) {
	random := rand.NewChaCha8([32]byte{7})
	for range 500 {
		program := make([]byte, 400)
		random.Read(program)
		runProgram(t, program)
	}
}

// runProgram makes a call of each 10 bytes.
func runProgram(t *testing.T, program []byte) {
	g := newGuest(t, vfs.Options{Limits: vfs.Limits{Bytes: 1 << 16, Inodes: 32}}, Options{Stdin: []byte("input")})
	imports := Imports()
	// Numbers that lead somewhere, and some that don't.
	end := uint64(len(g.in.memory))
	numbers := []uint64{0, 1, 2, 3, 4, 5, atResult, atVector, atPath, 5, 8, end - 3, end, 1<<32 - 1, 1 << 63, 1<<64 - 1}
	g.put(atPath, "tmp/f/../x")
	g.put(atOther, "tmp/g")
	g.vector(10, 20, 30)
	for len(program) >= 10 {
		i := imports[int(program[0])%len(imports)]
		stack := make([]uint64, 10)
		for k, kind := range i.Params {
			v := program[k+1]
			stack[k] = numbers[v%16] + uint64(v>>4)
			if kind != 0x7e {
				stack[k] &= 1<<32 - 1
			}
		}
		program = program[10:]
		if stop := caught(func() { i.Func(g.in, stack) }); stop != nil && i.Name != "proc_exit" {
			t.Fatalf("%s stopped: %v", i.Name, stop)
		}
	}
	s := g.port.system
	if u := s.tree.Usage(); u.Bytes < 0 || u.Bytes > 1<<16 || u.Inodes < 0 || u.Inodes > 32 {
		t.Errorf("usage %v", u)
	}
	tree, err := vfs.Decode(s.tree.AppendState(nil), vfs.Options{Limits: vfs.Limits{Bytes: 1 << 16, Inodes: 32}})
	if err != nil {
		t.Fatal(err)
	}
	back, err := Decode(s.AppendState(nil), g.options(Options{Tree: tree}))
	if err != nil {
		t.Fatal(err)
	}
	for fd := range uint64(len(back.files)) {
		g.with(back).call("fd_close", fd)
	}
}

func TestHotPathsDoNotAllocate(t *testing.T) {
	g := newGuest(t, vfs.Options{}, Options{})
	fd := g.open("tmp/f", vfs.OpenCreate)
	g.write(fd, "some content to be read")
	at, n := g.put(atOther, "tmp/f")
	vector, count := g.vector(8)
	stack := make([]uint64, 10)
	for name, params := range map[string][]uint64{
		"path_filestat_get": {3, 1, at, n, atResult}, "fd_pread": {fd, vector, count, 2, atResult}, "fd_pwrite": {fd, vector, count, 2, atResult},
		"fd_read": {fd, vector, count, atResult}, "fd_seek": {fd, 0, 0, atResult}, "fd_filestat_get": {fd, atResult},
		"clock_time_get": {1, 0, atResult}, "fd_readdir": {preopened, atData, 1000, 0, atResult},
	} {
		i := importsByName[name]
		if got := testing.AllocsPerRun(100, func() {
			copy(stack, params)
			i.Func(g.in, stack)
		}); got != 0 || stack[0] != 0 {
			t.Errorf("%s: %v allocations, error %d", name, got, stack[0])
		}
	}
}

func BenchmarkCalls(b *testing.B) {
	g := newGuest(b, vfs.Options{}, Options{})
	g.must("path_create_directory", preopened, atPath, uint64(g.name("tmp/pkg")))
	fd := g.open("tmp/pkg/f", vfs.OpenCreate)
	g.write(fd, "some content to be read")
	at, n := g.put(atOther, "tmp/pkg/f")
	vector, count := g.vector(8)
	for _, c := range []struct {
		name   string
		params []uint64
	}{
		{"path_filestat_get", []uint64{3, 1, at, n, atResult}}, {"fd_pread", []uint64{fd, vector, count, 2, atResult}},
		{"fd_pwrite", []uint64{fd, vector, count, 2, atResult}}, {"clock_time_get", []uint64{1, 0, atResult}},
	} {
		b.Run(c.name, func(b *testing.B) {
			i, stack := importsByName[c.name], make([]uint64, 10)
			b.ReportAllocs()
			for b.Loop() {
				copy(stack, c.params)
				i.Func(g.in, stack)
			}
			if stack[0] != 0 {
				b.Fatal(stack[0])
			}
		})
	}
	b.Run("open and close", func(b *testing.B) {
		open, shut, stack := importsByName["path_open"], importsByName["fd_close"], make([]uint64, 10)
		b.ReportAllocs()
		for b.Loop() {
			copy(stack, []uint64{3, 1, at, n, 0, rightsAll, rightsAll, 0, atResult})
			open.Func(g.in, stack)
			stack[0] = uint64(g.u32(atResult))
			shut.Func(g.in, stack)
		}
	})
}

func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		New(Options{Tree: vfs.New(vfs.Options{})})
	}
}
