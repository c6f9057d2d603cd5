package python

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"
	"time"

	"mayfly/host/op"
	"mayfly/runtime/isolate"
)

// A fakePort answers operations and notes them.
type fakePort struct {
	isolate.BootPort
	called  []uint32
	started []uint32
	settled []isolate.Settlement
}

func (p *fakePort) Call(number uint32, in, out []byte) ([]byte, bool) {
	p.called = append(p.called, number)
	return append(out[:0], in...), number != uint32(op.Load)
}

func (p *fakePort) Start(number, id uint32, in []byte) { p.started = append(p.started, id) }

func (p *fakePort) Wait(d time.Duration) (s isolate.Settlement, more bool) {
	if len(p.settled) == 0 {
		return s, false
	}
	s = p.settled[0]
	p.settled = p.settled[1:]
	return s, true
}

func frameBytes(parts ...any) []byte {
	var b []byte
	for _, part := range parts {
		switch v := part.(type) {
		case int:
			b = append(b, byte(v))
		case uint32:
			b = binary.LittleEndian.AppendUint32(b, v)
		case float64:
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
		case string:
			b = append(b, v...)
		}
	}
	return b
}

func TestParseFrame(t *testing.T) {
	for name, c := range map[string]struct {
		in   []byte
		want frame
		bad  bool
	}{
		"nothing":        {nil, frame{}, true},
		"call":           {frameBytes(0, uint32(8), "xy"), frame{verb: verbCall, op: 8, payload: []byte("xy")}, false},
		"call cut short": {frameBytes(0, "abc"), frame{}, true},
		"start":          {frameBytes(1, uint32(64), uint32(7), "z"), frame{verb: verbStart, op: 64, id: 7, payload: []byte("z")}, false},
		"start cut":      {frameBytes(1, uint32(64), "abc"), frame{}, true},
		"wait":           {frameBytes(2, 1.5), frame{verb: verbWait, wait: 1500 * time.Microsecond}, false},
		"wait for ever":  {frameBytes(2, -0.5), frame{verb: verbWait, wait: -1}, false},
		"wait too long":  {frameBytes(2, math.Inf(1)), frame{verb: verbWait, wait: maxWait}, false},
		"wait less":      {frameBytes(2, math.Inf(-1)), frame{verb: verbWait, wait: -1}, false},
		"wait nothing":   {frameBytes(2, math.NaN()), frame{verb: verbWait}, false},
		"wait and more":  {frameBytes(2, 1.5, 0), frame{}, true},
		"event":          {frameBytes(3), frame{verb: verbEvent, payload: []byte{}}, false},
		"no verb":        {frameBytes(200), frame{}, true},
	} {
		got, err := parseFrame(c.in)
		if (err != nil) != c.bad || got.verb != c.want.verb || got.op != c.want.op || got.id != c.want.id || got.wait != c.want.wait || !bytes.Equal(got.payload, c.want.payload) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// ask sends a request to a machine without an instance.
func ask(m *machine, port isolate.Port, request []byte) (ok bool, answer []byte) {
	head, body := m.answer(port, request)
	whole := append(append([]byte(nil), head...), body...)
	return whole[0] == statusOK, whole[1:]
}

func TestAnswers(t *testing.T) {
	m := &machine{scratch: make([]byte, 8)}
	p := &fakePort{}
	if ok, got := ask(m, p, frameBytes(0, uint32(op.Write), "a longer message")); !ok || string(got) != "a longer message" {
		t.Errorf("call: %v %q", ok, got)
	}
	if ok, got := ask(m, p, frameBytes(0, uint32(op.Load), "why")); ok || string(got) != "why" {
		t.Errorf("failed call: %v %q", ok, got)
	}
	refused := func(what string, request []byte) {
		t.Helper()
		ok, got := ask(m, p, request)
		r := op.NewReader(got)
		if record, err := op.ReadError(r); ok || err != nil || record.Code != "ERR_PROTOCOL" {
			t.Errorf("%s: %v, %+v, %v", what, ok, record, err)
		}
	}
	refused("asynchronous call", frameBytes(0, uint32(op.Sleep)))
	refused("synchronous start", frameBytes(1, uint32(op.Write), uint32(1)))
	refused("no event", frameBytes(3))
	refused("probe of a life", frameBytes(4, 0))
	if ok, _ := ask(m, p, frameBytes(1, uint32(op.Sleep), uint32(7))); !ok || len(p.started) != 1 {
		t.Error("start")
	}
	refused("the same id twice", frameBytes(1, uint32(op.Sleep), uint32(7)))
	if ok, got := ask(m, p, frameBytes(2, 0.0)); !ok || !bytes.Equal(got, []byte{0}) {
		t.Errorf("nothing settled: %v %v", ok, got)
	}
	p.settled = []isolate.Settlement{{ID: 7, OK: true, Message: []byte("m")}}
	if ok, got := ask(m, p, frameBytes(2, -1.0)); !ok || !bytes.Equal(got, frameBytes(1, uint32(7), 1, "m")) {
		t.Errorf("settled: %v %v", ok, got)
	}
	if ok, _ := ask(m, p, frameBytes(1, uint32(op.Sleep), uint32(7))); !ok {
		t.Error("the id is free again")
	}
	if ok, _ := ask(m, p, frameBytes(0, uint32(op.Cancel), uint32(7))); !ok {
		t.Error("cancel")
	}
	if ok, _ := ask(m, p, frameBytes(1, uint32(op.Sleep), uint32(7))); !ok {
		t.Error("the id is free after a cancel")
	}
	m.kind, m.message = 1, []byte("run")
	if ok, got := ask(m, p, frameBytes(3)); !ok || !bytes.Equal(got[:4], frameBytes(uint32(1))) || !bytes.HasSuffix(got, []byte("run")) {
		t.Errorf("event: %v %q", ok, got)
	}
	refused("the event twice", frameBytes(3))
}

// Whatever a program sends, the host answers.
func FuzzAnswer(f *testing.F) {
	for _, seed := range [][]byte{frameBytes(0, uint32(1), "x"), frameBytes(1, uint32(64), uint32(1)), frameBytes(2, 1.0), frameBytes(3, uint32(1), uint32(4), uint32(2)), frameBytes(4, 0)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, request []byte) {
		m := &machine{scratch: make([]byte, 16), memory: make([]byte, 64), kind: 1, message: []byte("run")}
		p := &fakePort{settled: []isolate.Settlement{{ID: 1, Message: []byte("x")}}}
		for range 2 {
			if head, _ := m.answer(p, request); len(head) == 0 || head[0] > statusError {
				t.Fatalf("%x", head)
			}
		}
	})
}
