package worker

import (
	"context"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"mayfly/host/binding"
	"mayfly/host/op"
	"mayfly/host/rpc"
)

// broken is a binding that panics.
type broken struct{ uses atomic.Int32 }

func (b *broken) Do(context.Context, *binding.Call) (binding.Reply, error) {
	if b.uses.Add(1) == 1 {
		panic("a bug of the binding")
	}
	return binding.Reply{}, &op.ErrorRecord{Name: "Error", Message: "fine"}
}

// A bug of the host in a binding ends one request, of a child to which the
// binding was passed; others go on.
func TestBindingPanics(t *testing.T) {
	def := script(`
const source = ` + "`" + `export default { async get(key, env) { return await env.KV.get(key).catch((e) => e.message) }, async ok() { await scheduler.wait(30); return "fine" } }` + "`" + `;
export default { async fetch(request, env) {
	const child = env.LOADER.get("child", () => ({ compatibilityDate: "2026-01-31", mainModule: "m.js", modules: { "m.js": source }, env: { KV: env.KV } })).getEntrypoint();
	const settled = await Promise.allSettled([child.ok(0), child.get("a")]);
	return Response.json([settled.map((s) => s.value ?? s.reason.message), await child.get("b")]);
} }`)
	def.Loaders = []LoaderBinding{{"LOADER"}}
	b := &broken{}
	def.Bindings.Entries = []binding.Entry{{Name: "KV", Kind: binding.KindKV, Open: func(context.Context) (binding.Binding, error) { return b, nil }}}
	_, body := get(t, entry(newService(t, nil), def), "http://example.com/")
	if !strings.HasPrefix(body, `[["fine","KV: internal error; reference = `) || !strings.HasSuffix(body, `"],"fine"]`) {
		t.Errorf("got %s", body)
	}
}

// counting is a worker whose wasm instance is made when the modules are evaluated.
func counting() Definition {
	def := script(`import m from "./count.wasm"; const { exports } = new WebAssembly.Instance(m); export default { fetch() { return new Response(String(exports.next())) } }`)
	def.Code.Modules["count.wasm"] = Module{Wasm, []byte("\x00asm\x01\x00\x00\x00\x01\x05\x01\x60\x00\x01\x7f\x03\x02\x01\x00\x06\x06\x01\x7f\x01\x41\x00\x0b\x07\x08\x01\x04next\x00\x00\x0a\x0d\x01\x0b\x00\x23\x00\x41\x01\x6a\x24\x00\x23\x00\x0b")}
	return def
}

// Isolates that can't begin with a state are parked, and go on, like others.
func TestInstancesOfWebAssemblyAtTheTop(t *testing.T) {
	s := newService(t, func(c *Config) { c.Warm = 1 })
	a, b := entry(s, counting()), entry(s, counting())
	for i := 1; i <= 4; i++ {
		for _, target := range []rpc.Target{a, b} {
			if _, body := get(t, target, "http://example.com/"); body != strconv.Itoa(i) {
				t.Errorf("got %s, want %d", body, i)
			}
		}
	}
	def := counting()
	def.Request = true
	fresh := entry(s, def)
	for range 3 {
		if _, body := get(t, fresh, "http://example.com/"); body != "1" {
			t.Errorf("a fresh isolate counts %s", body)
		}
	}
}
