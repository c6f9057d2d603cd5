//go:build mayfly_tuned

package worker

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"mayfly/host/rpc"
)

// valueText is a value of Go's codec as a text, where what is there again is #n.
func valueText(v any) string {
	seen := map[any]int{}
	var text func(v any) string
	again := func(v any, f func() string) string {
		if n, ok := seen[v]; ok {
			return fmt.Sprintf("#%d", n)
		}
		seen[v] = len(seen)
		return f()
	}
	list := func(items []any) string {
		texts := make([]string, len(items))
		for i, x := range items {
			texts[i] = text(x)
		}
		return strings.Join(texts, " ")
	}
	fields := func(list []rpc.Field) string {
		texts := make([]string, 0, len(list))
		for _, f := range list {
			if f.Key != "stack" {
				texts = append(texts, fmt.Sprintf("%q:%s", f.Key, text(f.Value)))
			}
		}
		return strings.Join(texts, " ")
	}
	text = func(v any) string {
		switch v := v.(type) {
		case rpc.Undefined:
			return "undefined"
		case nil:
			return "null"
		case string:
			return fmt.Sprintf("%q", v)
		case *big.Int:
			return v.String() + "n"
		case []byte:
			return fmt.Sprintf("bytes(%x)", v)
		case []any:
			if len(v) == 0 {
				return "[]"
			}
			return again(&v[0], func() string { return "[" + list(v) + "]" })
		case *rpc.Object:
			return again(v, func() string {
				if whole := wholeArray(v); whole != nil {
					return "[" + list(whole) + "]"
				}
				if v.Sparse {
					return fmt.Sprintf("sparse%d{%s}", v.Length, fields(v.Fields))
				}
				return "{" + fields(v.Fields) + "}"
			})
		case *rpc.Set:
			return again(v, func() string { return "Set(" + list(v.Members) + ")" })
		case *rpc.Map:
			return again(v, func() string {
				texts := make([]string, len(v.Pairs))
				for i, pair := range v.Pairs {
					texts[i] = text(pair[0]) + "=>" + text(pair[1])
				}
				return "Map(" + strings.Join(texts, " ") + ")"
			})
		case *rpc.Failure:
			return again(v, func() string { return v.Class + "{" + fields(v.Fields) + "}" })
		case *rpc.Tagged:
			parts, _ := v.Content.([]any)
			switch v.Tag {
			case rpc.TagDisposable: // as results are that were results
				return text(parts[0])
			case rpc.TagDOMException:
				return fmt.Sprintf("DOMException(%s)", list(parts[:2])) // the rest is its stack
			}
			return again(v, func() string { return fmt.Sprintf("%d(%s)", v.Tag, text(v.Content)) })
		default:
			return fmt.Sprint(v)
		}
	}
	return text(v)
}

// wholeArray is an array without holes whose properties are told one by one.
func wholeArray(o *rpc.Object) []any {
	if !o.Sparse || len(o.Fields) != int(o.Length) {
		return nil
	}
	items := make([]any, 0, len(o.Fields))
	for i, f := range o.Fields {
		if f.Key != itoa(i) {
			return nil
		}
		items = append(items, f.Value)
	}
	return items
}

// A passedValue is a value on its way from one language to the other.
type passedValue struct {
	name, message string // of the arguments of a call with it, in hexadecimal
	python        string // what Python has of it
	back          string // what comes back from Python; "": the same
}

func encoded(v any) string {
	message, err := rpc.Encode([]any{v})
	if err != nil {
		panic(err)
	}
	return hex.EncodeToString(message)
}

