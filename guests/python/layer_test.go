package python

import (
	"testing"
	"time"
)

// The layer is the same in every process: the states of sessions are bound to
// its digest.
func TestAgentLayerIsTheSameAgain(t *testing.T) {
	first, err := agentLayer()
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Millisecond)
	again, err := agentLayer()
	if err != nil {
		t.Fatal(err)
	}
	if first.Digest() != again.Digest() {
		t.Errorf("%x and %x", first.Digest(), again.Digest())
	}
}
