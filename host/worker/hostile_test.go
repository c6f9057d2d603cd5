package worker

import (
	"context"
	"encoding/json"
	"math/big"
	"math/rand/v2"
	"testing"

	"mayfly/host/rpc"
)

// A forger answers calls with messages that are not what they should be.
type forger struct {
	random *rand.Rand
	seeds  [][]byte
}

func (f *forger) Retain()  {}
func (f *forger) Release() {}

func (f *forger) Fetch(context.Context, *rpc.Request) (*rpc.Response, error) {
	return &rpc.Response{Status: 404}, nil
}

func (f *forger) Call(_ context.Context, c *rpc.Call) (rpc.Value, error) {
	c.Arguments.Release()
	b := append([]byte{}, f.seeds[f.random.IntN(len(f.seeds))]...)
	for range 1 + f.random.IntN(4) {
		at := f.random.IntN(len(b))
		switch f.random.IntN(6) {
		case 0:
			b[at] ^= 1 << f.random.IntN(8)
		case 1:
			b[at] = byte(f.random.IntN(256))
		case 2:
			b = append(b[:at:at], b[at+f.random.IntN(len(b)-at):]...)
		case 3: // a part of another
			other := f.seeds[f.random.IntN(len(f.seeds))]
			b = append(b[:at:at], other[f.random.IntN(len(other)):]...)
		case 4: // a great length
			b[at] = b[at]&0xE0 | 26 + byte(f.random.IntN(2))
		case 5: // a tag of ours
			b = append(append(b[:at:at], 0xD9, 0xEA, 0x60+byte(f.random.IntN(32))), b[at:]...)
		}
		if len(b) == 0 {
			b = []byte{0xF6}
		}
	}
	return rpc.Value{Message: b}, nil
}

// TestHostileValues has a guest read messages that were tampered with: each is a
// value or an error, and the guest goes on.
func TestHostileValues(t *testing.T) {
	shared := &rpc.Object{Fields: []rpc.Field{{Key: "a", Value: []any{1.0, "x", nil}}}}
	shared.Fields = append(shared.Fields, rpc.Field{Key: "self", Value: shared})
	buffer := []byte{1, 2, 3, 4, 5, 6, 7, 8}
	f := &forger{random: rand.New(rand.NewPCG(1, 2))}
	for _, v := range []any{
		shared, &rpc.Map{Pairs: [][2]any{{shared, "é"}, {"k", big.NewInt(-1 << 40)}}}, &rpc.Set{Members: []any{1.5, "\xed\xa0\x80", shared}},
		&rpc.Object{Sparse: true, Length: 9, Fields: []rpc.Field{{Key: "3", Value: true}}}, &rpc.Failure{Class: "AggregateError", Fields: []rpc.Field{{Key: "message", Value: "m"}, {Key: "errors", Value: []any{shared}}}},
		&rpc.Tagged{Tag: rpc.TagUint8Array, Content: buffer}, &rpc.Tagged{Tag: 86, Content: []any{buffer, 0.0, 1.0}}, &rpc.Tagged{Tag: rpc.TagDataView, Content: []any{&rpc.Tagged{Tag: rpc.TagResizable, Content: []any{buffer, 64.0}}, 2.0, nil}},
		&rpc.Tagged{Tag: rpc.TagDate, Content: 5.0}, &rpc.Tagged{Tag: rpc.TagRegExp, Content: []any{"a(b)*", "gi"}}, &rpc.Tagged{Tag: rpc.TagBoxed, Content: "s"}, &rpc.Tagged{Tag: rpc.TagDOMException, Content: []any{"AbortError", "m", "stack"}},
		&rpc.Tagged{Tag: rpc.TagBlob, Content: []any{"t", buffer}}, &rpc.Tagged{Tag: rpc.TagFile, Content: []any{"t", buffer, "n", 5.0}}, &rpc.Tagged{Tag: rpc.TagHeaders, Content: []any{"a", "b"}},
		&rpc.Tagged{Tag: rpc.TagRequest, Content: []any{"PUT", "http://x/", []any{"a", "b"}, buffer, map[string]any{"redirect": "manual"}}}, &rpc.Tagged{Tag: rpc.TagResponse, Content: []any{200.0, "OK", []any{}, buffer, map[string]any{"url": ""}}},
		&rpc.Tagged{Tag: rpc.TagSignal, Content: []any{true, "why", nil}}, &rpc.Tagged{Tag: rpc.TagStub, Content: 0.0}, &rpc.Tagged{Tag: rpc.TagDisposable, Content: []any{shared, 0.0}},
	} {
		message, err := rpc.Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		f.seeds = append(f.seeds, message)
	}
	def := script(`export default {async fetch(request, env) {
	let values = 0, errors = 0;
	const names = {};
	for (let i = 0; i < 6000; i++) {
		try {
			const v = await env.FORGER.get();
			values++;
			if (typeof v === "object" && v !== null) for (const k of Object.keys(v)) String(k);
		} catch (e) {
			errors++;
			names[e.name] = (names[e.name] ?? 0) + 1;
		}
	}
	return Response.json({values, errors, names});
}}`)
	def.Limits.Subrequests = 1 << 20
	def.Services = []ServiceBinding{{"FORGER", f}}
	s := newService(t, nil)
	_, body := get(t, entry(s, def), "http://example.com/")
	var counts struct {
		Values, Errors int
		Names          map[string]int
	}
	if err := json.Unmarshal([]byte(body), &counts); err != nil || counts.Values+counts.Errors != 6000 || counts.Values < 100 || counts.Names["TypeError"] < 1000 {
		t.Errorf("got %s, %v", body, err)
	}
	t.Log(body)
}
