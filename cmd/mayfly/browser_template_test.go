//go:build browser

package main

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// eventually waits until an expression in a page is true.
func (p *page) eventually(t *testing.T, expression string) {
	t.Helper()
	for begin := time.Now(); !evaluate[bool](t, p, expression); time.Sleep(20 * time.Millisecond) {
		if time.Since(begin) > 90*time.Second {
			t.Fatalf("not within 90 s: %s\n%s", expression, evaluate[string](t, p, "document.body.innerText"))
		}
	}
}

func (p *page) quiet(t *testing.T) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	// Chromium asks for an icon where a page has none.
	if faults := slices.DeleteFunc(slices.Clone(p.faults), func(s string) bool { return strings.Contains(s, "404") }); len(faults) > 0 {
		t.Errorf("the page complains: %q", faults)
	}
}

// named is where a browser finds a worker: below /w/ its pages have no origin, so that
// they can't ask for anything.
func named(t *testing.T, s *attackServer, name string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(s.address)
	if err != nil {
		t.Fatal(err)
	}
	return "http://" + name + ".localhost:" + port + "/"
}

// TestBrowserTemplates uses the pages of the templates that have one.
func TestBrowserTemplates(t *testing.T) {
	s := startServer(t, t.TempDir(), nil, "--cache", preparedCache(t))
	browser := newBrowser(t)
	t.Run("spawn", func(t *testing.T) { testSpawn(t, s, newPage(t, browser)) })
	t.Run("chat-room", func(t *testing.T) {
		deployTemplate(t, s, "chat-room")
		p := newPage(t, browser)
		p.open(t, named(t, s, "chat-room"))
		p.eventually(t, `document.querySelector("#bot").value.includes("hear")`)
		evaluate[bool](t, p, `(text.value = "<b>good day</b>", document.forms[0].requestSubmit(), true)`)
		p.eventually(t, `document.querySelectorAll("#messages li").length === 2`)
		if got := evaluate[string](t, p, `messages.innerText`); !strings.Contains(got, "<b>good day</b>") || !strings.Contains(got, "you says: <B>GOOD DAY</B>") {
			t.Errorf("the room shows %q", got)
		}
		p.screenshot(t, "chat-room.png")
		p.quiet(t)
	})
	t.Run("python-chart", func(t *testing.T) {
		if a, err := s.send("PUT", "/v1/buckets/charts", nil, nil); err != nil || a.status != 201 {
			t.Fatal(a, err)
		}
		deployTemplate(t, s, "python-chart")
		p := newPage(t, browser)
		p.open(t, named(t, s, "python-chart"))
		p.eventually(t, `document.querySelector("button").onclick !== null`)
		evaluate[bool](t, p, `(document.querySelector("button").click(), true)`)
		p.eventually(t, `!document.querySelector("img").hidden && document.querySelector("img").complete && document.querySelector("img").naturalWidth > 0`)
		shot := p.screenshot(t, "python-chart.png")
		violet, teal := 0, 0
		for color, n := range colors(shot, shot.Bounds()) {
			switch color {
			case [3]uint32{0x5b, 0x5b, 0xd6}:
				violet += n
			case [3]uint32{0x0d, 0x94, 0x88}:
				teal += n
			}
		}
		if violet < 500 || teal < 500 {
			t.Errorf("the chart has %d violet and %d teal pixels", violet, teal)
		}
		if got := evaluate[string](t, p, `document.querySelector("figcaption").innerText`); !strings.Contains(got, "6 months; most of coffee") {
			t.Errorf("it says %q", got)
		}
		p.quiet(t)
	})
}

// testSpawn makes ten thousand workers by the page, goes through its pages to that
// of worker 1156, and talks to it.
func testSpawn(t *testing.T, s *attackServer, p *page) {
	deployTemplate(t, s, "spawn")
	p.open(t, named(t, s, "spawn"))
	p.eventually(t, `create.onclick !== null`)
	if n := evaluate[int](t, p, `+document.querySelector("#count").value`); n != 10_000 {
		t.Fatalf("the page begins with %d workers", n)
	}
	evaluate[bool](t, p, `(document.querySelector("#create").click(), true)`)
	p.eventually(t, `made.innerText === "10,000" && pages.innerText === "334" && document.querySelectorAll("[data-worker]").length === 30`)
	t.Logf("10,000 workers in %s", evaluate[string](t, p, `document.querySelector("#time").innerText`))
	p.screenshot(t, "spawn.png")
	for page := 1; ; page++ {
		want := ""
		for i := range 30 {
			want += fmt.Sprintf("worker-%d\nhello from worker-%d\n", (page-1)*30+i, (page-1)*30+i)
		}
		if got := evaluate[string](t, p, `[...document.querySelectorAll("[data-worker]")].map((b) => b.innerText + "\n").join("")`); got != want {
			t.Fatalf("page %d shows\n%s", page, got)
		}
		if page == 39 { // 1140 to 1169
			break
		}
		evaluate[bool](t, p, `(document.querySelector("#next").click(), true)`)
		p.eventually(t, fmt.Sprintf(`document.querySelector("[data-worker]")?.dataset.worker === "%d"`, page*30))
	}
	evaluate[bool](t, p, `(document.querySelector("[data-worker='1156']").click(), true)`)
	// It was asked when it was made, and when it was listed.
	p.eventually(t, `answer.innerText.startsWith("“hello from worker-1156” — worker-1156, asked 3 times")`)
	evaluate[bool](t, p, `(document.querySelector("#say").value = "good day", document.querySelector("#say").form.requestSubmit(), true)`)
	p.eventually(t, `answer.innerText.startsWith("“yad doog” — worker-1156, asked 4 times")`)
	p.screenshot(t, "spawn-1156.png")
	// The last page, by its number.
	evaluate[bool](t, p, `((input) => { input.value = 334; input.onchange() })(document.querySelector("#page")) ?? true`)
	p.eventually(t, `document.querySelector("[data-worker]").dataset.worker === "9990" && document.querySelectorAll("[data-worker]").length === 10 && document.querySelector("#next").disabled`)
	if failure := evaluate[string](t, p, `failure.innerText`); failure != "" {
		t.Error(failure)
	}
	p.quiet(t)
}
