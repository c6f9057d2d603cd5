package wasi

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"mayfly/host/vfs"
)

func TestStandardFiles(t *testing.T) {
	g := newGuest(t, vfs.Options{}, Options{Stdin: []byte("some input")})
	for fd, kind := range []byte{typeCharacter, typeCharacter, typeCharacter, typeDirectory} {
		g.must("fd_fdstat_get", uint64(fd), atResult)
		if g.in.memory[atResult] != kind || g.u64(atResult+8) != rightsAll {
			t.Errorf("descriptor %d: type %d, rights %x", fd, g.in.memory[atResult], g.u64(atResult+8))
		}
		if s := g.fstat(uint64(fd)); s.kind != kind {
			t.Errorf("descriptor %d: type %d", fd, s.kind)
		}
	}
	// libc finds the directories by asking from 3 on until there is none.
	g.must("fd_prestat_get", preopened, atResult)
	if g.u32(atResult) != 0 || g.u32(atResult+4) != 1 {
		t.Errorf("%d %d", g.u32(atResult), g.u32(atResult+4))
	}
	g.must("fd_prestat_dir_name", preopened, atData, 1)
	if g.in.memory[atData] != '/' {
		t.Errorf("%q", g.in.memory[atData])
	}
	g.fails(eNametoolong, "fd_prestat_dir_name", preopened, atData, 0)
	g.fails(eBadf, "fd_prestat_get", 4, atResult)
	g.fails(eBadf, "fd_prestat_get", 0, atResult)
	g.fails(eBadf, "fd_prestat_dir_name", 4, atData, 1)
	g.fails(eNotsup, "fd_close", preopened)
	g.fails(eNotsup, "fd_renumber", 0, preopened)
	g.fails(eNotsup, "fd_renumber", preopened, 0)

	at, n := g.vector(4, 0, 3)
	g.must("fd_read", 0, at, n, atResult)
	if got := string(g.in.memory[atData:][:g.u32(atResult)]); got != "some in" {
		t.Errorf("%q", got)
	}
	if got := g.read(0, 100); got != "put" {
		t.Errorf("%q", got)
	}
	g.write(1, "to the one\n")
	g.write(2, "to the other\n")
	if g.stdout.String() != "to the one\n" || g.stderr.String() != "to the other\n" {
		t.Errorf("%q %q", &g.stdout, &g.stderr)
	}
	vector, _ := g.vector(1)
	for _, c := range []struct {
		want   errno
		name   string
		params []uint64
	}{
		{eBadf, "fd_write", []uint64{0, vector, 1, atResult}},
		{eBadf, "fd_read", []uint64{1, vector, 1, atResult}},
		{eSpipe, "fd_seek", []uint64{0, 0, 0, atResult}},
		{eSpipe, "fd_tell", []uint64{1, atResult}},
		{eSpipe, "fd_pread", []uint64{0, vector, 1, 0, atResult}},
		{eSpipe, "fd_pwrite", []uint64{1, vector, 1, 0, atResult}},
		{eNotdir, "fd_readdir", []uint64{1, atData, 10, 0, atResult}},
		{eInval, "fd_filestat_set_times", []uint64{1, 0, 0, 0}},
		{eIsdir, "fd_read", []uint64{preopened, vector, 1, atResult}},
		{eBadf, "fd_write", []uint64{preopened, vector, 1, atResult}},
		{success, "fd_sync", []uint64{1}},
		{success, "fd_datasync", []uint64{preopened}},
	} {
		g.fails(c.want, c.name, c.params...)
	}
	// Streams are closed and moved as others are: dup2(2, 1).
	g.must("fd_renumber", 2, 1)
	g.write(1, "after")
	g.fails(eBadf, "fd_write", 2, vector, 1, atResult)
	if !strings.HasSuffix(g.stderr.String(), "after") {
		t.Errorf("%q", &g.stderr)
	}
	g.must("fd_close", 0)
	g.fails(eBadf, "fd_read", 0, vector, 1, atResult)
	if fd := g.open("tmp/f", vfs.OpenCreate); fd != 0 {
		t.Errorf("the lowest free descriptor is 0, not %d", fd)
	}
}

