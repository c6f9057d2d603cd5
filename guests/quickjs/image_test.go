package quickjs

import (
	"bytes"
	"testing"

	"mayfly/host/op"
	"mayfly/runtime/isolate"
)

// changedPages counts the pages of 4 KiB that a program left changed.
func changedPages(t *testing.T, source string) int {
	t.Helper()
	l := run(t, program{source: source})
	if l.err != nil || len(l.failures) > 0 {
		t.Fatalf("%s: error %v, failures %v", source, l.err, l.failures)
	}
	return l.clone.changedPages(t)
}

// changedPages counts the pages that differ from the image.
func (c *clone) changedPages(t *testing.T) int {
	t.Helper()
	top, err := c.machine.HeapTop()
	if err != nil {
		t.Fatal(err)
	}
	const page = 4096
	n := 0
	zero := make([]byte, page)
	for at := 0; at < int(top); at += page {
		before := zero
		if at+page <= len(c.image.memory) {
			before = c.image.memory[at : at+page]
		} else if at < len(c.image.memory) {
			before = append(bytes.Clone(c.image.memory[at:]), zero[:page-(len(c.image.memory)-at)]...)
		}
		if !bytes.Equal(before, c.memory[at:at+page]) {
			n++
		}
	}
	return n
}

// A short life changes few pages: that is what makes the reset cheap.
func TestChangedPages(t *testing.T) {
	for _, test := range []struct {
		source string
		limit  int
	}{
		{"1+2*3", 28},
		{"export default () => ({ hello: 'world' })", 55},
		{"new Response('hi').status", 45},
		{"console.log('hello')", 90},
		{"const a = []; for (let i = 0; i < 1000; i++) a.push({ i }); a.length", 120},
	} {
		n := changedPages(t, test.source)
		t.Logf("%d pages: %s", n, test.source)
		if n > test.limit {
			t.Errorf("%d pages are changed, more than %d: %s", n, test.limit, test.source)
		}
	}
}

// Two boots give one image: nothing of time, place or chance is in it.
func TestBootIsReproducible(t *testing.T) {
	first := bootedImage(t)
	second, err := makeImage(cacheDir(t))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.memory, second.memory) {
		t.Fatal("two boots gave two images")
	}
}

// A thousand lives on one clone leave it as good as new.
func TestManyLives(t *testing.T) {
	c := newClone(t)
	sources := []string{
		"1+2*3", "throw new Error('x')", "await new Promise(() => {})", "const a = []; for (let i = 0; i < 1e4; i++) a.push({}); a.length",
		"(function f() { f() })()", "'x'.repeat(1e6).length", "new Uint8Array(5e6).length", "globalThis.leak = 'canary'; Object.prototype.leak = 1; 1",
	}
	for i := range 400 {
		h := &host{t: t}
		c.in.SetData(isolate.Port(h))
		if err := c.machine.Begin(isolate.Life{Seed: 7, MemoryBytes: 32 << 20}); err != nil {
			t.Fatal(err)
		}
		message := (&op.RunMessage{Name: "main.js", Source: sources[i%len(sources)]}).Encode()
		if _, err := c.machine.Event(uint32(op.EventRun), message); err != nil {
			t.Fatal(err)
		}
		if err := c.reset(); err != nil {
			t.Fatal(err)
		}
		if i%8 == 7 && !bytes.Equal(c.memory[:len(c.image.memory)], c.image.memory) {
			t.Fatal("the image is not what it was")
		}
	}
	run(t, program{source: "[typeof leak, ({}).leak]"}).want(resultJSON, "array", `["undefined",null]`)
}
