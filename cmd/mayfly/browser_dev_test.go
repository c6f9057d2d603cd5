//go:build browser

package main

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// shows waits until an element has a text, also while the page is loaded anew.
func (p *page) shows(t *testing.T, d *devServer, selector, want string) {
	t.Helper()
	text := chromedp.Evaluate[string]("(document.querySelector(" + strconv.Quote(selector) + ") ?? document.createElement('p')).innerText")
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		got, err := chromedp.Run(p.ctx, text) // fails between one document and the next
		if err == nil && strings.Contains(got, want) {
			return
		}
		if time.Since(begin) > 30*time.Second {
			t.Fatalf("%s shows %q (%v), want %q\n%s", selector, got, err, want, d.out)
		}
	}
}

// TestDevInBrowser has a page of a project loaded anew by each change, through a
// mistake and its mending.
func TestDevInBrowser(t *testing.T) {
	dir := projectFolder(t, `
-- wrangler.json --
{"name": "page", "main": "index.ts", "compatibility_date": "2026-11-01"}
-- index.ts --
import { heading } from "./heading";
export default {
	fetch(request: Request): Response {
		if (request.url.endsWith("/fail")) throw new TypeError("of the page");
		return new Response("<!doctype html><h1>" + heading + "</h1>", { headers: { "content-type": "text/html" } });
	},
};
-- heading.ts --
export const heading: string = "first";
`)
	d := startDev(t, dir)
	p := newPage(t, newBrowser(t))
	p.open(t, d.base+"/")
	shows := func(selector, want string) { t.Helper(); p.shows(t, d, selector, want) }
	shows("h1", "first")
	d.write("heading.ts", `export const heading: string = "second";`)
	shows("h1", "second")
	d.write("heading.ts", `export const heading: string = ;`)
	shows("h1", `Unexpected ";"`)
	shows(".failing mark", ";")
	shows(".place", "heading.ts:1:32")
	d.write("heading.ts", `export const heading: string = "third";`)
	shows("h1", "third")
	p.open(t, d.base+"/fail")
	shows("h1", "of the page")
	shows(".failing", `throw new TypeError("of the page")`)
	shows(".own", "index.ts:4:")
}

// TestDevMissedBuildInBrowser has a project change after a page was answered and
// before the page listens for changes.
func TestDevMissedBuildInBrowser(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	var first sync.Once
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first.Do(func() { close(asked) })
		select {
		case <-answer:
			w.Header().Set("Content-Type", "text/javascript")
		case <-r.Context().Done():
		}
	}))
	defer slow.Close()
	d := startDev(t, projectFolder(t, `
-- wrangler.json --
{"name": "page", "main": "index.ts", "compatibility_date": "2026-11-01"}
-- index.ts --
import { heading } from "./heading";
export default {
	fetch(): Response {
		return new Response("<!doctype html><h1>" + heading + "</h1><script src=\"`+slow.URL+`\"></script>", { headers: { "content-type": "text/html" } });
	},
};
-- heading.ts --
export const heading = "first";
`))
	p := newPage(t, newBrowser(t))
	evaluate[bool](t, p, "(location.href = "+strconv.Quote(d.base+"/")+") !== ''")
	select {
	case <-asked: // the page's own script waits for the one before it
	case <-p.ctx.Done():
		t.Fatalf("the page was not answered\n%s", d.out)
	}
	d.write("heading.ts", `export const heading = "second";`)
	d.eventually("the change", func() bool {
		_, body := d.get("/", false)
		return strings.Contains(body, "second")
	})
	close(answer)
	p.shows(t, d, "h1", "second")
}
