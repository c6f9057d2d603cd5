package vfs

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// failer is what both kinds of tests have.
type failer interface{ Fatalf(string, ...any) }

// decoded is what becomes of a tree that is encoded and decoded.
func decoded(t failer, tree *Tree) *Tree {
	state := tree.AppendState(nil)
	got, err := Decode(state, Options{Base: tree.base, Limits: tree.limits, Now: tree.now})
	if err != nil {
		t.Fatalf("decode: %v", err)
	}
	if again := got.AppendState(nil); !bytes.Equal(again, state) {
		t.Fatalf("a decoded tree is another one")
	}
	if got.Usage() != tree.Usage() {
		t.Fatalf("usage %v, want %v", got.Usage(), tree.Usage())
	}
	return got
}

// An inode of the model: what all its names and handles share.
type modelFile struct {
	content string
	links   int
	handles int
}

// Files that are open, linked and removed in any order are as POSIX has them,
// on a layer and without one, when the tree is forked, and when it is encoded
// and decoded.
func TestHandlesModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := New(Options{})
		names := map[string]*modelFile{}
		for i, name := range []string{"/tmp/a", "/tmp/b", "/workspace/c"} {
			content := strings.Repeat("x", i*3)
			_ = base.MountFile(name, []byte(content))
			names[name] = &modelFile{content: content, links: 1}
		}
		if rapid.Bool().Draw(t, "linked") {
			_ = base.LinkAt(Root, "tmp/b", false, Root, "tmp/d")
			names["/tmp/d"] = names["/tmp/b"]
			names["/tmp/d"].links++
		}
		tree := New(Options{Base: base.Freeze()})
		type handle struct {
			ino  Ino
			file *modelFile
		}
		var open []handle
		paths := rapid.SampledFrom([]string{"/tmp/a", "/tmp/b", "/tmp/d", "/workspace/c", "/workspace/e"})
		content := rapid.StringN(0, 12, 12)
		same := func(got, want Code) {
			if got != want {
				t.Fatalf("got %q, want %q", got, want)
			}
		}
		unlink := func(name string) {
			if f := names[name]; f != nil {
				f.links--
				delete(names, name)
			}
		}
		pick := func(t *rapid.T) (int, handle) {
			if len(open) == 0 {
				t.Skip("nothing is open")
			}
			i := rapid.IntRange(0, len(open)-1).Draw(t, "handle")
			return i, open[i]
		}
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				got := map[string]string{}
				_ = tree.Walk("/", func(name string, info Info) error {
					if info.Kind == Directory {
						return nil
					}
					content, err := tree.Read(name)
					if f := names[name]; err != nil || f == nil || f.links != int(info.Links) {
						t.Fatalf("%s: %v, %+v, want %+v", name, err, info, f)
					}
					got[name] = string(content)
					return nil
				})
				if len(got) != len(names) {
					t.Fatalf("files %v, want %v", got, names)
				}
				for name, f := range names {
					if got[name] != f.content {
						t.Fatalf("%s is %q, want %q", name, got[name], f.content)
					}
				}
				for _, h := range open {
					content, code := tree.Contents(h.ino)
					info := tree.InfoOf(h.ino)
					if code != "" || string(content) != h.file.content || int(info.Links) != h.file.links || info.Size != int64(len(content)) {
						t.Fatalf("handle of %d: %q %q %+v, want %+v", h.ino, content, code, info, h.file)
					}
				}
			},
			"open": func(t *rapid.T) {
				name, flags := paths.Draw(t, "path"), OpenFlags(rapid.SampledFrom([]int{0, 1, 5, 8, 9}).Draw(t, "flags"))
				ino, kind, code := tree.OpenAt(Root, name, flags)
				f := names[name]
				switch {
				case f == nil && flags&OpenCreate == 0:
					same(code, ENOENT)
					return
				case f != nil && flags&OpenExclusive != 0:
					same(code, EEXIST)
					return
				case f == nil:
					f = &modelFile{links: 1}
					names[name] = f
				case flags&OpenTruncate != 0:
					f.content = ""
				}
				same(code, "")
				if kind != File {
					t.Fatalf("kind %d", kind)
				}
				f.handles++
				open = append(open, handle{ino, f})
			},
			"close": func(t *rapid.T) {
				i, h := pick(t)
				tree.Release(h.ino)
				h.file.handles--
				open = slices.Delete(open, i, i+1)
			},
			"write": func(t *rapid.T) {
				_, h := pick(t)
				at, b := rapid.IntRange(0, 20).Draw(t, "at"), content.Draw(t, "content")
				same(tree.WriteAt(h.ino, []byte(b), int64(at)), "")
				if b != "" {
					old := h.file.content
					if len(old) < at {
						old += strings.Repeat("\x00", at-len(old))
					}
					h.file.content = old[:at] + b
					if len(old) > at+len(b) {
						h.file.content += old[at+len(b):]
					}
				}
			},
			"read": func(t *rapid.T) {
				_, h := pick(t)
				at, p := rapid.IntRange(0, 20).Draw(t, "at"), make([]byte, rapid.IntRange(0, 10).Draw(t, "n"))
				n, code := tree.ReadAt(h.ino, p, int64(at))
				same(code, "")
				want := h.file.content[min(at, len(h.file.content)):]
				if want = want[:min(len(want), len(p))]; string(p[:n]) != want {
					t.Fatalf("read %q, want %q", p[:n], want)
				}
			},
			"resize": func(t *rapid.T) {
				_, h := pick(t)
				size := rapid.IntRange(0, 20).Draw(t, "size")
				same(tree.SetSize(h.ino, int64(size)), "")
				h.file.content = (h.file.content + strings.Repeat("\x00", 20))[:size]
			},
			"touch": func(t *rapid.T) {
				_, h := pick(t)
				at := time.Unix(rapid.Int64Range(0, 1<<32).Draw(t, "time"), 0)
				same(tree.SetTimes(h.ino, at, time.Time{}), "")
				if got := tree.InfoOf(h.ino).Atime; got.Unix() != at.Unix() {
					t.Fatalf("%v, want %v", got, at)
				}
			},
			"remove": func(t *rapid.T) {
				name := paths.Draw(t, "path")
				code := tree.RemoveAt(Root, name, OnlyFile)
				if names[name] == nil {
					same(code, ENOENT)
				} else {
					same(code, "")
				}
				unlink(name)
			},
			"remove all": func(t *rapid.T) {
				code := tree.RemoveAt(Root, "/workspace", Recursive)
				if code == "" {
					same(tree.MkdirAt(Root, "/workspace"), "")
				}
				unlink("/workspace/c")
				unlink("/workspace/e")
			},
			"rename": func(t *rapid.T) {
				from, to := paths.Draw(t, "from"), paths.Draw(t, "to")
				code := tree.RenameAt(Root, from, Root, to)
				if names[from] == nil {
					same(code, ENOENT)
					return
				}
				same(code, "")
				if names[from] != names[to] {
					unlink(to)
					names[to] = names[from]
					delete(names, from)
				}
			},
			"link": func(t *rapid.T) {
				from, to := paths.Draw(t, "from"), paths.Draw(t, "to")
				code := tree.LinkAt(Root, from, false, Root, to)
				switch {
				case names[from] == nil:
					same(code, ENOENT)
				case names[to] != nil:
					same(code, EEXIST)
				default:
					same(code, "")
					names[to] = names[from]
					names[to].links++
				}
			},
			"fork": func(t *rapid.T) {
				old := tree
				tree = tree.Fork()
				for _, h := range open {
					_ = old.WriteAt(h.ino, []byte("of the other side"), 3)
					old.Release(h.ino)
				}
				_ = old.RemoveAt(Root, "/tmp", Recursive)
			},
			"decode": func(t *rapid.T) { tree = decoded(t, tree) },
		})
		for _, h := range open {
			tree.Release(h.ino)
		}
		for name := range names {
			same(tree.RemoveAt(Root, name, 0), "")
		}
		if got := tree.Usage(); got.Bytes != 0 || got.Inodes > 1 || len(tree.held) != 0 {
			t.Fatalf("usage %v and %d handles after everything was removed", got, len(tree.held))
		}
	})
}

