package crypto

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"math/big"

	"mayfly/host/op"
)

// Algorithms of the operation crypto_cipher.
const (
	cipherCTR       = iota + 1 // AES-CTR; the parameter is the counter's bits
	cipherCBC                  // AES-CBC with the padding of PKCS #7
	cipherCBCRaw               // AES-CBC without a padding
	cipherGCM                  // AES-GCM; the parameter is the tag's bytes
	cipherGCMStream            // AES-GCM's key stream alone; the parameter is its first block
	cipherKW                   // AES-KW (RFC 3394)
	cipherECB                  // AES block by block, without a padding
	cipherOAEP                 // RSA-OAEP; the parameter is the hash
)

// cipherRoom is how many bytes follow the data of crypto_cipher, so that it
// can be worked on in place.
const cipherRoom = aes.BlockSize

// cipherCost is how long AES takes for a byte, in nanoseconds, at worst.
const cipherCost = 2

func (c *Crypto) cipher(r *op.Reader, out []byte) ([]byte, error) {
	algorithm, direction := r.U8(), r.U8()
	key, iv, parameter, additional, data := r.Bytes(), r.Bytes(), r.U32(), r.Bytes(), r.Rest()
	if err := r.Done(); err != nil {
		return nil, err
	}
	if direction > 1 || len(data) < cipherRoom {
		return nil, op.ErrMessage
	}
	decrypts := direction == 1
	n := len(data) - cipherRoom
	if algorithm == cipherOAEP {
		return c.oaep(decrypts, key, parameter, additional, data[:n], out)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, failure(operationError, "The key has %d bytes", len(key))
	}
	switch algorithm {
	case cipherCTR, cipherCBC, cipherCBCRaw:
		if len(iv) != aes.BlockSize {
			return nil, failure(operationError, "The initial value has %d bytes, not 16", len(iv))
		}
	}
	switch algorithm {
	case cipherCTR:
		return data[:n], c.ctr(block, iv, parameter, data[:n])
	case cipherCBC, cipherCBCRaw:
		return c.cbc(block, decrypts, algorithm == cipherCBC, iv, data, n)
	case cipherGCM:
		return c.gcm(block, decrypts, iv, parameter, additional, data, n)
	case cipherGCMStream:
		counter := gcmCounter(block, iv)
		last := counter[aes.BlockSize-4:]
		binary.BigEndian.PutUint32(last, binary.BigEndian.Uint32(last)+1+parameter)
		return data[:n], c.ctr(block, counter[:], 32, data[:n])
	case cipherKW:
		if decrypts {
			return c.unwrap(block, data[:n])
		}
		return c.wrap(block, data, n)
	case cipherECB:
		if n%aes.BlockSize != 0 {
			return nil, failure(operationError, "The data is not made of whole blocks")
		}
		crypt := block.Encrypt
		if decrypts {
			crypt = block.Decrypt
		}
		for b := data[:n]; len(b) > 0; b = b[aes.BlockSize:] {
			crypt(b, b)
			c.spend(aes.BlockSize * cipherCost)
		}
		return data[:n], nil
	}
	return nil, op.ErrMessage
}

// parts calls f with one piece of data after the other, in whole blocks but
// for the last.
func (c *Crypto) parts(data []byte, f func([]byte)) {
	const size = part / cipherCost / aes.BlockSize * aes.BlockSize
	for len(data) > size {
		f(data[:size])
		data = data[size:]
		c.spend(part)
	}
	f(data)
	c.spend(len(data) * cipherCost)
}

