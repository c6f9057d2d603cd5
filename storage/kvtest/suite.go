// Package kvtest is the conformance suite of [kv.Store]: every backend runs it.
package kvtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mayfly/storage"
	"mayfly/storage/kv"
)

// A Clock is the time that a store under test sees.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock is a clock that stands still.
func NewClock() *Clock { return &Clock{now: time.Unix(1_800_000_000, 0)} }

// Now is the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the time on.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// A Factory makes an empty store with a clock. What has to be undone after the
// test it leaves to t.Cleanup.
type Factory func(t *testing.T, clock *Clock) kv.Store

// Run runs the whole suite.
func Run(t *testing.T, open Factory) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, kv.Store, *Clock)
	}{
		{"PutGet", putGet},
		{"Replace", replace},
		{"Delete", remove},
		{"Many", many},
		{"Keys", keys},
		{"Bounds", bounds},
		{"Expiration", expiration},
		{"Tenants", tenants},
		{"List", list},
		{"ListPages", listPages},
		{"ListChanges", listChanges},
		{"Cursors", cursors},
		{"Canceled", canceled},
		{"Hammer", hammer},
		{"Closed", closed},
	} {
		t.Run(test.name, func(t *testing.T) {
			clock := NewClock()
			s := open(t, clock)
			defer s.Close()
			test.run(t, s, clock)
		})
	}
}

