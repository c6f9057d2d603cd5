package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"sync"

	"mayfly/cmd/mayfly/project"
	"mayfly/host/binding/assets"
	"mayfly/host/deployment"
)

// devFiles are a project's assets, as they are on disk now. Nil: there are none.
type devFiles struct {
	root    *os.Root
	ignored ignoreList
	warn    func(string)

	mu    sync.Mutex
	rules *deployment.Assets // made of the rules that were read last
	of    *project.Assets    // and of this configuration
}

func openDevFiles(directory string, warn func(string)) (*devFiles, error) {
	root, err := os.OpenRoot(directory)
	if err != nil {
		return nil, err
	}
	ignored, err := readIgnored(root.Name() + "/.assetsignore")
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return &devFiles{root: root, ignored: ignored, warn: warn}, nil
}

// open is a file that may be served, nil if there is none.
func (f *devFiles) open(name string) (*os.File, os.FileInfo, error) {
	if f == nil || !fs.ValidPath(name) || name == ".assetsignore" || name == headersFile || name == redirectsFile {
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

// served are the rules by which the files are served now: the configuration's, and
// those of the files of rules.
func (f *devFiles) served(c *project.Assets) (*deployment.Assets, error) {
	headers, redirects, err := readRules(f.root.FS())
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rules != nil && f.of == c && f.rules.Headers == headers && f.rules.Redirects == redirects {
		return f.rules, nil
	}
	f.rules, f.of = assetRules(c), c
	f.rules.Headers, f.rules.Redirects = headers, redirects
	_, warnings := assets.ParseRules(redirects, headers)
	for _, text := range warnings {
		f.warn("assets: " + text)
	}
	return f.rules, nil
}

// assetRules are what the configuration says of assets, without the files.
func assetRules(c *project.Assets) *deployment.Assets {
	a := &deployment.Assets{Binding: c.Binding, HTMLHandling: c.HTMLHandling, NotFoundHandling: c.NotFoundHandling}
	switch {
	case c.WorkerFirst:
		a.RunWorkerFirst = true
	case len(c.WorkerFirstPatterns) > 0:
		var list []any
		for _, p := range c.WorkerFirstPatterns {
			list = append(list, p)
		}
		a.RunWorkerFirst = list
	}
	return a
}
