package objectstest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mayfly/storage"
)

func sorted(keys []string) []string {
	s := slices.Clone(keys)
	slices.Sort(s) // Go compares strings by their bytes
	return s
}

// expected lists keys as the interface says, in the plainest way.
func expected(all []string, options storage.ListOptions) (keys, prefixes []string) {
	for _, key := range sorted(all) {
		if !strings.HasPrefix(key, options.Prefix) || key <= options.StartAfter && options.StartAfter != "" {
			continue
		}
		rest := key[len(options.Prefix):]
		if i := strings.Index(rest, options.Delimiter); options.Delimiter != "" && i >= 0 {
			group := options.Prefix + rest[:i+len(options.Delimiter)]
			if len(prefixes) == 0 || prefixes[len(prefixes)-1] != group {
				prefixes = append(prefixes, group)
			}
			continue
		}
		keys = append(keys, key)
	}
	return keys, prefixes
}

func wantList(t *testing.T, o storage.Objects, all []string, options storage.ListOptions) {
	t.Helper()
	keys, prefixes := listAll(t, o, options)
	wantKeys, wantPrefixes := expected(all, options)
	if d := cmp.Diff(wantKeys, keys); d != "" {
		t.Fatalf("%+v: keys: %s", options, d)
	}
	if d := cmp.Diff(wantPrefixes, prefixes); d != "" {
		t.Fatalf("%+v: prefixes: %s", options, d)
	}
}

func listOrder(t *testing.T, o storage.Objects) {
	oddKeys := possible(o, oddKeys)
	wantList(t, o, nil, storage.ListOptions{})
	for _, key := range oddKeys {
		put(t, o, key, nil, storage.PutOptions{})
	}
	for _, prefix := range []string{"", "a", "a/", "..", "/", "zzz", "\U0010ffff", "ä", "日本"} {
		for _, limit := range []int{0, 1, 3} {
			wantList(t, o, oddKeys, storage.ListOptions{Prefix: prefix, Limit: limit})
		}
		wantList(t, o, oddKeys, storage.ListOptions{Prefix: prefix, StartAfter: "a/b"})
	}
	_, err := o.List(t.Context(), storage.ListOptions{Limit: -1})
	wantError(t, err, storage.ErrInvalidOption)
}

func listDelimiter(t *testing.T, o storage.Objects) {
	all := possible(o, append(slices.Clone(oddKeys), "x/1", "x/2/3", "x/2/4", "x/", "x//", "x0", "x.", "--a--b", "--a--c", "y--"))
	for _, key := range all {
		put(t, o, key, nil, storage.PutOptions{})
	}
	for _, delimiter := range []string{"/", "--", "a", "日", "absent"} {
		for _, prefix := range []string{"", "x", "x/", "x/2", "x/2/", "--", "a/", "none"} {
			for _, limit := range []int{0, 1, 2, 5} {
				wantList(t, o, all, storage.ListOptions{Prefix: prefix, Delimiter: delimiter, Limit: limit})
			}
			if !exceptionsOf(o).StartInGroup {
				wantList(t, o, all, storage.ListOptions{Prefix: prefix, Delimiter: delimiter, StartAfter: "x/2/3", Limit: 2})
			}
		}
	}
}

func listCursors(t *testing.T, o storage.Objects) {
	ctx := t.Context()
	for i := range 20 {
		put(t, o, fmt.Sprintf("k%02d", i), nil, storage.PutOptions{})
	}
	l, err := o.List(ctx, storage.ListOptions{Limit: 5})
	if err != nil || l.Cursor == "" {
		t.Fatal(l, err)
	}
	// What a page has shown may go, and keys may come: the rest is listed
	// once.
	if err := o.Delete(ctx, "k04", "k05"); err != nil {
		t.Fatal(err)
	}
	put(t, o, "k00a", nil, storage.PutOptions{})
	put(t, o, "k10a", nil, storage.PutOptions{})
	l, err = o.List(ctx, storage.ListOptions{Limit: 6, Cursor: l.Cursor})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, object := range l.Objects {
		got = append(got, object.Key)
	}
	if d := cmp.Diff([]string{"k06", "k07", "k08", "k09", "k10", "k10a"}, got); d != "" {
		t.Fatal(d)
	}
	for _, bad := range []string{"x", "!", l.Cursor + "x", l.Cursor[1:], strings.Repeat("A", 5000)} {
		_, err := o.List(ctx, storage.ListOptions{Cursor: bad})
		wantError(t, err, storage.ErrInvalidCursor)
	}
}

func listMany(t *testing.T, o storage.Objects) {
	const n = 10_500
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("g%d/k%d", i%7, i)
		if i%100 == 0 {
			all[i] = fmt.Sprintf("single%d", i)
		}
	}
	var wg sync.WaitGroup
	for w := range 64 {
		wg.Go(func() {
			for i := w; i < n; i += 64 {
				if _, err := o.Put(t.Context(), all[i], strings.NewReader("x"), storage.PutOptions{}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	wantList(t, o, all, storage.ListOptions{})
	wantList(t, o, all, storage.ListOptions{Limit: 333})
	wantList(t, o, all, storage.ListOptions{Delimiter: "/"})
	wantList(t, o, all, storage.ListOptions{Delimiter: "/", Limit: 10})
	wantList(t, o, all, storage.ListOptions{Prefix: "g3/", Limit: 999})
	wantList(t, o, all, storage.ListOptions{Prefix: "single", StartAfter: "single5"})
	if err := o.Delete(t.Context(), all...); err != nil {
		t.Fatal(err)
	}
	wantList(t, o, nil, storage.ListOptions{})
}
