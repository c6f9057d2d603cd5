package python

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mayfly/host/op"
)

const chartType = "application/vnd.mayfly.chart+json"

// A bundle is a display as the guest sent it.
type bundle struct {
	main  bool
	parts map[string]string
}

// shown decodes the displays of a run.
func (h *platform) shown(t testing.TB) []bundle {
	t.Helper()
	var list []bundle
	for _, message := range h.displays {
		r := op.NewReader(message)
		b := bundle{main: r.U8() == 1, parts: map[string]string{}}
		for range r.U32() {
			mime := r.Str()
			b.parts[mime] = string(r.Bytes())
		}
		if err := r.Done(); err != nil {
			t.Fatal(err)
		}
		list = append(list, b)
	}
	return list
}

// shows runs a program that ends well, and gives its displays.
func shows(t testing.TB, source string) ([]bundle, *platform) {
	t.Helper()
	h := run(t, program{source: source})
	if h.failed != nil {
		t.Fatalf("%s\n%+v", source, h.failed)
	}
	return h.shown(t), h
}

// types lists the media types of bundles, those of each in order, the result's
// own marked by a star.
func types(list []bundle) string {
	var all []string
	for _, b := range list {
		var names []string
		for mime := range b.parts {
			names = append(names, mime)
		}
		slices.Sort(names)
		s := strings.Join(names, " ")
		if b.main {
			s = "*" + s
		}
		all = append(all, s)
	}
	return strings.Join(all, "; ")
}

const figureTypes = chartType + " image/png image/svg+xml text/plain"