// What a guest writes to a stream at once is bounded, however often it names
// the same memory.
func TestStreamsTakeParts(t *testing.T) {
	g := newGuest(t, vfs.Options{}, Options{})
	for i := range maxVectors {
		binary.LittleEndian.PutUint32(g.in.memory[atVector+8*i:], 0)
		binary.LittleEndian.PutUint32(g.in.memory[atVector+8*i+4:], uint32(len(g.in.memory)))
	}
	g.must("fd_write", 1, atVector, maxVectors, atResult)
	if n := g.u32(atResult); n != maxStream || g.stdout.Len() != maxStream {
		t.Errorf("%d bytes of %d", n, g.stdout.Len())
	}
	// A file takes all or nothing.
	fd := g.open("tmp/f", vfs.OpenCreate)
	g.fails(eNospc, "fd_write", fd, atVector, maxVectors, atResult)
	if s := g.fstat(fd); s.size != 0 {
		t.Errorf("%d bytes", s.size)
	}
}

func TestReadAndWrite(t *testing.T) {
	g := newGuest(t, vfs.Options{}, Options{})
	fd := g.open("tmp/f", vfs.OpenCreate|vfs.OpenExclusive)
	g.put(atData, "hello, world")
	at, n := g.vector(5, 0, 7)
	g.must("fd_write", fd, at, n, atResult)
	if g.u32(atResult) != 12 {
		t.Errorf("%d", g.u32(atResult))
	}
	seek := func(offset int64, whence, want uint64) {
		t.Helper()
		g.must("fd_seek", fd, uint64(offset), whence, atResult)
		if got := g.u64(atResult); got != want {
			t.Errorf("position %d, want %d", got, want)
		}
		g.must("fd_tell", fd, atResult)
		if got := g.u64(atResult); got != want {
			t.Errorf("told %d, want %d", got, want)
		}
	}
	seek(-5, 2, 7)
	if got := g.read(fd, 100); got != "world" {
		t.Errorf("%q", got)
	}
	seek(-2, 1, 10)
	g.write(fd, "LDS")
	seek(0, 1, 13)
	vector, _ := g.vector(100)
	g.must("fd_pread", fd, vector, 1, 7, atResult)
	if got := string(g.in.memory[atData:][:g.u32(atResult)]); got != "worLDS" {
		t.Errorf("%q", got)
	}
	g.must("fd_pread", fd, vector, 1, 1<<40, atResult)
	if g.u32(atResult) != 0 {
		t.Error("something is behind the end")
	}
	g.put(atData, "J")
	vector, _ = g.vector(1)
	g.must("fd_pwrite", fd, vector, 1, 0, atResult)
	seek(0, 1, 13)
	seek(20, 0, 20)
	g.write(fd, "far")
	seek(0, 0, 0)
	if got := g.read(fd, 100); got != "Jello, worLDS\x00\x00\x00\x00\x00\x00\x00far" {
		t.Errorf("%q", got)
	}
	if s := g.fstat(fd); s.size != 23 || s != g.stat("tmp/f") {
		t.Errorf("%+v", s)
	}
	g.must("fd_filestat_set_size", fd, 5)
	g.must("fd_allocate", fd, 3, 4)
	g.must("fd_allocate", fd, 0, 1)
	seek(0, 0, 0)
	if got := g.read(fd, 100); got != "Jello\x00\x00" {
		t.Errorf("%q", got)
	}
	g.must("fd_advise", fd, 0, 0, 4)
	for _, c := range []struct {
		want   errno
		name   string
		params []uint64
	}{
		{eInval, "fd_seek", []uint64{fd, 1 << 63, 0, atResult}},
		{eInval, "fd_seek", []uint64{fd, 0, 3, atResult}},
		{eOverflow, "fd_seek", []uint64{fd, math.MaxInt64, 2, atResult}},
		{eInval, "fd_pread", []uint64{fd, vector, 1, 1 << 63, atResult}},
		{eInval, "fd_pwrite", []uint64{fd, vector, 1, 1 << 63, atResult}},
		{eFbig, "fd_pwrite", []uint64{fd, vector, 1, math.MaxInt64, atResult}},
		{eNospc, "fd_pwrite", []uint64{fd, vector, 1, 1 << 50, atResult}},
		{eInval, "fd_filestat_set_size", []uint64{fd, 1 << 63}},
		{eNospc, "fd_filestat_set_size", []uint64{fd, 1 << 62}},
		{eInval, "fd_allocate", []uint64{fd, 0, 0}},
		{eFbig, "fd_allocate", []uint64{fd, math.MaxInt64, math.MaxInt64}},
		{eNospc, "fd_allocate", []uint64{fd, 0, 1 << 40}},
		{eInval, "fd_advise", []uint64{fd, 0, 0, 6}},
	} {
		g.fails(c.want, c.name, c.params...)
	}
	g.must("fd_close", fd)
	for _, name := range []string{"fd_close", "fd_sync", "fd_datasync"} {
		g.fails(eBadf, name, fd)
		g.fails(eBadf, name, math.MaxUint32)
	}
}