// ctr applies the key stream of AES-CTR (SP 800-38A, section 6.5) whose counter
// is the last bits of the initial block: past its end it starts again from
// zero, and leaves the bits before it alone.
func (c *Crypto) ctr(block cipher.Block, initial []byte, bits uint32, data []byte) error {
	if bits == 0 || bits > 8*aes.BlockSize {
		return failure(operationError, "The counter has %d bits", bits)
	}
	if bits == 8*aes.BlockSize { // which wraps as Go's does
		c.parts(data, xorStream(cipher.NewCTR(block, initial)))
		return nil
	}
	period := new(big.Int).Lsh(big.NewInt(1), uint(bits))
	blocks := big.NewInt(int64((len(data) + aes.BlockSize - 1) / aes.BlockSize))
	if blocks.Cmp(period) > 0 {
		return failure(operationError, "The data is longer than the counter's period")
	}
	count := new(big.Int).SetBytes(initial)
	mask := new(big.Int).Sub(period, big.NewInt(1))
	low := new(big.Int).And(count, mask)
	left := new(big.Int).Sub(period, low) // blocks before the counter wraps
	first := data
	if left.Cmp(blocks) < 0 {
		first = data[:left.Int64()*aes.BlockSize]
	}
	c.parts(first, xorStream(cipher.NewCTR(block, initial)))
	if rest := data[len(first):]; len(rest) > 0 {
		wrapped := count.AndNot(count, mask).FillBytes(make([]byte, aes.BlockSize))
		c.parts(rest, xorStream(cipher.NewCTR(block, wrapped)))
	}
	return nil
}

func xorStream(s cipher.Stream) func([]byte) {
	return func(b []byte) { s.XORKeyStream(b, b) }
}

var errDecrypt = failure(operationError, "The operation failed for an operation-specific reason")

func (c *Crypto) cbc(block cipher.Block, decrypts, padded bool, iv, data []byte, n int) ([]byte, error) {
	if !decrypts {
		if padded {
			pad := aes.BlockSize - n%aes.BlockSize
			for i := range pad {
				data[n+i] = byte(pad)
			}
			n += pad
		}
		if n%aes.BlockSize != 0 {
			return nil, failure(operationError, "The data is not made of whole blocks")
		}
		mode := cipher.NewCBCEncrypter(block, iv)
		c.parts(data[:n], func(b []byte) { mode.CryptBlocks(b, b) })
		return data[:n], nil
	}
	if n%aes.BlockSize != 0 || padded && n == 0 {
		return nil, errDecrypt
	}
	mode := cipher.NewCBCDecrypter(block, iv)
	c.parts(data[:n], func(b []byte) { mode.CryptBlocks(b, b) })
	if !padded {
		return data[:n], nil
	}
	pad := int(data[n-1])
	if pad == 0 || pad > aes.BlockSize {
		return nil, errDecrypt
	}
	for _, b := range data[n-pad : n] {
		if int(b) != pad {
			return nil, errDecrypt
		}
	}
	return data[:n-pad], nil
}

func (c *Crypto) gcm(block cipher.Block, decrypts bool, iv []byte, tag uint32, additional, data []byte, n int) ([]byte, error) {
	switch tag {
	case 4, 8, 12, 13, 14, 15, 16:
	default:
		return nil, failure(operationError, "The tag has %d bytes", tag)
	}
	if len(iv) == 0 {
		return nil, failure(operationError, "The initial value is empty")
	}
	aead, err := cipher.NewGCMWithNonceSize(block, len(iv))
	if err != nil {
		return nil, failure(operationError, "%v", err)
	}
	defer c.spend((n + len(additional)) * cipherCost)
	if !decrypts {
		sealed := aead.Seal(data[:0], iv, data[:n], additional)
		return sealed[:n+int(tag)], nil
	}
	if n < int(tag) {
		return nil, errDecrypt
	}
	if tag == 16 {
		plain, err := aead.Open(data[:0], iv, data[:n], additional)
		if err != nil {
			return nil, errDecrypt
		}
		return plain, nil
	}
	// Go opens with short tags only what has the standard's nonce. Sealing is
	// its own inverse, but for the tag: the second time gives the one that the
	// ciphertext should have.
	want := append([]byte(nil), data[n-int(tag):n]...)
	n -= int(tag)
	aead.Seal(data[:0], iv, data[:n], nil)
	sealed := aead.Seal(data[:0], iv, data[:n], additional)
	if subtle.ConstantTimeCompare(sealed[n:n+int(tag)], want) != 1 {
		return nil, errDecrypt
	}
	return aead.Seal(data[:0], iv, data[:n], nil)[:n], nil
}

