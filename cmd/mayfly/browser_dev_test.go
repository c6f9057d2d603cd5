//go:build browser

package main

import (
	"strings"
	"testing"
	"time"
)

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
	shows := func(selector, want string) {
		t.Helper()
		for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
			text := evaluate[string](t, p, `(document.querySelector(`+"`"+selector+"`"+`) ?? document.createElement("p")).innerText`)
			if strings.Contains(text, want) {
				return
			}
			if time.Since(begin) > 30*time.Second {
				t.Fatalf("%s shows %q, want %q\n%s", selector, text, want, d.out)
			}
		}
	}
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
