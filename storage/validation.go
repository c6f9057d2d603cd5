package storage

import (
	"fmt"
	"unicode/utf8"
)

// ValidateKey accepts 1 to MaxKeyLength bytes of UTF-8. Nothing in a key has
// a meaning: "../a", "/a", "a" and "a/b" are four objects.
func ValidateKey(key string) error {
	switch {
	case key == "":
		return fmt.Errorf("%w: it is empty", ErrInvalidKey)
	case len(key) > MaxKeyLength:
		return fmt.Errorf("%w: it has %d bytes, at most %d are allowed", ErrInvalidKey, len(key), MaxKeyLength)
	case !utf8.ValidString(key):
		return fmt.Errorf("%w: it is not UTF-8", ErrInvalidKey)
	}
	return nil
}

// ValidateBucket accepts the bucket names of S3: 3 to 63 characters a-z, 0-9
// and hyphen, which is neither first nor last. Dots are left out, as in R2.
func ValidateBucket(name string) error {
	if len(name) < 3 || len(name) > 63 {
		return fmt.Errorf("%w: it has %d characters, 3 to 63 are allowed", ErrInvalidBucket, len(name))
	}
	for i := range len(name) {
		c := name[i]
		letter := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !letter && (c != '-' || i == 0 || i == len(name)-1) {
			return fmt.Errorf("%w: only a-z, 0-9 and hyphens inside are allowed", ErrInvalidBucket)
		}
	}
	return nil
}

// Validate checks all but the conditions.
func (o PutOptions) Validate() error {
	if len(o.ContentType) > MaxContentType || !printable(o.ContentType) {
		return fmt.Errorf("%w: content type", ErrInvalidOption)
	}
	size := 0
	for k, v := range o.Metadata {
		if k == "" || !utf8.ValidString(k) || !utf8.ValidString(v) {
			return fmt.Errorf("%w: metadata must be UTF-8, with names", ErrInvalidOption)
		}
		size += len(k) + len(v)
	}
	if size > MaxMetadata {
		return fmt.Errorf("%w: metadata has %d bytes, at most %d are allowed", ErrInvalidOption, size, MaxMetadata)
	}
	h := o.Headers
	for _, value := range [...]string{h.CacheControl, h.ContentDisposition, h.ContentEncoding, h.ContentLanguage} {
		if len(value) > MaxContentType || !printable(value) {
			return fmt.Errorf("%w: headers must be printable ASCII of at most %d bytes", ErrInvalidOption, MaxContentType)
		}
	}
	if !h.CacheExpiry.IsZero() && (h.CacheExpiry.Year() < 1 || h.CacheExpiry.Year() > 9999) {
		return fmt.Errorf("%w: cache expiry", ErrInvalidOption) // no date of HTTP
	}
	if len(o.StorageClass) > maxStorageClass || !printable(o.StorageClass) {
		return fmt.Errorf("%w: storage class", ErrInvalidOption)
	}
	if o.Size < 0 || o.MaxSize < 0 {
		return fmt.Errorf("%w: a size below zero", ErrInvalidOption)
	}
	return o.Digests.Validate()
}

// maxStorageClass is in bytes.
const maxStorageClass = 64

// Validate checks the options.
func (o PartOptions) Validate() error { return PutOptions{Digests: o.Digests, Size: o.Size}.Validate() }

// Validate checks all but the conditions.
func (o CompleteOptions) Validate() error {
	return PutOptions{Digests: o.Digests, Size: o.Size}.Validate()
}

// printable keeps line breaks and controls out of what becomes a header.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