func namespace(t testing.TB, s kv.Store, tenant, name string) kv.Namespace {
	t.Helper()
	n, err := s.Open(context.Background(), tenant, name)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func put(t testing.TB, n kv.Namespace, key, value string, options kv.PutOptions) {
	t.Helper()
	if err := n.Put(t.Context(), key, []byte(value), options); err != nil {
		t.Fatal(err)
	}
}

func get(t testing.TB, n kv.Namespace, key string) kv.Entry {
	t.Helper()
	list, err := n.Get(t.Context(), 0, key)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 {
		t.Fatalf("get of one key answers %d entries", len(list))
	}
	return list[0]
}

func wantError(t testing.TB, err, want error) {
	t.Helper()
	var typed *storage.Error
	if !errors.Is(err, want) || !errors.As(err, &typed) {
		t.Errorf("got error %v (%T), want a storage.Error that wraps %v", err, err, want)
	}
}

func wantKeys(t testing.TB, l kv.Listing, want ...string) {
	t.Helper()
	names := []string{}
	for _, k := range l.Keys {
		names = append(names, k.Name)
	}
	if want == nil {
		want = []string{}
	}
	if d := cmp.Diff(want, names); d != "" {
		t.Errorf("keys (-want +got):\n%s", d)
	}
}

func putGet(t *testing.T, s kv.Store, _ *Clock) {
	n := namespace(t, s, "a", "settings")
	if e := get(t, n, "theme"); e.Found {
		t.Errorf("found %+v in an empty namespace", e)
	}
	for _, value := range []string{"dark", "", "\x00\xff\n", strings.Repeat("x", 1<<20)} {
		put(t, n, "theme", value, kv.PutOptions{})
		if e := get(t, n, "theme"); !e.Found || string(e.Value) != value || e.Metadata != nil || !e.Expiration.IsZero() {
			t.Errorf("put %d bytes, got %d (%v, %q, %v)", len(value), len(e.Value), e.Found, e.Metadata, e.Expiration)
		}
	}
	put(t, n, "with", "v", kv.PutOptions{Metadata: []byte(`{"a":1}`)})
	if e := get(t, n, "with"); string(e.Metadata) != `{"a":1}` {
		t.Errorf("metadata is %q", e.Metadata)
	}
}

func replace(t *testing.T, s kv.Store, clock *Clock) {
	n := namespace(t, s, "a", "n")
	put(t, n, "k", "one", kv.PutOptions{Metadata: []byte("1"), Expiration: clock.Now().Add(time.Hour)})
	put(t, n, "k", "two", kv.PutOptions{})
	if e := get(t, n, "k"); string(e.Value) != "two" || e.Metadata != nil || !e.Expiration.IsZero() {
		t.Errorf("after replacing: %+v", e)
	}
	l, err := n.List(t.Context(), kv.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	wantKeys(t, l, "k")
}

func remove(t *testing.T, s kv.Store, _ *Clock) {
	n := namespace(t, s, "a", "n")
	if err := n.Delete(t.Context(), "never"); err != nil {
		t.Errorf("deleting what is not there, in a new namespace: %v", err)
	}
	put(t, n, "k", "v", kv.PutOptions{})
	put(t, n, "other", "v", kv.PutOptions{})
	for range 2 {
		if err := n.Delete(t.Context(), "k"); err != nil {
			t.Error(err)
		}
		if get(t, n, "k").Found || !get(t, n, "other").Found {
			t.Error("the wrong key is gone")
		}
	}
}

func many(t *testing.T, s kv.Store, _ *Clock) {
	n := namespace(t, s, "a", "n")
	put(t, n, "a", "1", kv.PutOptions{Metadata: []byte(`"m"`)})
	put(t, n, "c", "333", kv.PutOptions{})
	list, err := n.Get(t.Context(), 4, "c", "b", "a")
	if err != nil {
		t.Fatal(err)
	}
	want := []kv.Entry{{Found: true, Value: []byte("333")}, {}, {Found: true, Value: []byte("1"), Metadata: []byte(`"m"`)}}
	if d := cmp.Diff(want, list); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	_, err = n.Get(t.Context(), 3, "c", "b", "a")
	wantError(t, err, kv.ErrTooLarge)
	if list, err = n.Get(t.Context(), 0); err != nil || len(list) != 0 {
		t.Errorf("get of nothing: %v, %v", list, err)
	}
}

func keys(t *testing.T, s kv.Store, _ *Clock) {
	n := namespace(t, s, "a", "n")
	good := []string{"a", "/", "../../etc/passwd", "...", "a b\n\x00", "größe", "Größe", "💾", strings.Repeat("k", kv.MaxKeyLength), strings.Repeat("é", kv.MaxKeyLength/2), "%2e%2e", "'; DROP TABLE entries; --"}
	for i, key := range good {
		put(t, n, key, fmt.Sprint(i), kv.PutOptions{})
	}
	for i, key := range good {
		if e := get(t, n, key); string(e.Value) != fmt.Sprint(i) {
			t.Errorf("%q has %q, want %d", key, e.Value, i)
		}
	}
	for _, key := range []string{"", ".", "..", strings.Repeat("k", kv.MaxKeyLength+1), "\xff", "a\xc3"} {
		wantError(t, n.Put(t.Context(), key, nil, kv.PutOptions{}), kv.ErrInvalidKey)
		wantError(t, n.Delete(t.Context(), key), kv.ErrInvalidKey)
		_, err := n.Get(t.Context(), 0, "a", key)
		wantError(t, err, kv.ErrInvalidKey)
	}
	for _, name := range []string{"", "a/b", "..\x00", strings.Repeat("n", kv.MaxName+1), "ä"} {
		_, err := s.Open(t.Context(), "a", name)
		wantError(t, err, storage.ErrInvalidBucket)
	}
}

func bounds(t *testing.T, s kv.Store, _ *Clock) {
	n := namespace(t, s, "a", "n")
	largest := bytes.Repeat([]byte("largest."), kv.MaxValue/8)
	if err := n.Put(t.Context(), "k", largest, kv.PutOptions{Metadata: bytes.Repeat([]byte("m"), kv.MaxMetadata)}); err != nil {
		t.Fatal(err)
	}
	if e := get(t, n, "k"); !bytes.Equal(e.Value, largest) || len(e.Metadata) != kv.MaxMetadata {
		t.Errorf("got %d and %d bytes", len(e.Value), len(e.Metadata))
	}
	wantError(t, n.Put(t.Context(), "k", append(largest, 1), kv.PutOptions{}), kv.ErrTooLarge)
	wantError(t, n.Put(t.Context(), "k", nil, kv.PutOptions{Metadata: make([]byte, kv.MaxMetadata+1)}), kv.ErrInvalidMetadata)
	if e := get(t, n, "k"); !bytes.Equal(e.Value, largest) {
		t.Error("a put that failed has changed the value")
	}
}

func expiration(t *testing.T, s kv.Store, clock *Clock) {
	n := namespace(t, s, "a", "n")
	at := clock.Now().Add(90 * time.Second)
	put(t, n, "soon", "v", kv.PutOptions{Expiration: at})
	put(t, n, "later", "v", kv.PutOptions{Expiration: at.Add(time.Hour)})
	put(t, n, "never", "v", kv.PutOptions{})
	if e := get(t, n, "soon"); !e.Found || !e.Expiration.Equal(at) {
		t.Errorf("before its time: %+v", e)
	}
	clock.Advance(90 * time.Second)
	if get(t, n, "soon").Found {
		t.Error("found after its time")
	}
	l, err := n.List(t.Context(), kv.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	wantKeys(t, l, "later", "never")
	if !l.Keys[0].Expiration.Equal(at.Add(time.Hour)) || !l.Keys[1].Expiration.IsZero() {
		t.Errorf("expirations are %v and %v", l.Keys[0].Expiration, l.Keys[1].Expiration)
	}
	if swept, err := s.Sweep(t.Context()); err != nil || swept != 1 {
		t.Errorf("swept %d, %v", swept, err)
	}
	put(t, n, "soon", "again", kv.PutOptions{})
	if e := get(t, n, "soon"); string(e.Value) != "again" {
		t.Errorf("after the sweep: %+v", e)
	}
}

func tenants(t *testing.T, s kv.Store, _ *Clock) {
	one, other, second := namespace(t, s, "one", "n"), namespace(t, s, "other", "n"), namespace(t, s, "one", "m")
	put(t, one, "k", "secret", kv.PutOptions{})
	for _, n := range []kv.Namespace{other, second} {
		if get(t, n, "k").Found {
			t.Error("another namespace has the value")
		}
		put(t, n, "k", "mine", kv.PutOptions{})
		if err := n.Delete(t.Context(), "k"); err != nil {
			t.Error(err)
		}
		if l, err := n.List(t.Context(), kv.ListOptions{}); err != nil || len(l.Keys) != 0 {
			t.Errorf("lists %v, %v", l, err)
		}
	}
	if e := get(t, namespace(t, s, "one", "n"), "k"); string(e.Value) != "secret" {
		t.Errorf("the value is %+v now", e)
	}
}

func list(t *testing.T, s kv.Store, _ *Clock) {
	n := namespace(t, s, "a", "n")
	l, err := n.List(t.Context(), kv.ListOptions{Prefix: "x"})
	if err != nil || len(l.Keys) != 0 || l.Cursor != "" {
		t.Errorf("an empty namespace lists %+v, %v", l, err)
	}
	for _, key := range []string{"b", "a/2", "a", "a/10", "a0", "é", "Z", "a/"} {
		put(t, n, key, "value", kv.PutOptions{Metadata: []byte(`"` + key + `"`)})
	}
	for _, c := range []struct {
		prefix string
		want   []string
	}{
		{"", []string{"Z", "a", "a/", "a/10", "a/2", "a0", "b", "é"}},
		{"a/", []string{"a/", "a/10", "a/2"}},
		{"a/1", []string{"a/10"}},
		{"é", []string{"é"}},
		{"zz", nil},
	} {
		l, err := n.List(t.Context(), kv.ListOptions{Prefix: c.prefix})
		if err != nil {
			t.Fatal(err)
		}
		wantKeys(t, l, c.want...)
		for _, k := range l.Keys {
			if string(k.Metadata) != `"`+k.Name+`"` {
				t.Errorf("%q has the metadata %q", k.Name, k.Metadata)
			}
		}
	}
	_, err = n.List(t.Context(), kv.ListOptions{Prefix: strings.Repeat("p", kv.MaxKeyLength+1)})
	wantError(t, err, kv.ErrInvalidKey)
}

func listPages(t *testing.T, s kv.Store, _ *Clock) {
	n := namespace(t, s, "a", "n")
	const total = 25
	for i := range total {
		put(t, n, fmt.Sprintf("p/%02d", i), "v", kv.PutOptions{})
	}
	put(t, n, "o", "v", kv.PutOptions{})
	put(t, n, "q", "v", kv.PutOptions{})
	for _, limit := range []int{1, 5, 24, 25, 26, 0} {
		var got []string
		cursor := ""
		for pages := 0; ; pages++ {
			l, err := n.List(t.Context(), kv.ListOptions{Prefix: "p/", Limit: limit, Cursor: cursor})
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range l.Keys {
				got = append(got, k.Name)
			}
			if cursor = l.Cursor; cursor == "" {
				break
			}
			if pages > total {
				t.Fatal("the list does not end")
			}
		}
		if len(got) != total || got[0] != "p/00" || got[total-1] != "p/24" {
			t.Errorf("limit %d: %d keys: %v", limit, len(got), got)
		}
	}
}

func listChanges(t *testing.T, s kv.Store, _ *Clock) {
	n := namespace(t, s, "a", "n")
	for _, key := range []string{"a", "b", "c", "d"} {
		put(t, n, key, "v", kv.PutOptions{})
	}
	l, err := n.List(t.Context(), kv.ListOptions{Limit: 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"b", "c"} {
		if err := n.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	put(t, n, "bb", "v", kv.PutOptions{})
	if l, err = n.List(t.Context(), kv.ListOptions{Limit: 2, Cursor: l.Cursor}); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, l, "bb", "d")
}

func cursors(t *testing.T, s kv.Store, _ *Clock) {
	n := namespace(t, s, "a", "n")
	for _, key := range []string{"p/1", "p/2", "r/1"} {
		put(t, n, key, "v", kv.PutOptions{})
	}
	l, err := n.List(t.Context(), kv.ListOptions{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, cursor := range []string{"x", "....", l.Cursor + "A", l.Cursor[1:], strings.Repeat("A", 10_000)} {
		_, err := n.List(t.Context(), kv.ListOptions{Cursor: cursor})
		wantError(t, err, storage.ErrInvalidCursor)
	}
	// A cursor of another list leads to nothing outside of the prefix.
	if l, err = n.List(t.Context(), kv.ListOptions{Prefix: "r/", Cursor: l.Cursor}); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, l, "r/1")
}

func canceled(t *testing.T, s kv.Store, _ *Clock) {
	n := namespace(t, s, "a", "n")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantError(t, n.Put(ctx, "k", nil, kv.PutOptions{}), context.Canceled)
	_, err := n.Get(ctx, 0, "k")
	wantError(t, err, context.Canceled)
	_, err = n.List(ctx, kv.ListOptions{})
	wantError(t, err, context.Canceled)
	if get(t, n, "k").Found {
		t.Error("a canceled put has an effect")
	}
}

// hammer has every value say whose it is: a reader that sees another's, or half
// of one, has found a mistake.
func hammer(t *testing.T, s kv.Store, _ *Clock) {
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			n := namespace(t, s, fmt.Sprint("tenant-", w%2), "shared")
			mine := fmt.Sprintf("mine-%d", w)
			for i := range 20 {
				value := strings.Repeat(fmt.Sprintf("%d.%02d|", w, i), 40)
				if err := n.Put(context.Background(), mine, []byte(value), kv.PutOptions{Metadata: []byte(fmt.Sprint(i))}); err != nil {
					t.Error(err)
					return
				}
				if err := n.Put(context.Background(), "contended", []byte(value), kv.PutOptions{}); err != nil {
					t.Error(err)
					return
				}
				list, err := n.Get(context.Background(), 0, mine, "contended")
				if err != nil || string(list[0].Value) != value || string(list[0].Metadata) != fmt.Sprint(i) {
					t.Errorf("worker %d reads %v, %v", w, list, err)
					return
				}
				first, rest, _ := bytes.Cut(list[1].Value, []byte("|"))
				if (first[0]-'0')%2 != byte(w%2) || strings.ReplaceAll(string(rest), string(first)+"|", "") != "" {
					t.Errorf("worker %d reads a value of two: %q", w, list[1].Value)
					return
				}
				if _, err := n.List(context.Background(), kv.ListOptions{}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

func closed(t *testing.T, s kv.Store, _ *Clock) {
	n := namespace(t, s, "a", "n")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantError(t, n.Put(t.Context(), "k", nil, kv.PutOptions{}), storage.ErrClosed)
	wantError(t, n.Delete(t.Context(), "k"), storage.ErrClosed)
	_, err := n.Get(t.Context(), 0, "k")
	wantError(t, err, storage.ErrClosed)
	_, err = n.List(t.Context(), kv.ListOptions{})
	wantError(t, err, storage.ErrClosed)
	_, err = s.Open(t.Context(), "a", "n")
	wantError(t, err, storage.ErrClosed)
	if err := s.Close(); err != nil {
		t.Errorf("the second close: %v", err)
	}
}
