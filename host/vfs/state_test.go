package vfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"testing"
	"testing/fstest"
	"time"
)

// sampleState is a tree with one of everything, and its options.
func sampleState(t testing.TB) (*Tree, Options) {
	t.Helper()
	layer := open(t, build(t, BuildOptions{}, Source{FS: fstest.MapFS{"lib/a.py": {Data: []byte("a")}, "lib/b.py": {Data: []byte("b")}, "lib/sub/c.py": {Data: []byte("c")}}}))
	options := Options{Base: Stack(Mount{"/usr", layer, true}, Mount{"/", layer, false}), Now: stepClock()}
	tree := New(options)
	check(t, tree.Write("/workspace/own", Truncate, []byte("own")), "")
	check(t, tree.Write("/lib/a.py", Append, []byte("+")), "")
	check(t, tree.Rename("/lib/sub", "/tmp/moved"), "")
	check(t, tree.LinkAt(Root, "/lib/b.py", false, Root, "/tmp/link").err(), "")
	check(t, tree.SymlinkAt("/usr/lib", Root, "/tmp/symlink").err(), "")
	check(t, tree.SetTimes(inoOf(t, tree, "/lib/b.py"), time.Unix(1, 0), time.Unix(2, 0)).err(), "")
	for _, name := range []string{"/tmp/orphan", "/workspace/own"} {
		_, _, code := tree.OpenAt(Root, name, OpenCreate)
		check(t, code.err(), "")
	}
	_, _, code := tree.OpenAt(Root, "/usr/lib/a.py", 0)
	check(t, code.err(), "")
	check(t, tree.Remove("/tmp/orphan", 0), "")
	return tree, options
}

func TestState(t *testing.T) {
	tree, options := sampleState(t)
	got := decoded(t, tree)
	for name, want := range map[string]string{
		"own": "own", "/lib/a.py": "a+", "/lib/b.py": "b", "/tmp/link": "b", "/tmp/moved/c.py": "c", "/tmp/symlink/a.py": "a",
	} {
		if content, err := got.Read(name); err != nil || string(content) != want {
			t.Errorf("%s: %q %v", name, content, err)
		}
	}
	if info, err := got.Stat("/lib/b.py"); err != nil || info.Links != 2 || info.Mtime.Unix() != 2 {
		t.Errorf("%+v %v", info, err)
	}
	if got.Usage() != tree.Usage() {
		t.Errorf("usage %v, want %v", got.Usage(), tree.Usage())
	}
	// What was decoded is changed without touching the state.
	state := tree.AppendState(nil)
	before := bytes.Clone(state)
	other, err := Decode(state, options)
	if err != nil {
		t.Fatal(err)
	}
	check(t, other.Write("own", Append, []byte("!")), "")
	check(t, other.Truncate("own", 1), "")
	if !bytes.Equal(state, before) {
		t.Error("the state changed")
	}

	foreign := options
	foreign.Base = nil
	if _, err := Decode(state, foreign); !errors.Is(err, ErrForeign) {
		t.Errorf("another layer: %v", err)
	}
	tight := options
	tight.Limits.Bytes = 4
	if _, err := Decode(state, tight); !errors.Is(err, ENOSPC) {
		t.Errorf("too many bytes: %v", err)
	}
	tight.Limits = Limits{Inodes: 2}
	if _, err := Decode(state, tight); !errors.Is(err, ENOSPC) {
		t.Errorf("too many names: %v", err)
	}
	for i := range state {
		bad := bytes.Clone(state)
		bad[i] ^= 0x10
		if _, err := Decode(bad, options); !errors.Is(err, ErrState) {
			t.Errorf("byte %d changed: %v", i, err)
		}
		if _, err := Decode(state[:i], options); !errors.Is(err, ErrState) {
			t.Errorf("cut to %d bytes: %v", i, err)
		}
	}
}

// withSum is a state of a body that anyone may have written.
func withSum(body []byte) []byte {
	b := append([]byte(stateMagic), body...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// FuzzState decodes any state: what is taken is a tree that can be used, and
// that is encoded as the same.
func FuzzState(f *testing.F) {
	sample, options := sampleState(f)
	strip := func(state []byte) []byte { return state[len(stateMagic)+4+32 : len(state)-4] }
	f.Add(strip(sample.AppendState(nil)))
	f.Add(strip(New(options).AppendState(nil)))
	digest := options.Base.Digest()
	f.Fuzz(func(t *testing.T, body []byte) {
		body = append(append([]byte{stateVersion, 0, 0, 0}, digest[:]...), body...)
		tree, err := Decode(withSum(body), options)
		if err != nil {
			if !errors.Is(err, ErrState) && !errors.Is(err, ENOSPC) {
				t.Error(err)
			}
			return
		}
		if !bytes.Equal(tree.AppendState(nil), withSum(body)) {
			t.Error("encoded as another one")
		}
		use(tree)
		if u := tree.Usage(); u.Bytes < 0 || u.Inodes < 0 {
			t.Errorf("usage %v", u)
		}
		decoded(t, tree)
	})
}

// Each number of a state may be anything, with the right checksum.
func TestHostileStates(t *testing.T) {
	sample, options := sampleState(t)
	state := sample.AppendState(nil)
	body, taken := state[len(stateMagic):len(state)-4], 0
	try := func(body []byte) {
		tree, err := Decode(withSum(body), options)
		if err != nil {
			return
		}
		taken++
		decoded(t, tree)
		use(tree)
	}
	for i := range body {
		for _, mask := range []byte{1, 2, 3, 4, 0x80, 0xff} {
			bad := bytes.Clone(body)
			bad[i] ^= mask
			try(bad)
		}
		for _, other := range []int{4, 8, 16} { // numbers of others
			if i+other+8 <= len(body) {
				bad := bytes.Clone(body)
				copy(bad[i:i+8], body[i+other:])
				try(bad)
			}
		}
	}
	if taken == 0 {
		t.Error("nothing was taken: times and modes may be any")
	}
}

// use does a bit of everything.
func use(tree *Tree) {
	var held []Ino
	tree.Handles(func(ino Ino, kind Kind, _ uint32) {
		held = append(held, ino)
		if kind == Directory {
			tree.List(ino, 0, func(Entry, uint64) bool { return true })
			tree.MkdirAt(ino, "new")
			tree.StatAt(ino, "../..", true)
		} else {
			tree.WriteAt(ino, []byte("written"), 2)
		}
	})
	var names []string
	_ = tree.Walk("/", func(name string, info Info) error {
		tree.StatAt(Root, name, true)
		names = append(names, name)
		return nil
	})
	for i, name := range names {
		switch i % 5 {
		case 0:
			_ = tree.Write(name, Append, []byte("more"))
		case 1:
			_ = tree.Rename(name, "/workspace/x")
		case 2:
			_ = tree.Remove(name, Recursive)
		case 3:
			_ = tree.LinkAt(Root, name, true, Root, "/tmp/linked")
		}
	}
	tree.Freeze()
	_ = tree.Remove("/tmp", Recursive)
	for _, ino := range held {
		tree.Release(ino)
	}
}

func BenchmarkDecode(b *testing.B) {
	tree := New(Options{})
	for i := range 100 {
		_ = tree.Write("/tmp/"+string(rune('A'+i)), Truncate, make([]byte, 10_000))
	}
	state := tree.AppendState(nil)
	b.SetBytes(int64(len(state)))
	for b.Loop() {
		if _, err := Decode(state, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
