package worker

import (
	"strconv"
	"testing"
)

// loaderBench is a worker that makes workers of the same code.
const loaderBench = `
const code = (i) => ({compatibilityDate: "2026-01-01", mainModule: "m.js", modules: {"m.js": "export default {fetch(r, env) { return new Response('worker ' + env.ID) }}"}, env: {ID: i}});
export default {async fetch(request, env) {
	const url = new URL(request.url), n = +url.searchParams.get("n");
	if (url.pathname === "/load") {
		for (let i = 0; i < n; i++) await (await env.LOADER.load(code(i)).getEntrypoint().fetch("http://x/")).text();
		return new Response("ok");
	}
	const one = async (i) => { const r = await env.LOADER.get("worker-" + i, () => code(i)).getEntrypoint().fetch("http://x/"); if (await r.text() !== "worker " + i) throw new Error("wrong") };
	if (url.pathname === "/get") {
		for (let i = 0; i < n; i++) await one(7);
		return new Response("ok");
	}
	for (let i = 0; i < n; i += 50) await Promise.all(Array.from({length: Math.min(50, n - i)}, (_, k) => one(i + k)));
	return new Response("ok");
}}`

func benchmarkLoader(b *testing.B, path string) {
	def := script(loaderBench)
	def.Loaders = []LoaderBinding{{"LOADER"}}
	def.Limits.Subrequests, def.Limits.CPU = 1<<30, 1<<40
	target := entry(newService(b, nil), def)
	get(b, target, "http://example.com/load?n=5")
	b.ResetTimer()
	get(b, target, "http://example.com"+path+"?n="+strconv.Itoa(b.N))
}

func BenchmarkLoad(b *testing.B)  { benchmarkLoader(b, "/load") }
func BenchmarkGet(b *testing.B)   { benchmarkLoader(b, "/get") }
func BenchmarkSpawn(b *testing.B) { benchmarkLoader(b, "/spawn") }

// BenchmarkForward has a worker pass requests on to one that it made.
func BenchmarkForward(b *testing.B) {
	def := script(`
const code = (i) => ({compatibilityDate: "2026-01-01", mainModule: "m.js", modules: {"m.js": "export default {fetch(r, env) { return new Response('worker ' + env.ID) }}"}, env: {ID: i}, globalOutbound: null});
export default {async fetch(request, env) {
	const id = Number(new URL(request.url).searchParams.get("id"));
	return env.LOADER.get("worker-" + id, () => code(id)).getEntrypoint().fetch("http://worker/");
}}`)
	def.Loaders = []LoaderBinding{{"LOADER"}}
	target := entry(newService(b, nil), def)
	for b.Loop() {
		if _, body := get(b, target, "http://example.com/get?id=7"); body != "worker 7" {
			b.Fatal(body)
		}
	}
}
