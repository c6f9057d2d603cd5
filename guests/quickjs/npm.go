package quickjs

import (
	"context"
	"path/filepath"

	"mayfly/guests/registry"
	"mayfly/runtime/isolate"
)

// installPackages installs the packages of package-lock.json into the cache
// and answers the folder that has them under node_modules.
func installPackages(ctx context.Context, cache string, progress isolate.Progress) (string, error) {
	return registry.InstallNPM(ctx, filepath.Join(cache, "quickjs"), sources, progress)
}