// gcmCounter is AES-GCM's first counter block (SP 800-38D, section 7.1, J0).
func gcmCounter(block cipher.Block, iv []byte) (counter [aes.BlockSize]byte) {
	if len(iv) == 12 {
		copy(counter[:], iv)
		counter[aes.BlockSize-1] = 1
		return counter
	}
	var h [aes.BlockSize]byte
	block.Encrypt(h[:], h[:])
	padded := append(iv[:len(iv):len(iv)], make([]byte, (aes.BlockSize-len(iv)%aes.BlockSize)%aes.BlockSize+8)...)
	padded = binary.BigEndian.AppendUint64(padded, uint64(len(iv))*8)
	hi, lo := binary.BigEndian.Uint64(h[:8]), binary.BigEndian.Uint64(h[8:])
	var yHi, yLo uint64
	for ; len(padded) > 0; padded = padded[aes.BlockSize:] {
		yHi, yLo = ghashMultiply(yHi^binary.BigEndian.Uint64(padded), yLo^binary.BigEndian.Uint64(padded[8:]), hi, lo)
	}
	binary.BigEndian.PutUint64(counter[:8], yHi)
	binary.BigEndian.PutUint64(counter[8:], yLo)
	return counter
}

// ghashMultiply multiplies in GCM's field (SP 800-38D, section 6.3), without
// branches on what it multiplies.
func ghashMultiply(xHi, xLo, vHi, vLo uint64) (zHi, zLo uint64) {
	for i := range 128 {
		bit := xHi >> 63
		if i >= 64 {
			bit = xLo >> 63
			xLo <<= 1
		} else {
			xHi <<= 1
		}
		zHi ^= vHi & -bit
		zLo ^= vLo & -bit
		carry := vLo & 1
		vLo = vLo>>1 | vHi<<63
		vHi = vHi>>1 ^ 0xe1<<56&-carry
	}
	return zHi, zLo
}

// wrapValue is AES-KW's default initial value (RFC 3394, section 2.2.3.1).
const wrapValue = 0xa6a6a6a6a6a6a6a6

// wrap is RFC 3394, section 2.2.1, the form with indexes.
func (c *Crypto) wrap(block cipher.Block, data []byte, n int) ([]byte, error) {
	if n%8 != 0 || n < 16 {
		return nil, failure(operationError, "%d bytes can't be wrapped: a multiple of 8 from 16 on can", n)
	}
	copy(data[8:], data[:n])
	data = data[:n+8]
	var b [aes.BlockSize]byte
	binary.BigEndian.PutUint64(b[:8], wrapValue)
	for t, count := uint64(1), 6*uint64(n/8); t <= count; t++ {
		word := data[8+8*int((t-1)%uint64(n/8)):][:8]
		copy(b[8:], word)
		block.Encrypt(b[:], b[:])
		binary.BigEndian.PutUint64(b[:8], binary.BigEndian.Uint64(b[:8])^t)
		copy(word, b[8:])
		c.spend(8 * aes.BlockSize * cipherCost / 4)
	}
	copy(data, b[:8])
	return data, nil
}

// unwrap is RFC 3394, section 2.2.2, the form with indexes.
func (c *Crypto) unwrap(block cipher.Block, data []byte) ([]byte, error) {
	if len(data)%8 != 0 || len(data) < 24 {
		return nil, errDecrypt
	}
	words := uint64(len(data)/8 - 1)
	var b [aes.BlockSize]byte
	copy(b[:8], data)
	for t := 6 * words; t > 0; t-- {
		word := data[8+8*int((t-1)%words):][:8]
		binary.BigEndian.PutUint64(b[:8], binary.BigEndian.Uint64(b[:8])^t)
		copy(b[8:], word)
		block.Decrypt(b[:], b[:])
		copy(word, b[8:])
		c.spend(8 * aes.BlockSize * cipherCost / 4)
	}
	if subtle.ConstantTimeCompare(b[:8], binary.BigEndian.AppendUint64(nil, wrapValue)) != 1 {
		return nil, errDecrypt
	}
	return data[8:], nil
}
