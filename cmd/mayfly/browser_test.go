//go:build browser

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// A page is a tab of a browser, and what it has asked for and said.
type page struct {
	ctx context.Context

	mu       sync.Mutex
	answered []string // URLs that were answered, each with its method
	faults   []string // errors on the console
}

// newBrowser starts Chromium with an empty profile; tabs are made of it.
func newBrowser(t *testing.T) context.Context {
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1280, 900),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("no-proxy-server", true), chromedp.WSURLReadTimeout(2*time.Minute))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(func() { _ = chromedp.Cancel(ctx); cancel() })
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("Chromium does not start (apt-get install chromium): %v", err)
	}
	return ctx
}

func newPage(t *testing.T, browser context.Context) *page {
	p := &page{}
	methods := map[network.RequestID]string{}
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithListener(func(event any) {
		p.mu.Lock()
		defer p.mu.Unlock()
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			methods[e.RequestID] = e.Request.Method
		case *network.EventResponseReceived:
			p.answered = append(p.answered, methods[e.RequestID]+" "+e.Response.URL)
		case *runtime.EventExceptionThrown:
			p.faults = append(p.faults, e.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			if e.Entry.Level == log.EntryLevelError {
				p.faults = append(p.faults, e.Entry.Text)
			}
		case *runtime.EventConsoleAPICalled:
			if e.Type == runtime.ConsoleAPICalledTypeError {
				p.faults = append(p.faults, fmt.Sprint(e.Args))
			}
		}
	}))
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 5*time.Minute)
	t.Cleanup(cancel)
	p.ctx = ctx
	_, err := chromedp.Call(ctx, network.Enable, network.EnableParams{})
	if err == nil {
		_, err = chromedp.Call(ctx, log.Enable, cdp.Empty{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *page) open(t *testing.T, url string) {
	t.Helper()
	if err := chromedp.Do(p.ctx, chromedp.Navigate(url)); err != nil {
		t.Fatalf("%s: %v", url, err)
	}
}

// evaluate is the value of an expression in a page. It works where the page's
// own scripts don't.
func evaluate[T any](t *testing.T, p *page, expression string) T {
	t.Helper()
	return get(t, p, chromedp.Evaluate[T](expression))
}

func get[T any](t *testing.T, p *page, action chromedp.Action[T]) T {
	t.Helper()
	v, err := chromedp.Run(p.ctx, action)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// requests is what was answered so far.
func (p *page) requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.answered...)
}

// screenshot keeps what the page looks like, and gives its pixels.
func (p *page) screenshot(t *testing.T, name string) image.Image {
	t.Helper()
	shot := get(t, p, chromedp.CaptureScreenshot())
	if err := os.WriteFile(filepath.Join(t.ArtifactDir(), name), shot, 0o600); err != nil {
		t.Fatal(err)
	}
	pixels, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		t.Fatal(err)
	}
	return pixels
}

// colors counts the pixels of each color within a rectangle.
func colors(i image.Image, within image.Rectangle) map[[3]uint32]int {
	count := map[[3]uint32]int{}
	for y := within.Min.Y; y < within.Max.Y; y++ {
		for x := within.Min.X; x < within.Max.X; x++ {
			r, g, b, _ := i.At(x, y).RGBA()
			count[[3]uint32{r >> 8, g >> 8, b >> 8}]++
		}
	}
	return count
}

// browsed is an execution as browser tests read it.
type browsed struct {
	ID, Outcome string
	Artifacts   []struct {
		Name string
		URL  string
	}
}

