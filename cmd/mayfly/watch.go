package main

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// A watcher tells of changes below folders.
type watcher struct {
	notify *fsnotify.Watcher
	skip   func(path string) bool // folders that are not looked into
}

// maxWatched bounds the folders that are watched.
const maxWatched = 5000

func newWatcher(skip func(path string) bool) (*watcher, error) {
	n, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	return &watcher{n, skip}, nil
}

// add watches a folder and what is below it. Folders that can't be watched are
// left out.
func (w *watcher) add(folder string) {
	_ = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return nil
		}
		if path != folder && (w.skip(path) || hiddenFolder(entry.Name())) || len(w.notify.WatchList()) >= maxWatched {
			return filepath.SkipDir
		}
		_ = w.notify.Add(path)
		return nil
	})
}

func hiddenFolder(name string) bool {
	return name == "node_modules" || name == "__pycache__" || strings.HasPrefix(name, ".")
}

// editorFile says whether a file is one that editors make and remove.
func editorFile(path string) bool {
	name := filepath.Base(path)
	return strings.HasSuffix(name, "~") || strings.HasSuffix(name, ".swp") || strings.HasSuffix(name, ".swx") || name == "4913" || strings.HasPrefix(name, ".#") || name == ".DS_Store"
}

// How long changes are collected: until there was none for settle, but no longer
// than patience.
const (
	watchSettle   = 15 * time.Millisecond
	watchPatience = 200 * time.Millisecond
)

// changes calls f with the paths that have changed, until the context ends.
func (w *watcher) changes(ctx context.Context, f func(paths []string)) {
	for {
		var paths []string
		var settled, late <-chan time.Time
	collecting:
		for {
			select {
			case <-ctx.Done():
				return
			case event, open := <-w.notify.Events:
				if !open {
					return
				}
				if event.Op == fsnotify.Chmod || editorFile(event.Name) || w.skip(event.Name) {
					continue
				}
				if event.Has(fsnotify.Create) {
					if info, err := os.Stat(event.Name); err == nil && info.IsDir() {
						if hiddenFolder(filepath.Base(event.Name)) {
							continue
						}
						w.add(event.Name)
					}
				}
				paths = append(paths, event.Name)
				settled = time.After(watchSettle)
				if late == nil {
					late = time.After(watchPatience)
				}
			case _, open := <-w.notify.Errors:
				if !open {
					return
				}
				paths = append(paths, "") // some were lost: whatever it was
				settled = time.After(watchSettle)
			case <-settled:
				break collecting
			case <-late:
				break collecting
			}
		}
		f(paths)
	}
}

func (w *watcher) close() error { return w.notify.Close() }
