package wasi

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"mayfly/host/vfs"
	"mayfly/runtime/engine"
	"mayfly/runtime/isolate"
)

// A fakeInstance is memory and data without any code.
type fakeInstance struct {
	engine.Instance
	memory []byte
	data   any
}

func (f *fakeInstance) Memory() []byte { return f.memory }
func (f *fakeInstance) Data() any      { return f.data }

// A fakePort has a clock that only pauses move.
type fakePort struct {
	isolate.BootPort
	system *System
	now    time.Time
	pauses []time.Duration
	yields int
}

func (p *fakePort) Yield()                { p.yields++ }
func (p *fakePort) Host() any             { return p }
func (p *fakePort) WASI() *System         { return p.system }
func (p *fakePort) Pause(d time.Duration) { p.pauses = append(p.pauses, d); p.now = p.now.Add(d) }

// A guest calls the imports as a program would: a libc of a few lines.
type guest struct {
	testing.TB
	in     *fakeInstance
	port   *fakePort
	stdout bytes.Buffer
	stderr bytes.Buffer
}

// Where a guest has what it passes, in memory of 4 pages.
const (
	atPath   = 0x100
	atOther  = 0x2000
	atResult = 0x3000
	atVector = 0x4000
	atData   = 0x10000
	dataSize = 0x20000
)

var importsByName = func() map[string]engine.Import {
	m := map[string]engine.Import{}
	for _, i := range Imports() {
		m[i.Name] = i
	}
	return m
}()

// birth is when a guest's clock starts: a time that is no whole step.
var birth = time.Unix(1_700_000_000, 123_456_789)

func newGuest(t testing.TB, tree vfs.Options, options Options) *guest {
	t.Helper()
	g := &guest{TB: t, port: &fakePort{now: birth}}
	g.in = &fakeInstance{memory: make([]byte, 4*engine.PageSize), data: isolate.Port(g.port)}
	now := func() time.Time { return g.port.now }
	if tree.Now == nil {
		tree.Now = now
	}
	options.Tree = vfs.New(tree)
	g.port.system = New(g.options(options))
	return g
}

// options are complete ones.
func (g *guest) options(o Options) Options {
	o.Now = func() time.Time { return g.port.now }
	o.Random = rand.NewChaCha8([32]byte{1})
	o.Write = func(fd int, b []byte) {
		if fd == 1 {
			g.stdout.Write(b)
		} else {
			g.stderr.Write(b)
		}
	}
	return o
}

func (g *guest) call(name string, params ...uint64) errno {
	i, ok := importsByName[name]
	if !ok || len(i.Params) != len(params) {
		g.Helper()
		g.Fatalf("%s has not %d parameters", name, len(params))
	}
	stack := append(params, make([]uint64, 1)...)
	i.Func(g.in, stack)
	return errno(stack[0])
}

// must calls what has to succeed.
func (g *guest) must(name string, params ...uint64) {
	g.Helper()
	if e := g.call(name, params...); e != success {
		g.Fatalf("%s: error %d", name, e)
	}
}

func (g *guest) fails(want errno, name string, params ...uint64) {
	g.Helper()
	if e := g.call(name, params...); e != want {
		g.Errorf("%s %v: error %d, want %d", name, params, e, want)
	}
}

func (g *guest) put(at int, b string) (uint64, uint64) {
	copy(g.in.memory[at:], b)
	return uint64(at), uint64(len(b))
}

func (g *guest) u32(at int) uint32 { return binary.LittleEndian.Uint32(g.in.memory[at:]) }
func (g *guest) u64(at int) uint64 { return binary.LittleEndian.Uint64(g.in.memory[at:]) }

// openAt opens with all rights but those that a mode lacks.
func (g *guest) openAt(dir uint64, name string, oflags vfs.OpenFlags, rights uint64, flags uint64) (uint64, errno) {
	at, n := g.put(atPath, name)
	e := g.call("path_open", dir, follow, at, n, uint64(oflags), rights, rightsAll, flags, atResult)
	return uint64(g.u32(atResult)), e
}