func postExecution(t *testing.T, address string, request map[string]any) browsed {
	t.Helper()
	body, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.Post("http://"+address+"/v1/executions", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	var e browsed
	if err := json.Unmarshal(text, &e); err != nil || e.Outcome != "ok" {
		t.Fatalf("%s: %s", response.Status, text)
	}
	return e
}

// executions are the ids of all executions of a server.
func executions(t *testing.T, address string) []string {
	t.Helper()
	response, err := http.Get("http://" + address + "/v1/executions?limit=100")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var list struct{ Executions []browsed }
	if err := json.NewDecoder(response.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, e := range list.Executions {
		ids = append(ids, e.ID)
	}
	return ids
}

func TestBrowser(t *testing.T) {
	preparedCache(t)
	s := startServer(t, t.TempDir(), nil)
	browser := newBrowser(t)
	t.Run("chart", func(t *testing.T) { testChart(t, browser, s.address) })
	t.Run("pi", func(t *testing.T) { testPi(t, browser, s.address) })
	t.Run("hostile", func(t *testing.T) { testHostile(t, browser, s.address) })
	t.Run("docs", func(t *testing.T) { testDocs(t, browser, s.address) })
}

// The demo's chart opens at its URL and shows its bars.
func testChart(t *testing.T, browser context.Context, address string) {
	var files []map[string]any
	for _, name := range []string{"report.ts", "chart.ts", "sales.csv"} {
		content, err := os.ReadFile(filepath.Join("..", "..", "testdata", "demo", name))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, map[string]any{"path": name, "content": string(content)})
	}
	e := postExecution(t, address, map[string]any{"language": "typescript", "entrypoint": "report.ts", "files": files, "input": map[string]string{"title": "Revenue"}})
	p := newPage(t, browser)
	p.open(t, e.Artifacts[0].URL)
	box := evaluate[struct {
		X, Y          float64
		Width, Height float64
	}](t, p, `(({ x, y, width, height }) => ({ X: x, Y: y, Width: width, Height: height }))(document.documentElement.getBoundingClientRect())`)
	texts := evaluate[[]string](t, p, `[...document.querySelectorAll("text")].map((t) => t.textContent)`)
	shot := p.screenshot(t, "chart.png")
	if box.Width < 300 || box.Height < 200 || box.Width > 1280 || box.Height > 900 {
		t.Errorf("the chart is %v × %v", box.Width, box.Height)
	}
	if all := strings.Join(texts, "|"); !strings.Contains(all, "Revenue") || len(texts) < 12 {
		t.Errorf("texts %s", all)
	}
	within := image.Rect(int(box.X), int(box.Y), int(box.X+box.Width), int(box.Y+box.Height)).Intersect(shot.Bounds())
	count, bars := colors(shot, within), 0
	for color, n := range count {
		if color[0] != color[1] || color[1] != color[2] { // not gray
			bars += n
		}
	}
	if area := within.Dx() * within.Dy(); len(count) < 8 || bars < area/50 || bars > area*9/10 {
		t.Errorf("%d colors, %d of %d pixels are colored: that is no chart", len(count), bars, area)
	}
}

// attempts is a script that does to the API what a hostile page could try. It
// reports at its own origin, by the title and by attempts that went through.
const attempts = `
document.title = "ran";
const api = "http://ADDRESS";
const got = (what) => { document.title += " " + what; };
const body = JSON.stringify({ language: "javascript", code: "'from ' + NAME" });
(async () => {
  await fetch(api + "/v1/executions").then((r) => r.text()).then(() => got("read"), () => {});
  for (const type of ["application/json", "text/plain"])
    await fetch(api + "/v1/executions", { method: "POST", body, headers: { "Content-Type": type } }).then((r) => r.text()).then(() => got("posted"), () => {});
  await fetch(api + "/v1/executions", { method: "POST", body, mode: "no-cors" }).catch(() => {});
  navigator.sendBeacon(api + "/v1/executions", body);
  await new Promise((done) => {
    const x = new XMLHttpRequest();
    x.onload = () => { got("xhr"); done(); };
    x.onerror = done;
    x.open("GET", api + "/openapi.json");
    x.send();
  });
  try { if (window.opener) { opener.document; got("opener"); } } catch {}
  try { if (document.cookie) got("cookie"); localStorage.setItem("a", "b"); } catch {}
  try { await navigator.serviceWorker.register("/v1/executions"); got("worker"); } catch {}
  document.title += " done";
})();
`

// markup tries the same without a script.
const markup = `
<meta http-equiv="refresh" content="0; url=http://ADDRESS/v1/executions">
<link rel="stylesheet" href="http://ADDRESS/openapi.json"><link rel="prefetch" href="http://ADDRESS/openapi.json">
<img src="http://ADDRESS/v1/executions?by=image"><iframe src="http://ADDRESS/v1/executions?by=frame"></iframe><object data="http://ADDRESS/docs"></object>
<form id="f" method="post" enctype="text/plain" action="http://ADDRESS/v1/executions"><input name='{"language":"javascript","code":"1","metadata":{"a":"' value='"}}'></form>
<img src="x" onerror="document.title = 'handler'"><a href="javascript:document.title='link'">a</a>`

// A hostile page opens, and nothing that it tries reaches the API. The same
// page without Mayfly's header fields does try it, and still gets nothing.
func testHostile(t *testing.T, browser context.Context, address string) {
	fill := func(text, name string) string {
		return strings.NewReplacer("ADDRESS", address, "NAME", "'"+name+"'").Replace(text)
	}
	html := "<!doctype html><title>hostile</title><h1>It opens</h1>" + fill(markup, "html") + "<script>" + fill(attempts, "html") + "document.getElementById('f').submit();</script>"
	svg := `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="300" height="100" onload="document.title = 'handler'"><title>hostile</title><text y="50">It opens</text>` +
		fill(`<image href="http://ADDRESS/v1/executions?by=image" width="9" height="9"/><use href="http://ADDRESS/openapi.json#a"/><foreignObject width="9" height="9"><iframe xmlns="http://www.w3.org/1999/xhtml" src="http://ADDRESS/docs"></iframe></foreignObject>`, "") +
		"<script><![CDATA[" + fill(attempts, "svg") + "]]></script></svg>"
	e := postExecution(t, address, map[string]any{
		"language": "javascript", "input": map[string]string{"page.html": html, "image.svg": svg},
		"code": `import fs from "node:fs"; export default (input) => { for (const name in input) fs.writeFileSync("/artifacts/" + name, input[name]); }`,
	})
	if len(e.Artifacts) != 2 {
		t.Fatalf("%+v", e)
	}
	before := executions(t, address)
	for _, a := range e.Artifacts {
		for _, from := range []string{a.URL, "http://" + address + "/v1/executions/" + e.ID + "/artifacts/" + a.Name} {
			p := newPage(t, browser)
			p.open(t, from)
			time.Sleep(500 * time.Millisecond) // for whatever it begins
			title := evaluate[string](t, p, `document.title || document.querySelector("title").textContent`)
			text := evaluate[string](t, p, `document.documentElement.textContent`)
			p.screenshot(t, a.Name+".png")
			if title != "hostile" || !strings.Contains(text, "It opens") {
				t.Errorf("%s: title %q, text %.60q", from, title, text)
			}
			// The browser's own notice, where a frame was blocked, has data: images.
			answered := slices.DeleteFunc(p.requests(), func(r string) bool { return strings.HasPrefix(r, "GET data:") })
			if len(answered) != 1 || answered[0] != "GET "+from {
				t.Errorf("%s got answers to %.300q", from, answered)
			}
		}
	}
	if after := executions(t, address); len(after) != len(before) {
		t.Errorf("%d executions, there were %d", len(after), len(before))
	}

	// The control: the attempts are real ones.
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!doctype html><title>elsewhere</title><script>"+fill(attempts, "elsewhere")+"</script>")
	}))
	t.Cleanup(elsewhere.Close)
	p := newPage(t, browser)
	p.open(t, elsewhere.URL)
	title := get(t, p, chromedp.Poll[string](`document.title.endsWith("done") && document.title`))
	if title != "ran done" {
		t.Errorf("a page of another origin: %q", title)
	}
	tried := 0
	for _, r := range p.requests() {
		if _, url, _ := strings.Cut(r, " "); strings.HasPrefix(url, "http://"+address) { // preflights too
			tried++
		}
	}
	if tried == 0 {
		t.Errorf("the page of another origin did not try: %q", p.requests())
	}
	if after := executions(t, address); len(after) != len(before) {
		t.Errorf("a page of another origin made executions: %d, there were %d", len(after), len(before))
	}
}

