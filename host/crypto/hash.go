package crypto

import (
	"crypto"
	_ "crypto/md5" // registers itself, as the others do
	_ "crypto/sha1"
	_ "crypto/sha256"
	_ "crypto/sha3"
	_ "crypto/sha512"
	"encoding"
	"hash"

	"mayfly/host/op"
)

// Flags of the operation crypto_hash.
const (
	hashFinish = 1 << iota // answer the digest, not the state
	hashKeyed              // HMAC (RFC 2104)
)

// hashOf finds a hash by its number in [crypto.Hash].
func hashOf(number uint8) (crypto.Hash, error) {
	h := crypto.Hash(number)
	switch h {
	case crypto.MD5, crypto.SHA1, crypto.SHA224, crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA512_224, crypto.SHA512_256,
		crypto.SHA3_224, crypto.SHA3_256, crypto.SHA3_384, crypto.SHA3_512:
		return h, nil
	}
	return 0, failure(notSupportedError, "Unrecognized hash function")
}

func (c *Crypto) hash(r *op.Reader, out []byte) ([]byte, error) {
	number, flags, key, state, data := r.U8(), r.U8(), r.Bytes(), r.Bytes(), r.Rest()
	if err := r.Done(); err != nil {
		return nil, err
	}
	kind, err := hashOf(number)
	if err != nil {
		return nil, err
	}
	var pad []byte
	if flags&hashKeyed != 0 {
		pad = c.hmacPad(kind, key)
	}
	h := kind.New()
	switch {
	case len(state) > 0:
		if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(state); err != nil {
			return nil, failure(operationError, "The state is not one of this hash function")
		}
	case pad != nil:
		h.Write(xorAll(pad, innerPad))
	}
	c.write(h, data)
	if flags&hashFinish == 0 {
		return h.(encoding.BinaryAppender).AppendBinary(out[:0])
	}
	if pad == nil {
		return h.Sum(out[:0]), nil
	}
	inner := h.Sum(nil)
	if len(state) > 0 {
		xorAll(pad, innerPad) // as if the inner pad had been written
	}
	outer := kind.New()
	outer.Write(xorAll(pad, innerPad^outerPad))
	outer.Write(inner)
	return outer.Sum(out[:0]), nil
}

// The bytes that HMAC's key is combined with (RFC 2104, section 2).
const (
	innerPad = 0x36
	outerPad = 0x5c
)

// hmacPad is HMAC's key, as long as a block.
func (c *Crypto) hmacPad(kind crypto.Hash, key []byte) []byte {
	h := kind.New()
	pad := make([]byte, h.BlockSize())
	if len(key) <= len(pad) {
		copy(pad, key)
		return pad
	}
	c.write(h, key)
	h.Sum(pad[:0])
	return pad
}

func xorAll(b []byte, v byte) []byte {
	for i := range b {
		b[i] ^= v
	}
	return b
}

// hashCost is how long a byte takes to hash, in nanoseconds, at worst.
const hashCost = 4

// write hashes data in parts.
func (c *Crypto) write(h hash.Hash, data []byte) {
	const size = part / hashCost
	for len(data) > size {
		h.Write(data[:size])
		data = data[size:]
		c.spend(part)
	}
	h.Write(data)
	c.spend(len(data) * hashCost)
}

// digest is the hash of data.
func (c *Crypto) digest(kind crypto.Hash, data []byte) []byte {
	h := kind.New()
	c.write(h, data)
	return h.Sum(nil)
}