// passedValues are values of every kind.
func passedValues() []passedValue {
	fields := func(list ...any) (f []rpc.Field) {
		for i := 0; i < len(list); i += 2 {
			f = append(f, rpc.Field{Key: list[i].(string), Value: list[i+1]})
		}
		return f
	}
	object := func(list ...any) *rpc.Object { return &rpc.Object{Fields: fields(list...)} }
	tagged := func(tag uint64, content any) *rpc.Tagged { return &rpc.Tagged{Tag: tag, Content: content} }
	large := new(big.Int).Lsh(big.NewInt(1), 70)
	own := object("a", 1)
	own.Fields = append(own.Fields, rpc.Field{Key: "self", Value: own})
	inMap := &rpc.Map{}
	inMap.Pairs = [][2]any{{"self", inMap}}
	deep := any("x")
	for range 300 {
		deep = []any{deep}
	}
	list := []passedValue{
		{"undefined", encoded(rpc.Undefined{}), "None", "undefined"},
		{"null", encoded(nil), "None", "undefined"},
		{"null inside", encoded([]any{nil, rpc.Undefined{}}), "[None, None]", "[null null]"},
		{"booleans", encoded([]any{true, false}), "[True, False]", ""},
		{"integers", encoded([]any{0, 23, 24, 255, 256, 65536, 1 << 40, -1, -24, -25, -(1 << 40)}), "[0, 23, 24, 255, 256, 65536, 1099511627776, -1, -24, -25, -1099511627776]", ""},
		{"safe integers", encoded([]any{float64(1<<53 - 1), -float64(1<<53 - 1)}), "[9007199254740991, -9007199254740991]", ""},
		{"large numbers", encoded([]any{float64(1 << 60), 1e300}), "[1.152921504606847e+18, 1e+300]", ""},
		{"fractions", encoded([]any{1.5, -0.1, 5e-324}), "[1.5, -0.1, 5e-324]", ""},
		{"-0", encoded(math.Copysign(0, -1)), "-0.0", ""},
		{"NaN", encoded(math.NaN()), "nan", ""},
		{"infinities", encoded([]any{math.Inf(1), math.Inf(-1)}), "[inf, -inf]", ""},
		{"bigint", encoded(large), "1180591620717411303424", ""},
		{"negative bigint", encoded(new(big.Int).Neg(large)), "-1180591620717411303424", ""},
		{"small bigint", encoded(big.NewInt(5)), "5", "5"},
		{"text", encoded("aé😀\x00"), `'aé😀\x00'`, ""},
		{"lone surrogate", encoded("\xed\xa0\x80"), `'\ud800'`, ""},
		{"array", encoded([]any{1, []any{}, "x"}), "[1, [], 'x']", ""},
		{"holes", encoded(&rpc.Object{Sparse: true, Length: 3, Fields: fields("1", "x")}), "[None, 'x', None]", `[null "x" null]`},
		{"object", encoded(object("b", 1, "a", object(), "\xed\xa0\x80", 2)), `{'b': 1, 'a': {}, '\ud800': 2}`, ""},
		{"Map", encoded(&rpc.Map{Pairs: [][2]any{{1, "a"}, {"k", object("x", 1)}, {nil, true}}}), "{1: 'a', 'k': {'x': 1}, None: True}", ""},
		{"Map with keys of arrays", encoded(&rpc.Map{Pairs: [][2]any{{[]any{1, []any{2}}, "a"}}}), "{(1, (2,)): 'a'}", ""},
		{"Map with keys of objects", encoded(&rpc.Map{Pairs: [][2]any{{object("a", 1), 2}}}), `{"{'a': 1}": 2}`, `Map("{'a': 1}"=>2)`},
		{"Set", encoded(&rpc.Set{Members: []any{1, 2}}), "{1, 2}", ""},
		{"Set of arrays", encoded(&rpc.Set{Members: []any{[]any{1}}}), "{(1,)}", ""},
		{"bytes", encoded([]byte{1, 255}), `b'\x01\xff'`, ""},
		{"resizable", encoded(tagged(rpc.TagResizable, []any{[]byte{1}, 5})), `bytearray(b'\x01')`, "bytes(01)"},
		{"Uint8Array", encoded(tagged(64, []byte{1})), `b'\x01'`, "bytes(01)"},
		{"Uint8ClampedArray", encoded(tagged(68, []byte{1})), `b'\x01'`, "bytes(01)"},
		{"Uint16Array", encoded(tagged(69, []byte{1, 2})), "array('H', [513])", ""},
		{"Uint32Array", encoded(tagged(70, []byte{1, 0, 0, 128})), "array('I', [2147483649])", ""},
		{"BigUint64Array", encoded(tagged(71, []byte{1, 0, 0, 0, 0, 0, 0, 128})), "array('Q', [9223372036854775809])", ""},
		{"Int8Array", encoded(tagged(72, []byte{255})), "array('b', [-1])", ""},
		{"Int16Array", encoded(tagged(77, []byte{254, 255})), "array('h', [-2])", ""},
		{"Int32Array", encoded(tagged(78, []byte{253, 255, 255, 255})), "array('i', [-3])", ""},
		{"BigInt64Array", encoded(tagged(79, []byte{252, 255, 255, 255, 255, 255, 255, 255})), "array('q', [-4])", ""},
		{"Float16Array", encoded(tagged(84, []byte{0, 0x3c})), "array('f', [1.0])", "85(bytes(0000803f))"},
		{"Float32Array", encoded(tagged(85, []byte{0, 0, 0xc0, 0x3f})), "array('f', [1.5])", ""},
		{"Float64Array", encoded(tagged(86, []byte{0, 0, 0, 0, 0, 0, 0xf8, 0x3f})), "array('d', [1.5])", ""},
		{"part of a buffer", encoded(tagged(69, []any{[]byte{9, 9, 1, 2, 9, 9}, 2, 1})), "array('H', [513])", "69(bytes(0102))"},
		{"DataView", encoded(tagged(rpc.TagDataView, []any{[]byte{1, 2, 3}, 1, 1})), `b'\x02'`, "bytes(02)"},
		{"boxed", encoded(tagged(rpc.TagBoxed, "x")), "'x'", `"x"`},
		{"Date", encoded(tagged(rpc.TagDate, 1500)), "datetime.datetime(1970, 1, 1, 0, 0, 1, 500000, tzinfo=datetime.timezone.utc)", ""},
		{"Date before 1970", encoded(tagged(rpc.TagDate, -1)), "datetime.datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=datetime.timezone.utc)", ""},
		{"invalid Date", encoded(tagged(rpc.TagDate, math.NaN())), "None", "undefined"},
		{"RegExp", encoded(tagged(rpc.TagRegExp, []any{"a+", "i"})), "re.compile('a+', re.IGNORECASE)", ""},
		{"RegExp that Python has not", encoded(tagged(rpc.TagRegExp, []any{`\p{L}`, "u"})), `'/\\p{L}/u'`, `"/\\p{L}/u"`},
		{"Error", encoded(&rpc.Failure{Class: "Error", Fields: fields("message", "m")}), "JsException('m')", ""},
		{"TypeError", encoded(&rpc.Failure{Class: "TypeError", Fields: fields("message", "m")}), "TypeError('m')", ""},
		{"RangeError", encoded(&rpc.Failure{Class: "RangeError", Fields: fields("message", "m")}), "ValueError('m')", `Error{"message":"m" "name":"ValueError"}`},
		{"error with a name", encoded(&rpc.Failure{Class: "Error", Fields: fields("message", "m", "name", "KeyError")}), "KeyError('m')", `Error{"message":"'m'" "name":"KeyError"}`},
		{"error with a cause", encoded(&rpc.Failure{Class: "Error", Fields: fields("message", "m", "cause", &rpc.Failure{Class: "TypeError", Fields: fields("message", "c")})}), "JsException('m')", ""},
		{"DOMException", encoded(tagged(rpc.TagDOMException, []any{"AbortError", "gone", rpc.Undefined{}})), "JsException('gone')", `Error{"message":"gone" "name":"AbortError"}`},
		{"Blob", encoded(tagged(rpc.TagBlob, []any{"text/plain", []byte("b")})), "<Blob text/plain, 1 bytes>", ""},
		{"File", encoded(tagged(rpc.TagFile, []any{"text/plain", []byte("b"), "name", 5})), "<File text/plain, 1 bytes>", ""},
		{"Headers", encoded(tagged(rpc.TagHeaders, []any{"a", "b"})), "Headers([('a', 'b')])", ""},
		{"nested deeply", encoded(deep), strings.Repeat("[", 300) + "'x'" + strings.Repeat("]", 300), ""},
		{"object in itself", encoded(own), "{'a': 1, 'self': {...}}", ""},
		{"Map in itself", encoded(inMap), "{'self': {...}}", ""},
		{"array in itself", "8181d81d01", "[[...]]", ""},
		{"one object twice", encoded([]any{own, own}), "[{'a': 1, 'self': {...}}, {'a': 1, 'self': {...}}]", ""},
	}
	return list
}

