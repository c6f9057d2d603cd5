package meta

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"sync/atomic"
	"time"
)

// An identity is an execution's id: a number that ascends with time and finds
// the row, and random bits that keep it from being guessed.
type identity struct{ seq, secret uint64 }

const (
	idPrefix = "ex"
	idLength = len(idPrefix) + 26
	// counterBits are those of seq below the milliseconds since 1970, which
	// have 42: enough until the year 2109.
	counterBits = 21
)

// idEncoding keeps the order of the numbers, and its characters are allowed
// in host names.
var idEncoding = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

func (id identity) String() string {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], id.seq)
	binary.BigEndian.PutUint64(raw[8:], id.secret)
	var text [idLength]byte
	copy(text[:], idPrefix)
	idEncoding.Encode(text[len(idPrefix):], raw[:])
	return string(text[:])
}

// parseID accepts exactly what String makes.
func parseID(s string) (identity, error) {
	if len(s) != idLength || !strings.HasPrefix(s, idPrefix) {
		return identity{}, ErrInvalidID
	}
	var raw [17]byte
	n, err := idEncoding.Decode(raw[:], []byte(s[len(idPrefix):]))
	if err != nil || n != 16 {
		return identity{}, ErrInvalidID
	}
	id := identity{binary.BigEndian.Uint64(raw[:8]), binary.BigEndian.Uint64(raw[8:16])}
	if int64(id.seq) < 0 || id.String() != s {
		return identity{}, ErrInvalidID
	}
	return id, nil
}

// identities hands out ids. They ascend even if the clock goes back.
type identities struct{ last atomic.Uint64 }

func (g *identities) next(now time.Time) identity {
	var random [8]byte
	rand.Read(random[:]) // never fails
	floor := uint64(max(now.UnixMilli(), 0)) << counterBits & (1<<63 - 1)
	for {
		last := g.last.Load()
		seq := max(last+1, floor)
		if g.last.CompareAndSwap(last, seq) {
			return identity{seq, binary.BigEndian.Uint64(random[:])}
		}
	}
}

// A cursor is the seq of the last row that a page looked at. Its checksum
// tells a mangled one from a good one; it is no secret.
func encodeCursor(seq uint64) string {
	raw := binary.BigEndian.AppendUint64(nil, seq)
	raw = binary.BigEndian.AppendUint32(raw, crc32.Checksum(raw, castagnoli))
	return idEncoding.EncodeToString(raw)
}

func decodeCursor(s string) (uint64, error) {
	if len(s) != idEncoding.EncodedLen(12) {
		return 0, ErrInvalidCursor
	}
	raw, err := idEncoding.DecodeString(s)
	if err != nil || len(raw) != 12 || binary.BigEndian.Uint32(raw[8:]) != crc32.Checksum(raw[:8], castagnoli) {
		return 0, ErrInvalidCursor
	}
	seq := binary.BigEndian.Uint64(raw)
	if int64(seq) < 0 || encodeCursor(seq) != s {
		return 0, ErrInvalidCursor
	}
	return seq, nil
}
