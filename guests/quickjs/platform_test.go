package quickjs

import (
	"crypto"
	"crypto/rand"
	_ "crypto/sha1" // registers itself, as the others do
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"mayfly/host/op"
	"mayfly/runtime/isolate"
)

// A platform is a host with files, a standard input and a network, all in
// memory: enough to run the bootstrap's own tests.
type platform struct {
	*host
	tree    map[string]*node
	stdin   string
	quota   int // bytes that files may have
	bodies  map[uint32]func() (chunk string, end bool)
	handle  uint32
	upload  map[uint32]*upload
	log     []string
	settled []settlement
}

type node struct {
	dir  bool
	data []byte
}

// An upload is a fetch whose request body is streamed.
type upload struct {
	fetch *fetchRequest
	body  strings.Builder
}

type fetchRequest struct {
	method, url string
	headers     []op.Pair
	redirect    uint8
	kind        uint8
	body        string
}

func newPlatform(t testing.TB, files map[string]string) *platform {
	return &platform{
		host:   &host{t: t, files: files},
		tree:   map[string]*node{"/": {dir: true}, "/home": {dir: true}, "/tmp": {dir: true}},
		stdin:  "line one\nline two\n",
		quota:  1 << 20,
		bodies: map[uint32]func() (string, bool){},
		upload: map[uint32]*upload{},
	}
}

func (p *platform) Call(number uint32, in, out []byte) ([]byte, bool) {
	r := op.NewReader(in)
	w := op.NewWriter(out)
	var code string
	switch op.Op(number) {
	case op.Random:
		random := make([]byte, r.U32())
		rand.Read(random)
		return append(out[:0], random...), true
	case op.CryptoHash: // in one part
		h := crypto.Hash(r.U8()).New()
		r.U8()
		r.Bytes()
		r.Bytes()
		h.Write(r.Rest())
		w.Raw(h.Sum(nil))
	case op.Stdin:
		w.Raw([]byte(p.stdin))
	case op.BodyCancel:
		delete(p.bodies, r.U32())
		p.log = append(p.log, "body_cancel")
	case op.FSRead:
		code = p.read(w, r.Str())
	case op.FSWrite:
		code = p.write(r.Str(), r.U8(), r.Bytes())
	case op.FSReaddir:
		code = p.readdir(w, r.Str())
	case op.FSStat:
		code = p.stat(w, r.Str())
	case op.FSMkdir:
		code = p.mkdir(w, r.Str(), r.U8() != 0)
	case op.FSRm:
		code = p.remove(r.Str(), r.U8())
	case op.FSRename:
		code = p.rename(r.Str(), r.Str())
	case op.FSCopy:
		code = p.copy(r.Str(), r.Str(), r.U8())
	case op.FSTruncate:
		code = p.truncate(r.Str(), int(r.F64()))
	default:
		return p.host.Call(number, in, out)
	}
	if err := r.Done(); err != nil {
		p.t.Errorf("%v: %v", op.Op(number), err)
	}
	if code != "" {
		return op.EncodeError(&op.ErrorRecord{Name: "Error", Code: code, Message: code}), false
	}
	return w.Message(), true
}

// ---- files

func (p *platform) parent(name string) string {
	dir := path.Dir(name)
	for dir != "/" && p.tree[dir] == nil {
		dir = path.Dir(dir)
		if n := p.tree[dir]; n != nil && !n.dir {
			return "ENOTDIR"
		}
	}
	switch n := p.tree[path.Dir(name)]; {
	case n == nil:
		return "ENOENT"
	case !n.dir:
		return "ENOTDIR"
	}
	return ""
}

func (p *platform) lookup(name string) (*node, string) {
	if name == "/" {
		return p.tree[name], ""
	}
	if code := p.parent(name); code != "" {
		return nil, code
	}
	if n := p.tree[name]; n != nil {
		return n, ""
	}
	return nil, "ENOENT"
}

func (p *platform) read(w *op.Writer, name string) string {
	n, code := p.lookup(name)
	if code == "" && n.dir {
		code = "EISDIR"
	}
	if code == "" {
		w.Raw(n.data)
	}
	return code
}

