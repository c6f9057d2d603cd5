package storage

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"strings"
)

// Digests are those of an object's whole contents, in lower-case hexadecimal
// (the CRCs with their highest byte first); empty where one is not known.
type Digests struct {
	MD5       string `json:",omitzero"`
	SHA1      string `json:",omitzero"`
	SHA256    string `json:",omitzero"`
	SHA384    string `json:",omitzero"`
	SHA512    string `json:",omitzero"`
	CRC32     string `json:",omitzero"` // IEEE
	CRC32C    string `json:",omitzero"` // Castagnoli
	CRC64NVME string `json:",omitzero"` // the NVMe base specification's, which S3 defaults to
}

// An algorithm is one of the digests.
type algorithm struct {
	name string
	size int // bytes
	make func() hash.Hash
	of   func(*Digests) *string
}

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	nvme       = crc64.MakeTable(0x9a6c9329ac4bc9b5)
)

var algorithms = [...]algorithm{
	{"MD5", md5.Size, md5.New, func(d *Digests) *string { return &d.MD5 }},
	{"SHA1", sha1.Size, sha1.New, func(d *Digests) *string { return &d.SHA1 }},
	{"SHA256", sha256.Size, sha256.New, func(d *Digests) *string { return &d.SHA256 }},
	{"SHA384", sha512.Size384, sha512.New384, func(d *Digests) *string { return &d.SHA384 }},
	{"SHA512", sha512.Size, sha512.New, func(d *Digests) *string { return &d.SHA512 }},
	{"CRC32", crc32.Size, func() hash.Hash { return crc32.NewIEEE() }, func(d *Digests) *string { return &d.CRC32 }},
	{"CRC32C", crc32.Size, func() hash.Hash { return crc32.New(castagnoli) }, func(d *Digests) *string { return &d.CRC32C }},
	{"CRC64NVME", crc64.Size, func() hash.Hash { return crc64.New(nvme) }, func(d *Digests) *string { return &d.CRC64NVME }},
}

// Validate checks the form of each digest that is set.
//
// # Errors
//
// ErrInvalidOption.
func (d Digests) Validate() error {
	if d == (Digests{}) {
		return nil
	}
	for _, a := range algorithms {
		value := *a.of(&d)
		if value == "" {
			continue
		}
		if b, err := hex.DecodeString(value); err != nil || len(b) != a.size || value != strings.ToLower(value) {
			return fmt.Errorf("%w: %s must be %d lower-case hexadecimal digits", ErrInvalidOption, a.name, 2*a.size)
		}
	}
	return nil
}

// Match compares the digests that both have.
//
// # Errors
//
// ErrChecksum names one that differs.
func (d Digests) Match(want Digests) error {
	if want == (Digests{}) {
		return nil
	}
	for _, a := range algorithms {
		if got, want := *a.of(&d), *a.of(&want); got != "" && want != "" && got != want {
			return fmt.Errorf("%w: the %s is %s, announced was %s", ErrChecksum, a.name, got, want)
		}
	}
	return nil
}

// Covers says that d has every digest that want has.
func (d Digests) Covers(want Digests) bool {
	for _, a := range algorithms {
		if *a.of(&d) == "" && *a.of(&want) != "" {
			return false
		}
	}
	return true
}

// Without is d without those that other has.
func (d Digests) Without(other Digests) Digests {
	for _, a := range algorithms {
		if *a.of(&other) != "" {
			*a.of(&d) = ""
		}
	}
	return d
}

// With is d, completed by those that only other has.
func (d Digests) With(other Digests) Digests {
	for _, a := range algorithms {
		if mine := a.of(&d); *mine == "" {
			*mine = *a.of(&other)
		}
	}
	return d
}

// A Digester computes digests of what is written to it. It is not safe for
// concurrent use.
type Digester struct {
	want   Digests
	hashes []hash.Hash // in the order of algorithms; nil: not wanted
	writer io.Writer
}

// NewDigester makes a digester of the kinds that are set in want.
func NewDigester(want Digests) *Digester {
	d := &Digester{want: want, hashes: make([]hash.Hash, len(algorithms))}
	var writers []io.Writer
	for i, a := range algorithms {
		if *a.of(&want) != "" {
			d.hashes[i] = a.make()
			writers = append(writers, d.hashes[i])
		}
	}
	d.writer = io.MultiWriter(writers...)
	return d
}

// Write never fails.
func (d *Digester) Write(p []byte) (int, error) { return d.writer.Write(p) }

// Sum is the digests of what has been written.
func (d *Digester) Sum() (sum Digests) {
	for i, a := range algorithms {
		if h := d.hashes[i]; h != nil {
			*a.of(&sum) = hex.EncodeToString(h.Sum(nil))
		}
	}
	return sum
}

// Check compares what has been written with what was wanted.
//
// # Errors
//
// ErrChecksum.
func (d *Digester) Check() error { return d.Sum().Match(d.want) }