func TestAppend(t *testing.T) {
	g := newGuest(t, vfs.Options{}, Options{})
	one := g.open("tmp/log", vfs.OpenCreate)
	two, _ := g.openAt(preopened, "tmp/log", 0, rightsAll, flagAppend)
	g.write(one, "a")
	g.write(two, "b")
	g.write(one, "c")
	g.write(two, "d")
	if got := g.read(g.open("tmp/log", 0), 10); got != "acd" {
		t.Errorf("%q", got)
	}
	g.must("fd_fdstat_get", two, atResult)
	if g.in.memory[atResult+2] != flagAppend {
		t.Error("the flag does not show")
	}
	g.must("fd_fdstat_set_flags", two, 0)
	g.must("fd_seek", two, 0, 0, atResult)
	g.write(two, "A")
	if got := g.read(g.open("tmp/log", 0), 10); got != "Acd" {
		t.Errorf("%q", got)
	}
	g.fails(eInval, "fd_fdstat_set_flags", two, 1<<5)
	g.fails(eBadf, "fd_fdstat_set_flags", 99, 0)
}

// The mode of open(2) is in the rights.
func TestRights(t *testing.T) {
	g := newGuest(t, vfs.Options{}, Options{})
	g.write(g.open("tmp/f", vfs.OpenCreate), "content")
	reader, _ := g.openAt(preopened, "tmp/f", 0, readOnly, 0)
	writer, _ := g.openAt(preopened, "tmp/f", 0, rightsAll&^rightRead, 0)
	vector, _ := g.vector(1)
	g.fails(eBadf, "fd_write", reader, vector, 1, atResult)
	g.fails(eBadf, "fd_pwrite", reader, vector, 1, 0, atResult)
	g.fails(eInval, "fd_filestat_set_size", reader, 0)
	g.fails(eBadf, "fd_allocate", reader, 0, 100)
	g.fails(eBadf, "fd_read", writer, vector, 1, atResult)
	g.fails(eBadf, "fd_pread", writer, vector, 1, 0, atResult)
	g.must("fd_fdstat_set_rights", writer, rightWrite, 0)
	g.fails(eNotcapable, "fd_fdstat_set_rights", writer, rightsAll, 0)
	g.fails(eNotcapable, "fd_fdstat_set_rights", writer, rightWrite, 1)
	g.write(writer, "C")
	if got := g.read(reader, 100); got != "Content" {
		t.Errorf("%q", got)
	}
	if _, e := g.openAt(preopened, "tmp", 0, rightsAll, 0); e != eIsdir {
		t.Errorf("a directory is opened for writing: %d", e)
	}
	if _, e := g.openAt(preopened, "tmp", 0, readOnly, 0); e != success {
		t.Errorf("a directory is not opened: %d", e)
	}
}

