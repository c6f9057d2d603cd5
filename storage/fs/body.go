package fs

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"mayfly/storage"
)

// A fileBody reads a part of a data file, and checks the digest if the part
// is the whole.
type fileBody struct {
	bucket *Bucket
	key    string
	f      file
	left   int64
	verify *verifier // nil: not the whole
	err    error     // of an earlier read
}

// A verifier hashes what is read.
type verifier struct {
	hash hash.Hash
	want [sha256.Size]byte
}

func newVerifier(want []byte) *verifier {
	return &verifier{sha256.New(), [sha256.Size]byte(want)}
}

func (v *verifier) check() error {
	if got := [sha256.Size]byte(v.hash.Sum(nil)); got != v.want {
		return fmt.Errorf("%w: the data file has SHA-256 %x, the object %x", storage.ErrChecksum, got, v.want)
	}
	return nil
}

func (b *fileBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	n := 0
	if b.left > 0 {
		var err error
		n, err = b.f.Read(p[:min(int64(len(p)), b.left)])
		b.left -= int64(n)
		if b.verify != nil {
			b.verify.hash.Write(p[:n])
		}
		if err != nil && b.left > 0 {
			if errors.Is(err, io.EOF) {
				err = fmt.Errorf("%w: the data file is too short", storage.ErrCorrupt)
			}
			b.err = b.bucket.fail("get", b.key, err)
			return n, b.err
		}
	}
	if b.left == 0 {
		b.err = io.EOF
		if b.verify != nil {
			if err := b.verify.check(); err != nil {
				b.err = b.bucket.fail("get", b.key, err)
			}
		}
		if n > 0 && b.err == io.EOF {
			return n, nil
		}
		return n, b.err
	}
	return n, nil
}

func (b *fileBody) Close() error { return b.f.Close() }
