package storage

import (
	"errors"
	"strings"
	"testing"
)

func TestErrorMessage(t *testing.T) {
	for _, test := range []struct {
		err  Error
		want string
	}{
		{Error{Op: "list", Err: ErrClosed}, "storage: list: store is closed"},
		{Error{Op: "put", Bucket: "b", Key: "a\nb", Err: ErrNoSpace, Hint: "free some"}, `storage: put b "a\nb": no space left in the store (free some)`},
	} {
		if got := test.err.Error(); got != test.want || !errors.Is(&test.err, test.err.Err) {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

func FuzzValidateKey(f *testing.F) {
	for _, key := range []string{"", "a", "../a", "\xff", "a\x00b", strings.Repeat("ä", 512), strings.Repeat("ä", 513)} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		err := ValidateKey(key)
		ok := key != "" && len(key) <= MaxKeyLength && strings.ToValidUTF8(key, "") == key
		if ok != (err == nil) || err != nil && !errors.Is(err, ErrInvalidKey) {
			t.Fatalf("%q: %v", key, err)
		}
	})
}

func FuzzRange(f *testing.F) {
	f.Add(int64(0), int64(0), int64(0), int64(0))
	f.Add(int64(5), int64(1<<62), int64(0), int64(10))
	f.Add(int64(0), int64(0), int64(3), int64(2))
	f.Fuzz(func(t *testing.T, offset, length, suffix, size int64) {
		size &= 1<<62 - 1
		start, n, err := (&Range{offset, length, suffix}).Resolve(size)
		if err == nil && (start < 0 || n < 0 || start > size || n > size-start || length > 0 && n > length) {
			t.Fatalf("[%d, +%d) of %d", start, n, size)
		}
	})
}
