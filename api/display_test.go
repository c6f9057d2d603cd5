package api

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mayfly/host/execution"
	"mayfly/storage/meta"
)

// testDisplays has a part of each form, and what is hard to encode.
var testDisplays = []execution.Display{
	{Main: true, Parts: []execution.Part{
		{Type: "application/json", Data: []byte("{\n \"rows\": [1, null, \"\\u2028\"]\r\n}")},
		{Type: execution.ChartType, Data: []byte(`{"type":"line","elements":[]}`)},
		{Type: "image/png", Data: []byte("\x89PNG\x00\xff")},
		{Type: "image/svg+xml", Data: []byte("<svg id=\"é\">\n</svg>")},
		{Type: "text/plain", Data: []byte("<Figure>\x00\u2028")},
	}},
	{Parts: []execution.Part{{Type: "text/html", Data: []byte("<b>b</b>")}}},
}

// wantDisplays are testDisplays as they come back in an answer.
var wantDisplays = []map[string]any{
	{
		"application/json":                  map[string]any{"rows": []any{1.0, nil, "\u2028"}},
		"application/vnd.mayfly.chart+json": map[string]any{"type": "line", "elements": []any{}},
		"image/png":                         "iVBORwD/",
		"image/svg+xml":                     "<svg id=\"é\">\n</svg>",
		"text/plain":                        "<Figure>\x00\u2028",
	},
	{"text/html": "<b>b</b>"},
}

// Displays are the same in the answer, in the record, from the disk and in the
// events of every form.
func TestDisplays(t *testing.T) {
	s := newTestServer(t, nil)
	for _, code := range []string{"show", "showing"} {
		a := s.post(code).want(200)
		x := a.execution()
		if diff := cmp.Diff(wantDisplays, x.Displays); diff != "" {
			t.Errorf("%s: %s", code, diff)
		}
		for range 2 { // from memory, then from the disk
			if again := s.do("GET", "/v1/executions/"+x.ID, "").want(200); string(again.body) != string(a.body) {
				t.Errorf("the record of %s differs:\n%s\n%s", code, again.body, a.body)
			}
			for _, media := range append(streamTypes, "application/json") {
				var got []map[string]any
				for _, e := range s.do("GET", "/v1/executions/"+x.ID+"/events", "", "Accept", media).want(200).events(s) {
					if e.Type == "display" {
						got = append(got, e.Display)
					}
				}
				if diff := cmp.Diff(wantDisplays, got); diff != "" {
					t.Errorf("%s as %s: %s", code, media, diff)
				}
			}
			s.idle()
		}
	}
}

// A display is on one line, whatever it holds: lines of NDJSON and of server-
// sent events are cut at line breaks.
func TestDisplayIsOneLine(t *testing.T) {
	for _, d := range testDisplays {
		if b := appendDisplay(nil, &d); strings.ContainsAny(string(b), "\n\r") {
			t.Errorf("%q", b)
		}
	}
}

// However deep the JSON of a guest is, what is answered and stored can be
// decoded.
func TestDeepJSON(t *testing.T) {
	for depth := 9980; depth <= 10_000; depth++ {
		deep := []byte(strings.Repeat("[", depth) + strings.Repeat("]", depth))
		r := execution.Result{
			Value: deep, ValueType: "list",
			Displays: []execution.Display{{Parts: []execution.Part{{Type: "application/json", Data: deep}}}},
		}
		if _, err := resultOf(&meta.Execution{Result: appendOutput(nil, &r)}); err != nil {
			t.Fatalf("%d levels: %v", depth, err)
		}
		for _, e := range story(&r, time.Now()) {
			if list := fmt.Sprintf(`{"events":[%s]}`, appendEvent(nil, "id", &e, nil)); !json.Valid([]byte(list)) {
				t.Fatalf("%d levels: the event %s can't be decoded", depth, eventType(&e))
			}
		}
	}
}

func BenchmarkAppendDisplay(b *testing.B) {
	d := execution.Display{Parts: []execution.Part{
		{Type: execution.ChartType, Data: []byte(`{"points":[` + strings.Repeat("[1.5,2.5],", 2000) + "[0,0]]}")},
		{Type: "image/png", Data: make([]byte, 25<<10)},
		{Type: "image/svg+xml", Data: []byte(strings.Repeat("<path d=\"M 1 2\"/>\n", 1500))},
	}}
	var buffer []byte
	b.ReportAllocs()
	for b.Loop() {
		buffer = appendDisplay(buffer[:0], &d)
	}
	b.SetBytes(int64(len(buffer)))
}
