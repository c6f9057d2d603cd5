package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mayfly/host/execution"
)

func TestDisplays(t *testing.T) {
	list := []execution.Display{
		{Parts: []execution.Part{
			{Type: execution.ChartType, Data: []byte(`{"type":"pie"}`)}, {Type: "application/geo+json", Data: []byte("{}")}, {Type: "application/json", Data: []byte("[]")},
			{Type: "application/x-thing", Data: []byte{0}}, {Type: "image/png", Data: []byte("\x89PNG")}, {Type: "text/plain", Data: []byte("<Figure>")},
		}},
		{Parts: []execution.Part{{Type: "text/plain", Data: []byte("only text\n")}}},
		{Main: true, Parts: []execution.Part{{Type: "text/html", Data: []byte("<b>")}, {Type: "text/plain", Data: []byte("the result")}}},
	}
	var shown bytes.Buffer
	for i := range list {
		printDisplay(&shown, &list[i])
	}
	if got := shown.String(); got != "<Figure>\nonly text\n" {
		t.Errorf("printed %q", got)
	}

	var said bytes.Buffer
	if err := keepDisplays(&said, list, ""); err != nil {
		t.Fatal(err)
	}
	if got := said.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "display 1 (application/vnd.mayfly.chart+json, application/geo+json") ||
		!strings.Contains(got, "display 3 (text/html) was not kept: give --displays DIR\n") {
		t.Errorf("said %q", got)
	}

	folder := filepath.Join(t.TempDir(), "a", "b")
	said.Reset()
	if err := keepDisplays(&said, list, folder); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"display-1.chart.json": `{"type":"pie"}`, "display-1.json": "{}", "display-1-2.json": "[]", "display-1.bin": "\x00", "display-1.png": "\x89PNG",
		"display-2.txt": "only text\n", "display-3.html": "<b>",
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != len(want) {
		t.Errorf("kept %v, %v", entries, err)
	}
	for name, content := range want {
		if b, err := os.ReadFile(filepath.Join(folder, name)); err != nil || string(b) != content {
			t.Errorf("%s holds %q, %v", name, b, err)
		}
		if line := "display " + filepath.Join(folder, name) + "\n"; !strings.Contains(said.String(), line) {
			t.Errorf("%q is not said in %q", line, said.String())
		}
	}
}
