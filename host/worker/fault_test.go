package worker

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"mayfly/host/binding"
	"mayfly/host/op"
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
