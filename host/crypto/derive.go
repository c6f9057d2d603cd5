package crypto

import (
	"crypto"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/subtle"
	"encoding/binary"
	"math/bits"

	"mayfly/host/op"
)

// Algorithms of the operation crypto_derive.
const (
	derivePBKDF2 = iota + 1
	deriveHKDF
	deriveScrypt
	deriveECDH
)

// maxDerived is how many bytes one derivation gives.
const maxDerived = 1 << 20

func (c *Crypto) derive(r *op.Reader, w *op.Writer) ([]byte, error) {
	switch r.U8() {
	case derivePBKDF2:
		number, iterations, n, password, salt := r.U8(), r.U32(), r.U32(), r.Bytes(), r.Bytes()
		if err := r.Done(); err != nil {
			return nil, err
		}
		kind, err := hashOf(number)
		if err != nil {
			return nil, err
		}
		if iterations == 0 || n > maxDerived {
			return nil, failure(operationError, "There are %d iterations for %d bytes", iterations, n)
		}
		w.Raw(c.pbkdf2(kind, password, salt, iterations, int(n)))
	case deriveHKDF:
		number, n, key, salt, info := r.U8(), r.U32(), r.Bytes(), r.Bytes(), r.Bytes()
		if err := r.Done(); err != nil {
			return nil, err
		}
		kind, err := hashOf(number)
		if err != nil {
			return nil, err
		}
		if uint64(n) > 255*uint64(kind.Size()) {
			return nil, failure(operationError, "%d bytes are more than 255 times the length of the hash", n)
		}
		defer c.spend((len(key) + len(salt) + (int(n)/kind.Size()+1)*(len(info)+4*kind.Size())) * hashCost)
		derived, err := hkdf.Key(kind.New, key, salt, string(info), int(n))
		if err != nil {
			return nil, failure(operationError, "%v", err)
		}
		w.Raw(derived)
	case deriveScrypt:
		cost, size, lanes, n, password, salt, scratch := r.U32(), r.U32(), r.U32(), r.U32(), r.Bytes(), r.Bytes(), r.Rest()
		if err := r.Done(); err != nil {
			return nil, err
		}
		derived, err := c.scrypt(password, salt, cost, size, lanes, int(min(n, maxDerived+1)), scratch)
		if err != nil {
			return nil, err
		}
		w.Raw(derived)
	case deriveECDH:
		kind, private, public := Kind(r.U8()), r.Bytes(), r.Bytes()
		if err := r.Done(); err != nil {
			return nil, err
		}
		secret, err := c.agree(kind, private, public)
		if err != nil {
			return nil, err
		}
		w.Raw(secret)
	default:
		return nil, op.ErrMessage
	}
	return w.Message(), nil
}

func (c *Crypto) agree(kind Kind, private, public []byte) ([]byte, error) {
	private, _, err := kind.split(private)
	curve := kind.exchange()
	if err != nil || curve == nil {
		return nil, errMaterial
	}
	defer c.spend(slow)
	key, err := curve.NewPrivateKey(private)
	if err != nil {
		return nil, errMaterial
	}
	peer, err := curve.NewPublicKey(public)
	if err != nil {
		return nil, errMaterial
	}
	secret, err := key.ECDH(peer)
	if err != nil { // an all-zero one (RFC 7748, section 6.1)
		return nil, failure(operationError, "The public key has no secret in common")
	}
	return secret, nil
}

// pbkdf2 is PBKDF2 (RFC 8018, section 5.2) with HMAC, in parts.
func (c *Crypto) pbkdf2(kind crypto.Hash, password, salt []byte, iterations uint32, n int) []byte {
	if len(password) > kind.New().BlockSize() { // which HMAC would hash in one part
		password = c.digest(kind, password)
	}
	prf := hmac.New(kind.New, password)
	size := prf.Size()
	var key []byte
	u, t := make([]byte, 0, size), make([]byte, size)
	cost := 4 * prf.BlockSize() * hashCost
	for block := uint32(1); len(key) < n; block++ {
		prf.Reset()
		c.write(prf, salt)
		prf.Write(binary.BigEndian.AppendUint32(nil, block))
		u = prf.Sum(u[:0])
		copy(t, u)
		for range iterations - 1 {
			prf.Reset()
			prf.Write(u)
			u = prf.Sum(u[:0])
			subtle.XORBytes(t, t, u)
			c.spend(cost)
		}
		key = append(key, t...)
		c.spend(cost)
	}
	return key[:n]
}

// scrypt is scrypt (RFC 7914). It works in scratch, which is memory of the
// guest, so that its limit bounds it.
func (c *Crypto) scrypt(password, salt []byte, cost, size, lanes uint32, n int, scratch []byte) ([]byte, error) {
	if cost < 2 || bits.OnesCount32(cost) != 1 || size == 0 || lanes == 0 || n > maxDerived {
		return nil, failure(operationError, "Invalid scrypt params")
	}
	block := 128 * uint64(size)
	if hi, lo := bits.Mul64(block, uint64(cost)+uint64(lanes)+2); hi != 0 || lo != uint64(len(scratch)) {
		return nil, op.ErrMessage
	}
	table := scratch[:block*uint64(cost)]
	lane := scratch[len(table):][:block*uint64(lanes)]
	x := scratch[len(table)+len(lane):][:block]
	y := scratch[len(scratch)-int(block):]
	c.pbkdf2Into(lane, password, salt)
	for ; len(lane) > 0; lane = lane[block:] {
		c.mix(lane[:block], table, x, y, int(cost))
	}
	lane = scratch[len(table):][:block*uint64(lanes)]
	return c.pbkdf2(crypto.SHA256, password, lane, 1, n), nil
}