// callValue calls a method with a message of arguments.
func callValue(ctx context.Context, target rpc.Target, method, message string) (any, error) {
	b, err := hex.DecodeString(message)
	if err != nil {
		return nil, err
	}
	result, err := target.Call(ctx, &rpc.Call{Path: []string{method}, Arguments: rpc.Value{Message: b}})
	if err != nil {
		return nil, err
	}
	defer result.Release()
	return rpc.Decode(result.Message)
}

// Values of every kind go from Go to Python and JavaScript, between these, and back.
func TestPythonValues(t *testing.T) {
	s := newPythonService(t)
	echo := entry(s, script(`import { WorkerEntrypoint } from "cloudflare:workers"
export default class extends WorkerEntrypoint { echo(v) { return v } }`))
	py := entry(s, pythonScript(`
from workers import *
class Default(WorkerEntrypoint):
    def echo(self, v): return v
    def show(self, v): return repr(v)
    async def through(self, v): return await self.env.OTHER.echo(v)
`).service("OTHER", echo))
	through := script(`import { WorkerEntrypoint } from "cloudflare:workers"
export default class extends WorkerEntrypoint { async through(v) { return await this.env.OTHER.echo(v) } }`).service("OTHER", py)
	js := entry(s, through)
	for _, c := range passedValues() {
		t.Run(c.name, func(t *testing.T) {
			b, err := hex.DecodeString(c.message)
			if err != nil {
				t.Fatal(err)
			}
			v, err := rpc.Decode(b)
			if err != nil {
				t.Fatal(err)
			}
			sent := valueText(v.([]any)[0])
			back := c.back
			if back == "" {
				back = sent
			}
			for _, way := range []struct {
				name   string
				target rpc.Target
				method string
				want   string
			}{
				{"JavaScript", echo, "echo", sent}, {"Python", py, "echo", back}, {"Python and JavaScript", py, "through", back}, {"JavaScript and Python", js, "through", back},
				{"Python's repr", py, "show", fmt.Sprintf("%q", c.python)},
			} {
				v, err := callValue(t.Context(), way.target, way.method, c.message)
				if err != nil {
					t.Errorf("through %s: %v", way.name, err)
				} else if got := valueText(v); got != way.want {
					t.Errorf("through %s it is\n%s, want\n%s", way.name, got, way.want)
				}
			}
		})
	}
}

