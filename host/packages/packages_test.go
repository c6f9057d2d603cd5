package packages

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"mayfly/host/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A file is one of a wheel that a test makes.
type file struct {
	name, content string
	mode          os.FileMode
}

// wheel makes a wheel that requires others.
func wheel(t testing.TB, name, version string, requires []string, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	metadata := "Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + "\n"
	for _, r := range requires {
		if _, extra, ok := strings.Cut(r, "extra == "); ok {
			metadata += "Provides-Extra: " + strings.Trim(extra, "'") + "\n"
		}
		metadata += "Requires-Dist: " + r + "\n"
	}
	info := strings.ReplaceAll(name, "-", "_") + "-" + version + ".dist-info/"
	files = append(files, file{name: info + "METADATA", content: metadata}, file{name: info + "RECORD"})
	if !slices.ContainsFunc(files, func(f file) bool { return f.name == info+"WHEEL" }) {
		files = append(files, file{name: info + "WHEEL", content: "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"})
	}
	for _, f := range files {
		header := &zip.FileHeader{Name: f.name, Method: zip.Deflate}
		header.SetMode(0o644 | f.mode)
		w, err := z.CreateHeader(header)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(f.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// index is a folder that pip finds packages in.
type index string

func newIndex(t testing.TB) index { return index(t.TempDir()) }

func (i index) add(t testing.TB, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(string(i), name), content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// store is one that has this index alone.
func (i index) store(t testing.TB, adjust func(*Config)) *Store {
	t.Helper()
	config := Config{
		Folder: t.TempDir(), Version: "3.15", Provided: map[string]string{"numpy": "2.5.2", "six": "1.17.0"},
		Options: []string{"--no-index", "--find-links", string(i)},
	}
	if adjust != nil {
		adjust(&config)
	}
	s, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// names are the files of a layer but those about packages.
func names(t testing.TB, layer *vfs.Layer) (list []string) {
	t.Helper()
	tree := vfs.New(vfs.Options{Base: vfs.Stack(vfs.Mount{At: MountPoint, Layer: layer, ReadOnly: true})})
	if err := tree.Walk(MountPoint, func(name string, info vfs.Info) error {
		if info.Kind == vfs.File && !strings.Contains(name, ".dist-info/") {
			list = append(list, strings.TrimPrefix(name, MountPoint+"/"))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return list
}

func layer(t testing.TB, s *Store, requirements ...string) *vfs.Layer {
	t.Helper()
	l, err := s.Layer(context.Background(), "t", requirements, nil)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// refused is a request's fault with these words in it.
func refused(t testing.TB, s *Store, index int, words string, requirements ...string) {
	t.Helper()
	_, err := s.Layer(context.Background(), "t", requirements, nil)
	var fault *RequestError
	if !errors.As(err, &fault) || fault.Index != index || !strings.Contains(fault.Reason, words) {
		t.Errorf("%q: got %#v, want a fault of %d with %q", requirements, err, index, words)
	}
}

func TestPackagesComeWithWhatTheyNeed(t *testing.T) {
	i := newIndex(t)
	i.add(t, "top-1.0-py3-none-any.whl", wheel(t, "top", "1.0", []string{"low>=2", "numpy>=2", "six", "extra; extra == 'more'"}, file{name: "top/__init__.py", content: "import low"}))
	i.add(t, "low-2.0-py3-none-any.whl", wheel(t, "low", "2.0", nil, file{name: "low.py", content: "two"}, file{name: "low-2.0.data/purelib/beside.py"}))
	i.add(t, "low-3.0-py3-none-any.whl", wheel(t, "low", "3.0", nil, file{name: "low.py", content: "three"}))
	i.add(t, "six-1.99.0-py3-none-any.whl", wheel(t, "six", "1.99.0", nil, file{name: "six.py"}))
	i.add(t, "extra-1.0-py3-none-any.whl", wheel(t, "extra", "1.0", nil, file{name: "extra.py"}))
	s := i.store(t, nil)
	if got := names(t, layer(t, s, "top==1.0")); !slices.Equal(got, []string{"low.py", "top/__init__.py"}) {
		t.Errorf("got %q", got)
	}
	if got := names(t, layer(t, s, "Top[more]==1.0", "low==2.0")); !slices.Equal(got, []string{"beside.py", "extra.py", "low-2.0.data/purelib/beside.py", "low.py", "top/__init__.py"}) {
		t.Errorf("got %q", got)
	}
	if got := names(t, layer(t, s, "six==1.17", "numpy==2.5.2")); len(got) != 0 {
		t.Errorf("got %q for what the guest has", got)
	}
	refused(t, s, 0, "part of the sandbox in version 1.17.0", "six==1.99.0")
}

func TestTheSameSetIsTheSameFiles(t *testing.T) {
	i := newIndex(t)
	i.add(t, "top-1.0-py3-none-any.whl", wheel(t, "top", "1.0", []string{"low"}))
	i.add(t, "low-2.0-py3-none-any.whl", wheel(t, "low", "2.0", nil, file{name: "two.py"}))
	folder := t.TempDir()
	open := func() *Store { return i.store(t, func(c *Config) { c.Folder = folder }) }
	first := layer(t, open(), "top==1.0")

	i.add(t, "low-3.0-py3-none-any.whl", wheel(t, "low", "3.0", nil, file{name: "three.py"}))
	s := open()
	if got := layer(t, s, "top==1.0"); got.Digest() != first.Digest() {
		t.Error("a new version changed a set that was resolved before")
	}
	if again := layer(t, s, "top==1.0"); layer(t, s, "top==1.0") != again {
		t.Error("a layer is not kept open")
	}

	// What is lost of the cache comes again, and nothing else in its place.
	clear := func() {
		t.Helper()
		for _, name := range []string{"wheels", "layers"} {
			if err := os.RemoveAll(filepath.Join(folder, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	clear()
	if got := layer(t, open(), "top==1.0"); got.Digest() != first.Digest() {
		t.Error("the set changed with the cache")
	}
	clear()
	i.add(t, "low-2.0-py3-none-any.whl", wheel(t, "low", "2.0", nil, file{name: "evil.py"}))
	if _, err := open().Layer(context.Background(), "t", []string{"top==1.0"}, nil); !errors.Is(err, ErrDigest) {
		t.Errorf("got %v, want ErrDigest", err)
	}

	// So are damaged files.
	i.add(t, "low-2.0-py3-none-any.whl", wheel(t, "low", "2.0", nil, file{name: "two.py"}))
	layer(t, open(), "top==1.0")
	layers, err := filepath.Glob(filepath.Join(folder, "layers", "*.layer"))
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	if err := os.WriteFile(layers[0], []byte("damaged"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := layer(t, open(), "top==1.0"); got.Digest() != first.Digest() {
		t.Error("a damaged layer was not made again as it was")
	}
}

func TestWhatCannotBeAdded(t *testing.T) {
	i := newIndex(t)
	i.add(t, "fast-1.0-cp312-cp312-manylinux_2_17_x86_64.whl", wheel(t, "fast", "1.0", nil))
	i.add(t, "needs-1.0-py3-none-any.whl", wheel(t, "needs", "1.0", []string{"fast==1.0"}))
	i.add(t, "source-1.0.tar.gz", []byte("never read"))
	i.add(t, "hidden-1.0-py3-none-any.whl", wheel(t, "hidden", "1.0", nil, file{name: "hidden/core.so"}))
	i.add(t, "old-1.0-py3-none-any.whl", wheel(t, "old", "1.0", []string{"six<1"}))
	i.add(t, "crowd-1.0-py3-none-any.whl", wheel(t, "crowd", "1.0", []string{"needs-nothing"}))
	i.add(t, "needs_nothing-1.0-py3-none-any.whl", wheel(t, "needs-nothing", "1.0", []string{"needs-less"}))
	i.add(t, "needs_less-1.0-py3-none-any.whl", wheel(t, "needs-less", "1.0", nil))
	i.add(t, "junk-1.0-py3-none-any.whl", []byte("no zip"))
	s := i.store(t, func(c *Config) { c.Packages = 2 })
	for _, c := range []struct {
		requirement string
		index       int
		words       string
	}{
		{"fast==1.0", 0, "fast==1.0 needs native code"},
		{"needs==1.0", -1, "fast==1.0 needs native code"},
		{"source==1.0", 0, "source alone"},
		{"nothing==1.0", 0, "there is no package nothing==1.0"},
		{"hidden==1.0", -1, "needs native code"},
		{"old==1.0", -1, "exclude each other"},
		{"crowd==1.0", -1, "the limit is 2"},
	} {
		refused(t, s, c.index, c.words, c.requirement)
	}
	// What pip itself finds broken is no fault of the request's words.
	if _, err := s.Layer(context.Background(), "t", []string{"junk==1.0"}, nil); err == nil {
		t.Error("junk was taken")
	}
	work, err := os.ReadDir(filepath.Join(s.config.Folder, "work"))
	if err != nil || len(work) != 0 {
		t.Errorf("%d folders were left, %v", len(work), err)
	}
}

func TestWheelsAreInspected(t *testing.T) {
	many := make([]file, 300)
	for n := range many {
		many[n].name = fmt.Sprintf("f%d.py", n)
	}
	s := newIndex(t).store(t, func(c *Config) { c.Bytes, c.Files = 2<<20, 200 })
	for name, c := range map[string]struct {
		want  string // empty: it is good
		files []file
	}{
		"good":     {"", []file{{name: "a/b.py"}, {name: "a/"}, {name: "..a"}}},
		"native":   {"needs native code", []file{{name: "a/core.SO"}}},
		"platform": {"needs native code", []file{{name: "x-1.0.dist-info/WHEEL", content: "Wheel-Version: 1.0\nRoot-Is-Purelib: false\n"}}},
		"no WHEEL": {"needs native code", []file{{name: "x-1.0.dist-info/WHEEL"}}},
		"up":       {`"../../slip.py"`, []file{{name: "../../slip.py"}}},
		"inner up": {`"a/../b.py"`, []file{{name: "a/../b.py"}}},
		"absolute": {`"/etc/x"`, []file{{name: "/etc/x"}}},
		"windows":  {`"..\\x"`, []file{{name: "..\\x"}}},
		"no name":  {`""`, []file{{name: ""}}},
		"link":     {"something else than files", []file{{name: "link", content: "/etc/passwd", mode: os.ModeSymlink}}},
		"device":   {"something else than files", []file{{name: "zero", mode: os.ModeDevice}}},
		"twice":    {"twice", []file{{name: "a.py"}, {name: "a.py"}}},
		"bomb":     {"more than 200 files, or more than 2097152 bytes", []file{{name: "a.bin", content: strings.Repeat("\x00", 3<<20)}}},
		"many":     {"more than 200 files", many},
	} {
		path := filepath.Join(t.TempDir(), "x-1.0-py3-none-any.whl")
		if err := os.WriteFile(path, wheel(t, "x", "1.0", nil, c.files...), 0o644); err != nil {
			t.Fatal(err)
		}
		err := s.inspect(path, filepath.Base(path))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func FuzzInspect(f *testing.F) {
	f.Add(wheel(f, "x", "1.0", nil, file{name: "x.py", content: "x"}))
	f.Add([]byte("PK\x05\x06"))
	f.Fuzz(func(t *testing.T, content []byte) {
		s, err := New(Config{Folder: t.TempDir(), Version: "3.15", Bytes: 1 << 20, Files: 100})
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "x-1.0-py3-none-any.whl")
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		if s.inspect(path, filepath.Base(path)) != nil {
			return
		}
		// What passes can be unpacked, or is refused then, within its limits.
		if err := os.MkdirAll(filepath.Join(s.config.Folder, "wheels"), 0o755); err != nil {
			t.Fatal(err)
		}
		w, err := s.keep(path, filepath.Base(path))
		if err != nil {
			t.Fatal(err)
		}
		_ = s.unpack(&lock{Wheels: []locked{w}}, filepath.Join(s.config.Folder, "x.layer"))
	})
}

func TestRequirements(t *testing.T) {
	s := newIndex(t).store(t, nil)
	for _, text := range []string{
		"", "six", "six>=1", "six==1.*", "six == 1", "six==1; python_version>'3'", "six==1 --hash=sha256:00", "-r x", "--index-url=x",
		"git+https://example.com/x", "https://example.com/x.whl", "six @ https://example.com/x", "six==1\nother==2", "../x==1", "x/../y==1",
		"a" + strings.Repeat("b", 200) + "==1", "six==", "==1", "six==1==2", "six===1", "$HOME==1", "six==`id`", "six[a==1",
	} {
		refused(t, s, 0, "is not a package with its version", text)
	}
	refused(t, s, 0, "is not the name of a wheel", "./setup.py")
	refused(t, s, 0, "needs native code", "./x-1.0-cp315-cp315-linux_x86_64.whl")
	refused(t, s, 0, "can't be replaced", "./six-9.0-py3-none-any.whl")
	refused(t, s, 1, "asked for already (packages[0])", "a_b==1.0", "A.B==1.0")
	many := make([]string, maxRequirements+1)
	for i := range many {
		many[i] = fmt.Sprintf("p%d==1", i)
	}
	refused(t, s, -1, "at most 32", many...)
	for _, good := range []string{"a==1", "A-b.C_d==1.0.post1", "x==1!2.0rc1", "x[y,z]==2024.1.1+local.7", "./sub/x-1.0-py2.py3-none-any.whl"} {
		if err := s.Check([]string{good}); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
}

func TestWheelsOfTheRequest(t *testing.T) {
	i := newIndex(t)
	i.add(t, "low-2.0-py3-none-any.whl", wheel(t, "low", "2.0", nil, file{name: "low.py"}))
	s := i.store(t, nil)
	own := wheel(t, "own", "1.0", []string{"low"}, file{name: "own.py", content: "mine"})
	read := func(path string) ([]byte, error) {
		if path != "./lib/own-1.0-py3-none-any.whl" {
			return nil, os.ErrNotExist
		}
		return own, nil
	}
	ask := func(path string) (*vfs.Layer, error) {
		return s.Layer(context.Background(), "t", []string{path}, read)
	}
	first, err := ask("./lib/own-1.0-py3-none-any.whl")
	if err != nil {
		t.Fatal(err)
	}
	if got := names(t, first); !slices.Equal(got, []string{"low.py", "own.py"}) {
		t.Errorf("got %q", got)
	}
	var fault *RequestError
	if _, err := ask("./none-1.0-py3-none-any.whl"); !errors.As(err, &fault) || !strings.Contains(fault.Reason, "is not among files") {
		t.Errorf("got %v", err)
	}
	own = wheel(t, "own", "1.0", []string{"low"}, file{name: "own.py", content: "changed"})
	second, err := ask("./lib/own-1.0-py3-none-any.whl")
	if err != nil {
		t.Fatal(err)
	}
	if first.Digest() == second.Digest() {
		t.Error("another wheel of the same name is taken for the first")
	}
	if err := os.RemoveAll(filepath.Join(s.config.Folder, "wheels")); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(s.config.Folder, "layers")); err != nil {
		t.Fatal(err)
	}
	again, err := i.store(t, func(c *Config) { c.Folder = s.config.Folder }).Layer(context.Background(), "t", []string{"./lib/own-1.0-py3-none-any.whl"}, read)
	if err != nil || again.Digest() != second.Digest() {
		t.Errorf("after the cache was lost: %v", err)
	}
}

// fakePip is a program in place of pip.
func fakePip(t testing.TB, script string) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pip")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return []string{path}
}

func TestPipIsBounded(t *testing.T) {
	i := newIndex(t)
	s := i.store(t, func(c *Config) { c.Pip, c.Timeout = fakePip(t, "exec sleep 60"), 300*time.Millisecond })
	refused(t, s, -1, "took longer than 300ms", "a==1")

	s = i.store(t, func(c *Config) {
		c.Pip, c.Bytes = fakePip(t, "head -c 5000000 /dev/zero > large; exec sleep 60"), 1<<20
	})
	refused(t, s, -1, "larger than 1048576 bytes", "a==1")

	s = i.store(t, func(c *Config) { c.Pip = fakePip(t, "exec sleep 60") })
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if _, err := s.Layer(ctx, "t", []string{"a==1"}, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}

	s = i.store(t, func(c *Config) { c.Pip = fakePip(t, "echo 'Could not connect' >&2; exit 1") })
	_, err := s.Layer(context.Background(), "t", []string{"a==1"}, nil)
	var fault *RequestError
	if err == nil || errors.As(err, &fault) || !strings.Contains(err.Error(), "Could not connect") {
		t.Errorf("got %v, want a failure that is not the request's", err)
	}
}

func TestRequestsWaitInTurn(t *testing.T) {
	i := newIndex(t)
	for n := range 6 {
		name := fmt.Sprintf("p%d", n)
		i.add(t, name+"-1.0-py3-none-any.whl", wheel(t, name, "1.0", nil, file{name: name + ".py"}))
	}
	gate := filepath.Join(t.TempDir(), "gate")
	pip := fakePip(t, `
while [ ! -e `+gate+` ]; do sleep 0.02; done
if [ -e `+gate+`.running ]; then echo two at a time >&2; exit 1; fi
touch `+gate+`.running
python3 -m pip "$@"; code=$?
rm `+gate+`.running
exit $code
`)
	s := i.store(t, func(c *Config) { c.Pip, c.Waiting, c.Tenant = pip, 4, 2 })
	var running sync.WaitGroup
	start := func(tenant, requirement string) {
		running.Go(func() {
			if _, err := s.Layer(context.Background(), tenant, []string{requirement}, nil); err != nil {
				t.Errorf("%s: %v", requirement, err)
			}
		})
	}
	waiting := func(n int) {
		t.Helper()
		deadline := time.Now().Add(20 * time.Second)
		for {
			s.mu.Lock()
			total := s.total
			s.mu.Unlock()
			if total == n {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d wait, want %d", total, n)
			}
			time.Sleep(time.Millisecond)
		}
	}
	busy := func(tenant string) {
		t.Helper()
		if _, err := s.Layer(context.Background(), tenant, []string{"p5==1.0"}, nil); !errors.Is(err, ErrBusy) {
			t.Errorf("%s: got %v, want ErrBusy", tenant, err)
		}
	}
	start("a", "p0==1.0")
	waiting(1)
	start("a", "p1==1.0")
	waiting(2)
	busy("a")
	start("b", "p1==1.0") // the same: it is fetched once
	start("c", "p2==1.0")
	waiting(4)
	busy("d")
	if err := os.WriteFile(gate, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	running.Wait()
	waiting(0)
	layer(t, s, "p5==1.0")
}

func FuzzRequirement(f *testing.F) {
	for _, text := range []string{"a==1", "a[b]==1.0", "./a-1.0-py3-none-any.whl", "a==1\n--index-url=x", "a == 1"} {
		f.Add(text)
	}
	s, err := New(Config{Folder: f.TempDir(), Version: "3.15"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		set, err := s.parse([]string{text}, func(string) ([]byte, error) { return nil, nil })
		if err != nil {
			return
		}
		for _, p := range set.pins {
			if line := p.String(); strings.ContainsAny(line, " \t\n\r;@/\\#$`'\"") || strings.HasPrefix(line, "-") {
				t.Errorf("%q became %q, which means more to pip", text, line)
			}
		}
		for _, w := range set.wheels {
			if strings.ContainsAny(w.Name, "/\\ \n") {
				t.Errorf("%q became the file %q", text, w.Name)
			}
		}
	})
}

// A set's key depends on what is asked for and not on its order.
func TestKeys(t *testing.T) {
	s, err := New(Config{Folder: t.TempDir(), Version: "3.15"})
	if err != nil {
		t.Fatal(err)
	}
	other, err := New(Config{Folder: t.TempDir(), Version: "3.15", Provided: map[string]string{"z": "1"}})
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z]{1,8}`), 1, 8, rapid.ID).Draw(t, "names")
		for i := range list {
			list[i] += "x==1.0"
		}
		first, err := s.parse(list, nil)
		if err != nil {
			t.Fatal(err)
		}
		second, err := s.parse(rapid.Permutation(list).Draw(t, "order"), nil)
		if err != nil || second.key != first.key {
			t.Fatalf("the order matters: %v", err)
		}
		if o, err := other.parse(list, nil); err != nil || o.key == first.key {
			t.Fatalf("what the guest has does not matter: %v", err)
		}
		if less, err := s.parse(list[1:], nil); err != nil || less.key == first.key {
			t.Fatalf("what is asked for does not matter: %v", err)
		}
	})
}