func TestOpen(t *testing.T) {
	base := vfs.New(vfs.Options{})
	if err := base.MountFile("/f.py", []byte("pass")); err != nil {
		t.Fatal(err)
	}
	g := newGuest(t, vfs.Options{Base: vfs.Stack(vfs.Mount{At: "/usr/lib", Layer: base.Freeze(), ReadOnly: true}), Limits: vfs.Limits{Inodes: 20}}, Options{})
	g.write(g.open("tmp/f", vfs.OpenCreate), "content")
	at, n := g.put(atOther, "tmp/f")
	link, m := g.path("tmp/link")
	g.must("path_symlink", at+4, n-4, preopened, link, m)
	for _, c := range []struct {
		name   string
		oflags vfs.OpenFlags
		rights uint64
		want   errno
	}{
		{"tmp/none", 0, rightsAll, eNoent},
		{"tmp/f", vfs.OpenCreate | vfs.OpenExclusive, rightsAll, eExist},
		{"tmp/f", vfs.OpenDirectory, readOnly, eNotdir},
		{"tmp/f/", 0, readOnly, eNotdir},
		{"tmp/f/x", 0, readOnly, eNotdir},
		{"tmp/new/", vfs.OpenCreate, rightsAll, eIsdir},
		{"tmp/", vfs.OpenCreate, rightsAll, eIsdir},
		{"tmp", vfs.OpenTruncate, rightsAll, eIsdir},
		{"tmp/x/y", vfs.OpenCreate, rightsAll, eNoent},
		{"tmp/x", vfs.OpenCreate | vfs.OpenDirectory, rightsAll, eInval},
		{"/tmp/f", 0, readOnly, eNotcapable},
		{"", 0, readOnly, eNoent},
		{"tmp/\xff", vfs.OpenCreate, rightsAll, eIlseq},
		{"tmp/a\x00b", vfs.OpenCreate, rightsAll, eInval},
		{"tmp/" + strings.Repeat("n", 256), vfs.OpenCreate, rightsAll, eNametoolong},
		{strings.Repeat("tmp/../", 600) + "f", 0, readOnly, eNametoolong},
		{"tmp/f", 1 << 4, readOnly, eInval},
		{"usr/lib/f.py", 0, rightsAll, eRofs},
		{"usr/lib/f.py", vfs.OpenTruncate, readOnly, eRofs},
		{"usr/lib/new.py", vfs.OpenCreate, rightsAll, eRofs},
		{"usr/lib/f.py", 0, readOnly, success},
		{"../../tmp/./link", 0, rightsAll, success},
	} {
		before := g.port.system.OpenFiles()
		fd, e := g.openAt(preopened, c.name, c.oflags, c.rights, 0)
		if e != c.want {
			t.Errorf("%q with %d: error %d, want %d", c.name, c.oflags, e, c.want)
		}
		if e == success {
			g.must("fd_close", fd)
		}
		if g.port.system.OpenFiles() != before {
			t.Errorf("%q left a descriptor", c.name)
		}
	}
	// O_NOFOLLOW.
	link, m = g.path("tmp/link")
	g.fails(eLoop, "path_open", preopened, 0, link, m, 0, readOnly, 0, 0, atResult)
	g.fails(eInval, "path_open", preopened, 0, link, m, 0, readOnly, 0, 1<<5, atResult)
	g.fails(eBadf, "path_open", 99, 0, link, m, 0, readOnly, 0, 0, atResult)
	g.fails(eNotdir, "path_open", 4, 0, link, m, 0, readOnly, 0, 0, atResult)
	// Cut when opened, and from a directory other than the root.
	dir := g.open("tmp", vfs.OpenDirectory)
	fd, e := g.openAt(dir, "f", vfs.OpenTruncate, rightsAll, 0)
	if e != success || g.fstat(fd).size != 0 {
		t.Errorf("error %d, %+v", e, g.fstat(fd))
	}
	if _, e := g.openAt(dir, "../usr/lib/f.py", 0, readOnly, 0); e != success {
		t.Errorf("error %d", e)
	}
	// No room for more files.
	for i := 0; ; i++ {
		if _, e := g.openAt(preopened, fmt.Sprint("tmp/many", i), vfs.OpenCreate, rightsAll, 0); e == eNospc {
			break
		} else if e != success || i > 30 {
			t.Fatalf("file %d: error %d", i, e)
		}
	}
}

func TestTooManyFiles(t *testing.T) {
	g := newGuest(t, vfs.Options{}, Options{})
	g.write(g.open("tmp/f", vfs.OpenCreate), "x")
	for fd := uint64(5); fd < maxFiles; fd++ {
		if got := g.open("tmp/f", 0); got != fd {
			t.Fatalf("descriptor %d, want %d", got, fd)
		}
	}
	if _, e := g.openAt(preopened, "tmp/new", vfs.OpenCreate, rightsAll, 0); e != eMfile {
		t.Errorf("error %d", e)
	}
	at, n := g.path("tmp/new")
	g.fails(eNoent, "path_filestat_get", preopened, 0, at, n, atResult)
	g.must("fd_close", 700)
	g.must("fd_close", 600)
	for _, want := range []uint64{600, 700} {
		if got := g.open("tmp/f", 0); got != want {
			t.Errorf("descriptor %d, want %d", got, want)
		}
	}
}

