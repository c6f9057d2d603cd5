package crypto

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/subtle"
	"math/big"

	"mayfly/host/op"
)

// Schemes of the operation crypto_sign.
const (
	schemeHMAC = iota + 1
	schemePKCS1
	schemePSS
	schemeECDSA     // r and s, each as long as the curve's order (IEEE P1363)
	schemeECDSAASN1 // SEQUENCE { r, s }
	schemeEd25519
	schemePSSAny // RSA-PSS with a salt of whatever length, to verify only
)

// signRequest is a message of crypto_sign.
type signRequest struct {
	scheme         uint8
	hash           crypto.Hash
	salt           int
	kind           Kind
	key, sig, data []byte
}

func (c *Crypto) signature(r *op.Reader, w *op.Writer) ([]byte, error) {
	verify := r.U8()
	s := signRequest{scheme: r.U8()}
	number, salt := r.U8(), r.U32()
	s.kind, s.key, s.sig, s.data = Kind(r.U8()), r.Bytes(), r.Bytes(), r.Rest()
	if err := r.Done(); err != nil {
		return nil, err
	}
	s.salt = int(min(salt, maxModulus))
	if s.scheme != schemeEd25519 {
		var err error
		if s.hash, err = hashOf(number); err != nil {
			return nil, err
		}
	}
	if verify == 0 {
		sig, err := c.sign(&s)
		if err != nil {
			return nil, err
		}
		w.Raw(sig)
		return w.Message(), nil
	}
	right, err := c.verify(&s)
	if err != nil {
		return nil, err
	}
	w.U8(boolByte(right))
	return w.Message(), nil
}

// slow is the work, in nanoseconds by estimate, of an operation with a key of
// RSA or of a large curve.
const slow = part / 2

func (c *Crypto) sign(s *signRequest) ([]byte, error) {
	defer c.spend(slow)
	switch s.scheme {
	case schemeHMAC:
		return c.hmac(s.hash, s.key, s.data), nil
	case schemePKCS1, schemePSS:
		key, err := c.rsaPrivate(s.key)
		if err != nil {
			return nil, errMaterial
		}
		digest := c.digest(s.hash, s.data)
		var sig []byte
		switch {
		case s.scheme == schemePKCS1:
			sig, err = rsa.SignPKCS1v15(nil, key, s.hash, digest)
		case s.salt == 0: // which Go takes for "as long as possible"
			sig, err = signPSSUnsalted(key, s.hash, digest)
		default:
			sig, err = rsa.SignPSS(rand.Reader, key, s.hash, digest, &rsa.PSSOptions{SaltLength: s.salt})
		}
		if err != nil {
			return nil, failure(operationError, "The key is too short, or can't be used")
		}
		return sig, nil
	case schemeECDSA, schemeECDSAASN1:
		key, err := c.ecdsaPrivate(s.kind, s.key)
		if err != nil {
			return nil, err
		}
		digest := c.digest(s.hash, s.data)
		if s.scheme == schemeECDSAASN1 {
			sig, err := ecdsa.SignASN1(rand.Reader, key, digest)
			if err != nil {
				return nil, errMaterial
			}
			return sig, nil
		}
		x, y, err := ecdsa.Sign(rand.Reader, key, digest)
		if err != nil {
			return nil, errMaterial
		}
		sig := make([]byte, 2*s.kind.size())
		x.FillBytes(sig[:s.kind.size()])
		y.FillBytes(sig[s.kind.size():])
		return sig, nil
	case schemeEd25519:
		key, err := ed25519Private(s.key)
		if err != nil {
			return nil, err
		}
		c.spend(2 * hashCost * len(s.data))
		return ed25519.Sign(key, s.data), nil
	}
	return nil, op.ErrMessage
}

func (c *Crypto) verify(s *signRequest) (bool, error) {
	defer c.spend(slow)
	switch s.scheme {
	case schemeHMAC:
		return subtle.ConstantTimeCompare(c.hmac(s.hash, s.key, s.data), s.sig) == 1, nil
	case schemePKCS1, schemePSS, schemePSSAny:
		key, err := c.rsaPublic(s.key)
		if err != nil {
			return false, errMaterial
		}
		digest := c.digest(s.hash, s.data)
		switch {
		case s.scheme == schemePSSAny:
			err = rsa.VerifyPSS(key, s.hash, digest, s.sig, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthAuto})
		case s.scheme == schemePKCS1:
			err = rsa.VerifyPKCS1v15(key, s.hash, digest, s.sig)
		case s.salt == 0: // which Go takes for "any"
			return verifyPSSUnsalted(key, s.hash, digest, s.sig), nil
		default:
			err = rsa.VerifyPSS(key, s.hash, digest, s.sig, &rsa.PSSOptions{SaltLength: s.salt})
		}
		return err == nil, nil
	case schemeECDSA, schemeECDSAASN1:
		key, err := c.ecdsaPublic(s.kind, s.key)
		if err != nil {
			return false, err
		}
		digest := c.digest(s.hash, s.data)
		if s.scheme == schemeECDSAASN1 {
			return ecdsa.VerifyASN1(key, digest, s.sig), nil
		}
		n := s.kind.size()
		if len(s.sig) != 2*n {
			return false, nil
		}
		return ecdsa.Verify(key, digest, new(big.Int).SetBytes(s.sig[:n]), new(big.Int).SetBytes(s.sig[n:])), nil
	case schemeEd25519:
		if len(s.key) != ed25519.PublicKeySize {
			return false, errMaterial
		}
		c.spend(hashCost * len(s.data))
		return len(s.sig) == ed25519.SignatureSize && ed25519.Verify(s.key, s.data, s.sig), nil
	}
	return false, op.ErrMessage
}

// hmac is HMAC (RFC 2104) of data in parts.
func (c *Crypto) hmac(kind crypto.Hash, key, data []byte) []byte {
	pad := c.hmacPad(kind, key)
	h := kind.New()
	h.Write(xorAll(pad, innerPad))
	c.write(h, data)
	inner := h.Sum(nil)
	h.Reset()
	h.Write(xorAll(pad, innerPad^outerPad))
	h.Write(inner)
	return h.Sum(inner[:0])
}