func TestHeldInodesCount(t *testing.T) {
	tree := New(Options{Limits: Limits{Bytes: 100, Inodes: 2}})
	ino, _, code := tree.OpenAt(Root, "/tmp/f", OpenCreate)
	check(t, code.err(), "")
	check(t, tree.WriteAt(ino, make([]byte, 100), 0).err(), "")
	check(t, tree.RemoveAt(Root, "/tmp/f", OnlyFile).err(), "")
	if got, want := tree.Usage(), (Usage{100, 1}); got != want {
		t.Errorf("usage %v, want %v", got, want)
	}
	check(t, tree.Write("/tmp/g", Truncate, []byte("x")), ENOSPC)
	check(t, tree.WriteAt(ino, []byte("x"), 100).err(), ENOSPC)
	check(t, tree.WriteAt(ino, []byte("x"), 1<<62).err(), ENOSPC)
	check(t, tree.LinkAt(Root, "/tmp/f", false, Root, "/tmp/g").err(), ENOENT)
	tree.Release(ino)
	if got := tree.Usage(); got != (Usage{}) {
		t.Errorf("usage %v", got)
	}
	// Each further name of a file counts.
	check(t, tree.Write("/tmp/f", Truncate, nil), "")
	check(t, tree.LinkAt(Root, "/tmp/f", false, Root, "/tmp/g").err(), "")
	check(t, tree.LinkAt(Root, "/tmp/f", false, Root, "/tmp/h").err(), ENOSPC)
	check(t, tree.RenameAt(Root, "/tmp/f", Root, "/tmp/h").err(), "")
}