// The documentation shows every operation, and says nothing on the console.
func testDocs(t *testing.T, browser context.Context, address string) {
	response, err := http.Get("http://" + address + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var specification struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.NewDecoder(response.Body).Decode(&specification); err != nil {
		t.Fatal(err)
	}
	p := newPage(t, browser)
	p.open(t, "http://"+address+"/docs")
	get(t, p, chromedp.Poll[bool](`document.querySelectorAll("main h3").length > 0`))
	shown := evaluate[[]string](t, p, `[...document.querySelectorAll("main h3")].map((h) => h.innerText.replace(/\s+/g, " ").trim())`)
	all := "\n" + strings.Join(shown, "\n") + "\n"
	operations := 0
	for path, item := range specification.Paths {
		for _, method := range []string{"get", "post", "put", "patch", "delete"} {
			if item[method] != nil {
				operations++
				if name := strings.ToUpper(method) + " " + path; !strings.Contains(all, "\n"+name+"\n") {
					t.Errorf("%s is not shown", name)
				}
			}
		}
	}
	if operations < 10 {
		t.Errorf("only %d operations: %s", operations, all)
	}
	for name, size := range map[string][2]int64{"docs.png": {1280, 900}, "docs-narrow.png": {400, 800}} {
		get(t, p, chromedp.EmulateViewport(size[0], size[1]))
		if shot := p.screenshot(t, name); len(colors(shot, shot.Bounds())) < 8 {
			t.Errorf("%s is blank", name)
		}
		if evaluate[bool](t, p, `document.documentElement.scrollWidth > innerWidth`) {
			t.Errorf("%s: wider than the window", name)
		}
	}
	get(t, p, chromedp.EmulateViewport(1280, 900))
	evaluate[bool](t, p, `document.querySelector("main h3").scrollIntoView() === undefined`)
	p.screenshot(t, "docs-operation.png")
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.faults) > 0 {
		t.Errorf("on the console: %q", p.faults)
	}
}