func TestRepresentations(t *testing.T) {
	for _, c := range []struct {
		name, source, want string
	}{
		{"plain values have no more than text", "[1, {'a': (2, None)}]", ""},
		{"nor have objects without methods", "object()", ""},
		{"nor arrays", "import numpy\nnumpy.arange(5)", ""},
		{"HTML", "class A:\n  def _repr_html_(self): return '<b>'\nA()", "*text/html text/plain"},
		{"every method", `
class A:
  def _repr_html_(self): return '<b>'
  def _repr_markdown_(self): return '*'
  def _repr_svg_(self): return '<svg/>'
  def _repr_png_(self): return b'\x89PNG'
  def _repr_jpeg_(self): return '/9j/'
  def _repr_pdf_(self): return b'%PDF'
  def _repr_latex_(self): return '$x$'
  def _repr_json_(self): return {'a': float('nan')}
  def _repr_javascript_(self): return 'f()'
A()`, "*application/javascript application/json application/pdf image/jpeg image/png image/svg+xml text/html text/latex text/markdown text/plain"},
		{"a bundle comes before methods", `
class A:
  def _repr_mimebundle_(self, include=None, exclude=None): return {'text/html': 'bundle', 'application/vnd.plotly.v1+json': {'data': []}}, {'metadata': 1}
  def _repr_html_(self): return 'method'
A()`, "*application/vnd.plotly.v1+json text/html text/plain"},
		{"an object that shows itself", `
class A:
  def _ipython_display_(self): display('x'); display('y')
A()`, "text/plain; text/plain"},
		{"one that has every name has no representation", "class A:\n  def __getattr__(self, name): return lambda *a, **k: 'x'\nA()", ""},
		{"nor one that fails for those that it has not", "class A:\n  def __getattr__(self, name): raise KeyError(name)\nA()", ""},
		{"nor has a class", "class A:\n  def _repr_html_(self): return 'x'\nA", ""},
		{"what IPython has", `
from IPython.display import display, HTML, Markdown, JSON, Image, SVG, Latex, Javascript, clear_output, update_display
display(HTML('<b>'), Markdown('*'), JSON([1]), Latex('$x$'), Javascript('f()'), SVG('<?xml?><svg/>'))
display(Image(data=b'\x89PNG'), display_id='a').update('again')
clear_output()
Image(url='https://example.com/x.png')`,
			"text/html text/plain; text/markdown text/plain; application/json text/plain; text/latex text/plain; application/javascript text/plain; " +
				"image/svg+xml text/plain; image/png text/plain; text/plain; *text/html text/plain"},
		{"a bundle as it is", "display({'text/plain': 'x', 'image/png': 'iVBORw0='}, raw=True)", "image/png text/plain"},
		{"some of them", "import pandas\ndisplay(pandas.DataFrame({'a': [1]}), include=['text/html'])", "text/html"},
		{"all but some", "import pandas\ndisplay(pandas.DataFrame({'a': [1]}), exclude=['text/html'])", "application/json text/plain"},
		{"tables", "import pandas\nd = pandas.DataFrame({'a': [1]})\ndisplay(d, d['a'], d.style)\nd", "application/json text/html text/plain; application/json text/html text/plain; text/html text/plain; *application/json text/html text/plain"},
		{"formulas", "import sympy\nsympy.symbols('x') ** 2", "*text/latex text/plain"},
		{"pictures", "from PIL import Image\ndisplay(Image.new('RGB', (2, 2)), Image.new('CMYK', (2, 2)))", "image/png text/plain; image/png text/plain"},
		{"open figures, in order", "import matplotlib.pyplot as plt\nplt.figure(7).add_subplot()\nplt.figure(2).add_subplot()\nNone", figureTypes + "; " + figureTypes},
		{"a figure as the result, once", "import matplotlib.pyplot as plt\nf, _ = plt.subplots()\nf", "*" + figureTypes},
		{"a figure that was displayed, once", "import matplotlib.pyplot as plt\nf, _ = plt.subplots()\ndisplay(f)", figureTypes},
		{"but again when it changed", "import matplotlib.pyplot as plt\nf, a = plt.subplots()\ndisplay(f)\na.plot([1])\nNone", figureTypes + "; " + figureTypes},
		{"plt.show closes", "import matplotlib.pyplot as plt\nplt.plot([1])\nplt.show()\nplt.gcf().get_axes()", figureTypes},
		{"modules that are none", "import sys\nfor name in ('pandas', 'PIL.Image', 'matplotlib.figure'): sys.modules[name] = 5\nclass A:\n  def _repr_html_(self): return 'x'\nA()", "*text/html text/plain"},
		{"an empty figure is nothing", "import matplotlib.pyplot as plt\nplt.figure()\nNone", ""},
		{"a closed one neither", "import matplotlib.pyplot as plt\nplt.plot([1])\nplt.close()", ""},
		{"other backends", "import matplotlib\nmatplotlib.use('svg')\nimport matplotlib.pyplot as plt\nplt.plot([1])\nplt.show()", figureTypes},
	} {
		t.Run(c.name, func(t *testing.T) {
			list, h := shows(t, c.source)
			if got := types(list); got != c.want {
				t.Errorf("shown %q, want %q", got, c.want)
			}
			if s := h.stderr.String(); s != "" {
				t.Errorf("stderr: %s", s)
			}
			for _, b := range list {
				for mime, data := range b.parts {
					if strings.HasSuffix(mime, "json") && !json.Valid([]byte(data)) {
						t.Errorf("%s is %q", mime, data)
					}
				}
			}
		})
	}
}

