//go:build mayfly_tuned

package engine

import (
	"context"

	"github.com/tetratelabs/wazero/experimental"
)

// tuned says whether this program was built with the edits of runtime/engine/tune.
const tuned = true

// edits names the edits in the key of the code cache.
const edits = experimental.Edits

func withUncheckedMemory(ctx context.Context) context.Context {
	return experimental.WithUncheckedMemory(ctx)
}

// withModuleDigest spares wazero digesting the module for its own key, inside
// of the directory that is this module's alone.
func withModuleDigest(ctx context.Context, digest string) context.Context {
	return experimental.WithModuleDigest(ctx, digest)
}
