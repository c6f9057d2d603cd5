package vfs

import (
	"bytes"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func stepClock() func() time.Time {
	now := time.Unix(1_700_000_000, 0)
	return func() time.Time { now = now.Add(time.Second); return now }
}

// list gives every path with its content, directories ending in a slash.
func list(t testing.TB, tree *Tree) map[string]string {
	t.Helper()
	all := map[string]string{}
	if err := tree.Walk("/", func(name string, info Info) error {
		if info.Kind == Directory {
			all[strings.TrimRight(name, "/")+"/"] = ""
			return nil
		}
		content, err := tree.Read(name)
		all[name] = string(content)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

func check(t testing.TB, err error, want Code) {
	t.Helper()
	t.Helper()
	if want == "" {
		if err != nil {
			t.Errorf("unexpected error: %v", err)
		}
		return
	}
	var typed *Error
	if !errors.Is(err, want) || !errors.As(err, &typed) || typed.Code != want {
		t.Errorf("got error %v, want %s", err, want)
	}
}

func TestStandardDirectories(t *testing.T) {
	for _, tree := range []*Tree{New(Options{}), New(Options{Base: &Layer{nodes: []node{{kind: Directory, links: 1, parent: rootIno}}}})} {
		want := map[string]string{"/": "", "/tmp/": "", "/artifacts/": "", "/workspace/": ""}
		if d := cmp.Diff(want, list(t, tree)); d != "" {
			t.Error(d)
		}
	}
	other := New(Options{Cwd: "/home/user"})
	check(t, other.Write("x", Truncate, []byte("1")), "")
	if _, err := other.Stat("/home/user/x"); err != nil {
		t.Error(err)
	}
}

func TestErrors(t *testing.T) {
	long := strings.Repeat("n", 256)
	cases := map[string]struct {
		do   func(*Tree) error
		want Code
	}{
		"read nothing":                 {func(f *Tree) error { _, err := f.Read("none"); return err }, ENOENT},
		"read the empty path":          {func(f *Tree) error { _, err := f.Read(""); return err }, ENOENT},
		"read a directory":             {func(f *Tree) error { _, err := f.Read("d"); return err }, EISDIR},
		"read a file as directory":     {func(f *Tree) error { _, err := f.Read("file/"); return err }, ENOTDIR},
		"read below a file":            {func(f *Tree) error { _, err := f.Read("file/x"); return err }, ENOTDIR},
		"dot dot of a file":            {func(f *Tree) error { _, err := f.Read("file/../file"); return err }, ENOTDIR},
		"dot dot of nothing":           {func(f *Tree) error { _, err := f.Read("none/../file"); return err }, ENOENT},
		"NUL":                          {func(f *Tree) error { _, err := f.Read("file\x00.txt"); return err }, EINVAL},
		"long name":                    {func(f *Tree) error { return f.Write(long, Truncate, nil) }, ENAMETOOLONG},
		"long path":                    {func(f *Tree) error { _, err := f.Read(strings.Repeat("/.", 3000)); return err }, ENAMETOOLONG},
		"deep path":                    {func(f *Tree) error { _, err := f.Mkdir(strings.Repeat("a/", 200), true); return err }, ENAMETOOLONG},
		"write over a directory":       {func(f *Tree) error { return f.Write("d", Truncate, nil) }, EISDIR},
		"write to the root":            {func(f *Tree) error { return f.Write("/", Truncate, nil) }, EISDIR},
		"write a new directory":        {func(f *Tree) error { return f.Write("new/", Truncate, nil) }, EISDIR},
		"write into nothing":           {func(f *Tree) error { return f.Write("none/x", Truncate, nil) }, ENOENT},
		"write exclusively":            {func(f *Tree) error { return f.Write("file", Exclusive, nil) }, EEXIST},
		"write in an unknown mode":     {func(f *Tree) error { return f.Write("file", 3, nil) }, EINVAL},
		"list a file":                  {func(f *Tree) error { _, err := f.ReadDir("file"); return err }, ENOTDIR},
		"list nothing":                 {func(f *Tree) error { _, err := f.ReadDir("none"); return err }, ENOENT},
		"stat nothing":                 {func(f *Tree) error { _, err := f.Stat("none"); return err }, ENOENT},
		"mkdir twice":                  {func(f *Tree) error { _, err := f.Mkdir("d", false); return err }, EEXIST},
		"mkdir over a file":            {func(f *Tree) error { _, err := f.Mkdir("file", true); return err }, EEXIST},
		"mkdir through a file":         {func(f *Tree) error { _, err := f.Mkdir("file/x/y", true); return err }, ENOTDIR},
		"mkdir in nothing":             {func(f *Tree) error { _, err := f.Mkdir("none/x", false); return err }, ENOENT},
		"mkdir of the root":            {func(f *Tree) error { _, err := f.Mkdir("/", false); return err }, EEXIST},
		"remove nothing":               {func(f *Tree) error { return f.Remove("none", 0) }, ENOENT},
		"remove a directory":           {func(f *Tree) error { return f.Remove("d", 0) }, EISDIR},
		"unlink a directory":           {func(f *Tree) error { return f.Remove("d", OnlyFile) }, EISDIR},
		"rmdir a file":                 {func(f *Tree) error { return f.Remove("file", OnlyEmpty) }, ENOTDIR},
		"rmdir a full directory":       {func(f *Tree) error { return f.Remove("d", OnlyEmpty) }, ENOTEMPTY},
		"rmdir dot":                    {func(f *Tree) error { return f.Remove("d/.", OnlyEmpty) }, EINVAL},
		"remove the root":              {func(f *Tree) error { return f.Remove("/", Recursive|Force) }, EBUSY},
		"remove with unknown flags":    {func(f *Tree) error { return f.Remove("file", 16) }, EINVAL},
		"rename nothing":               {func(f *Tree) error { return f.Rename("none", "x") }, ENOENT},
		"rename into nothing":          {func(f *Tree) error { return f.Rename("file", "none/x") }, ENOENT},
		"rename into itself":           {func(f *Tree) error { return f.Rename("d", "d/sub/x") }, EINVAL},
		"rename onto its child":        {func(f *Tree) error { return f.Rename("d", "d/sub") }, EINVAL},
		"rename onto its parent":       {func(f *Tree) error { return f.Rename("d/sub", "d") }, ENOTEMPTY},
		"rename the root":              {func(f *Tree) error { return f.Rename("/", "x") }, EBUSY},
		"rename onto the root":         {func(f *Tree) error { return f.Rename("d", "/") }, EBUSY},
		"rename dot":                   {func(f *Tree) error { return f.Rename("d/.", "x") }, EBUSY},
		"rename a file over directory": {func(f *Tree) error { return f.Rename("file", "d") }, EISDIR},
		"rename a directory over file": {func(f *Tree) error { return f.Rename("d", "file") }, ENOTDIR},
		"rename over a full directory": {func(f *Tree) error { return f.Rename("empty", "d") }, ENOTEMPTY},
		"rename a file to a directory": {func(f *Tree) error { return f.Rename("file", "new/") }, ENOTDIR},
		"copy a directory":             {func(f *Tree) error { return f.Copy("d", "x", false) }, EISDIR},
		"copy over a directory":        {func(f *Tree) error { return f.Copy("file", "d", false) }, EISDIR},
		"copy exclusively":             {func(f *Tree) error { return f.Copy("file", "d/inner", true) }, EEXIST},
		"truncate a directory":         {func(f *Tree) error { return f.Truncate("d", 0) }, EISDIR},
		"truncate below zero":          {func(f *Tree) error { return f.Truncate("file", -1) }, EINVAL},
		"truncate beyond the limit":    {func(f *Tree) error { return f.Truncate("file", 1<<62) }, ENOSPC},
		"mount over a directory":       {func(f *Tree) error { return f.MountFile("d", nil) }, EISDIR},
		"mount through a file":         {func(f *Tree) error { return f.MountFile("file/x", nil) }, ENOTDIR},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			tree := New(Options{})
			check(t, tree.MountFile("file", []byte("file")), "")
			check(t, tree.MountFile("d/inner", []byte("inner")), "")
			check(t, tree.MountFile("d/sub/inner", []byte("inner")), "")
			_, err := tree.Mkdir("empty", false)
			check(t, err, "")
			before, usage := list(t, tree), tree.Usage()
			if c.want == ENAMETOOLONG {
				before = nil // mkdir may have made what is allowed
			}
			check(t, c.do(tree), c.want)
			if before == nil {
				return
			}
			if d := cmp.Diff(before, list(t, tree)); d != "" || tree.Usage() != usage {
				t.Errorf("a failed operation changed the tree: %s %v %v", d, usage, tree.Usage())
			}
		})
	}
}

func TestErrorText(t *testing.T) {
	err := New(Options{}).Rename("/none", "/x")
	if got, want := err.Error(), "ENOENT: no such file or directory, rename '/none' -> '/x'"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) {
		t.Error("the error does not answer to io/fs")
	}
}

func TestMkdirSaysWhatItMade(t *testing.T) {
	tree := New(Options{})
	for _, c := range []struct{ path, first string }{
		{"a/b//c/", "/workspace/a"}, {"a/b/d", "/workspace/a/b/d"}, {"a/b", ""}, {"/", ""}, {"/a/../z/./y", "/a"}, {"x/../w", "/workspace/x"},
	} {
		first, err := tree.Mkdir(c.path, true)
		if err != nil || first != c.first {
			t.Errorf("%s: got %q, %v, want %q", c.path, first, err, c.first)
		}
	}
	for _, dir := range []string{"/a", "/z/y", "/workspace/x", "/workspace/w"} {
		if info, err := tree.Stat(dir); err != nil || info.Kind != Directory {
			t.Errorf("%s: %v %v", dir, info, err)
		}
	}
}

func TestContentIsNotAliased(t *testing.T) {
	tree := New(Options{})
	buffer, name := []byte("first"), []byte("name")
	check(t, tree.Write(string(name), Truncate, buffer), "")
	copy(buffer, "XXXXX")
	got, _ := tree.Read("name")
	if string(got) != "first" {
		t.Errorf("the tree kept the caller's buffer: %q", got)
	}
	mounted := []byte("mounted")
	check(t, tree.MountFile("m", mounted), "")
	check(t, tree.Copy("m", "copy", false), "")
	check(t, tree.Write("m", Append, []byte("!")), "")
	check(t, tree.Write("copy", Truncate, []byte("else")), "")
	if string(mounted) != "mounted" {
		t.Errorf("a mounted buffer was changed: %q", mounted)
	}
	// Cutting and growing a shared file must not write into what it shares.
	check(t, tree.MountFile("n", mounted), "")
	check(t, tree.Truncate("n", 3), "")
	check(t, tree.Write("n", Append, []byte("....")), "")
	if string(mounted) != "mounted" {
		t.Errorf("a mounted buffer was changed: %q", mounted)
	}
}

func TestTruncateFillsWithZeros(t *testing.T) {
	tree := New(Options{})
	check(t, tree.Write("f", Truncate, []byte("abcdef")), "")
	check(t, tree.Truncate("f", 2), "")
	check(t, tree.Truncate("f", 5), "")
	if got, _ := tree.Read("f"); !bytes.Equal(got, []byte("ab\x00\x00\x00")) {
		t.Errorf("got %q", got)
	}
}

func TestLayersStayAsTheyAre(t *testing.T) {
	first := New(Options{Now: stepClock()})
	check(t, first.MountFile("/lib/a.py", []byte("a")), "")
	check(t, first.MountFile("/lib/deep/b.py", []byte("b")), "")
	layer := first.Freeze()
	pristine := list(t, New(Options{Base: layer}))

	tree := New(Options{Base: layer, Now: stepClock()})
	if tree.Usage() != (Usage{}) {
		t.Errorf("a layer is counted: %v", tree.Usage())
	}
	check(t, tree.Write("/lib/a.py", Append, []byte("+")), "")
	check(t, tree.Rename("/lib/deep", "/moved"), "")
	check(t, tree.Write("/moved/b.py", Truncate, []byte("changed")), "")
	check(t, tree.Write("/moved/c.py", Truncate, nil), "")
	check(t, first.Write("/lib/a.py", Truncate, []byte("later")), "")
	want := map[string]string{
		"/": "", "/tmp/": "", "/artifacts/": "", "/workspace/": "", "/lib/": "", "/lib/a.py": "a+", "/moved/": "", "/moved/b.py": "changed", "/moved/c.py": "",
	}
	if d := cmp.Diff(want, list(t, tree)); d != "" {
		t.Error(d)
	}
	if got, want := tree.Usage(), (Usage{Bytes: 9, Inodes: 1}); got != want {
		t.Errorf("usage %v, want %v", got, want)
	}
	check(t, tree.Remove("/moved", Recursive), "")
	check(t, tree.Remove("/lib", Recursive), "")
	if got := tree.Usage(); got != (Usage{}) {
		t.Errorf("usage %v after everything was removed", got)
	}
	if d := cmp.Diff(pristine, list(t, New(Options{Base: layer}))); d != "" {
		t.Errorf("the layer changed: %s", d)
	}
	if info, err := New(Options{Base: layer}).Stat("/lib/a.py"); err != nil || !info.Layer {
		t.Errorf("%v %v", info, err)
	}
}

func TestMerge(t *testing.T) {
	make := func(files map[string]string) *Layer {
		tree := New(Options{Now: stepClock()})
		for name, content := range files {
			check(t, tree.MountFile(name, []byte(content)), "")
		}
		return tree.Freeze()
	}
	merged := Merge(
		make(map[string]string{"/a/one": "1", "/a/both": "first", "/kind/x": "x", "/flat": "file"}),
		make(map[string]string{"/a/two": "2", "/a/both": "second", "/kind": "now a file", "/flat/y": "y"}),
	)
	want := map[string]string{
		"/": "", "/tmp/": "", "/artifacts/": "", "/workspace/": "", "/a/": "", "/a/one": "1", "/a/two": "2", "/a/both": "second", "/kind": "now a file", "/flat/": "", "/flat/y": "y",
	}
	if d := cmp.Diff(want, list(t, New(Options{Base: merged}))); d != "" {
		t.Error(d)
	}
}

func TestForksAreIndependent(t *testing.T) {
	a := New(Options{})
	check(t, a.Write("f", Truncate, []byte("both")), "")
	_, err := a.Mkdir("d", false)
	check(t, err, "")
	b := a.Fork()
	check(t, a.Write("f", Append, []byte(" a")), "")
	check(t, b.Write("f", Append, []byte(" b")), "")
	check(t, b.Write("d/only", Truncate, nil), "")
	if got, _ := a.Read("f"); string(got) != "both a" {
		t.Errorf("got %q", got)
	}
	if got, _ := b.Read("f"); string(got) != "both b" {
		t.Errorf("got %q", got)
	}
	if entries, _ := a.ReadDir("d"); len(entries) != 0 {
		t.Errorf("a fork's file shows: %v", entries)
	}
}

func TestLimits(t *testing.T) {
	tree := New(Options{Limits: Limits{Bytes: 10, Inodes: 3}})
	check(t, tree.Write("a", Truncate, make([]byte, 10)), "")
	check(t, tree.Write("a", Append, []byte("x")), ENOSPC)
	check(t, tree.Write("b", Truncate, []byte("x")), ENOSPC)
	check(t, tree.Copy("a", "b", false), ENOSPC)
	check(t, tree.MountFile("b", []byte("x")), ENOSPC)
	check(t, tree.Truncate("a", 11), ENOSPC)
	if _, err := tree.Stat("b"); !errors.Is(err, ENOENT) {
		t.Errorf("a refused write left a file: %v", err)
	}
	check(t, tree.Write("a", Truncate, make([]byte, 9)), "")
	check(t, tree.Write("b", Truncate, []byte("x")), "")
	check(t, tree.Write("c", Truncate, nil), "")
	check(t, tree.Write("d", Truncate, nil), ENOSPC)
	_, err := tree.Mkdir("d", false)
	check(t, err, ENOSPC)
	check(t, tree.Rename("c", "d"), "")
	check(t, tree.Remove("d", 0), "")
	check(t, tree.Write("d", Exclusive, nil), "")
}

func TestShrunkFilesGiveTheirMemoryBack(t *testing.T) {
	tree := New(Options{})
	check(t, tree.Write("f", Truncate, make([]byte, 1<<20)), "")
	check(t, tree.Truncate("f", 1), "")
	if data, _ := tree.Read("f"); cap(data) > 2+slack {
		t.Errorf("a file of one byte holds %d", cap(data))
	}
}

func TestReadOnly(t *testing.T) {
	base := New(Options{})
	check(t, base.MountFile("f", []byte("x")), "")
	tree := New(Options{Base: base.Freeze(), ReadOnly: true})
	check(t, tree.Write("f", Truncate, nil), EROFS)
	check(t, tree.Truncate("f", 0), EROFS)
	check(t, tree.Remove("f", Force), EROFS)
	check(t, tree.Rename("f", "g"), EROFS)
	check(t, tree.Copy("f", "g", false), EROFS)
	_, err := tree.Mkdir("g", true)
	check(t, err, EROFS)
	if got, err := tree.Read("f"); err != nil || string(got) != "x" {
		t.Errorf("%q %v", got, err)
	}
}

func TestTimes(t *testing.T) {
	tree := New(Options{Now: stepClock()})
	check(t, tree.Write("f", Truncate, nil), "")
	first, _ := tree.Stat("f")
	check(t, tree.Write("f", Append, []byte("x")), "")
	second, _ := tree.Stat("f")
	if !second.Mtime.After(first.Mtime) || !second.Birth.Equal(first.Birth) {
		t.Errorf("%v, then %v", first, second)
	}
	if root, _ := tree.Stat("/"); root.Mtime.Before(time.Unix(1_700_000_000, 0)) {
		t.Errorf("the root is from %v", root.Mtime)
	}
}

func TestWalkIsSortedAndEnds(t *testing.T) {
	tree := New(Options{Limits: Limits{Depth: 8}})
	for _, name := range []string{"z", "a/b", "a.b", "a/a"} {
		check(t, tree.MountFile(name, nil), "")
	}
	var names []string
	check(t, tree.Walk(".", func(name string, _ Info) error { names = append(names, name); return nil }), "")
	want := []string{"/workspace", "/workspace/a", "/workspace/a/a", "/workspace/a/b", "/workspace/a.b", "/workspace/z"}
	if !slices.Equal(names, want) {
		t.Errorf("got %q", names)
	}
	stop := errors.New("stop")
	if err := tree.Walk("/", func(string, Info) error { return stop }); err != stop {
		t.Errorf("got %v", err)
	}
}

// Directories can be moved into each other until no path reaches the lowest:
// neither Walk nor Remove may go down without end, or build endless names.
func TestTowersOfDirectories(t *testing.T) {
	tree := New(Options{})
	name := strings.Repeat("d", 250)
	for range 3000 {
		_, err := tree.Mkdir("/tmp/new", false)
		check(t, err, "")
		if _, err := tree.Stat("/tmp/" + name); err == nil {
			check(t, tree.Rename("/tmp/"+name, "/tmp/new/"+name), "")
		}
		check(t, tree.Rename("/tmp/new", "/tmp/"+name), "")
	}
	count := 0
	check(t, tree.Walk("/", func(path string, _ Info) error {
		if count++; len(path) > 4096 {
			t.Fatalf("a path of %d bytes", len(path))
		}
		return nil
	}), "")
	if count > 200 {
		t.Errorf("%d steps", count)
	}
	check(t, tree.Remove("/tmp/"+name, Recursive), "")
	if tree.Usage().Inodes != 0 {
		t.Errorf("left: %v", tree.Usage())
	}
}

func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		New(Options{})
	}
}

func BenchmarkWriteReadSmallFile(b *testing.B) {
	b.ReportAllocs()
	content := make([]byte, 100)
	for b.Loop() {
		tree := New(Options{})
		_ = tree.Write("/artifacts/report.svg", Truncate, content)
		_, _ = tree.Read("/artifacts/report.svg")
	}
}

func BenchmarkAppend(b *testing.B) {
	b.ReportAllocs()
	tree, line := New(Options{Limits: Limits{Bytes: 1 << 40}}), []byte("a line of a log file\n")
	i := 0
	for b.Loop() {
		if i++; i%100_000 == 0 {
			_ = tree.Truncate("log", 0)
		}
		_ = tree.Write("log", Append, line)
	}
}

func BenchmarkStatDeepPath(b *testing.B) {
	b.ReportAllocs()
	tree := New(Options{})
	_ = tree.MountFile("/a/b/c/d/e/f/g/h", nil)
	for b.Loop() {
		_, _ = tree.Stat("/a/b/c/d/e/f/g/h")
	}
}