// A representation that fails is told on stderr, by the program's own lines,
// and the program goes on.
func TestRepresentationsThatFail(t *testing.T) {
	for _, c := range []struct {
		name, source, want string
		told               []string
	}{
		{"raising", "class A:\n  def _repr_html_(self): raise ValueError('no HTML')\n  def _repr_latex_(self): return '$'\nA()", "*text/latex text/plain", []string{`main.py", line 2, in _repr_html_`, "ValueError: no HTML"}},
		{"of the wrong type", "class A:\n  def _repr_html_(self): return 5\ndisplay(A())", "text/plain", []string{"TypeError: text/html is text, not int"}},
		{"no repr at all", "class A:\n  def __repr__(self): raise RuntimeError('mute')\ndisplay(A())\nprint('on')", "", []string{"RuntimeError: mute"}},
		{"endless", "class A:\n  def _repr_html_(self): return self._repr_html_()\ndisplay(A())", "text/plain", []string{"RecursionError"}},
		{"a bundle in itself", "l = []\nl.append(l)\ndisplay({'application/json': l, 'text/plain': 'x'}, raw=True)", "text/plain", []string{"nested too deeply, or in itself"}},
		{"no media type", "display({'text/plain': 'x', 5: 'y', 'a b': 'z', 'html': ''}, raw=True)", "text/plain", []string{"not a media type: 5", "not a media type: 'html'"}},
		{"not a bundle", "display(5, raw=True)", "", []string{"TypeError: a bundle is a dict"}},
		{"a figure that can't be drawn", "import matplotlib.pyplot as plt\nplt.title('$\\\\no$')\nNone", "", []string{"ValueError"}},
		{"a stream that is none", "import sys\nsys.stderr = None\nclass A:\n  def _repr_html_(self): raise ValueError\ndisplay(A())", "text/plain", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			list, h := shows(t, c.source)
			if got := types(list); got != c.want {
				t.Errorf("shown %q, want %q", got, c.want)
			}
			said := h.stderr.String()
			for _, s := range c.told {
				if !strings.Contains(said, s) {
					t.Errorf("no %q in %s", s, said)
				}
			}
			if strings.Contains(said, "_mayfly") || len(said) > 20_000 {
				t.Errorf("told in %d bytes: %.2000s", len(said), said)
			}
		})
	}
}