func (p *platform) write(name string, mode uint8, data []byte) string {
	n, code := p.lookup(name)
	switch {
	case code == "ENOENT" && p.parent(name) == "":
		n = &node{}
	case code != "":
		return code
	case n.dir:
		return "EISDIR"
	case mode == 2:
		return "EEXIST"
	}
	size := len(data)
	for _, other := range p.tree {
		if other != n {
			size += len(other.data)
		}
	}
	if size > p.quota {
		return "ENOSPC"
	}
	if mode == 1 {
		n.data = append(n.data, data...)
	} else {
		n.data = slices.Clone(data)
	}
	p.tree[name] = n
	return ""
}

func (p *platform) children(name string) []string {
	var names []string
	for child := range p.tree {
		if child != "/" && path.Dir(child) == name {
			names = append(names, child)
		}
	}
	slices.Sort(names)
	return names
}

func kindOf(n *node) uint8 {
	if n.dir {
		return 2
	}
	return 1
}

func (p *platform) readdir(w *op.Writer, name string) string {
	n, code := p.lookup(name)
	if code == "" && !n.dir {
		code = "ENOTDIR"
	}
	if code != "" {
		return code
	}
	children := p.children(name)
	w.U32(uint32(len(children)))
	for _, child := range children {
		w.Str(path.Base(child))
		w.U8(kindOf(p.tree[child]))
	}
	return ""
}

func (p *platform) stat(w *op.Writer, name string) string {
	n, code := p.lookup(name)
	if code != "" {
		return code
	}
	w.U8(kindOf(n))
	w.F64(float64(len(n.data)))
	for range 3 {
		w.F64(1.7e12)
	}
	w.F64(float64(len(name)))
	w.U32(0o644)
	return ""
}

func (p *platform) mkdir(w *op.Writer, name string, recursive bool) string {
	if !recursive {
		if code := p.parent(name); code != "" {
			return code
		}
		if p.tree[name] != nil {
			return "EEXIST"
		}
		p.tree[name] = &node{dir: true}
		w.Str("")
		return ""
	}
	first := ""
	for at := range name {
		if at == 0 || (name[at] != '/' && at != len(name)-1) {
			continue
		}
		part := name[:at]
		if at == len(name)-1 {
			part = name
		}
		switch n := p.tree[part]; {
		case n == nil:
			p.tree[part] = &node{dir: true}
			if first == "" {
				first = part
			}
		case !n.dir && part == name:
			return "EEXIST"
		case !n.dir:
			return "ENOTDIR"
		}
	}
	w.Str(first)
	return ""
}

func (p *platform) remove(name string, flags uint8) string {
	const recursive, force, onlyDirectory, onlyFile = 1, 2, 4, 8
	n, code := p.lookup(name)
	switch {
	case code == "ENOENT" && flags&force != 0:
		return ""
	case code != "":
		return code
	case n.dir && flags&onlyFile != 0:
		return "EISDIR"
	case !n.dir && flags&onlyDirectory != 0:
		return "ENOTDIR"
	case n.dir && flags&recursive == 0 && len(p.children(name)) > 0:
		return "ENOTEMPTY"
	}
	for child := range p.tree {
		if child == name || strings.HasPrefix(child, name+"/") {
			delete(p.tree, child)
		}
	}
	return ""
}

func (p *platform) rename(from, to string) string {
	if _, code := p.lookup(from); code != "" {
		return code
	}
	if code := p.parent(to); code != "" {
		return code
	}
	if strings.HasPrefix(to, from+"/") {
		return "EINVAL"
	}
	moved := map[string]*node{}
	for name, n := range p.tree {
		if rest, ok := strings.CutPrefix(name, from); ok && (rest == "" || rest[0] == '/') {
			moved[to+rest] = n
			delete(p.tree, name)
		}
	}
	for name, n := range moved {
		p.tree[name] = n
	}
	return ""
}

