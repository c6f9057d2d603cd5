package worker

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"mayfly/host/op"
)

var today = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func source(text string) Module { return Module{JS, []byte(text)} }

func valid() *Code {
	return &Code{MainModule: "main.js", CompatibilityDate: "2026-01-31", Modules: map[string]Module{"main.js": source("export default {}")}}
}

func TestValidate(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Code)
		want   string // name and message; empty: no error
	}{
		{"valid", func(*Code) {}, ""},
		{"today", func(c *Code) { c.CompatibilityDate = "2026-03-01" }, ""},
		{"tomorrow", func(c *Code) { c.CompatibilityDate = "2026-03-02" }, "Error: Can't set compatibility date in the future: 2026-03-02"},
		{"no date", func(c *Code) { c.CompatibilityDate = "" }, "Error: Invalid compatibility date: "},
		{"date", func(c *Code) { c.CompatibilityDate = "2026-1-1" }, "Error: Invalid compatibility date: 2026-1-1"},
		{"year", func(c *Code) { c.CompatibilityDate = "1999-01-01" }, "Error: Invalid compatibility date: 1999-01-01"},
		{"flags", func(c *Code) {
			c.CompatibilityFlags = []string{"nodejs_compat", "streams_enable_constructors", "no_global_navigator"}
		}, ""},
		{"flag", func(c *Code) { c.CompatibilityFlags = []string{"nodejs_compat", "faster"} }, "Error: No such compatibility flag: faster"},
		{"flag twice", func(c *Code) { c.CompatibilityFlags = []string{"nodejs_compat", "nodejs_compat"} }, "Error: Compatibility flag specified multiple times: nodejs_compat"},
		{"flags that differ", func(c *Code) { c.CompatibilityFlags = []string{"nodejs_compat", "no_nodejs_compat"} }, "Error: Compatibility flags are mutually contradictory: nodejs_compat vs no_nodejs_compat"},
		{"no modules", func(c *Code) { c.Modules = nil }, "TypeError: Dynamic Worker code must contain at least one module."},
		{"no main", func(c *Code) { c.MainModule = "index.js" }, "TypeError: Main module name is not present in bundle."},
		{"text main", func(c *Code) { c.Modules["main.js"] = Module{Text, nil} }, `TypeError: Main module "main.js" is neither an ES module nor a CommonJS module.`},
		{"python in JavaScript", func(c *Code) { c.Modules["foo.py"] = Module{Python, nil} }, `TypeError: Module "foo.py" is a Python module, but the main module isn't a Python module.`},
		{"JavaScript in Python", func(c *Code) { c.MainModule = "foo.py"; c.Modules["foo.py"] = Module{Python, nil} }, ""},
		{"text as Python", func(c *Code) { c.MainModule = "foo.py"; c.Modules["foo.py"] = Module{Text, nil} }, `TypeError: Main module "foo.py" is not a Python module.`},
		{"size", func(c *Code) { c.Modules["data"] = Module{Data, make([]byte, MaxCode-17)} }, ""},
		{"too large", func(c *Code) { c.Modules["data"] = Module{Data, make([]byte, MaxCode-16)} }, "Error: Dynamic Worker code size (67108865 bytes) exceeds the maximum allowed size of 67108864 bytes."},
		{"builtin's name", func(c *Code) { c.Modules["node:fs"] = source("") }, `TypeError: A module can't be named "node:fs": names that begin with "node:" are those of built-in modules.`},
		{"ours", func(c *Code) { c.Modules["mayfly:x"] = source("") }, `TypeError: A module can't be named "mayfly:x": names that begin with "mayfly:" are those of built-in modules.`},
		{"NUL", func(c *Code) { c.Modules["a\x00b"] = source("") }, `TypeError: A module's name is not a valid string: "a\x00b"`},
		{"empty name", func(c *Code) { c.Modules[""] = source("") }, "TypeError: A module's name is empty."},
		{"kind", func(c *Code) { c.Modules["x"] = Module{Kind: 99} }, `TypeError: Module "x" is of no known kind.`},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := valid()
			test.change(c)
			got := ""
			if err := c.Validate(today); err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestDigestIsOfWhatIsEvaluated(t *testing.T) {
	base := valid().Digest()
	for _, test := range []struct {
		name   string
		change func(*Code)
		same   bool
	}{
		{"nothing", func(*Code) {}, true},
		{"a flag that changes nothing", func(c *Code) { c.CompatibilityFlags = []string{"nodejs_compat"} }, true},
		{"eval", func(c *Code) { c.CompatibilityFlags = []string{"disallow_eval_during_startup"} }, false},
		{"content", func(c *Code) { c.Modules["main.js"] = source("export default {} ") }, false},
		{"kind", func(c *Code) { c.Modules["main.js"] = Module{CommonJS, c.Modules["main.js"].Content} }, false},
		{"main", func(c *Code) { c.MainModule = "main" }, false},
		{"name", func(c *Code) { c.Modules["other.js"] = source("") }, false},
	} {
		c := valid()
		test.change(c)
		if same := c.Digest() == base; same != test.same {
			t.Errorf("%s: same digest %v", test.name, same)
		}
	}
	// Lengths are part of it: what one name ends with, another can't begin with.
	a, b := valid(), valid()
	a.Modules["ab"], a.Modules["c"] = Module{Text, []byte("x")}, Module{Text, []byte("y")}
	b.Modules["a"], b.Modules["bc"] = Module{Text, []byte("x")}, Module{Text, []byte("y")}
	if a.Digest() == b.Digest() {
		t.Error("two bundles have one digest")
	}
}

func TestResolve(t *testing.T) {
	c := valid()
	for _, name := range []string{"lib/a.js", "lib/b.js", "lib/deep/c.js", "data.json", "buffer", "zod", "./dotted.js", "https://esm.sh/x.js", "/rooted.js"} {
		c.Modules[name] = source("")
	}
	builtin := func(name string) bool {
		switch name {
		case "node:fs", "node:buffer", "node:fs/promises", "node:cloudflare-workers", "node:cloudflare-worker-bundler":
			return true
		}
		return false
	}
	for _, test := range []struct{ referrer, specifier, want string }{
		{"main.js", "./lib/a.js", "lib/a.js"},
		{"main.js", "lib/a.js", "lib/a.js"},
		{"lib/a.js", "./b.js", "lib/b.js"},
		{"lib/a.js", "b.js", "lib/b.js"},
		{"lib/a.js", "../data.json", "data.json"},
		{"lib/a.js", "/data.json", "data.json"},
		{"lib/a.js", "data.json", "data.json"}, // at the root
		{"lib/deep/c.js", "../../main.js", "main.js"},
		{"lib/deep/c.js", "zod", "zod"},
		{"main.js", "buffer", "buffer"}, // the bundle's own before the builtin
		{"main.js", "node:buffer", "node:buffer"},
		{"main.js", "fs", "node:fs"},
		{"main.js", "fs/promises", "node:fs/promises"},
		{"main.js", "cloudflare:workers", "node:cloudflare-workers"},
		{"main.js", "@cloudflare/worker-bundler", "node:cloudflare-worker-bundler"},
		{"main.js", "./dotted.js", "./dotted.js"},
		{"./dotted.js", "./lib/a.js", "lib/a.js"},
		{"main.js", "/rooted.js", "/rooted.js"},
		{"/rooted.js", "./lib/a.js", "lib/a.js"},
		{"main.js", "https://esm.sh/x.js", "https://esm.sh/x.js"},
		{"main.js", "file:///lib/b.js", "lib/b.js"},
		{"main.js", "./lib/a", "No such module \"lib/a\".\n  imported from \"main.js\""},
		{"lib/a.js", "./nope.js", "No such module \"lib/nope.js\".\n  imported from \"lib/a.js\""},
		{"main.js", "../../../etc/passwd", "No such module \"../../../etc/passwd\".\n  imported from \"main.js\""},
		{"main.js", "file:///etc/passwd", "No such module \"etc/passwd\".\n  imported from \"main.js\""},
		{"main.js", "node:nope", "No such module \"node:nope\".\n  imported from \"main.js\""},
		{"main.js", "cloudflare-workers", "No such module \"cloudflare-workers\".\n  imported from \"main.js\""},
		{"main.js", "mayfly:host", "No such module \"mayfly:host\".\n  imported from \"main.js\""},
		{"main.js", "", "No such module \"\".\n  imported from \"main.js\""},
	} {
		got, err := c.Resolve(test.referrer, test.specifier, builtin)
		if err != nil {
			got = err.(*op.ErrorRecord).Message
		}
		if got != test.want {
			t.Errorf("%s imports %q: got %q, want %q", test.referrer, test.specifier, got, test.want)
		}
	}
}

func TestLoad(t *testing.T) {
	c := valid()
	c.Modules["text"] = Module{Text, []byte("a\xffb")}
	c.Modules["data"] = Module{Data, []byte{1, 2}}
	c.Modules["json"] = Module{JSON, []byte("{}")}
	c.Modules["wasm"] = Module{Wasm, []byte("\x00asm")}
	c.Modules["cjs"] = Module{CommonJS, []byte("exports.a = 1")}
	c.Modules["latin"] = Module{JS, []byte("\xe9")}
	for _, test := range []struct{ name, attribute, want string }{
		{"main.js", "", "m export default {}"},
		{"text", "", "t a\uFFFDb"},
		{"data", "", "b \x01\x02"},
		{"data", "bytes", "d \x01\x02"},
		{"json", "", "j {}"},
		{"json", "json", "j {}"},
		{"json", "text", "t {}"},
		{"wasm", "", "w \x00asm"},
		{"cjs", "", "c exports.a = 1"},
		{"data", "json", `TypeError: Module "data" is not of type "json".`},
		{"data", "css", `TypeError: Unsupported import attribute type: "css"`},
		{"latin", "", `TypeError: Module "latin" is not UTF-8.`},
		{"none", "", `Error: No such module "none".`},
	} {
		kind, content, err := c.Load(test.name, test.attribute)
		got := string(kind) + " " + string(content)
		if err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s (%s): got %q, want %q", test.name, test.attribute, got, test.want)
		}
	}
}

