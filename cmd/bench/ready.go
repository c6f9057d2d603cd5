package main

import (
	"context"
	"fmt"
	"path/filepath"
)

// ready measures how long the server takes from its start until it runs
// JavaScript: from a warm cache, and from an empty one if asked for.
func (b *bench) ready(ctx context.Context) ([]result, error) {
	if _, err := b.javascript(ctx); err != nil {
		return nil, err
	}
	var warm []float64
	for i := range pick(b.quick, 4, 10) {
		s, took, err := b.startMayfly(ctx, "MAYFLY_LANGUAGES=javascript")
		if err != nil {
			return nil, err
		}
		if err := s.stop(); err != nil {
			return nil, err
		}
		if i > 0 {
			warm = append(warm, took.Seconds())
		}
	}
	results := []result{{
		target:   target{what: "ready for JS from a warm cache", must: 1, aim: 0.3, unit: " s"},
		measured: median(warm), rounds: warm, detail: fmt.Sprintf("mayfly serve until /health is ok, median of %d starts", len(warm)),
	}}
	if !b.cold {
		return results, nil
	}
	empty, remove, err := scratch()
	if err != nil {
		return results, err
	}
	defer remove()
	b.say("  from an empty cache: takes minutes")
	s, took, err := b.startMayfly(ctx, "MAYFLY_LANGUAGES=javascript", "MAYFLY_CACHE="+filepath.Join(empty, "cache"), "PIP_NO_CACHE_DIR=1", "npm_config_cache="+filepath.Join(empty, "npm"))
	if err != nil {
		return results, err
	}
	return append(results, result{
		target:   target{what: "ready for JS from an empty cache", must: 180, aim: 90, unit: " s"},
		measured: took.Seconds(), detail: "once: packages fetched without pip's and npm's own caches, guest built, compiled and booted",
	}), s.stop()
}
