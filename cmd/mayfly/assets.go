package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"mayfly/host/binding/assets"
)

// Bounds of a project's assets, as Workers has them.
const (
	maxAssets    = 20_000
	maxAssetSize = 25 << 20 // bytes
)

// An asset is a file that is served as it is.
type asset struct {
	file   string // on disk
	Path   string `json:"-"` // of its URL
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
	Type   string `json:"type"`
}

// Files of rules in a directory of assets.
const (
	headersFile   = "_headers"
	redirectsFile = "_redirects"
)

// readRules reads the files of rules of a directory of assets, those that are
// there.
func readRules(directory fs.FS) (headers, redirects string, err error) {
	read := func(name string) string {
		b, failure := fs.ReadFile(directory, name)
		switch {
		case errors.Is(failure, fs.ErrNotExist):
		case failure != nil:
			err = fmt.Errorf("assets: %w", failure)
		case len(b) > assets.MaxRules:
			err = fmt.Errorf("assets: %s has %d bytes; the limit is %d", name, len(b), assets.MaxRules)
		}
		return string(b)
	}
	headers, redirects = read(headersFile), read(redirectsFile)
	return headers, redirects, err
}

// findAssets lists the files of a directory that are to be served: not those
// that .assetsignore names, in the syntax of .gitignore.
func findAssets(directory string) ([]asset, error) {
	ignored, err := readIgnored(filepath.Join(directory, ".assetsignore"))
	if err != nil {
		return nil, err
	}
	var list []asset
	err = filepath.WalkDir(directory, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(directory, file)
		if err != nil || name == "." {
			return err
		}
		name = filepath.ToSlash(name)
		if entry.IsDir() {
			if entry.Name() == "node_modules" || entry.Name() == ".git" || ignored.match(name, true) {
				return filepath.SkipDir
			}
			return nil
		}
		if entry.Name() == ".DS_Store" || name == ".assetsignore" || ignored.match(name, false) {
			return nil
		}
		info, err := os.Stat(file) // through links
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		switch {
		case name == "_worker.js":
			return fmt.Errorf("assets: %s would be served to everybody: move it, or name it in .assetsignore", file)
		case name == headersFile || name == redirectsFile:
			return nil // see readRules
		case info.Size() > maxAssetSize:
			return fmt.Errorf("assets: %s has %d bytes; the limit is %d", name, info.Size(), maxAssetSize)
		case len(list) == maxAssets:
			return fmt.Errorf("assets: %s has more than %d files", directory, maxAssets)
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		digest := sha256.Sum256(content)
		list = append(list, asset{file, "/" + name, hex.EncodeToString(digest[:]), int64(len(content)), assetType(name, content)})
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("assets.directory: there is no %s", directory)
	}
	return list, err
}

// assetTypes are those that the system's table may not have.
var assetTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".htm": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".mjs": "text/javascript; charset=utf-8", ".json": "application/json", ".map": "application/json", ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8",
	".md": "text/markdown; charset=utf-8", ".wasm": "application/wasm", ".webmanifest": "application/manifest+json", ".ico": "image/x-icon", ".webp": "image/webp",
	".avif": "image/avif", ".woff": "font/woff", ".woff2": "font/woff2", ".xml": "application/xml",
}

func assetType(name string, content []byte) string {
	extension := strings.ToLower(path.Ext(name))
	if t := assetTypes[extension]; t != "" {
		return t
	}
	if t := mime.TypeByExtension(extension); t != "" {
		return t
	}
	return http.DetectContentType(content)
}

// An ignoreList has the patterns of a file as .gitignore.
type ignoreList []ignorePattern

type ignorePattern struct {
	glob    string
	negated bool
	folder  bool // only folders
}

func readIgnored(file string) (ignoreList, error) {
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list ignoreList
	for lines := bufio.NewScanner(bytes.NewReader(content)); lines.Scan(); {
		text := strings.TrimSpace(lines.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		var p ignorePattern
		text, p.negated = strings.CutPrefix(text, "!")
		text, p.folder = strings.CutSuffix(text, "/")
		if anchored := strings.Contains(text, "/"); anchored {
			p.glob = strings.TrimPrefix(text, "/")
		} else {
			p.glob = "**/" + text
		}
		if !doublestar.ValidatePattern(p.glob) {
			return nil, fmt.Errorf("%s: %q is no pattern", file, lines.Text())
		}
		list = append(list, p)
	}
	return list, nil
}

// match says whether the last pattern that fits ignores a file.
func (l ignoreList) match(name string, folder bool) bool {
	for _, p := range slices.Backward(l) {
		if p.folder && !folder {
			continue
		}
		if match, err := doublestar.Match(p.glob, name); err == nil && match {
			return !p.negated
		}
	}
	return false
}