const readOnly = rightsAll &^ (rightWrite | rightSetSize | rightAllocate)

func (g *guest) open(name string, oflags vfs.OpenFlags) uint64 {
	g.Helper()
	rights := uint64(rightsAll)
	if oflags&vfs.OpenDirectory != 0 {
		rights = readOnly
	}
	fd, e := g.openAt(preopened, name, oflags, rights, 0)
	if e != success {
		g.Fatalf("open %s: error %d", name, e)
	}
	return fd
}

// vector lays out ranges of given lengths, one behind the other.
func (g *guest) vector(lengths ...int) (uint64, uint64) {
	at := atData
	for i, n := range lengths {
		binary.LittleEndian.PutUint32(g.in.memory[atVector+8*i:], uint32(at))
		binary.LittleEndian.PutUint32(g.in.memory[atVector+8*i+4:], uint32(n))
		at += n
	}
	return atVector, uint64(len(lengths))
}

func (g *guest) write(fd uint64, content string) {
	g.Helper()
	g.put(atData, content)
	at, n := g.vector(len(content))
	g.must("fd_write", fd, at, n, atResult)
	if g.u32(atResult) != uint32(len(content)) {
		g.Fatalf("%d of %d bytes were written", g.u32(atResult), len(content))
	}
}

func (g *guest) read(fd uint64, n int) string {
	g.Helper()
	at, count := g.vector(n)
	g.must("fd_read", fd, at, count, atResult)
	return string(g.in.memory[atData:][:g.u32(atResult)])
}

func (g *guest) path(name string) (uint64, uint64) { return g.put(atPath, name) }

// A stat is a filestat record.
type stat struct {
	dev, ino, nlink, size, atime, mtime, ctime uint64
	kind                                       byte
}

func (g *guest) statAt(at int) stat {
	return stat{
		dev: g.u64(at), ino: g.u64(at + 8), kind: g.in.memory[at+16], nlink: g.u64(at + 24), size: g.u64(at + 32),
		atime: g.u64(at + 40), mtime: g.u64(at + 48), ctime: g.u64(at + 56),
	}
}

func (g *guest) stat(name string) stat {
	g.Helper()
	at, n := g.path(name)
	g.must("path_filestat_get", preopened, follow, at, n, atResult)
	return g.statAt(atResult)
}

func (g *guest) fstat(fd uint64) stat {
	g.Helper()
	g.must("fd_filestat_get", fd, atResult)
	return g.statAt(atResult)
}

// A dirent is an entry as it is read.
type dirent struct {
	name string
	ino  uint64
	kind byte
	next uint64
}

// readdir reads what fits into a buffer, whole entries only, as libc does. more
// is false at the end.
func (g *guest) readdir(fd, cookie uint64, room int) (list []dirent, more bool) {
	g.Helper()
	g.must("fd_readdir", fd, atData, uint64(room), cookie, atResult)
	used := int(g.u32(atResult))
	for at, end := atData, atData+used; end-at >= direntSize; {
		n := int(g.u32(at + 16))
		if at+direntSize+n > end {
			break
		}
		list = append(list, dirent{string(g.in.memory[at+direntSize:][:n]), g.u64(at + 8), g.in.memory[at+20], g.u64(at)})
		at += direntSize + n
	}
	return list, used == room
}

func (g *guest) list(fd uint64, room int) (all []dirent) {
	g.Helper()
	cookie := uint64(0)
	for {
		part, more := g.readdir(fd, cookie, room)
		all = append(all, part...)
		if !more {
			return all
		}
		if len(part) == 0 {
			g.Fatalf("a buffer of %d bytes holds no entry", room)
		}
		cookie = part[len(part)-1].next
	}
}

func names(list []dirent) (names []string) {
	for _, e := range list {
		names = append(names, e.name)
	}
	slices.Sort(names)
	return names
}

// caught runs f and answers the Stop that it panicked with.
func caught(f func()) (stop *engine.Stop) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case engine.Stop:
			stop = &p
		default:
			panic(fmt.Sprintf("no stop: %v", p))
		}
	}()
	f()
	return nil
}