// err is the code as an error, nil if it is empty.
func (c Code) err() error {
	if c == "" {
		return nil
	}
	return &Error{Code: c}
}

func TestRemovedDirectories(t *testing.T) {
	tree := New(Options{})
	check(t, tree.MountFile("/tmp/d/sub/f", []byte("f")), "")
	d, kind, _ := tree.OpenAt(Root, "/tmp/d", OpenDirectory)
	sub, _, _ := tree.OpenAt(d, "sub", OpenDirectory)
	if kind != Directory {
		t.Fatal("no directory")
	}
	if info, code := tree.StatAt(sub, "../sub/./f", true); code != "" || info.Size != 1 {
		t.Errorf("%+v %q", info, code)
	}
	check(t, tree.RemoveAt(Root, "/tmp/d", Recursive).err(), "")
	for _, dir := range []Ino{d, sub} {
		if info := tree.InfoOf(dir); info.Links != 0 || info.Kind != Directory || tree.Parent(dir) != dir {
			t.Errorf("%+v", info)
		}
		for what, code := range map[string]Code{
			"mkdir":   tree.MkdirAt(dir, "x"),
			"symlink": tree.SymlinkAt("x", dir, "y"),
			"rename":  tree.RenameAt(Root, "/workspace", dir, "x"),
			"above":   func() Code { _, c := tree.StatAt(dir, "..", true); return c }(),
			"create":  func() Code { _, _, c := tree.OpenAt(dir, "f", OpenCreate); return c }(),
			"child":   func() Code { _, c := tree.StatAt(dir, "sub", true); return c }(),
		} {
			if code != ENOENT {
				t.Errorf("%s: %q", what, code)
			}
		}
		if _, code := tree.StatAt(dir, ".", true); code != "" {
			t.Error(code)
		}
		check(t, tree.List(dir, 0, func(Entry, uint64) bool { t.Error("an entry"); return true }).err(), "")
	}
	decoded(t, tree)
	tree.Release(d)
	tree.Release(sub)
	if got := tree.Usage(); got != (Usage{}) {
		t.Errorf("usage %v", got)
	}
}

