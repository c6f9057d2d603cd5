package project

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Variables reads what a developer's own files set for mayfly dev: .dev.vars,
// for an environment .dev.vars.ENV instead if that is there; without them .env,
// .env.local, .env.ENV and .env.ENV.local, the later ones first. files are those
// that were read.
//
// # Errors
//
// An [*Error] for a line that sets nothing, errors of the file system.
func Variables(dir, env string) (vars map[string]string, files []string, err error) {
	vars = map[string]string{}
	read := func(name string) (bool, error) {
		path := filepath.Join(dir, name)
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if len(content) > maxFile {
			return false, &Error{[]Problem{{File: name, Text: fmt.Sprintf("the file has %d bytes; at most %d are read", len(content), maxFile)}}}
		}
		files = append(files, path)
		set, err := parseVariables(name, string(content))
		for name, v := range set {
			vars[name] = v
		}
		return true, err
	}
	names := []string{".dev.vars"}
	if env != "" {
		names = []string{".dev.vars." + env, ".dev.vars"}
	}
	for _, name := range names {
		if found, err := read(name); found || err != nil {
			return vars, files, err
		}
	}
	names = []string{".env", ".env.local"}
	if env != "" {
		names = append(names, ".env."+env, ".env."+env+".local")
	}
	for _, name := range names {
		if _, err := read(name); err != nil {
			return vars, files, err
		}
	}
	return vars, files, nil
}

// parseVariables reads lines of NAME=VALUE as the dotenv package does: values
// may be in quotes, and then go over several lines; in double ones \n is a new
// line.
func parseVariables(file, text string) (map[string]string, error) {
	vars := map[string]string{}
	for line := 1; text != ""; {
		var row string
		row, rest, _ := strings.Cut(text, "\n")
		at := line
		line++
		trimmed := strings.TrimSpace(row)
		if trimmed == "" || trimmed[0] == '#' {
			text = rest
			continue
		}
		name, value, ok := strings.Cut(strings.TrimPrefix(trimmed, "export "), "=")
		if name = strings.TrimSpace(name); !ok || !variableName(name) {
			return vars, &Error{[]Problem{{File: file, Line: at, Text: "expected NAME=value"}}}
		}
		value = strings.TrimSpace(value)
		if value != "" && strings.IndexByte("\"'`", value[0]) >= 0 {
			quote := value[:1]
			// The text after the quote, to the end of the file.
			open := strings.Index(text, "=")
			body := text[open+1:]
			body = body[strings.Index(body, quote)+1:]
			if end := closing(body, quote[0]); end >= 0 {
				value = body[:end]
				line += strings.Count(value, "\n")
				_, rest, _ = strings.Cut(body[end:], "\n")
				if quote == `"` {
					value = strings.NewReplacer(`\n`, "\n", `\r`, "\r", `\"`, `"`, `\\`, `\`).Replace(value)
				}
				vars[name], text = value, rest
				continue
			}
		}
		if before, _, found := strings.Cut(value, " #"); found {
			value = strings.TrimSpace(before)
		} else if strings.HasPrefix(value, "#") {
			value = ""
		}
		vars[name], text = value, rest
	}
	return vars, nil
}

// closing is the place of the quote that ends a text, or -1.
func closing(text string, quote byte) int {
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && quote == '"':
			i++
		case text[i] == quote:
			return i
		}
	}
	return -1
}

func variableName(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '_' && c != '.' && c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return s != ""
}