func (p *platform) copy(from, to string, mode uint8) string {
	n, code := p.lookup(from)
	switch {
	case code != "":
		return code
	case n.dir:
		return "EISDIR"
	}
	return p.write(to, mode*2, n.data)
}

func (p *platform) truncate(name string, size int) string {
	n, code := p.lookup(name)
	switch {
	case code != "":
		return code
	case n.dir:
		return "EISDIR"
	}
	n.data = append(n.data, make([]byte, max(0, size-len(n.data)))...)[:size]
	return ""
}

// ---- the network

// answer performs an asynchronous operation, as soon as it is its turn. later
// is true for what stays pending.
func (p *platform) answer(s started) (message []byte, ok, later bool) {
	r := op.NewReader(s.in)
	w := op.NewWriter(nil)
	switch s.op {
	case op.Fetch:
		f := &fetchRequest{method: r.Str(), url: r.Str(), headers: r.Pairs(), redirect: r.U8(), kind: r.U8(), body: string(r.Bytes())}
		return p.fetch(s.id, f)
	case op.BodyRead:
		next := p.bodies[r.U32()]
		if next == nil {
			return op.EncodeError(&op.ErrorRecord{Name: "TypeError", Message: "no such body"}), false, false
		}
		chunk, end := next()
		w.U8(0)
		if end {
			w = op.NewWriter(nil)
			w.U8(1)
			chunk = ""
		}
		w.Str(chunk)
	case op.BodyWrite:
		id, end, data := r.U32(), r.U8(), r.Bytes()
		u := p.upload[id]
		if u == nil {
			return op.EncodeError(&op.ErrorRecord{Name: "TypeError", Message: "no such fetch"}), false, false
		}
		u.body.Write(data)
		if end != 0 {
			delete(p.upload, id)
			p.log = append(p.log, fmt.Sprintf("upload ends with %d", end))
		}
		if end == 1 {
			u.fetch.body = u.body.String()
			p.settled = append(p.settled, settlement{id, p.echo(u.fetch)})
		}
	default:
		p.t.Fatalf("unexpected operation %v", s.op)
	}
	return w.Message(), true, false
}

func (p *platform) fetch(id uint32, f *fetchRequest) (message []byte, ok, later bool) {
	fail := func(name, message string) ([]byte, bool, bool) {
		return op.EncodeError(&op.ErrorRecord{Name: name, Code: "EFAIL", Message: message}), false, false
	}
	route := f.url[strings.LastIndex(f.url, "/"):]
	switch route {
	case "/slow":
		return nil, false, true
	case "/fail":
		return fail("TypeError", "connection refused")
	case "/redirect":
		switch f.redirect {
		case 1:
			return response(302, f.url, false, nil, 1, "", 0, op.Pair{Name: "location", Value: "/to"}), true, false
		case 2:
			return fail("TypeError", "unexpected redirect")
		}
		return response(200, "http://host/to", true, nil, 1, "landed", 0), true, false
	case "/null":
		return response(204, f.url, false, nil, 0, "", 0), true, false
	case "/log":
		text, err := json.Marshal(p.log)
		if err != nil {
			p.t.Fatal(err)
		}
		return response(200, f.url, false, nil, 1, string(text), 0), true, false
	case "/stream", "/endless", "/broken":
		p.handle++
		n := 0
		p.bodies[p.handle] = func() (string, bool) {
			n++
			if route == "/endless" {
				return strings.Repeat("x", 1000), false
			}
			return fmt.Sprintf("chunk %d;", n), n > 3
		}
		if route == "/broken" {
			delete(p.bodies, p.handle)
		}
		return response(200, f.url, false, nil, 2, "", p.handle), true, false
	}
	if f.kind == 2 {
		p.upload[id] = &upload{fetch: f}
		return nil, false, true
	}
	return p.echo(f), true, false
}