// Charts are read from the axes as they are.
func TestCharts(t *testing.T) {
	const start = "import matplotlib.pyplot as plt, numpy as np, pandas as pd, datetime\n"
	for _, c := range []struct {
		name, source, want string
	}{
		{"line", `
plt.plot([1, 2, 3], [2, 4, 8], label='a')
plt.plot([1, 3], [1, 1])
plt.title('T'); plt.xlabel('time (s)'); plt.ylabel('U [V]'); plt.xticks([1, 2, 3]); plt.yticks([0, 8], ['none', 'all'])`, `
{"type": "line", "title": "T", "x_label": "time (s)", "x_unit": "s", "y_label": "U [V]", "y_unit": "V",
 "x_scale": "linear", "x_ticks": [1, 2, 3], "x_tick_labels": ["1", "2", "3"], "y_scale": "linear", "y_ticks": [0, 8], "y_tick_labels": ["none", "all"],
 "elements": [{"label": "a", "points": [[1, 2], [2, 4], [3, 8]]}, {"label": "Series 1", "points": [[1, 1], [3, 1]]}]}`},
		{"scatter", "plt.scatter([1, 2], [3, 4], label='s'); plt.xticks([]); plt.yticks([])", `
{"type": "scatter", "title": null, "x_label": null, "x_unit": null, "y_label": null, "y_unit": null,
 "x_scale": "linear", "x_ticks": [], "x_tick_labels": [], "y_scale": "linear", "y_ticks": [], "y_tick_labels": [],
 "elements": [{"label": "s", "points": [[1, 3], [2, 4]]}]}`},
		{"points without a line", "plt.plot([1, 2], [3, 4], 'o'); plt.xticks([]); plt.yticks([])", `
{"type": "scatter", "title": null, "x_label": null, "x_unit": null, "y_label": null, "y_unit": null,
 "x_scale": "linear", "x_ticks": [], "x_tick_labels": [], "y_scale": "linear", "y_ticks": [], "y_tick_labels": [],
 "elements": [{"label": "Series 0", "points": [[1, 3], [2, 4]]}]}`},
		{"logarithms, gaps, error bars", "plt.errorbar([1, 2], [10, float('nan')], yerr=1, label='e'); plt.yscale('log'); plt.ylim(1, 100); plt.xticks([])", `
{"type": "line", "title": null, "x_label": null, "x_unit": null, "y_label": null, "y_unit": null,
 "x_scale": "linear", "x_ticks": [], "x_tick_labels": [], "y_scale": "log", "y_ticks": [1, 10, 100], "y_tick_labels": ["$10^{0}$", "$10^{1}$", "$10^{2}$"],
 "elements": [{"label": "e", "points": [[1, 10], [2, null]]}]}`},
		{"dates and categories", "plt.plot([datetime.date(2025, 1, 1), datetime.datetime(2025, 1, 2, 12)], ['low', 'high']); plt.xticks([datetime.date(2025, 1, 2)], ['second'])", `
{"type": "line", "title": null, "x_label": null, "x_unit": null, "y_label": null, "y_unit": null,
 "x_scale": "datetime", "x_ticks": ["2025-01-02T00:00:00"], "x_tick_labels": ["second"], "y_scale": "categorical", "y_ticks": ["low", "high"], "y_tick_labels": ["low", "high"],
 "elements": [{"label": "Series 0", "points": [["2025-01-01T00:00:00", "low"], ["2025-01-02T12:00:00", "high"]]}]}`},
		{"bars", "plt.bar(['a', 'b'], [1, 2.5], label='g'); plt.ylabel('n (%)')", `
{"type": "bar", "title": null, "x_label": null, "x_unit": null, "y_label": "n (%)", "y_unit": "%",
 "elements": [{"label": "a", "group": "g", "value": 1}, {"label": "b", "group": "g", "value": 2.5}]}`},
		{"bars side by side, lying", "pd.DataFrame({'q1': [1, 2], 'q2': [3, 4]}, index=['north', 'south']).plot.barh(title='Regions')", `
{"type": "bar", "title": "Regions", "x_label": null, "x_unit": null, "y_label": null, "y_unit": null,
 "elements": [{"label": "north", "group": "q1", "value": 1}, {"label": "south", "group": "q1", "value": 2},
  {"label": "north", "group": "q2", "value": 3}, {"label": "south", "group": "q2", "value": 4}]}`},
		{"histogram", "plt.hist([1, 2, 2, 5], bins=2)", `
{"type": "bar", "title": null, "x_label": null, "x_unit": null, "y_label": null, "y_unit": null,
 "elements": [{"label": "2", "group": "Series 0", "value": 3}, {"label": "4", "group": "Series 0", "value": 1}]}`},
		{"pie", "plt.pie([90, 10], labels=['No', 'Yes'], autopct='%d', startangle=90); plt.title('Up early')", `
{"type": "pie", "title": "Up early", "elements": [{"label": "No", "angle": 324, "radius": 1}, {"label": "Yes", "angle": 36, "radius": 1}]}`},
		{"boxes, drawn twice", "for _ in range(2): plt.boxplot([[1, 2, 3, 4, 100], [5, 6]], tick_labels=['x', 'y'])", `
{"type": "box_and_whisker", "title": null, "x_label": null, "x_unit": null, "y_label": null, "y_unit": null,
 "elements": [{"label": "x", "min": 1, "first_quartile": 2, "median": 3, "third_quartile": 4, "max": 4, "outliers": [100]},
  {"label": "y", "min": 5, "first_quartile": 5.25, "median": 5.5, "third_quartile": 5.75, "max": 6, "outliers": []}]}`},
		{"boxes of pandas", "pd.DataFrame({'left': [1, 2, 3]}).boxplot()", `
{"type": "box_and_whisker", "title": null, "x_label": null, "x_unit": null, "y_label": null, "y_unit": null,
 "elements": [{"label": "left", "min": 1, "first_quartile": 1.5, "median": 2, "third_quartile": 2.5, "max": 3, "outliers": []}]}`},
		{"several axes", "f, (a, b) = plt.subplots(1, 2); f.suptitle('All'); a.pie([1]); a.set_title('P'); b.bar(['k'], [2])", `
{"type": "superchart", "title": "All", "elements": [{"type": "pie", "title": "P", "elements": [{"label": "", "angle": 360, "radius": 1}]},
 {"type": "bar", "title": null, "x_label": null, "x_unit": null, "y_label": null, "y_unit": null, "elements": [{"label": "k", "group": "Series 0", "value": 2}]}]}`},
		{"pictures and their colour bars", "plt.colorbar(plt.imshow([[1, 2]])); plt.title('M')", `{"type": "unknown", "title": "M", "elements": []}`},
		{"space", "plt.figure().add_subplot(projection='3d').plot([1], [1], [1])", `{"type": "unknown", "title": null, "elements": []}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			list, h := shows(t, start+c.source+"\nNone")
			if len(list) != 1 {
				t.Fatalf("%d displays: %s", len(list), h.stderr.String())
			}
			var got, want any
			if err := json.Unmarshal([]byte(list[0].parts[chartType]), &got); err != nil {
				t.Fatalf("%v: %q\n%s", err, list[0].parts[chartType], h.stderr.String())
			}
			if err := json.Unmarshal([]byte(c.want), &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// Large data is thinned, and says so.
func TestLargeChart(t *testing.T) {
	list, _ := shows(t, "import matplotlib.pyplot as plt, numpy as np\nplt.scatter(np.arange(30000), np.arange(30000))\nNone")
	var chart struct {
		Sampled  int
		Elements []struct{ Points [][2]float64 }
	}
	if err := json.Unmarshal([]byte(list[0].parts[chartType]), &chart); err != nil {
		t.Fatal(err)
	}
	if chart.Sampled != 6 || len(chart.Elements) != 1 || len(chart.Elements[0].Points) != 5000 || chart.Elements[0].Points[1] != [2]float64{6, 6} {
		t.Errorf("every %d: %d series", chart.Sampled, len(chart.Elements))
	}
	if types(list) != chartType+" image/png text/plain" {
		t.Errorf("shown %s", types(list))
	}
}

// The pictures of a figure can be opened, have its size, and show it; one that
// is labelled beyond its edges is as large as the labels need.
func TestPictures(t *testing.T) {
	const source = `
import matplotlib.pyplot as plt
f, a = plt.subplots(figsize=(5, 4), dpi=%DPI)
a.fill_between([0, 1], 0, 1, color='red')
a.set_xlim(0, 1); a.set_ylim(0, 1)
a.set_ylabel('h')
%MORE
None`
	for _, c := range []struct {
		name, dpi, more string
		wide, high      [2]int
	}{
		{"as it is", "100", "", [2]int{500, 500}, [2]int{400, 400}},
		{"finer", "200", "", [2]int{1000, 1000}, [2]int{800, 800}},
		{"a legend beside it", "100", "a.plot([0], label='a long label beside the axes'); a.legend(loc='upper left', bbox_to_anchor=(1.02, 1))", [2]int{550, 900}, [2]int{300, 400}},
		{"long labels", "100", "a.set_yticks([0.5], ['a label that is very long indeed, longer than the margin'])", [2]int{700, 1200}, [2]int{300, 400}},
		{"a layout of its own", "100", "f.set_layout_engine('constrained')", [2]int{500, 500}, [2]int{400, 400}},
	} {
		t.Run(c.name, func(t *testing.T) {
			list, h := shows(t, strings.NewReplacer("%DPI", c.dpi, "%MORE", c.more).Replace(source))
			if types(list) != figureTypes {
				t.Fatalf("shown %q\n%s", types(list), h.stderr.String())
			}
			picture, err := png.Decode(strings.NewReader(list[0].parts["image/png"]))
			if err != nil {
				t.Fatal(err)
			}
			size := picture.Bounds().Size()
			if size.X < c.wide[0] || size.X > c.wide[1] || size.Y < c.high[0] || size.Y > c.high[1] {
				t.Errorf("%v pixels", size)
			}
			if part := share(picture, color.RGBA{255, 0, 0, 255}); part < 0.2 || part > 0.8 {
				t.Errorf("%.0f %% of it is red", 100*part)
			}
			if part := share(picture, color.RGBA{0, 0, 0, 255}); part < 0.0005 {
				t.Errorf("nothing is black, so there is no text")
			}
			svg := list[0].parts["image/svg+xml"]
			if !strings.HasPrefix(svg, `<svg xmlns="http://www.w3.org/2000/svg"`) {
				t.Errorf("SVG begins with %.100q", svg)
			}
			decoder := xml.NewDecoder(strings.NewReader(svg))
			for {
				if _, err := decoder.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatalf("the SVG is not XML: %v", err)
				}
			}
			if !strings.Contains(svg, "#ff0000") || !strings.Contains(svg, `<use xlink:href="#DejaVuSans`) {
				t.Errorf("the SVG has no red, or no text")
			}
		})
	}
}

