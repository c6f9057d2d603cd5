package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
)

// makeModfile writes a go.mod that is ours with the module replaced by its
// copy, and a go.sum beside it, and returns the path of the first. The go
// command reads relative paths in it as relative to our module's directory.
func makeModfile(cache string, s *source, copied string) (string, error) {
	goMod := bytes.TrimRight(bytes.Clone(s.goMod), "\n")
	goMod = fmt.Appendf(goMod, "\n\nreplace %s => %s\n", modulePath, quoted(copied))
	h := sha256.New()
	fmt.Fprintf(h, "%d\n%s%s", len(goMod), goMod, s.goSum)
	home := filepath.Join(cache, "engine", "modfile-"+hex.EncodeToString(h.Sum(nil)[:8]))
	if !intact(home) {
		err := install(home, map[string]string{"go.mod": string(goMod), "go.sum": string(s.goSum)})
		if err != nil {
			return "", err
		}
	}
	return filepath.Join(home, "go.mod"), nil
}

// quoted writes a path as go.mod wants it.
func quoted(path string) string {
	for _, r := range path {
		if r == '"' || r == '`' || r == ' ' || r == '\'' || r == '\t' || r == '(' || r == ')' || r == ',' {
			return fmt.Sprintf("%q", path)
		}
	}
	return path
}