func TestSymlinks(t *testing.T) {
	tree := New(Options{Limits: Limits{Path: 200}})
	check(t, tree.MountFile("/tmp/d/f", []byte("content")), "")
	for name, target := range map[string]string{
		"/tmp/relative": "d/f", "/tmp/absolute": "/tmp/d", "/tmp/up": "../../..//tmp/d/../d/f", "/tmp/chain": "relative", "/tmp/dangling": "/tmp/made",
		"/tmp/loop": "loop", "/tmp/d/self": ".", "/tmp/file": "d/f/", "/tmp/long": strings.Repeat("./", 90) + "d",
	} {
		check(t, tree.SymlinkAt(target, Root, name).err(), "")
		if got, code := tree.ReadlinkAt(Root, name); code != "" || got != target {
			t.Errorf("%s: %q %q", name, got, code)
		}
	}
	read := func(name string) string { b, err := tree.Read(name); return string(b) + string(codeOf(err)) }
	for name, want := range map[string]string{
		"/tmp/relative": "content", "/tmp/absolute/f": "content", "/tmp/up": "content", "/tmp/chain": "content", "/tmp/dangling": "ENOENT",
		"/tmp/loop": "ELOOP", "/tmp/loop/x": "ELOOP", "/tmp/d/self/self/self/f": "content", "/tmp/relative/x": "ENOTDIR", "/tmp/relative/": "ENOTDIR", "/tmp/file": "ENOTDIR",
		"/tmp/absolute/../d/f": "content", "/tmp/absolute/../../d": "ENOENT", "/tmp/long/f": "content", "/tmp/absolute": "EISDIR", "/tmp/long/" + strings.Repeat("./", 40) + "f": "ENAMETOOLONG",
		"/tmp/d" + strings.Repeat("/self", 30) + "/f": "content",
	} {
		if got := read(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	self := func(n int) string { return "d" + strings.Repeat("/self", n) + "/f" }
	wide := New(Options{})
	check(t, wide.MountFile("/tmp/d/f", nil), "")
	check(t, wide.SymlinkAt(".", Root, "/tmp/d/self").err(), "")
	if _, err := wide.Stat("/tmp/" + self(40)); err != nil {
		t.Errorf("40 links: %v", err)
	}
	_, err := wide.Stat("/tmp/" + self(41))
	check(t, err, ELOOP)

	// The link itself.
	if info, code := tree.StatAt(Root, "tmp/absolute", false); code != "" || info.Kind != Symlink || info.Size != 6 {
		t.Errorf("%+v %q", info, code)
	}
	if info, code := tree.StatAt(Root, "tmp/absolute/", false); code != "" || info.Kind != Directory {
		t.Errorf("%+v %q", info, code)
	}
	for what, c := range map[string]struct{ got, want Code }{
		"open without following": {third(tree.OpenAt(Root, "/tmp/chain", 0)), ELOOP},
		"directory that is none": {third(tree.OpenAt(Root, "/tmp/chain", OpenDirectory)), ENOTDIR},
		"exclusive":              {third(tree.OpenAt(Root, "/tmp/dangling", OpenCreate|OpenExclusive|OpenFollow)), EEXIST},
		"create at its target":   {third(tree.OpenAt(Root, "/tmp/dangling", OpenCreate|OpenFollow)), ""},
		"mkdir over":             {tree.MkdirAt(Root, "/tmp/loop"), EEXIST},
		"empty target":           {tree.SymlinkAt("", Root, "/tmp/x"), ENOENT},
		"long target":            {tree.SymlinkAt(strings.Repeat("x", 201), Root, "/tmp/x"), ENAMETOOLONG},
		"NUL":                    {tree.SymlinkAt("x\x00", Root, "/tmp/x"), EINVAL},
		"over":                   {tree.SymlinkAt("x", Root, "/tmp/loop"), EEXIST},
		"readlink of a file":     {second(tree.ReadlinkAt(Root, "/tmp/d/f")), EINVAL},
		"link of a directory":    {tree.LinkAt(Root, "/tmp/absolute", true, Root, "/tmp/x"), EPERM},
		"link of a link":         {tree.LinkAt(Root, "/tmp/absolute", false, Root, "/tmp/hard"), ""},
		"rmdir":                  {tree.RemoveAt(Root, "/tmp/absolute", OnlyEmpty), ENOTDIR},
		"rename":                 {tree.RenameAt(Root, "/tmp/absolute", Root, "/tmp/relative"), ""},
		"unlink":                 {tree.RemoveAt(Root, "/tmp/hard", OnlyFile), ""},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", what, c.got, c.want)
		}
	}
	if _, err := tree.Stat("/tmp/made"); err != nil {
		t.Error(err)
	}
	if got := read("/tmp/d/f"); got != "content" {
		t.Errorf("removing links changed what they lead to: %q", got)
	}
	var kinds []Kind
	entries, _ := tree.ReadDir("/tmp/d")
	for _, e := range entries {
		kinds = append(kinds, e.Kind)
	}
	if !slices.Equal(kinds, []Kind{File, Symlink}) {
		t.Errorf("kinds %v", kinds)
	}
	decoded(t, tree)
	if frozen := New(Options{Base: tree.Freeze()}); frozen.node(inoOf(t, frozen, "/tmp/d/f")).kind != File {
		t.Error("a frozen tree lost its file")
	}
}

func third[A, B, C any](_ A, _ B, c C) C { return c }
func second[A, B any](_ A, b B) B        { return b }

// What is in a directory all the while is listed once, whatever comes and goes.
func TestListingsAreStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := New(Options{})
		stay := map[string]bool{}
		for i := range rapid.IntRange(0, 20).Draw(t, "layer") {
			name := fmt.Sprint("layer", i)
			_ = base.MountFile("/tmp/"+name, nil)
			stay[name] = true
		}
		tree := New(Options{Base: base.Freeze()})
		for i := range rapid.IntRange(0, 20).Draw(t, "own") {
			name := fmt.Sprint("own", i)
			_ = tree.MountFile("/tmp/"+name, nil)
			stay[name] = true
		}
		dir, seen, position := inoOf2(tree, "/tmp"), map[string]int{}, uint64(0)
		for steps := 0; ; steps++ {
			more, room := false, rapid.IntRange(1, 5).Draw(t, "room")
			if code := tree.List(dir, position, func(e Entry, next uint64) bool {
				seen[e.Name]++
				position, room = next, room-1
				more = room == 0
				return room > 0
			}); code != "" {
				t.Fatalf("%q", code)
			}
			if !more || steps > 200 {
				break
			}
			name := rapid.SampledFrom(slices.Sorted(maps.Keys(stay))).Draw(t, "name")
			switch rapid.IntRange(0, 3).Draw(t, "change") {
			case 0:
				_ = tree.Remove("/tmp/"+name, 0)
				delete(stay, name)
			case 1:
				_ = tree.Write(fmt.Sprint("/tmp/new", steps), Truncate, nil)
			case 2:
				_ = tree.Rename("/tmp/"+name, fmt.Sprint("/tmp/renamed", steps))
				delete(stay, name)
			}
			if len(stay) == 0 {
				return
			}
		}
		for name := range stay {
			if seen[name] != 1 {
				t.Fatalf("%s was listed %d times", name, seen[name])
			}
		}
	})
}

