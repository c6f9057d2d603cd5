package quickjs

import (
	"context"
	"path/filepath"

	"mayfly/runtime/isolate"
)

// Source is the folder with the interpreter's own C source, as the guest is
// built from: fetched into the cache directory at need.
//
// # Errors
//
// Those of [Guest.Wasm].
func Source(ctx context.Context, cache string, progress isolate.Progress) (string, error) {
	if progress == nil {
		progress = func(string, float64) {}
	}
	l, err := parseLock()
	if err != nil {
		return "", err
	}
	folder, err := l.source("quickjs-ng").Fetch(ctx, packages(cache), wantedSource("upstream-quickjs/"), progress)
	return filepath.Join(folder, "upstream-quickjs"), err
}
