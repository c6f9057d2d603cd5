package execution_test

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"testing"
	"time"

	"mayfly/host/execution"
)

var checksPassed = regexp.MustCompile(`^(\d+) checks passed\n$`)

// TestWebPrograms runs the programs under testdata/web, which check what the
// host and the guest do together against the standards of the web.
func TestWebPrograms(t *testing.T) {
	library, err := os.ReadFile("../../guests/quickjs/testdata/js/check.js")
	if err != nil {
		t.Fatal(err)
	}
	programs, err := filepath.Glob("testdata/web/*.test.js")
	if err != nil || len(programs) == 0 {
		t.Fatalf("no programs: %v", err)
	}
	s := newService(t, nil)
	for _, path := range programs {
		t.Run(filepath.Base(path), func(t *testing.T) {
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			r := execute(t, s, execution.Request{
				Code: string(source), Files: []execution.File{{Path: "check.js", Content: library}},
				Limits: execution.Limits{CPU: 20 * time.Second, Wall: time.Minute},
			})
			if r.Outcome != execution.OK || r.Stderr != "" {
				t.Fatal(show(r))
			}
			said := checksPassed.FindStringSubmatch(r.Stdout)
			if said == nil {
				t.Fatalf("it did not come to its end; it printed %q", r.Stdout)
			}
			if n, _ := strconv.Atoi(said[1]); n < 20 {
				t.Errorf("only %d checks", n)
			}
		})
	}
}

// A stream that is open when a session rests fails in the next cell; it never
// goes on as another one, though that one was opened in its place.
func TestCompressionDoesNotOutliveItsCell(t *testing.T) {
	s := newService(t, nil)
	r, st := cell(t, s, newState(t, s, execution.Request{}), execution.Request{Code: `
		const old = new CompressionStream("gzip"), writer = old.writable.getWriter(), reader = old.readable.getReader();
		reader.read();
		await writer.write(new TextEncoder().encode("hello"));
		const idle = new CompressionStream("gzip");
		1`})
	if string(r.Value) != "1" {
		t.Fatal(show(r))
	}
	r, _ = cell(t, s, st, execution.Request{Code: `
		const other = new CompressionStream("gzip"), w = other.writable.getWriter();
		other.readable.getReader().read();
		await w.write(new TextEncoder().encode("other"));
		let said = [];
		reader.read().catch(() => {});
		writer.closed.catch(() => {});
		try { await writer.write(new TextEncoder().encode("more")); await writer.close(); } catch (e) { said.push(e.name); }
		// One that had not begun works.
		const done = new Response(idle.readable.pipeThrough(new DecompressionStream("gzip"))).text();
		const iw = idle.writable.getWriter();
		iw.write(new TextEncoder().encode("idle")); iw.close();
		said.push(await done);
		said`})
	if string(r.Value) != `["InvalidStateError","idle"]` {
		t.Error(show(r))
	}
}

// Attack row 9: what is small decompresses as far as it is read, the host keeps
// nothing of it, and who reads it all pays for it.
func TestCompressionBombs(t *testing.T) {
	s := newService(t, nil)
	const bomb = `
		async function squeeze(format, stream) { return new Uint8Array(await new Response(stream.pipeThrough(new CompressionStream(format))).arrayBuffer()); }
		const zeros = new Uint8Array(1 << 20);
		let left = 64;
		const make = (format) => { left = 64; return squeeze(format, new ReadableStream({ pull(c) { if (left-- === 0) c.close(); else c.enqueue(zeros.slice()); } })); };
		`
	for _, format := range []string{"gzip", "deflate", "brotli"} {
		r := execute(t, s, execution.Request{Limits: execution.Limits{CPU: time.Minute, Wall: 5 * time.Minute}, Code: bomb + `
			const small = await make("` + format + `");
			const reader = new Blob([small]).stream().pipeThrough(new DecompressionStream("` + format + `")).getReader();
			let seen = 0;
			for (let i = 0; i < 5; i++) seen += (await reader.read()).value.length;
			const first = seen;
			for (;;) { const { done, value } = await reader.read(); if (done) break; seen += value.length; }
			[small.length < 1 << 18, first <= 5 << 16, seen]`})
		if string(r.Value) != "[true,true,67108864]" || r.Usage.PeakMemory > 48<<20 {
			t.Errorf("%s: %s, %d bytes of memory", format, show(r), r.Usage.PeakMemory)
		}
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	r := execute(t, s, execution.Request{Limits: execution.Limits{CPU: time.Minute, Wall: 5 * time.Minute, MemoryBytes: 24 << 20}, Code: bomb + `
		const small = await make("gzip");
		await new Response(new Blob([small]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer()`})
	if r.Outcome == execution.OK {
		t.Errorf("64 MB came into 24 MB: %s", show(r))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapInuse) - int64(before.HeapInuse); grown > 32<<20 {
		t.Errorf("the host grew by %d bytes", grown)
	}
}

// Work in the host counts as the program's, and its limit cuts it.
func TestCompressionIsMetered(t *testing.T) {
	s := newService(t, nil)
	for name, code := range map[string]string{
		"compressing": `const w = new CompressionStream("brotli").writable.getWriter(); w.write(crypto.getRandomValues(new Uint8Array(65536)));
			const big = new Uint8Array(8 << 20).map((_, i) => i * i); for (;;) { const c = new CompressionStream("gzip"); const r = c.readable.getReader(); c.writable.getWriter().write(big); while ((await r.read()).value.length > 0); }`,
		"decoding": `const big = new Uint8Array(4 << 20).fill(0xA4); for (;;) new TextDecoder("big5").decode(big)`,
	} {
		r := execute(t, s, execution.Request{Limits: execution.Limits{CPU: 300 * time.Millisecond, Wall: time.Minute}, Code: code})
		if r.Outcome != execution.ExceededCPU {
			t.Errorf("%s: %s", name, show(r))
		}
	}
}
