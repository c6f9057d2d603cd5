package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"mayfly/host/execution"
)

// extensions name the files of displays by their media types.
var extensions = map[string]string{
	"text/html": "html", "text/markdown": "md", "text/latex": "tex", "application/javascript": "js", "application/pdf": "pdf",
	"application/json": "json", execution.ChartType: "chart.json", "image/png": "png", "image/jpeg": "jpg", "image/gif": "gif",
	"image/webp": "webp", "image/svg+xml": "svg",
}

// extension is what the name of a file with a part ends in.
func extension(p execution.Part) string {
	if e, ok := extensions[p.Type]; ok {
		return e
	}
	switch p.Form() {
	case execution.JSONForm:
		return "json"
	case execution.TextForm:
		if strings.HasSuffix(p.Type, "xml") {
			return "xml"
		}
		return "txt"
	}
	return "bin"
}

// printDisplay prints a display as a terminal can show it: by its text. That
// of the result is printed as the result.
func printDisplay(w io.Writer, d *execution.Display) {
	if d.Main {
		return
	}
	for _, want := range []string{"text/plain", "text/markdown", "text/latex"} {
		for _, p := range d.Parts {
			if p.Type == want {
				_, _ = fmt.Fprintln(w, strings.TrimSuffix(string(p.Data), "\n"))
				return
			}
		}
	}
}

// keepDisplays writes the parts of displays as files into a folder, display-1.png
// and so on, or says what was not kept. Text is kept only if there is nothing
// else of its display.
func keepDisplays(w io.Writer, list []execution.Display, folder string) error {
	if folder != "" && len(list) > 0 {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
	}
	for i, d := range list {
		types := make([]string, 0, len(d.Parts))
		names := map[string]bool{}
		for _, p := range d.Parts {
			if p.Type == "text/plain" && (len(d.Parts) > 1 || folder == "") {
				continue
			}
			types = append(types, p.Type)
			if folder == "" {
				continue
			}
			name := fmt.Sprintf("display-%d.%s", i+1, extension(p))
			for n := 2; names[name]; n++ {
				name = fmt.Sprintf("display-%d-%d.%s", i+1, n, extension(p))
			}
			names[name] = true
			file := filepath.Join(folder, name)
			if err := os.WriteFile(file, p.Data, 0o644); err != nil {
				return err
			}
			fmt.Fprintf(w, "display %s\n", file)
		}
		if folder == "" && len(types) > 0 {
			fmt.Fprintf(w, "display %d (%s) was not kept: give --displays DIR\n", i+1, strings.Join(types, ", "))
		}
	}
	return nil
}