// share is how much of a picture has a colour.
func share(picture image.Image, want color.RGBA) float64 {
	n := 0
	b := picture.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			if color.RGBAModel.Convert(picture.At(x, y)) == want {
				n++
			}
		}
	}
	return float64(n) / float64(b.Dx()*b.Dy())
}

func TestTables(t *testing.T) {
	const start = "import pandas as pd, numpy as np, decimal\n"
	for _, c := range []struct {
		name, source, want string
	}{
		{"of every kind", `
pd.DataFrame({'n': [1, 2], 'f': [0.5, np.inf], 's': ['é', None], 'd': pd.to_datetime(['2025-01-02', None]), 'c': pd.Categorical(['u', 'v']),
  'i': pd.array([1, None], dtype='Int64'), 'b': [True, False], 'o': [decimal.Decimal('1.5'), {'k': np.int64(3)}], 't': pd.to_timedelta([1, None], unit='h')})`, `
{"columns": [{"name": "n", "type": "int64"}, {"name": "f", "type": "float64"}, {"name": "s", "type": "str"}, {"name": "d", "type": "datetime64[us]"}, {"name": "c", "type": "category"},
  {"name": "i", "type": "Int64"}, {"name": "b", "type": "bool"}, {"name": "o", "type": "object"}, {"name": "t", "type": "timedelta64[s]"}], "rows": 2, "truncated": false,
 "records": [{"n": 1, "f": 0.5, "s": "é", "d": "2025-01-02T00:00:00", "c": "u", "i": 1, "b": true, "o": "1.5", "t": "P0DT1H0M0S"},
  {"n": 2, "f": null, "s": null, "d": null, "c": "v", "i": null, "b": false, "o": {"k": 3}, "t": null}]}`},
		{"with an index", "pd.Series([1.5, 2], index=['x', 'y'], name='v')", `
{"columns": [{"name": "index", "type": "str"}, {"name": "v", "type": "float64"}], "rows": 2, "truncated": false, "records": [{"index": "x", "v": 1.5}, {"index": "y", "v": 2}]}`},
		{"with levels", "pd.DataFrame({('a', 'x'): [1], ('a', ''): [2]}, index=pd.MultiIndex.from_tuples([('p', 7)], names=['k', None]))", `
{"columns": [{"name": "k", "type": "str"}, {"name": "level_1", "type": "int64"}, {"name": "a.x", "type": "int64"}, {"name": "a", "type": "int64"}], "rows": 1, "truncated": false,
 "records": [{"k": "p", "level_1": 7, "a.x": 1, "a": 2}]}`},
		{"with names twice", "pd.DataFrame([[1, 2, 3]], columns=['a', 'a', 'a.1'])", `
{"columns": [{"name": "a", "type": "int64"}, {"name": "a.1", "type": "int64"}, {"name": "a.1.1", "type": "int64"}], "rows": 1, "truncated": false, "records": [{"a": 1, "a.1": 2, "a.1.1": 3}]}`},
		{"empty", "pd.DataFrame()", `{"columns": [], "rows": 0, "truncated": false, "records": []}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			list, h := shows(t, start+c.source)
			if types(list) != "*application/json text/html text/plain" {
				t.Fatalf("shown %q\n%s", types(list), h.stderr.String())
			}
			if list[0].parts["text/plain"] != h.result {
				t.Errorf("the result is %q, shown as %q", h.result, list[0].parts["text/plain"])
			}
			if html := list[0].parts["text/html"]; !strings.Contains(html, "<table") {
				t.Errorf("HTML %q", html)
			}
			var got, want any
			if err := json.Unmarshal([]byte(list[0].parts["application/json"]), &got); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(c.want), &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// A large table is cut to what is of use, and says so.
func TestLargeTables(t *testing.T) {
	for _, c := range []struct {
		name, source string
		rows, least  int
	}{
		{"many rows", "pd.DataFrame(np.random.rand(100_000, 3))", 100_000, 1000},
		{"long values", "pd.DataFrame({'s': ['x' * 10_000] * 500})", 500, 10},
		{"one enormous value", "pd.DataFrame({'s': ['x' * 1_000_000, 'y']})", 2, 0},
	} {
		list, _ := shows(t, "import pandas as pd, numpy as np\n"+c.source)
		size := 0
		for _, data := range list[0].parts {
			size += len(data)
		}
		var table struct {
			Rows      int
			Truncated bool
			Records   []any
		}
		if err := json.Unmarshal([]byte(list[0].parts["application/json"]), &table); err != nil {
			t.Fatal(err)
		}
		if table.Rows != c.rows || !table.Truncated || len(table.Records) < c.least || len(table.Records) > 1000 || size > 300<<10 {
			t.Errorf("%s: %d rows, truncated %v, %d records, %d bytes", c.name, table.Rows, table.Truncated, len(table.Records), size)
		}
	}
}

// Figures that are open when a program fails are shown all the same.
func TestFiguresOfFailure(t *testing.T) {
	h := run(t, program{source: "import matplotlib.pyplot as plt\nplt.plot([1])\n1 / 0"})
	if h.failed == nil || h.failed.Name != "ZeroDivisionError" {
		t.Errorf("failed with %+v", h.failed)
	}
	if got := types(h.shown(t)); got != figureTypes {
		t.Errorf("shown %q", got)
	}
}

// A program saves figures as it likes.
func TestSavedFigures(t *testing.T) {
	_, h := shows(t, `
import io, matplotlib.pyplot as plt
from PIL import Image
plt.plot([1, 2]); plt.title('saved')
for arguments in ({}, {'pil_kwargs': {'compress_level': 9}}, {'dpi': 50, 'metadata': {'Title': 't'}}, {'bbox_inches': 'tight', 'transparent': True}):
  file = io.BytesIO()
  plt.savefig(file, format='png', **arguments)
  print(*Image.open(file).size, end=' ')
for format in ('svg', 'pdf', 'ps'):
  file = io.BytesIO()
  plt.savefig(file, format=format)
  print(file.getvalue()[:4], end=' ')
plt.close()`)
	var sizes [8]int
	if _, err := fmt.Sscan(h.stdout.String(), &sizes[0], &sizes[1], &sizes[2], &sizes[3], &sizes[4], &sizes[5], &sizes[6], &sizes[7]); err != nil {
		t.Fatalf("%v: %s", err, h.stdout.String())
	}
	if sizes[0] != 640 || sizes[1] != 480 || sizes[2] != 640 || sizes[4] != 320 || sizes[5] != 240 || sizes[6] >= 640 || !strings.HasSuffix(h.stdout.String(), "b'<?xm' b'%PDF' b'%!PS' ") {
		t.Errorf("saved %s", h.stdout.String())
	}
}

// The same figure has the same pictures in every life.
func TestPicturesAreTheSame(t *testing.T) {
	const source = "import matplotlib.pyplot as plt\nplt.bar(['a', 'b'], [1, 2], hatch='/')\nplt.grid()\nNone"
	first, _ := shows(t, source)
	second, _ := shows(t, source)
	for mime, data := range first[0].parts {
		if !bytes.Equal([]byte(data), []byte(second[0].parts[mime])) {
			t.Errorf("%s differs", mime)
		}
	}
}