// A valueReader is a worker in Python that reads any message.
type valueReader struct {
	target rpc.Target
	calls  float64
}

func newValueReader(t testing.TB) *valueReader {
	s := newPythonService(t)
	s.processors = 1
	return &valueReader{target: entry(s, pythonScript(`
from workers import *
calls = 0
class Default(WorkerEntrypoint):
    def echo(self, *values): return list(values)
    def count(self):
        global calls
        calls += 1
        return calls
`))}
}

// read has the worker read a message, which may fail, but harm nothing else.
func (x *valueReader) read(t testing.TB, message []byte) error {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	v, err := callValue(ctx, x.target, "echo", "81"+hex.EncodeToString(message))
	var outcome *OutcomeError
	if ctx.Err() != nil || errors.As(err, &outcome) || errors.Is(err, rpc.ErrMalformed) {
		t.Fatalf("%x: %v, %v", message, v, err)
	}
	x.calls++
	if n, err := callValue(t.Context(), x.target, "count", "80"); err != nil || n != x.calls {
		t.Fatalf("%x: the isolate is another one: call %v is its %v, %v", message, x.calls, n, err)
	}
	return err
}

// hostileValues are messages that are wrong, or want more than they are.
func hostileValues() map[string]string {
	tree := "82" + "80" + "80"
	for range 40 {
		tree = "82" + tree + "d81d01" // each has the first one again
	}
	// Arrays of two, whose members are the same one: 2^40 as a tree.
	halves := func(n int) string {
		return strings.Repeat("82", n) + "80" + func() (ends string) {
			for i := range n {
				ends += fmt.Sprintf("d81d18%02x", 3+n-i)
			}
			return ends
		}()
	}
	return map[string]string{
		"nothing":                    "",
		"cut":                        "8201",
		"too many items":             "9bffffffffffffffff",
		"too long text":              "7bffffffffffffffff",
		"indefinite":                 "9fff",
		"deep":                       strings.Repeat("81", 100000) + "00",
		"deep tags":                  strings.Repeat("d9ea63", 50000) + "00",
		"unknown tag":                "d9fffff6",
		"reference to nothing":       "d81d1903e8",
		"number as a property":       "a10000",
		"capability that is missing": "d9ea6a00",
		"capability before all":      "d9ea6a20",
		"buffer that is a number":    "d9ea61821a7fffffff00",
		"Blob that is a number":      "d9ea74826160" + "1a7fffffff",
		"File that is a number":      "d9ea75846160" + "1a7fffffff" + "616100",
		"view that is a number":      "d8401a7fffffff",
		"view outside":               "d845834201020a01",
		"view before":                "d84583420102" + "2001",
		"Set that has itself":        "d9010281d81d01",
		"Map whose key has it":       "81d90103a1d81d0100",
		"key that is a tree":         "d9010281" + halves(40),
		"key of objects in a tree":   "d9010281a16161" + halves(40),
		"error whose message is":     "d9ea6682654572726f72a1676d657373616765" + halves(40),
		"error that is no map":       "d9ea668265457272" + "6f7200",
		"Headers of a map":           "d9ea76a16161" + "6162",
		"Request of too little":      "d9ea778163474554",
		"Response of a text":         "d9ea7863616263",
		"RegExp that is too much":    "d9ea65826e" + hex.EncodeToString([]byte("a{99999999999}")) + "60",
		"RegExp that is deep":        "d9ea658279" + fmt.Sprintf("%04x", 20000) + strings.Repeat("28", 20000) + "60",
		"Date that is a text":        "d9ea646161",
		"sparse with a wrong name":   "d9ea62820aa162c2b200",
		"huge array of holes":        "d9ea62821affffffffa0",
		"text that is none":          "61ff",
		"surrogates that are none":   "d9011141ff",
		"more behind":                "0000",
		"tree":                       tree,
	}
}