// echo answers with what was asked.
func (p *platform) echo(f *fetchRequest) []byte {
	headers := map[string]string{}
	for _, h := range f.headers {
		headers[h.Name] = h.Value
	}
	text, err := json.Marshal(map[string]any{"method": f.method, "url": f.url, "headers": headers, "body": f.body, "kind": f.kind})
	if err != nil {
		p.t.Fatal(err)
	}
	return response(200, f.url, false, nil, 1, string(text), 0,
		op.Pair{Name: "content-type", Value: "application/json"}, op.Pair{Name: "set-cookie", Value: "a=1"}, op.Pair{Name: "set-cookie", Value: "b=2"})
}

func response(status uint32, url string, redirected bool, out []byte, kind uint8, body string, handle uint32, headers ...op.Pair) []byte {
	w := op.NewWriter(out)
	w.U32(status)
	w.Str("Some Text")
	w.Str(url)
	if redirected {
		w.U8(1)
	} else {
		w.U8(0)
	}
	w.Pairs(headers)
	w.U8(kind)
	w.Str(body)
	w.U32(handle)
	return w.Message()
}

type settlement struct {
	id      uint32
	message []byte
}

// runPlatform runs a program to its end on a platform.
func runPlatform(t testing.TB, p *platform, source, name string) *life {
	t.Helper()
	c := newClone(t)
	l := &life{host: p.host, t: t, clone: c}
	c.in.SetData(isolate.Port(p))
	if err := c.machine.Begin(isolate.Life{Seed: 42, MemoryBytes: 128 << 20}); err != nil {
		t.Fatal(err)
	}
	message := (&op.RunMessage{Kind: op.RunModule, Name: name, Source: source,
		Args: []string{"one", "two"}, Env: []op.Pair{{Name: "KEY", Value: "value"}, {Name: "HOME", Value: "/home/me"}}, Dir: "/home"}).Encode()
	l.status, l.err = c.machine.Event(uint32(op.EventRun), message)
	for turns := 0; l.err == nil && l.status == isolate.Pending; turns++ {
		if turns > 100_000 {
			t.Fatal("the program does not end")
		}
		p.turn(l)
	}
	return l
}

// turn settles one operation: a sleep that is over, else what is ready, else
// the sleep that ends first.
func (p *platform) turn(l *life) {
	p.pass(0.1)
	if i := p.shortestSleep(); i >= 0 && sleepOf(p.pending[i]) <= 0 {
		p.wake(l, i)
		return
	}
	if len(p.settled) > 0 {
		s := p.settled[0]
		p.settled = p.settled[1:]
		p.drop(s.id)
		l.settle(s.id, true, s.message)
		return
	}
	for i, s := range p.pending {
		if s.op == waiting || s.op == op.Sleep {
			continue
		}
		message, ok, later := p.answer(s)
		if later {
			p.pending[i].op = waiting
			continue
		}
		p.pending = slices.Delete(p.pending, i, i+1)
		l.settle(s.id, ok, message)
		return
	}
	i := p.shortestSleep()
	if i < 0 {
		if len(p.settled) == 0 {
			p.t.Fatal("the program waits for nothing")
		}
		return
	}
	p.pass(sleepOf(p.pending[i]))
	p.wake(l, i)
}

func (p *platform) shortestSleep() int {
	shortest := -1
	for i, s := range p.pending {
		if s.op == op.Sleep && (shortest < 0 || sleepOf(s) < sleepOf(p.pending[shortest])) {
			shortest = i
		}
	}
	return shortest
}

func (p *platform) wake(l *life, i int) {
	id := p.pending[i].id
	p.pending = slices.Delete(p.pending, i, i+1)
	l.settle(id, true, nil)
}

// pass lets time go by.
func (p *platform) pass(ms float64) {
	p.now += ms
	for i := range p.pending {
		if p.pending[i].op == op.Sleep {
			w := op.NewWriter(nil)
			w.F64(sleepOf(p.pending[i]) - ms)
			p.pending[i].in = w.Message()
		}
	}
}

func (p *platform) drop(id uint32) {
	p.pending = slices.DeleteFunc(p.pending, func(s started) bool { return s.id == id })
}

// waiting marks an operation that the platform has begun and settles later.
const waiting op.Op = 1 << 20
