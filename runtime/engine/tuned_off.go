//go:build !mayfly_tuned

package engine

import "context"

// tuned says whether this program was built with the edits of runtime/engine/tune.
const tuned = false

// edits names the edits in the key of the code cache.
const edits = ""

func withUncheckedMemory(ctx context.Context) context.Context { return ctx }

func withModuleDigest(ctx context.Context, _ string) context.Context { return ctx }