// provided writes the message of loader_provide.
type provided struct {
	date, main string
	flags      []string
	modules    []providedModule
	env        []byte
	outbound   uint8
	handles    []Handle
	limits     [4]float64
}

type providedModule struct {
	name    string
	kind    Kind
	content []byte
}

func (p *provided) encode() []byte {
	w := op.Writer{}
	w.Str(p.date)
	w.Strs(p.flags)
	w.Str(p.main)
	w.U32(uint32(len(p.modules)))
	for _, m := range p.modules {
		w.Str(m.name)
		w.U8(uint8(m.kind))
		w.Bytes(m.content)
	}
	if p.env == nil {
		w.U8(0)
	} else {
		w.U8(1)
	}
	w.Bytes(p.env)
	w.U32(0)
	w.U8(p.outbound)
	w.U32(uint32(len(p.handles)))
	for _, h := range p.handles {
		w.U8(h.Kind)
		w.U32(h.Number)
	}
	for _, l := range p.limits {
		w.F64(l)
	}
	return w.Message()
}

func simple() *provided {
	return &provided{date: "2026-01-31", main: "main.js", modules: []providedModule{{"main.js", 0, []byte("export default {}")}}}
}

func TestDecodeProvided(t *testing.T) {
	p := simple()
	p.flags = []string{"nodejs_compat"}
	p.modules = append(p.modules, providedModule{"b.txt", Text, []byte("text")})
	p.env = []byte{0xa0}
	p.outbound = 2
	p.handles = []Handle{{2, 7}, {1, 8}}
	p.limits = [4]float64{0.5, 10, 64, 1000}
	message := p.encode()
	got, err := DecodeProvided(message, today)
	if err != nil {
		t.Fatal(err)
	}
	clear(message)
	want := &Provided{
		Code: &Code{MainModule: "main.js", CompatibilityDate: "2026-01-31", CompatibilityFlags: []string{"nodejs_compat"}, Modules: map[string]Module{
			"main.js": source("export default {}"), "b.txt": {Text, []byte("text")}}},
		HasEnv: true, Env: GuestValue{Message: []byte{0xa0}}, Outbound: OutboundTarget, Target: Handle{2, 7}, Tails: []Handle{{1, 8}},
		Limits: ProvidedLimits{0.5, 10, 64, 1000},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestDecodeProvidedMistakes(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*provided)
		want   string
	}{
		{"TypeScript", func(p *provided) { p.modules[0].name, p.main = "main.ts", "main.ts" }, "TypeError: Module name must end with '.js' or '.py' (or the content must be an object indicating the type explicitly). Got: main.ts. If you're trying to load TypeScript, bundle it first with '@cloudflare/worker-bundler' and pass the generated JavaScript modules."},
		{"extension", func(p *provided) { p.modules = append(p.modules, providedModule{"x.txt", 0, nil}) }, "TypeError: Module name must end with '.js' or '.py' (or the content must be an object indicating the type explicitly). Got: x.txt"},
		{"env", func(p *provided) { p.env = make([]byte, MaxEnvironment+1) }, "Error: Dynamic Worker env size (1048577 bytes) exceeds the maximum allowed size of 1048576 bytes."},
		{"limit", func(p *provided) { p.limits[0] = -1 }, "TypeError: The limit cpuMs must be a positive number."},
		{"no subrequests", func(p *provided) { p.limits[1] = -1 }, "<nil>"},
		{"NaN", func(p *provided) { p.limits[1] = math.NaN() }, "TypeError: The limit subRequests must be a positive number."},
		{"tails", func(p *provided) { p.handles = make([]Handle, maxTails+1) }, "TypeError: A dynamic worker can have at most 100 tails."},
		{"flag", func(p *provided) { p.flags = []string{"x"} }, "Error: No such compatibility flag: x"},
		{"twice", func(p *provided) { p.modules = append(p.modules, p.modules[0]) }, "malformed"},
		{"outbound", func(p *provided) { p.outbound = 2 }, "malformed"},
		{"unknown outbound", func(p *provided) { p.outbound = 3 }, "malformed"},
	} {
		p := simple()
		test.change(p)
		_, err := DecodeProvided(p.encode(), today)
		got := fmt.Sprint(err)
		if errors.Is(err, op.ErrMessage) {
			got = "malformed"
		}
		if got != test.want {
			t.Errorf("%s: got %s", test.name, got)
		}
	}
	message := simple().encode()
	for n := range message {
		if _, err := DecodeProvided(message[:n], today); !errors.Is(err, op.ErrMessage) {
			t.Fatalf("the first %d bytes: %v", n, err)
		}
	}
}

func FuzzDecodeProvided(f *testing.F) {
	p := simple()
	f.Add(p.encode())
	p.outbound, p.handles, p.env = 2, []Handle{{2, 7}, {1, 8}}, []byte{0xa0}
	p.modules = append(p.modules, providedModule{"a/b.wasm", Wasm, []byte("\x00asm")})
	f.Add(p.encode())
	builtin := func(name string) bool { return name == "node:fs" }
	f.Fuzz(func(t *testing.T, message []byte) {
		p, err := DecodeProvided(message, today)
		if err != nil {
			return
		}
		if err := p.Code.Validate(today); err != nil {
			t.Fatalf("valid code is not: %v", err)
		}
		for name := range p.Code.Modules {
			for specifier := range p.Code.Modules {
				got, err := p.Code.Resolve(name, specifier, builtin)
				if err != nil || strings.HasPrefix(got, "node:") {
					continue
				}
				if _, _, err := p.Code.Load(got, ""); err != nil && p.Code.Modules[got].Kind == 0 {
					t.Fatalf("%q is resolved to %q, which is not there", specifier, got)
				}
			}
		}
		p.Code.Digest()
	})
}