func inoOf2(tree *Tree, name string) Ino {
	info, _ := tree.Stat(name)
	return info.Ino
}

func TestHotPathsDoNotAllocate(t *testing.T) {
	base := New(Options{})
	for i := range 50 {
		check(t, base.MountFile(fmt.Sprintf("/lib/python/pkg/m%d.py", i), []byte("x = 1")), "")
	}
	tree := New(Options{Base: Stack(Mount{"/usr", base.Freeze(), true})})
	check(t, tree.Write("/tmp/log", Truncate, make([]byte, 4096)), "")
	log, _, _ := tree.OpenAt(Root, "tmp/log", 0)
	dir, _, _ := tree.OpenAt(Root, "usr/lib/python/pkg", OpenDirectory)
	buffer := make([]byte, 100)
	for what, f := range map[string]func(){
		"stat":    func() { tree.StatAt(Root, "usr/lib/python/pkg/m7.py", true) },
		"missing": func() { tree.StatAt(Root, "usr/lib/python/pkg/none.py", true) },
		"open":    func() { ino, _, _ := tree.OpenAt(Root, "usr/lib/python/pkg/m7.py", 0); tree.Release(ino) },
		"read":    func() { tree.ReadAt(log, buffer, 50) },
		"write":   func() { tree.WriteAt(log, buffer, 50) },
		"list":    func() { tree.List(dir, 0, func(e Entry, _ uint64) bool { buffer[0] = e.Name[0]; return true }) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
}

func BenchmarkStatInLayer(b *testing.B) {
	base := New(Options{})
	for i := range 300 {
		_ = base.MountFile(fmt.Sprintf("/json/m%d.py", i), nil)
	}
	tree := New(Options{Base: Stack(Mount{"/usr/local/lib/python315.zip", base.Freeze(), true})})
	b.ReportAllocs()
	for b.Loop() {
		tree.StatAt(Root, "usr/local/lib/python315.zip/json/m77.py", true)
	}
}

func BenchmarkWriteSequentially(b *testing.B) {
	part := make([]byte, 64<<10)
	b.SetBytes(32 << 20)
	b.ReportAllocs()
	for b.Loop() {
		tree := New(Options{})
		ino, _, _ := tree.OpenAt(Root, "tmp/f", OpenCreate)
		for at := int64(0); at < 32<<20; at += int64(len(part)) {
			if code := tree.WriteAt(ino, part, at); code != "" {
				b.Fatal(code)
			}
		}
	}
}
