//go:build mayfly_tuned

package engine_test

import (
	"testing"

	"mayfly/runtime/engine"
)

func TestInfoTuned(t *testing.T) {
	e, err := engine.New(engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if !e.Info().Tuned {
		t.Error("the tuned build doesn't say so")
	}
}
