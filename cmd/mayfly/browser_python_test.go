//go:build browser

package main

import (
	"context"
	"image"
	"os"
	"path/filepath"
	"testing"
)

// The demo's Monte-Carlo pi opens at its URLs, as PNG and as SVG: of the size
// that it was drawn in, and with its darts on it.
func testPi(t *testing.T, browser context.Context, address string) {
	program, err := os.ReadFile(filepath.Join("..", "..", "testdata", "demo", "pi.py"))
	if err != nil {
		t.Fatal(err)
	}
	e := postExecution(t, address, map[string]any{"language": "python", "code": string(program), "limits": map[string]int{"cpu_ms": 30_000}})
	if len(e.Artifacts) != 2 {
		t.Fatalf("%+v", e)
	}
	for _, a := range e.Artifacts {
		p := newPage(t, browser)
		p.open(t, a.URL)
		size := evaluate[struct{ Width, Height float64 }](t, p, `(() => {
			const image = document.querySelector("img");
			if (image) return { Width: image.naturalWidth, Height: image.naturalHeight };
			const { width, height } = document.documentElement.getBoundingClientRect();
			return { Width: width, Height: height };
		})()`)
		// 10 × 4.5 inches: 100 dots an inch as PNG, 72 points as SVG, which is
		// 96 CSS pixels.
		want := [2]float64{1000, 450}
		if filepath.Ext(a.Name) == ".svg" {
			want = [2]float64{960, 432}
		}
		if size.Width < want[0]-1 || size.Width > want[0]+1 || size.Height < want[1]-1 || size.Height > want[1]+1 {
			t.Errorf("%s is %v × %v, want %v", a.Name, size.Width, size.Height, want)
		}
		shot := p.screenshot(t, "pi"+filepath.Ext(a.Name)+".png")
		var blue, orange, red int
		for color, n := range colors(shot, shot.Bounds()) {
			switch r, g, b := int(color[0]), int(color[1]), int(color[2]); {
			case b > r+80 && b > g+20:
				blue += n
			case r > b+120 && g > b+60:
				orange += n
			case r > g+120 && r > b+120:
				red += n
			}
		}
		// 4,000 darts of about nine pixels, of which π/4 hit.
		if area := image.Rect(0, 0, int(size.Width), int(size.Height)); blue < 5000 || orange < 1000 || red < 100 || blue < orange {
			t.Errorf("%s: %d blue, %d orange and %d red pixels of %v", a.Name, blue, orange, red, area)
		}
	}
}
