package vfs

import (
	"errors"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// model is a file system as a map from clean absolute paths: directories end in
// a slash. It answers with what POSIX says, in the plainest way.
type model map[string]string

func (m model) isFile(p string) bool { _, ok := m[p]; return ok && p != "/" }
func (m model) isDir(p string) bool {
	_, ok := m[strings.TrimRight(p, "/")+"/"]
	return ok
}
func (m model) below(p string) (names []string) {
	for name := range m {
		if strings.HasPrefix(name, p+"/") && name != p+"/" {
			names = append(names, name)
		}
	}
	return names
}

// parent says what the way to a path gives.
func (m model) parent(p string) Code {
	dir := path.Dir(p)
	if m.isDir(dir) {
		return ""
	}
	for ; dir != "/"; dir = path.Dir(dir) {
		if m.isFile(dir) {
			return ENOTDIR
		}
	}
	return ENOENT
}

func (m model) read(p string) (string, Code) {
	switch {
	case m.isDir(p):
		return "", EISDIR
	case m.isFile(p):
		return m[p], ""
	case m.parent(p) != "":
		return "", m.parent(p)
	}
	return "", ENOENT
}

func (m model) write(p string, mode WriteMode, content string) Code {
	switch {
	case mode == Exclusive && (m.isDir(p) || m.isFile(p)):
		return EEXIST
	case m.isDir(p):
		return EISDIR
	case m.parent(p) != "":
		return m.parent(p)
	}
	if mode == Append {
		content = m[p] + content
	}
	m[p] = content
	return ""
}

func (m model) mkdir(p string) Code {
	switch {
	case m.isDir(p) || m.isFile(p):
		return EEXIST
	case m.parent(p) != "":
		return m.parent(p)
	}
	m[p+"/"] = ""
	return ""
}

func (m model) remove(p string, flags RemoveFlags) Code {
	there := m.isDir(p) || m.isFile(p)
	switch {
	case m.parent(p) != "" && !(m.parent(p) == ENOENT && flags&Force != 0):
		return m.parent(p)
	case !there && flags&Force != 0:
		return ""
	case !there:
		return ENOENT
	case m.isDir(p) && flags&OnlyFile != 0:
		return EISDIR
	case m.isFile(p) && flags&OnlyEmpty != 0:
		return ENOTDIR
	case m.isDir(p) && flags&OnlyEmpty != 0 && len(m.below(p)) > 0:
		return ENOTEMPTY
	case m.isDir(p) && flags&(OnlyEmpty|Recursive) == 0:
		return EISDIR
	}
	for _, name := range m.below(p) {
		delete(m, name)
	}
	delete(m, p)
	delete(m, p+"/")
	return ""
}

func (m model) rename(a, b string) Code {
	switch {
	case m.parent(a) != "":
		return m.parent(a)
	case !m.isDir(a) && !m.isFile(a):
		return ENOENT
	case m.parent(b) != "":
		return m.parent(b)
	case m.isDir(a) && strings.HasPrefix(b, a+"/"):
		return EINVAL
	case a == b:
		return ""
	case m.isDir(a) && m.isFile(b):
		return ENOTDIR
	case m.isFile(a) && m.isDir(b):
		return EISDIR
	case m.isDir(b) && len(m.below(b)) > 0:
		return ENOTEMPTY
	}
	delete(m, b)
	delete(m, b+"/")
	if m.isFile(a) {
		m[b] = m[a]
		delete(m, a)
		return ""
	}
	moved := map[string]string{b + "/": ""}
	for _, name := range m.below(a) {
		moved[b+strings.TrimPrefix(name, a)] = m[name]
		delete(m, name)
	}
	delete(m, a+"/")
	for name, content := range moved {
		m[name] = content
	}
	return ""
}

func (m model) copy(a, b string, exclusive bool) Code {
	content, code := m.read(a)
	switch {
	case code != "":
		return code
	case exclusive && (m.isDir(b) || m.isFile(b)):
		return EEXIST
	case m.isDir(b):
		return EISDIR
	case m.parent(b) != "":
		return m.parent(b)
	}
	m[b] = content
	return ""
}

func (m model) bytes() (n int64) {
	for _, content := range m {
		n += int64(len(content))
	}
	return n
}

func codeOf(err error) Code {
	var typed *Error
	if errors.As(err, &typed) {
		return typed.Code
	}
	return ""
}

// Any sequence of operations leaves the tree as it leaves the model, with the
// same errors, on an empty layer and when the tree was frozen or forked midway.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree := New(Options{})
		m := model{"/": "", "/tmp/": "", "/artifacts/": "", "/workspace/": ""}
		layered := false
		names := rapid.SampledFrom([]string{"a", "b", "c"})
		paths := rapid.Custom(func(t *rapid.T) string {
			return "/tmp/" + strings.Join(rapid.SliceOfN(names, 1, 4).Draw(t, "names"), "/")
		})
		contents := rapid.StringN(0, 12, 12)
		same := func(err error, want Code) {
			if got := codeOf(err); got != want {
				t.Fatalf("got %q (%v), want %q", got, err, want)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				got := map[string]string{}
				if err := tree.Walk("/", func(name string, info Info) error {
					if info.Kind == Directory {
						got[strings.TrimRight(name, "/")+"/"] = ""
						return nil
					}
					content, err := tree.Read(name)
					got[name] = string(content)
					return err
				}); err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(map[string]string(m), got); d != "" {
					t.Fatal(d)
				}
				if got := tree.Usage(); !layered && (got.Bytes != m.bytes() || got.Inodes != len(m)-4) {
					t.Fatalf("usage %v, want %d bytes and %d inodes", got, m.bytes(), len(m)-4)
				}
			},
			"read": func(t *rapid.T) {
				p := paths.Draw(t, "path")
				got, err := tree.Read(p)
				want, code := m.read(p)
				same(err, code)
				if string(got) != want {
					t.Fatalf("got %q, want %q", got, want)
				}
			},
			"write": func(t *rapid.T) {
				p, mode, content := paths.Draw(t, "path"), WriteMode(rapid.IntRange(0, 2).Draw(t, "mode")), contents.Draw(t, "content")
				same(tree.Write(p, mode, []byte(content)), m.write(p, mode, content))
			},
			"mkdir": func(t *rapid.T) {
				p := paths.Draw(t, "path")
				_, err := tree.Mkdir(p, false)
				same(err, m.mkdir(p))
			},
			"remove": func(t *rapid.T) {
				p, flags := paths.Draw(t, "path"), RemoveFlags(rapid.SampledFrom([]int{0, 1, 2, 3, 4, 8}).Draw(t, "flags"))
				same(tree.Remove(p, flags), m.remove(p, flags))
			},
			"rename": func(t *rapid.T) {
				a, b := paths.Draw(t, "from"), paths.Draw(t, "to")
				same(tree.Rename(a, b), m.rename(a, b))
			},
			"copy": func(t *rapid.T) {
				a, b, exclusive := paths.Draw(t, "from"), paths.Draw(t, "to"), rapid.Bool().Draw(t, "exclusive")
				same(tree.Copy(a, b, exclusive), m.copy(a, b, exclusive))
			},
			"truncate": func(t *rapid.T) {
				p, size := paths.Draw(t, "path"), rapid.IntRange(0, 20).Draw(t, "size")
				content, code := m.read(p)
				same(tree.Truncate(p, int64(size)), code)
				if code == "" {
					m[p] = (content + strings.Repeat("\x00", size))[:size]
				}
			},
			"freeze": func(t *rapid.T) {
				tree, layered = New(Options{Base: tree.Freeze()}), true
			},
			"fork": func(t *rapid.T) {
				old := tree
				tree = tree.Fork()
				_ = old.Remove("/tmp", Recursive)
				_ = old.Write("/tmp", Truncate, []byte("gone"))
			},
			"decode": func(t *rapid.T) { tree = decoded(t, tree) },
		})
		if err := tree.Remove("/tmp", Recursive); err != nil {
			t.Fatal(err)
		}
		if got := tree.Usage(); got != (Usage{}) {
			t.Fatalf("usage %v after everything was removed", got)
		}
	})
}
