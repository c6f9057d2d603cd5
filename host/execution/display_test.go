package execution

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mayfly/host/op"
)

// displayMessage encodes a display operation as guests do.
func displayMessage(main byte, parts ...string) []byte {
	w := op.NewWriter(nil)
	w.U8(main)
	w.U32(uint32(len(parts) / 2))
	for _, s := range parts {
		w.Str(s)
	}
	return w.Message()
}

func TestReadDisplay(t *testing.T) {
	for _, c := range []struct {
		name    string
		message []byte
		want    Display
	}{
		{"one part", displayMessage(0, "text/html", "<b>"), Display{Parts: []Part{{"text/html", []byte("<b>")}}}},
		{"in the order of types", displayMessage(1, "text/plain", "p", "image/png", "\x89P", "application/json", " [1]"),
			Display{Main: true, Parts: []Part{{"application/json", []byte(" [1]")}, {"image/png", []byte("\x89P")}, {"text/plain", []byte("p")}}}},
		{"broken text is mended", displayMessage(0, "text/plain", "a\xffb"), Display{Parts: []Part{{"text/plain", []byte("a\uFFFDb")}}}},
		{"bytes are left alone", displayMessage(0, "application/x-thing", "a\xffb"), Display{Parts: []Part{{"application/x-thing", []byte("a\xffb")}}}},
		{"nothing in a part", displayMessage(0, "text/plain", ""), Display{Parts: []Part{{"text/plain", []byte{}}}}},
	} {
		got, err := readDisplay(c.message)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestReadDisplayRefuses(t *testing.T) {
	many := []string{}
	for i := range maxParts + 1 {
		many = append(many, "text/x"+strings.Repeat("i", i), "")
	}
	for name, message := range map[string][]byte{
		"nothing":         nil,
		"no parts":        displayMessage(0),
		"a strange flag":  displayMessage(2, "text/plain", "x"),
		"too many parts":  displayMessage(0, many...),
		"a type twice":    displayMessage(0, "text/plain", "x", "text/html", "", "text/plain", "y"),
		"broken JSON":     displayMessage(0, "application/json", "{"),
		"broken chart":    displayMessage(0, ChartType, "NaN"),
		"more than said":  append(displayMessage(0, "text/plain", "x"), 0),
		"less than said":  displayMessage(0, "text/plain", "x")[:12],
		"no type":         displayMessage(0, "", "x"),
		"half a type":     displayMessage(0, "text/", "x"),
		"upper case":      displayMessage(0, "Text/plain", "x"),
		"a parameter":     displayMessage(0, "text/plain; charset=utf-8", "x"),
		"a quote":         displayMessage(0, `text/"`, "x"),
		"two slashes":     displayMessage(0, "a/b/c", "x"),
		"a very long one": displayMessage(0, "text/"+strings.Repeat("a", 200), "x"),
	} {
		if d, err := readDisplay(message); !errors.Is(err, op.ErrMessage) {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
	}
}

// Parts that have no room are left out, the largest first.
func TestDisplayFits(t *testing.T) {
	parts := func() []Part {
		return []Part{{"image/png", make([]byte, 1000)}, {"image/svg+xml", make([]byte, 3000)}, {"text/plain", make([]byte, 10)}}
	}
	all := Display{Parts: parts()}
	whole := all.size()
	for _, c := range []struct {
		room int64
		want string
		cut  bool
	}{
		{whole, "image/png image/svg+xml text/plain", false},
		{whole - 1, "image/png text/plain", true},
		{whole - 3000 - displayBytes, "image/png text/plain", true},
		{whole - 3000 - displayBytes - 1, "text/plain", true},
		{displayBytes, "", true},
		{-5, "", true},
	} {
		d := Display{Parts: parts()}
		cut := d.fit(c.room)
		var types []string
		for _, p := range d.Parts {
			types = append(types, p.Type)
		}
		if got := strings.Join(types, " "); got != c.want || cut != c.cut {
			t.Errorf("room for %d: %q, cut %v", c.room, got, cut)
		}
	}
}

// A sandbox counts displays as output, and tells of them after what was
// printed before.
func TestSandboxKeepsDisplays(t *testing.T) {
	var events []Event
	b := &sandbox{listener: func(e Event) { events = append(events, e) }}
	b.output = output{limit: 2300, pass: b.passOutput}
	b.output.write(0, []byte("before "))
	message := displayMessage(0, "text/html", "<b>", "text/plain", strings.Repeat("x", 900))
	if room, err := b.display(message); !room || err != nil {
		t.Fatal(room, err)
	}
	clear(message) // the guest's memory is its own
	b.output.write(0, []byte("after"))
	if room, err := b.display(displayMessage(1, "text/plain", strings.Repeat("y", 900), "text/html", "<i>")); !room || err != nil {
		t.Fatal(room, err)
	}
	if room, err := b.display(displayMessage(1, "text/plain", "z")); room || err != nil {
		t.Fatal("a display beyond the limit", err)
	}
	b.output.finish()
	if b.output.used > b.output.limit || !b.displays.cut {
		t.Errorf("%d bytes used, cut %v", b.output.used, b.displays.cut)
	}
	var story []string
	for _, e := range events {
		switch {
		case e.Display != nil:
			s := ""
			for _, p := range e.Display.Parts {
				s += p.Type + "=" + string(p.Data[:3]) + " "
			}
			story = append(story, s)
		default:
			story = append(story, e.Stdout)
		}
	}
	want := []string{"before ", "text/html=<b> text/plain=xxx ", "after", "text/html=<i> "}
	if diff := cmp.Diff(want, story); diff != "" {
		t.Error(diff)
	}
	if len(b.displays.list) != 2 || b.displays.list[0].Main || !b.displays.list[1].Main {
		t.Errorf("%+v", b.displays.list)
	}
	if _, err := b.display([]byte("garbage")); !errors.Is(err, op.ErrMessage) {
		t.Errorf("garbage: %v", err)
	}
}

func TestDisplayJSON(t *testing.T) {
	d := Display{Parts: []Part{
		{ChartType, []byte(`{"type":"line"}`)}, {"application/pdf", []byte("%PDF\xff")}, {"image/svg+xml", []byte("<svg/>")}, {"text/plain", []byte("é\"")},
	}}
	b, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"application/pdf":"JVBERv8=","application/vnd.mayfly.chart+json":{"type":"line"},"image/svg+xml":"\u003csvg/\u003e","text/plain":"é\""}`
	if string(b) != want {
		t.Errorf("%s", b)
	}
	var back Display
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	d.sort()
	if diff := cmp.Diff(d, back); diff != "" {
		t.Error(diff)
	}
}

func FuzzReadDisplay(f *testing.F) {
	f.Add(displayMessage(1, "text/plain", "x", "application/json", "[]"), int64(1000))
	f.Add(displayMessage(0, "image/png", "\x89PNG"), int64(0))
	f.Add([]byte{0, 255, 255, 255, 255}, int64(-1))
	f.Fuzz(func(t *testing.T, message []byte, room int64) {
		d, err := readDisplay(message)
		if err != nil {
			return
		}
		encoded, err := json.Marshal(d)
		if err != nil || !json.Valid(encoded) {
			t.Fatalf("%+v: %s, %v", d, encoded, err)
		}
		var back Display
		if err := json.Unmarshal(encoded, &back); err != nil || len(back.Parts) != len(d.Parts) {
			t.Fatalf("%+v came back as %+v, %v", d, back, err)
		}
		for i, p := range d.Parts {
			if back.Parts[i].Type != p.Type || p.Form() != JSONForm && !bytes.Equal(back.Parts[i].Data, p.Data) {
				t.Fatalf("%+v came back as %+v", d, back)
			}
		}
		if d.fit(room); len(d.Parts) > 0 && d.size() > room {
			t.Fatalf("%d bytes where %d have room", d.size(), room)
		}
	})
}
