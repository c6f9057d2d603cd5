package bundle

import (
	"errors"
	"strings"
	"sync"
	"testing"
)

func TestTransformKeepsTheLastExpression(t *testing.T) {
	for _, c := range []struct {
		name   string
		syntax Syntax
		source string
		want   string
	}{
		{"types go", TypeScript, "interface A { x: number }\nconst a: A = {x: 1};\na.x as number", "a.x;"},
		{"top-level await", TypeScript, "const x: number = await 1;\nx", "await 1"},
		{"module", TypeScript, "import {a} from './a';\nexport default (n: number) => a(n)", "export default"},
		{"type import", TypeScript, "import type {A} from './a';\n1 as A", "1;"},
		{"jsx", JSX, "/** @jsx h */\n<b c={1}/>", `h("b"`},
		{"tsx", TSX, "/** @jsx h */\nconst a = <b/>;\nlet n = <T,>(x: T) => x", `h("b"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, err := NewTransformer(1<<20).Transform("main.ts", c.source, c.syntax, "")
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(code.JavaScript, c.want) {
				t.Errorf("code %q lacks %q", code.JavaScript, c.want)
			}
		})
	}
}

func TestTransformError(t *testing.T) {
	_, err := NewTransformer(1<<20).Transform("a.ts", "let x = 1;\nlet y: = 2", TypeScript, "")
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an *Error", err)
	}
	if e.File != "a.ts" || e.Line != 2 || e.Column == 0 || e.Excerpt != "let y: = 2" {
		t.Errorf("got %+v", e)
	}
}

func TestMapStack(t *testing.T) {
	source := "interface A {\n  x: number\n}\n\nfunction f(a: A): never {\n  throw new Error('x')\n}\nf({x: 1})\n"
	code, err := NewTransformer(1<<20).Transform("lib/a.ts", source, TypeScript, "")
	if err != nil {
		t.Fatal(err)
	}
	line := 0
	for i, l := range strings.Split(code.JavaScript, "\n") {
		if strings.Contains(l, "throw new Error") {
			line = i + 1
		}
	}
	if line == 0 || line == 6 {
		t.Fatalf("the code has the throw at line %d: this test shows nothing\n%s", line, code.JavaScript)
	}
	stack := "    at f (lib/a.ts:" + string(rune('0'+line)) + ":9)\n    at other.js:1:2\n"
	got := MapStack(stack, map[string]*Map{"lib/a.ts": code.Map})
	if want := "    at f (lib/a.ts:6:"; !strings.HasPrefix(got, want) || !strings.Contains(got, "other.js:1:2") {
		t.Errorf("got %q, want it to start with %q", got, want)
	}
}

func TestTransformerForgetsTheOldest(t *testing.T) {
	tr := NewTransformer(8 << 10)
	pad := strings.Repeat("/", 500)
	first, _ := tr.Transform("0.ts", "0 //"+pad, TypeScript, "")
	again, _ := tr.Transform("0.ts", "0 //"+pad, TypeScript, "")
	if first != again {
		t.Error("the same source was transformed twice")
	}
	for i := range 50 {
		if _, err := tr.Transform("a.ts", strings.Repeat("1;", i)+"//"+pad, TypeScript, ""); err != nil {
			t.Fatal(err)
		}
	}
	if tr.code.size > tr.code.most {
		t.Errorf("%d bytes remembered, %d allowed", tr.code.size, tr.code.most)
	}
	if again, _ = tr.Transform("0.ts", "0 //"+pad, TypeScript, ""); again == first {
		t.Error("the oldest is still remembered")
	}
}

func TestTransformerHammer(t *testing.T) {
	tr := NewTransformer(4 << 10)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 50 {
				if _, err := tr.Transform("a.ts", strings.Repeat("1;", (g+i)%7)+"let x: number", TypeScript, ""); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func FuzzMapStack(f *testing.F) {
	code, err := NewTransformer(1<<20).Transform("a.ts", "let x: number = 1", TypeScript, "")
	if err != nil {
		f.Fatal(err)
	}
	f.Add("at f (a.ts:1:2)")
	f.Add("a.ts:99999999999999999999:0")
	f.Fuzz(func(t *testing.T, stack string) {
		MapStack(stack, map[string]*Map{"a.ts": code.Map})
	})
}
