package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"

	"mayfly/cmd/mayfly/project"
	"mayfly/host/binding/assets"
)

// devFiles are a project's assets, as they are on disk now. Nil: there are none.
type devFiles struct {
	root    *os.Root
	ignored ignoreList
}

func openDevFiles(directory string) (*devFiles, error) {
	root, err := os.OpenRoot(directory)
	if err != nil {
		return nil, err
	}
	ignored, err := readIgnored(root.Name() + "/.assetsignore")
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return &devFiles{root, ignored}, nil
}

// open is a file that may be served, nil if there is none.
func (f *devFiles) open(name string) (*os.File, os.FileInfo, error) {
	if f == nil || !fs.ValidPath(name) || name == ".assetsignore" || name == "_headers" || name == "_redirects" {
		return nil, nil, nil
	}
	for part := name; part != "."; part = path.Dir(part) {
		if f.ignored.match(part, part != name) {
			return nil, nil, nil
		}
	}
	info, err := f.root.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return nil, nil, nil // or it leads out
	}
	file, err := f.root.Open(name)
	return file, info, err
}

// Find implements assets.Source.
func (f *devFiles) Find(_ context.Context, name string) (*assets.File, error) {
	file, info, err := f.open(name)
	if file == nil || err != nil {
		return nil, err
	}
	defer file.Close()
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return nil, err
	}
	return &assets.File{Size: info.Size(), ETag: hex.EncodeToString(h.Sum(nil))[:32], ContentType: assetType(name, nil), Open: func(_ context.Context, offset, length int64) (io.ReadCloser, error) {
		file, _, err := f.open(name)
		if err == nil && file == nil {
			err = fs.ErrNotExist
		}
		if err != nil {
			return nil, err
		}
		return struct {
			io.Reader
			io.Closer
		}{io.NewSectionReader(file, offset, length), file}, nil
	}}, nil
}

func (f *devFiles) is(name string) bool {
	file, _, err := f.open(name)
	if file != nil {
		file.Close()
	}
	return file != nil && err == nil
}

// route finds what a path means: a file, or another path to go to
// (https://developers.cloudflare.com/workers/static-assets/routing/advanced/html-handling/).
func (f *devFiles) route(c *project.Assets, urlPath string) (name, redirect string) {
	decoded := path.Clean("/" + urlPath)[1:]
	if urlPath != "/" && strings.HasSuffix(urlPath, "/") && decoded != "" {
		decoded += "/"
	}
	handling := c.HTMLHandling
	if handling == "none" {
		if f.is(decoded) {
			return decoded, ""
		}
		return "", ""
	}
	base, slash := strings.CutSuffix(decoded, "/")
	if decoded == "" {
		if f.is("index.html") {
			return "index.html", ""
		}
		return "", ""
	}
	// The file itself, but for pages, which have a nicer name.
	if !slash {
		switch page, html := strings.CutSuffix(base, ".html"); {
		case html && f.is(base):
			if index, ok := strings.CutSuffix(page, "index"); ok && (index == "" || strings.HasSuffix(index, "/")) {
				target := "/" + index
				if handling == "drop-trailing-slash" && index != "" {
					target = strings.TrimSuffix(target, "/")
				}
				return "", target
			}
			if handling == "force-trailing-slash" {
				page += "/"
			}
			return "", "/" + page
		case f.is(base):
			return base, ""
		}
	}
	page, index := f.is(base+".html"), f.is(base+"/index.html")
	wantSlash := index && !page
	file := base + ".html"
	if wantSlash {
		file = base + "/index.html"
	}
	switch handling {
	case "force-trailing-slash":
		wantSlash = true
	case "drop-trailing-slash":
		wantSlash = false
	}
	switch {
	case !page && !index:
		return "", ""
	case wantSlash == slash:
		return file, ""
	case wantSlash:
		return "", "/" + base + "/"
	}
	return "", "/" + base
}

// serve answers by a file, if there is one for the request; worker says that
// there is somebody else to ask.
func (f *devFiles) serve(w http.ResponseWriter, r *http.Request, c *project.Assets, worker bool) bool {
	if f == nil || c == nil || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	if worker && c.WorkerFirst || worker && matchPaths(c.WorkerFirstPatterns, r.URL.Path) {
		return false
	}
	name, redirect := f.route(c, r.URL.Path)
	status := http.StatusOK
	if name == "" && redirect == "" {
		switch navigates := r.Header.Get("Sec-Fetch-Mode") == "navigate"; {
		case c.NotFoundHandling == "single-page-application" && (navigates || !worker):
			name = "index.html"
		case c.NotFoundHandling == "404-page" && (navigates || !worker):
			status = http.StatusNotFound
			for dir := path.Dir(r.URL.Path); ; dir = path.Dir(dir) {
				if name = strings.TrimPrefix(path.Join(dir, "404.html"), "/"); f.is(name) || dir == "/" || dir == "." {
					break
				}
			}
		}
	}
	if redirect != "" {
		target := url.URL{Path: redirect, RawQuery: r.URL.RawQuery}
		http.Redirect(w, r, target.String(), http.StatusTemporaryRedirect)
		return true
	}
	file, info, err := f.open(name)
	if file == nil || err != nil {
		if worker {
			return false
		}
		http.Error(w, "Not Found", http.StatusNotFound)
		return true
	}
	defer file.Close()
	w.Header().Set("Content-Type", assetType(name, nil))
	w.Header().Set("Cache-Control", "no-cache")
	if status != http.StatusOK {
		w.WriteHeader(status)
		_, _ = io.Copy(w, file) // the client may be gone
		return true
	}
	http.ServeContent(w, r, name, info.ModTime(), file)
	return true
}

// matchPaths says whether patterns name a path; those that begin with ! take it
// out again.
func matchPaths(patterns []string, urlPath string) bool {
	matched := false
	for _, p := range patterns {
		pattern, negated := strings.CutPrefix(p, "!")
		if !wildcard(pattern, urlPath) {
			continue
		}
		if negated {
			return false
		}
		matched = true
	}
	return matched
}

// wildcard matches a pattern whose asterisks stand for anything.
func wildcard(pattern, text string) bool {
	before, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == text
	}
	if !strings.HasPrefix(text, before) {
		return false
	}
	text = text[len(before):]
	for {
		if wildcard(rest, text) {
			return true
		}
		if text == "" {
			return false
		}
		text = text[1:]
	}
}