// pbkdf2Into fills out with PBKDF2 of SHA-256 in one iteration.
func (c *Crypto) pbkdf2Into(out, password, salt []byte) {
	prf := hmac.New(crypto.SHA256.New, password)
	for block := uint32(1); len(out) > 0; block++ {
		prf.Reset()
		c.write(prf, salt)
		prf.Write(binary.BigEndian.AppendUint32(nil, block))
		out = out[copy(out, prf.Sum(nil)):]
		c.spend(4 * prf.BlockSize() * hashCost)
	}
}

// mix is scryptROMix (RFC 7914, section 5) of b; x and y are as long as b.
func (c *Crypto) mix(b, table, x, y []byte, cost int) {
	size := len(b)
	copy(x, b)
	for i := range cost {
		copy(table[i*size:], x)
		blockMix(x, y)
		x, y = y, x
		c.spend(size * 4)
	}
	for range cost {
		j := int(binary.LittleEndian.Uint32(x[size-64:]) & uint32(cost-1))
		subtle.XORBytes(x, x, table[j*size:(j+1)*size])
		blockMix(x, y)
		x, y = y, x
		c.spend(size * 4)
	}
	copy(b, x)
}

// blockMix is scryptBlockMix (RFC 7914, section 4) from b to out.
func blockMix(b, out []byte) {
	var x [16]uint32
	last := b[len(b)-64:]
	for i := range x {
		x[i] = binary.LittleEndian.Uint32(last[4*i:])
	}
	half := len(b) / 2
	for i := 0; i < len(b); i += 64 {
		in := b[i : i+64]
		for k := range x {
			x[k] ^= binary.LittleEndian.Uint32(in[4*k:])
		}
		salsa(&x)
		at := i / 2 // even blocks go to the first half, odd ones to the second
		if i&64 != 0 {
			at = half + (i-64)/2
		}
		to := out[at : at+64]
		for k, v := range x {
			binary.LittleEndian.PutUint32(to[4*k:], v)
		}
	}
}

// salsa is the Salsa20/8 core (RFC 7914, section 3).
func salsa(b *[16]uint32) {
	x0, x1, x2, x3, x4, x5, x6, x7 := b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]
	x8, x9, x10, x11, x12, x13, x14, x15 := b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]
	for range 4 {
		x4 ^= bits.RotateLeft32(x0+x12, 7)
		x8 ^= bits.RotateLeft32(x4+x0, 9)
		x12 ^= bits.RotateLeft32(x8+x4, 13)
		x0 ^= bits.RotateLeft32(x12+x8, 18)
		x9 ^= bits.RotateLeft32(x5+x1, 7)
		x13 ^= bits.RotateLeft32(x9+x5, 9)
		x1 ^= bits.RotateLeft32(x13+x9, 13)
		x5 ^= bits.RotateLeft32(x1+x13, 18)
		x14 ^= bits.RotateLeft32(x10+x6, 7)
		x2 ^= bits.RotateLeft32(x14+x10, 9)
		x6 ^= bits.RotateLeft32(x2+x14, 13)
		x10 ^= bits.RotateLeft32(x6+x2, 18)
		x3 ^= bits.RotateLeft32(x15+x11, 7)
		x7 ^= bits.RotateLeft32(x3+x15, 9)
		x11 ^= bits.RotateLeft32(x7+x3, 13)
		x15 ^= bits.RotateLeft32(x11+x7, 18)
		x1 ^= bits.RotateLeft32(x0+x3, 7)
		x2 ^= bits.RotateLeft32(x1+x0, 9)
		x3 ^= bits.RotateLeft32(x2+x1, 13)
		x0 ^= bits.RotateLeft32(x3+x2, 18)
		x6 ^= bits.RotateLeft32(x5+x4, 7)
		x7 ^= bits.RotateLeft32(x6+x5, 9)
		x4 ^= bits.RotateLeft32(x7+x6, 13)
		x5 ^= bits.RotateLeft32(x4+x7, 18)
		x11 ^= bits.RotateLeft32(x10+x9, 7)
		x8 ^= bits.RotateLeft32(x11+x10, 9)
		x9 ^= bits.RotateLeft32(x8+x11, 13)
		x10 ^= bits.RotateLeft32(x9+x8, 18)
		x12 ^= bits.RotateLeft32(x15+x14, 7)
		x13 ^= bits.RotateLeft32(x12+x15, 9)
		x14 ^= bits.RotateLeft32(x13+x12, 13)
		x15 ^= bits.RotateLeft32(x14+x13, 18)
	}
	for i, v := range [16]uint32{x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15} {
		b[i] += v
	}
}