func TestOpenFilesOutliveTheirNames(t *testing.T) {
	g := newGuest(t, vfs.Options{}, Options{})
	fd := g.open("tmp/f", vfs.OpenCreate)
	g.write(fd, "old content")
	at, n := g.path("tmp/f")
	g.must("path_unlink_file", preopened, at, n)
	if s := g.fstat(fd); s.nlink != 0 || s.size != 11 {
		t.Errorf("%+v", s)
	}
	g.write(g.open("tmp/f", vfs.OpenCreate|vfs.OpenExclusive), "new")
	g.write(fd, "!")
	g.must("fd_seek", fd, 0, 0, atResult)
	if got := g.read(fd, 100); got != "old content!" {
		t.Errorf("%q", got)
	}
	// os.replace, while the file is open.
	g.write(g.open("tmp/.f.part", vfs.OpenCreate), "replaced")
	from, n := g.path("tmp/.f.part")
	to, m := g.put(atOther, "tmp/f")
	g.must("path_rename", preopened, from, n, preopened, to, m)
	if got := g.read(g.open("tmp/f", 0), 100); got != "replaced" {
		t.Errorf("%q", got)
	}
	usage := g.port.system.tree.Usage()
	g.must("fd_close", fd)
	if got := g.port.system.tree.Usage(); got.Bytes != usage.Bytes-12 || got.Inodes != usage.Inodes-1 {
		t.Errorf("usage %v, then %v", usage, got)
	}
}

func TestPaths(t *testing.T) {
	g := newGuest(t, vfs.Options{}, Options{})
	do := func(want errno, name string, params ...any) {
		t.Helper()
		var p []uint64
		at := atPath
		for _, v := range params {
			switch v := v.(type) {
			case string:
				p = append(p, uint64(at), uint64(len(v)))
				g.put(at, v)
				at += 1000
			case int:
				p = append(p, uint64(v))
			case uint64:
				p = append(p, v)
			}
		}
		if e := g.call(name, p...); e != want {
			t.Errorf("%s %q: error %d, want %d", name, params, e, want)
		}
	}
	do(success, "path_create_directory", 3, "tmp/d")
	do(success, "path_create_directory", 3, "tmp/d/sub/")
	do(eExist, "path_create_directory", 3, "tmp/d")
	do(eNoent, "path_create_directory", 3, "tmp/none/d")
	do(eNotempty, "path_remove_directory", 3, "tmp/d")
	do(eIsdir, "path_unlink_file", 3, "tmp/d")
	do(success, "path_rename", 3, "tmp/d/sub", 3, "tmp/moved")
	do(eInval, "path_rename", 3, "tmp/moved", 3, "tmp/moved/x")
	do(success, "path_remove_directory", 3, "tmp/moved")
	do(eNoent, "path_remove_directory", 3, "tmp/moved")
	g.write(g.open("tmp/d/f", vfs.OpenCreate), "content")
	do(eNotdir, "path_remove_directory", 3, "tmp/d/f")
	do(eInval, "path_rename", 3, "tmp/d", 3, "tmp/d/f")

	do(success, "path_link", 3, 0, "tmp/d/f", 3, "tmp/hard")
	do(eExist, "path_link", 3, 0, "tmp/d/f", 3, "tmp/hard")
	do(ePerm, "path_link", 3, 0, "tmp/d", 3, "tmp/dir")
	if s := g.stat("tmp/hard"); s.nlink != 2 || s != g.stat("tmp/d/f") {
		t.Errorf("%+v", s)
	}
	do(success, "path_symlink", "d/f", 3, "tmp/soft")
	do(success, "path_symlink", "/tmp/d", 3, "tmp/dir")
	do(eExist, "path_symlink", "x", 3, "tmp/dir")
	do(eNoent, "path_symlink", "", 3, "tmp/empty")
	do(eIlseq, "path_symlink", "\xff", 3, "tmp/bad")
	if s := g.stat("tmp/soft"); s != g.stat("tmp/d/f") || s != g.stat("tmp/dir/f") {
		t.Errorf("%+v", s)
	}
	do(success, "path_filestat_get", 3, 0, "tmp/soft", atResult)
	if s := g.statAt(atResult); s.kind != typeSymlink || s.size != 3 {
		t.Errorf("%+v", s)
	}
	do(success, "path_readlink", 3, "tmp/dir", atData, 100, atResult)
	if got := string(g.in.memory[atData:][:g.u32(atResult)]); got != "/tmp/d" {
		t.Errorf("%q", got)
	}
	do(success, "path_readlink", 3, "tmp/dir", atData, 2, atResult)
	if g.u32(atResult) != 2 {
		t.Errorf("%d bytes of 2", g.u32(atResult))
	}
	do(eInval, "path_readlink", 3, "tmp/d/f", atData, 100, atResult)
	do(success, "path_unlink_file", 3, "tmp/dir")
	do(success, "path_unlink_file", 3, "tmp/soft")
	do(success, "path_unlink_file", 3, "tmp/hard")
	if s := g.stat("tmp/d/f"); s.nlink != 1 {
		t.Errorf("%+v", s)
	}

	// Times, to the nanosecond as they were set.
	born := g.stat("tmp/d/f")
	if born.mtime != uint64(birth.UnixNano())/100_000*100_000 || born.ctime != born.mtime || born.dev == 0 || born.ino == 0 || born.kind != typeRegular {
		t.Errorf("%+v", born)
	}
	g.port.now = g.port.now.Add(time.Minute)
	do(success, "path_filestat_set_times", 3, 0, "tmp/d/f", 1_000_000_001, 2_000_000_002, setAtime|setMtime)
	if s := g.stat("tmp/d/f"); s.atime != 1_000_000_001 || s.mtime != 2_000_000_002 || s.ctime <= born.ctime {
		t.Errorf("%+v", s)
	}
	fd := g.open("tmp/d/f", 0)
	g.must("fd_filestat_set_times", fd, 0, 0, setAtimeNow)
	if s := g.fstat(fd); s.atime != uint64(g.port.now.UnixNano())/100_000*100_000 || s.mtime != 2_000_000_002 {
		t.Errorf("%+v", s)
	}
	do(success, "path_filestat_set_times", 3, 0, "tmp/d", 0, 0, setMtime)
	if s := g.stat("tmp/d"); s.mtime > 1 {
		t.Errorf("the epoch became %+v", s)
	}
	do(eInval, "path_filestat_set_times", 3, 0, "tmp/d/f", 0, 0, setAtime|setAtimeNow)
	do(eInval, "path_filestat_set_times", 3, 0, "tmp/d/f", 0, 0, 16)
	do(eInval, "path_filestat_set_times", 3, 0, "tmp/d/f", uint64(1<<63), 0, setAtime)
	do(eNoent, "path_filestat_set_times", 3, 0, "tmp/none", 0, 0, 0)
}