// What is wrong with a message is an error of the call, and nobody else's.
func TestPythonHostileValues(t *testing.T) {
	x := newValueReader(t)
	harmless := map[string]bool{"tree": true, "RegExp that is too much": true, "Set that has itself": true, "Map whose key has it": true, "Headers of a map": true, "RegExp that is deep": true, "error whose message is": true, "huge array of holes": true}
	for name, message := range hostileValues() {
		b, err := hex.DecodeString(message)
		if err != nil {
			t.Fatal(name, err)
		}
		err = x.read(t, b)
		if (err == nil) != harmless[name] {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Messages that were changed at random are read, or not, and do no harm.
func TestPythonMutatedValues(t *testing.T) {
	x := newValueReader(t)
	random := rand.New(rand.NewPCG(1, 2))
	var read, failed int
	for _, c := range passedValues() {
		message, err := hex.DecodeString(c.message[2:])
		if err != nil {
			t.Fatal(err)
		}
		for range 40 {
			b := append([]byte(nil), message...)
			for range 1 + random.IntN(3) {
				at := random.IntN(len(b))
				switch random.IntN(4) {
				case 0:
					b[at] ^= 1 << random.IntN(8)
				case 1:
					b[at] = byte(random.Uint32())
				case 2:
					b = append(b[:at:at], append([]byte{byte(random.Uint32())}, b[at:]...)...)
				case 3:
					if len(b) > 1 {
						b = append(b[:at:at], b[at+1:]...)
					}
				}
			}
			if x.read(t, b) == nil {
				read++
			} else {
				failed++
			}
		}
	}
	if read < 100 || failed < 100 {
		t.Errorf("%d were read, %d were not: there is not enough of either", read, failed)
	}
}

// FuzzPythonValue has Python read any message.
func FuzzPythonValue(f *testing.F) {
	for _, c := range passedValues() {
		b, _ := hex.DecodeString(c.message[2:])
		f.Add(b)
	}
	for _, message := range hostileValues() {
		if b, _ := hex.DecodeString(message); len(b) < 1000 {
			f.Add(b)
		}
	}
	x := newValueReader(f)
	f.Fuzz(func(t *testing.T, message []byte) { _ = x.read(t, message) })
}
