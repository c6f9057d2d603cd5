package bundle

import (
	"container/list"
	"sync"
)

// recent remembers values by digests, up to a number of bytes: those not used
// for longest are forgotten first. It is safe for concurrent use.
type recent[V any] struct {
	most int

	mu    sync.Mutex
	size  int
	byKey map[[32]byte]*list.Element
	order *list.List // of *recentEntry[V], the last used in front
}

type recentEntry[V any] struct {
	key   [32]byte
	value V
	size  int
}

func newRecent[V any](most int) *recent[V] {
	return &recent[V]{most: most, byKey: map[[32]byte]*list.Element{}, order: list.New()}
}

func (r *recent[V]) get(key [32]byte) (value V, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.byKey[key]
	if e == nil {
		return value, false
	}
	r.order.MoveToFront(e)
	return e.Value.(*recentEntry[V]).value, true
}

// put remembers a value, unless it would push out too many others.
func (r *recent[V]) put(key [32]byte, value V, size int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byKey[key] != nil || size > r.most/8 {
		return
	}
	r.byKey[key] = r.order.PushFront(&recentEntry[V]{key, value, size})
	for r.size += size; r.size > r.most; {
		last := r.order.Remove(r.order.Back()).(*recentEntry[V])
		delete(r.byKey, last.key)
		r.size -= last.size
	}
}
