package execution

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"mayfly/host/op"
)

// A Display is a rich result of a program, as a chart or a table: one thing in
// several media types, of which a reader takes the one that it shows best.
type Display struct {
	Main  bool   // it is of the program's result, not shown by itself
	Parts []Part // at least one, in the order of their types, which are distinct
}

// A Part is a display in one media type.
type Part struct {
	Type string // media type (RFC 6838) in lower case, without parameters
	Data []byte // UTF-8 if the type is text, valid JSON if it is JSON
}

// Media types of chart data, as read from the axes of a figure.
const ChartType = "application/vnd.mayfly.chart+json"

// A Form is how data of a media type stands in JSON.
type Form int

// The forms.
const (
	BinaryForm Form = iota // a string of its base64 (RFC 4648, section 4)
	TextForm               // a string
	JSONForm               // the value itself
)

// Form is the form of the part's type: JSON for application/json and types
// with the suffix +json, text for text/*, the suffix +xml and scripts, and
// binary for everything else.
func (p Part) Form() Form {
	switch t := p.Type; {
	case t == "application/json", strings.HasSuffix(t, "+json"):
		return JSONForm
	case strings.HasPrefix(t, "text/"), strings.HasSuffix(t, "+xml"),
		t == "application/xml", t == "application/javascript", t == "application/ecmascript":
		return TextForm
	}
	return BinaryForm
}

// MarshalJSON is the part's data in its form.
func (p Part) MarshalJSON() ([]byte, error) {
	switch p.Form() {
	case JSONForm:
		return p.Data, nil
	case TextForm:
		return json.Marshal(string(p.Data))
	}
	return json.Marshal(base64.StdEncoding.EncodeToString(p.Data))
}

// MarshalJSON is the display as an object from media types to data.
func (d Display) MarshalJSON() ([]byte, error) {
	m := make(map[string]Part, len(d.Parts))
	for _, p := range d.Parts {
		m[p.Type] = p
	}
	return json.Marshal(m)
}

// UnmarshalJSON reads what MarshalJSON wrote; Main is not in it.
func (d *Display) UnmarshalJSON(b []byte) error {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(b, &m); err != nil {
		return err
	}
	*d = Display{Parts: make([]Part, 0, len(m))}
	for t, raw := range m {
		p := Part{Type: t, Data: raw}
		switch p.Form() {
		case TextForm:
			var s string
			if err := json.Unmarshal(raw, &s); err != nil {
				return err
			}
			p.Data = []byte(s)
		case BinaryForm:
			if err := json.Unmarshal(raw, &p.Data); err != nil { // base64, as encoding/json has it
				return err
			}
		}
		d.Parts = append(d.Parts, p)
	}
	d.sort()
	return nil
}

func (d *Display) sort() {
	slices.SortStableFunc(d.Parts, func(a, b Part) int { return strings.Compare(a.Type, b.Type) })
}

// Bounds of one display. Its bytes count as output.
const (
	maxParts     = 32
	maxMediaType = 127 // RFC 6838, section 4.2, for each half; far more than is in use
	displayBytes = 256 // of the output limit, for each display and part besides its data
)

// displays are those of one event.
type displays struct {
	list []Display
	cut  bool // some of them, or parts of them, were too large
}

// display keeps what a guest shows. Parts for which the output limit leaves no
// room are left out, the largest first; false if there is none for any.
func (b *sandbox) display(message []byte) (bool, error) {
	d, err := readDisplay(message)
	if err != nil {
		return true, err
	}
	room := b.output.limit - b.output.used
	if d.fit(room) {
		b.displays.cut = true
	}
	if len(d.Parts) == 0 {
		return false, nil
	}
	b.output.used += d.size()
	for i, p := range d.Parts {
		d.Parts[i].Data = bytes.Clone(p.Data) // it was the guest's memory
	}
	b.displays.list = append(b.displays.list, d)
	b.emit(Event{Display: &d})
	return true, nil
}

// readDisplay decodes the message of a display operation. Its parts share the
// message's memory.
func readDisplay(message []byte) (Display, error) {
	r := op.NewReader(message)
	main, n := r.U8(), r.U32()
	if r.Err() == nil && (main > 1 || n > maxParts) {
		return Display{}, fmt.Errorf("%w: a display with the flag %d and %d parts", op.ErrMessage, main, n)
	}
	d := Display{Main: main == 1}
	for range n {
		p := Part{Type: r.Str(), Data: r.Bytes()}
		if r.Err() != nil {
			break
		}
		if !isMediaType(p.Type) {
			return Display{}, fmt.Errorf("%w: %.40q is not a media type", op.ErrMessage, p.Type)
		}
		switch p.Form() {
		case TextForm:
			p.Data = bytes.ToValidUTF8(p.Data, []byte("\uFFFD"))
		case JSONForm:
			if !json.Valid(p.Data) {
				return Display{}, fmt.Errorf("%w: the %s is not JSON", op.ErrMessage, p.Type)
			}
		}
		d.Parts = append(d.Parts, p)
	}
	if err := r.Done(); err != nil {
		return Display{}, err
	}
	if len(d.Parts) == 0 {
		return Display{}, fmt.Errorf("%w: a display without parts", op.ErrMessage)
	}
	d.sort()
	for i := 1; i < len(d.Parts); i++ {
		if d.Parts[i].Type == d.Parts[i-1].Type {
			return Display{}, fmt.Errorf("%w: a display with two parts of the type %s", op.ErrMessage, d.Parts[i].Type)
		}
	}
	return d, nil
}

// isMediaType says whether s is a type and a subtype of RFC 6838, section 4.2,
// in lower case and without parameters.
func isMediaType(s string) bool {
	kind, sub, ok := strings.Cut(s, "/")
	if !ok || len(s) > maxMediaType {
		return false
	}
	for _, half := range []string{kind, sub} {
		for i := range len(half) {
			c := half[i]
			letter := 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
			if !letter && (i == 0 || !strings.ContainsRune("!#$&-^_.+", rune(c))) {
				return false
			}
		}
		if half == "" {
			return false
		}
	}
	return true
}

// size is what a display counts of the output limit.
func (d *Display) size() int64 {
	n := int64(displayBytes)
	for _, p := range d.Parts {
		n += displayBytes + int64(len(p.Data))
	}
	return n
}

// fit leaves out the largest parts until the rest has room, and says whether
// it had to.
func (d *Display) fit(room int64) bool {
	cut := false
	for len(d.Parts) > 0 && d.size() > room {
		largest := 0
		for i, p := range d.Parts {
			if len(p.Data) > len(d.Parts[largest].Data) {
				largest = i
			}
		}
		d.Parts = slices.Delete(d.Parts, largest, largest+1)
		cut = true
	}
	return cut
}