// A directory is read through any buffer, whole, with the inodes that stat
// shows.
func TestReaddir(t *testing.T) {
	base := vfs.New(vfs.Options{})
	want := []string{".", ".."}
	for i := range 40 {
		name := fmt.Sprint("layer", strings.Repeat("x", i), i)
		want = append(want, name)
		if err := base.MountFile("/tmp/"+name, nil); err != nil {
			t.Fatal(err)
		}
	}
	g := newGuest(t, vfs.Options{Base: base.Freeze()}, Options{})
	tmp := g.open("tmp", vfs.OpenDirectory)
	slices.Sort(want)
	for _, room := range []int{100, 128, 333, 4096, 1 << 16} {
		if got := names(g.list(tmp, room)); !slices.Equal(got, want) {
			t.Errorf("with %d bytes: %q", room, got)
		}
	}
	for i := range 40 {
		name := fmt.Sprint("own", i)
		want = append(want, name)
		g.must("fd_close", g.open("tmp/"+name, vfs.OpenCreate))
	}
	slices.Sort(want)
	for _, room := range []int{100, 128, 333, 4096, 1 << 16} {
		if got := names(g.list(tmp, room)); !slices.Equal(got, want) {
			t.Errorf("with %d bytes: %q", room, got)
		}
	}
	for _, e := range g.list(tmp, 4096) {
		if s := g.stat("tmp/" + e.name); s.ino != e.ino || s.kind != e.kind {
			t.Errorf("%+v, but %+v", e, s)
		}
	}
	// What is removed while it is read, entry by entry: rm -r.
	cookie := uint64(0)
	for removed := 0; ; {
		part, more := g.readdir(tmp, cookie, 200)
		for _, e := range part {
			if cookie = e.next; e.name != "." && e.name != ".." {
				at, n := g.path("tmp/" + e.name)
				g.must("path_unlink_file", preopened, at, n)
				removed++
			}
		}
		if !more {
			if removed != 80 {
				t.Errorf("%d files of 80 were removed", removed)
			}
			break
		}
	}
	if got := names(g.list(tmp, 100)); !slices.Equal(got, []string{".", ".."}) {
		t.Errorf("%q", got)
	}
	for _, cookie := range []uint64{3, 1 << 40, math.MaxUint64} {
		if list, more := g.readdir(tmp, cookie, 100); len(list) > 0 || more {
			t.Errorf("behind the end: %v", list)
		}
	}
	if got := g.list(preopened, 4096); got[0].ino != got[1].ino {
		t.Error("above the root is another directory")
	}
}
