package vfs

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
)

var sampleFS = fstest.MapFS{
	"os.py":             {Data: []byte("import sys")},
	"json/__init__.py":  {Data: []byte("loads = 1")},
	"json/copy.py":      {Data: []byte("loads = 1")},
	"json/empty.py":     {},
	"a/b/c/d/deep.bin":  {Data: bytes.Repeat([]byte{0, 1, 2, 255}, 5000)},
	"umlaut/größe.txt":  {Data: []byte("größe")},
	"empty":             {Mode: fs.ModeDir},
	"data/one.csv":      {Data: []byte("1")},
	"data/two.csv":      {Data: []byte("2")},
	"data/sub/three.md": {Data: []byte("3"), ModTime: time.Unix(1_600_000_000, 0)},
}

func build(t testing.TB, options BuildOptions, sources ...Source) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "layer")
	if err := BuildLayer(name, options, sources...); err != nil {
		t.Fatal(err)
	}
	return name
}

func open(t testing.TB, name string) *Layer {
	t.Helper()
	l, err := OpenLayer(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func TestArchive(t *testing.T) {
	name := build(t, BuildOptions{}, Source{FS: sampleFS}, Source{At: "data/more", FS: fstest.MapFS{"x": {Data: []byte("x")}}}, Source{At: "/data", FS: fstest.MapFS{"one.csv": {Data: []byte("later")}}})
	l := open(t, name)
	want := map[string]string{"/": "", "/empty/": "", "/data/more/": "", "/data/more/x": "x", "/tmp/": "", "/artifacts/": "", "/workspace/": ""}
	for name, file := range sampleFS {
		if !file.Mode.IsDir() {
			want["/"+name] = string(file.Data)
		}
		for dir := filepath.Dir(name); dir != "."; dir = filepath.Dir(dir) {
			want["/"+dir+"/"] = ""
		}
	}
	want["/data/one.csv"] = "later"
	if d := cmp.Diff(want, list(t, New(Options{Base: l}))); d != "" {
		t.Error(d)
	}
	info, err := New(Options{Base: l}).Stat("/data/sub/three.md")
	if err != nil || !info.Mtime.Equal(time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)) || !info.Layer || info.Links != 1 {
		t.Errorf("%+v %v", info, err)
	}
	left, err := os.ReadDir(filepath.Dir(name))
	if err != nil || len(left) != 1 {
		t.Errorf("left: %v %v", left, err)
	}
}

// A zip file and a folder with the same files make the same archive, in any
// order.
func TestArchivesAreDeterministic(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, sampleFS); err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	z := zip.NewWriter(&packed)
	if err := z.AddFS(os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	unpacked, err := zip.NewReader(bytes.NewReader(packed.Bytes()), int64(packed.Len()))
	if err != nil {
		t.Fatal(err)
	}
	var archives [3][]byte
	for i, source := range []fs.FS{sampleFS, os.DirFS(dir), unpacked} {
		if archives[i], err = os.ReadFile(build(t, BuildOptions{}, Source{FS: source})); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(archives[i], archives[0]) {
			t.Errorf("archive %d is another one", i)
		}
	}
	a, b := open(t, build(t, BuildOptions{}, Source{FS: sampleFS})), open(t, build(t, BuildOptions{}, Source{FS: sampleFS}))
	if a.Digest() != b.Digest() {
		t.Error("equal archives have different digests")
	}
	other := fstest.MapFS{"os.py": {Data: []byte("import sus")}}
	if c := open(t, build(t, BuildOptions{}, Source{FS: sampleFS}, Source{FS: other})); a.Digest() == c.Digest() {
		t.Error("different archives have equal digests")
	}
}

func TestArchivesAreBounded(t *testing.T) {
	name := filepath.Join(t.TempDir(), "layer")
	for _, c := range []struct {
		options BuildOptions
		source  fs.FS
		want    error
	}{
		{BuildOptions{Bytes: 20_000}, sampleFS, ErrTooLarge},
		{BuildOptions{Files: 5}, sampleFS, ErrTooLarge},
		{BuildOptions{}, fstest.MapFS{"link": {Mode: fs.ModeSymlink}}, nil},
		{BuildOptions{}, fstest.MapFS{strings.Repeat("n", 256): {}}, nil},
	} {
		if err := BuildLayer(name, c.options, Source{FS: c.source}); err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%+v: %v", c.options, err)
		}
	}
	err := BuildLayer(name, BuildOptions{}, Source{FS: fstest.MapFS{"a": {}}}, Source{FS: fstest.MapFS{"a/b": {}}})
	if err == nil {
		t.Error("a file became a directory")
	}
	if left, _ := os.ReadDir(filepath.Dir(name)); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// Whatever is changed or cut is found: in the index at once, in contents when
// they are read.
func TestDamagedArchives(t *testing.T) {
	good, err := os.ReadFile(build(t, BuildOptions{}, Source{FS: sampleFS}))
	if err != nil {
		t.Fatal(err)
	}
	index := int(binary.LittleEndian.Uint64(good[16:]))
	name := filepath.Join(t.TempDir(), "damaged")
	for _, at := range []int{0, 8, 12, 16, 24, 40, headerSize, headerSize + 9, index - 1, index, index + 70, len(good) - 1} {
		bad := bytes.Clone(good)
		bad[at] ^= 0x40
		if err := os.WriteFile(name, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := OpenLayer(name)
		if at < headerSize || at >= index {
			if !errors.Is(err, ErrArchive) {
				t.Errorf("byte %d: %v", at, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("byte %d: %v", at, err)
		}
		tree, damaged := New(Options{Base: l}), 0
		if err := tree.Walk("/", func(name string, info Info) error {
			if info.Kind == Directory {
				return nil
			}
			_, err := tree.Read(name)
			if err == nil {
				return nil
			}
			damaged++
			check(t, err, EIO)
			check(t, tree.Write(name, Append, nil), EIO)
			check(t, tree.Truncate(name, 1), EIO)
			check(t, tree.Copy(name, "/tmp/copy", false), EIO)
			if _, code := tree.ReadAt(info.Ino, make([]byte, 1), 0); code != EIO {
				t.Errorf("read: %q", code)
			}
			if code := tree.WriteAt(info.Ino, []byte{1}, 0); code != EIO {
				t.Errorf("write: %q", code)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if damaged == 0 {
			t.Errorf("byte %d: nothing was found", at)
		}
		if err := l.Verify(); !errors.Is(err, ErrArchive) {
			t.Errorf("byte %d: %v", at, err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, length := range []int{0, 1, headerSize - 1, headerSize, index, len(good) - 1} {
		if err := os.WriteFile(name, good[:length], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenLayer(name); !errors.Is(err, ErrArchive) {
			t.Errorf("%d bytes: %v", length, err)
		}
	}
}

// seal makes an archive of contents and an index, with what sums it needs.
func sealed(contents, index []byte) []byte {
	le := binary.LittleEndian
	b := append([]byte(archiveMagic), 1, 0, 0, 0, 0, 0, 0, 0)
	b = le.AppendUint64(b, uint64(headerSize+len(contents)))
	b = le.AppendUint64(b, uint64(len(index)))
	sum := sha256.Sum256(index)
	return append(append(append(b, sum[:]...), contents...), index...)
}

// FuzzArchive opens any index: what it takes is a tree that ends.
func FuzzArchive(f *testing.F) {
	good, err := os.ReadFile(build(f, BuildOptions{}, Source{FS: fstest.MapFS{"a": {Data: []byte("abc")}, "b/c": {Data: []byte("d")}, "e": {Mode: fs.ModeDir}}}))
	if err != nil {
		f.Fatal(err)
	}
	index := binary.LittleEndian.Uint64(good[16:])
	f.Add(good[headerSize:index], good[index:])
	f.Add([]byte{}, []byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, contents, index []byte) {
		l, err := decodeArchive(sealed(contents, index))
		if err != nil {
			if !errors.Is(err, ErrArchive) {
				t.Error(err)
			}
			return
		}
		seen := 0
		tree := New(Options{Base: l, ReadOnly: true})
		if err := tree.Walk("/", func(name string, info Info) error {
			seen++
			if info.Kind == File {
				if content, err := tree.Read(name); err == nil && int64(len(content)) != info.Size || err != nil && !errors.Is(err, EIO) {
					t.Error(err)
				}
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
		if depth := tree.limits.Depth; seen-tree.Usage().Inodes != len(l.nodes) && len(l.nodes) <= depth {
			t.Errorf("%d of %d inodes can be reached", seen, len(l.nodes))
		}
		Stack(Mount{At: "/usr", Layer: l, ReadOnly: true})
	})
}

func TestStack(t *testing.T) {
	library := open(t, build(t, BuildOptions{}, Source{FS: sampleFS}))
	stack := func() *Layer {
		return Stack(Mount{"/usr/local/lib/python", library, true}, Mount{"/usr/local/lib/own", open(t, build(t, BuildOptions{}, Source{FS: fstest.MapFS{"x.py": {Data: []byte("x")}}})), true})
	}
	l := stack()
	if l.Digest() != stack().Digest() {
		t.Error("equal stacks have different digests")
	}
	if l.Digest() == Stack(Mount{"/usr/local/lib/python", library, true}).Digest() {
		t.Error("different stacks have equal digests")
	}
	tree := New(Options{Base: l})
	if tree.own != nil {
		t.Error("a fresh tree is more than a pointer")
	}
	for name, want := range map[string]string{"/usr/local/lib/python/os.py": "import sys", "/usr/local/lib/own/x.py": "x"} {
		if got, err := tree.Read(name); err != nil || string(got) != want {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
	before := list(t, tree)
	lib := "/usr/local/lib/python/"
	for what, err := range map[string]error{
		"write":            tree.Write(lib+"os.py", Truncate, nil),
		"create":           tree.Write(lib+"new.py", Truncate, nil),
		"create above":     tree.Write("/usr/local/new", Truncate, nil),
		"truncate":         tree.Truncate(lib+"os.py", 1),
		"remove":           tree.Remove(lib+"os.py", 0),
		"remove all":       tree.Remove("/usr", Recursive),
		"rename":           tree.Rename(lib+"os.py", "/tmp/os.py"),
		"rename above":     tree.Rename("/usr", "/tmp/usr"),
		"rename over":      tree.Rename("/tmp", lib+"empty"),
		"copy":             tree.Copy("/usr/local/lib/own/x.py", lib+"os.py", false),
		"mount":            tree.MountFile(lib+"os.py", nil),
		"mkdir":            func() error { _, err := tree.Mkdir(lib+"x", false); return err }(),
		"write by inode":   tree.WriteAt(inoOf(t, tree, lib+"os.py"), []byte("x"), 0),
		"resize by inode":  tree.SetSize(inoOf(t, tree, lib+"os.py"), 0),
		"touch by inode":   tree.SetTimes(inoOf(t, tree, lib+"os.py"), time.Now(), time.Now()),
		"link out":         tree.LinkAt(Root, lib+"os.py", false, Root, "tmp/os.py"),
		"link in":          tree.SymlinkAt("x", Root, lib+"link"),
		"open to truncate": func() error { _, _, c := tree.OpenAt(Root, lib+"os.py", OpenTruncate); return c }(),
	} {
		if !errors.Is(err, EROFS) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if d := cmp.Diff(before, list(t, tree)); d != "" || tree.own != nil || tree.Usage() != (Usage{}) {
		t.Errorf("something changed: %s", d)
	}
	if info, err := tree.Stat(lib); err != nil || !info.ReadOnly {
		t.Errorf("%+v %v", info, err)
	}
	// What is copied from there is the tree's own.
	check(t, tree.Copy(lib+"os.py", "/workspace/os.py", false), "")
	check(t, tree.Write("/workspace/os.py", Append, []byte("!")), "")
	if got, _ := tree.Read("/workspace/os.py"); string(got) != "import sys!" {
		t.Errorf("%q", got)
	}
}

// A layer that may be changed lies below one that may not.
func TestMixedStack(t *testing.T) {
	library := open(t, build(t, BuildOptions{}, Source{FS: fstest.MapFS{"x.py": {Data: []byte("x")}, "d/y.py": {Data: []byte("y")}}}))
	l := Stack(Mount{"/usr/lib", library, true}, Mount{"/usr/lib/var", library, false}, Mount{"/usr/lib/var/fixed", library, true})
	tree := New(Options{Base: l})
	check(t, tree.Write("/usr/lib/var/d/y.py", Append, []byte("+")), "")
	check(t, tree.Write("/usr/lib/var/d/z.py", Append, []byte("z")), "")
	check(t, tree.Write("/usr/lib/d/z.py", Append, nil), EROFS)
	check(t, tree.Write("/usr/lib/var/fixed/z.py", Append, nil), EROFS)
	check(t, tree.Remove("/usr/lib/var/d/y.py", 0), "")
	check(t, tree.Remove("/usr/lib/var/x.py", 0), EROFS) // the way to what is locked is locked
	check(t, tree.Write("/usr/lib/var/x.py", Append, []byte("+")), "")
	again := decoded(t, tree)
	if got, err := again.Read("/usr/lib/var/x.py"); err != nil || string(got) != "x+" {
		t.Errorf("%q %v", got, err)
	}
	check(t, tree.Remove("/usr/lib/var", Recursive), EROFS)
}

// Trees over one layer are used at the same time, while its contents are
// verified and its digest is taken.
func TestLayersAreShared(t *testing.T) {
	name := build(t, BuildOptions{}, Source{FS: sampleFS})
	for range 20 {
		l := open(t, name)
		stack := Stack(Mount{"/usr", l, true})
		var wait sync.WaitGroup
		for range 4 {
			wait.Go(func() {
				tree := New(Options{Base: stack})
				if got, err := tree.Read("/usr/a/b/c/d/deep.bin"); err != nil || len(got) != 20000 {
					t.Errorf("%d %v", len(got), err)
				}
				check(t, tree.Write("/tmp/x", Truncate, []byte("x")), "")
				if _, err := Decode(tree.AppendState(nil), Options{Base: stack}); err != nil {
					t.Error(err)
				}
				if err := l.Verify(); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
	}
}

func inoOf(t testing.TB, tree *Tree, name string) Ino {
	t.Helper()
	info, err := tree.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return info.Ino
}

func BenchmarkNewOverStack(b *testing.B) {
	l := Stack(Mount{"/usr/local/lib/python", open(b, build(b, BuildOptions{}, Source{FS: sampleFS})), true})
	b.ReportAllocs()
	for b.Loop() {
		New(Options{Base: l})
	}
}
