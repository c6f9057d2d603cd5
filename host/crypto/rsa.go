package crypto

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"io"
	"math/big"
)

// oaep is RSA-OAEP (RFC 8017, section 7.1), with MGF1 over the same hash.
func (c *Crypto) oaep(decrypts bool, material []byte, number uint32, label, data, out []byte) ([]byte, error) {
	kind, err := hashOf(uint8(min(number, 255)))
	if err != nil {
		return nil, err
	}
	defer c.spend(slow)
	var answer []byte
	if decrypts {
		key, err := c.rsaPrivate(material)
		if err != nil {
			return nil, errMaterial
		}
		if len(data) != key.Size() { // section 7.1.2, step 1.b, which Go leaves out
			return nil, errDecrypt
		}
		if answer, err = rsa.DecryptOAEP(kind.New(), nil, key, data, label); err != nil {
			return nil, errDecrypt
		}
	} else {
		key, err := c.rsaPublic(material)
		if err != nil {
			return nil, errMaterial
		}
		if answer, err = rsa.EncryptOAEP(kind.New(), rand.Reader, key, data, label); err != nil {
			return nil, failure(operationError, "The data is too long for the key")
		}
	}
	return append(out[:0], answer...), nil
}

// RSASSA-PSS (RFC 8017, section 8.1) without a salt, for which Go has no way.

func signPSSUnsalted(key *rsa.PrivateKey, kind crypto.Hash, digest []byte) ([]byte, error) {
	encoded, err := encodePSSUnsalted(kind, digest, key.N.BitLen()-1)
	if err != nil {
		return nil, err
	}
	return privateOperation(key, encoded)
}

func verifyPSSUnsalted(key *rsa.PublicKey, kind crypto.Hash, digest, sig []byte) bool {
	s := new(big.Int).SetBytes(sig)
	if len(sig) != key.Size() || s.Cmp(key.N) >= 0 || key.N.BitLen() < minModulus {
		return false
	}
	want, err := encodePSSUnsalted(kind, digest, key.N.BitLen()-1)
	if err != nil {
		return false
	}
	got := s.Exp(s, big.NewInt(int64(key.E)), key.N)
	if got.BitLen() > 8*len(want) {
		return false
	}
	return subtle.ConstantTimeCompare(got.FillBytes(make([]byte, len(want))), want) == 1
}

var errTooShort = errors.New("the modulus is too short")

// encodePSSUnsalted is EMSA-PSS (RFC 8017, section 9.1.1) with an empty salt.
func encodePSSUnsalted(kind crypto.Hash, digest []byte, bits int) ([]byte, error) {
	n, size := (bits+7)/8, kind.Size()
	if n < size+2 {
		return nil, errTooShort
	}
	h := kind.New()
	h.Write(make([]byte, 8))
	h.Write(digest)
	encoded := make([]byte, n)
	masked, hashed := encoded[:n-size-1], encoded[n-size-1:n-1]
	h.Sum(hashed[:0])
	encoded[n-1] = 0xbc
	masked[len(masked)-1] = 1
	mgf1(masked, kind, hashed)
	masked[0] &= 0xff >> (8*n - bits)
	return encoded, nil
}

// mgf1 combines out with the mask of RFC 8017, appendix B.2.1.
func mgf1(out []byte, kind crypto.Hash, seed []byte) {
	h := kind.New()
	for counter := uint32(0); len(out) > 0; counter++ {
		h.Reset()
		h.Write(seed)
		h.Write(binary.BigEndian.AppendUint32(nil, counter))
		mask := h.Sum(nil)
		out = out[subtle.XORBytes(out, out, mask):]
	}
}

// privateOperation is RSASP1 (RFC 8017, section 5.2.1), blinded, as big.Int
// takes a time that depends on what it computes, and checked, as a fault would
// give the key away.
func privateOperation(key *rsa.PrivateKey, message []byte) ([]byte, error) {
	if key.N.BitLen() < minModulus || len(key.Primes) != 2 {
		return nil, errTooShort
	}
	e, m := big.NewInt(int64(key.E)), new(big.Int).SetBytes(message)
	var blind, unblind *big.Int
	for unblind == nil {
		var err error
		if blind, err = rand.Int(rand.Reader, key.N); err != nil {
			return nil, err
		}
		unblind = new(big.Int).ModInverse(blind, key.N)
	}
	x := blind.Exp(blind, e, key.N)
	x.Mul(x, m).Mod(x, key.N)
	p, q := key.Primes[0], key.Primes[1]
	a := new(big.Int).Exp(x, key.Precomputed.Dp, p)
	b := new(big.Int).Exp(x, key.Precomputed.Dq, q)
	a.Sub(a, b).Mul(a, key.Precomputed.Qinv).Mod(a, p)
	a.Mul(a, q).Add(a, b).Mul(a, unblind).Mod(a, key.N)
	if new(big.Int).Exp(a, e, key.N).Cmp(m) != 0 {
		return nil, errors.New("the key is inconsistent")
	}
	return a.FillBytes(make([]byte, key.Size())), nil
}

// Lengths of RSA moduli that are generated, in bits. Go's library refuses to
// work with shorter ones; the search for the primes of longer ones would make
// parts that can't be interrupted too long.
const (
	minModulus       = 1024
	maxGenerate      = 4096
	smallPrimesLimit = 1 << 12
)

// generateRSA makes a key of two primes. It is here, and not Go's, because it
// has to be interrupted.
func (c *Crypto) generateRSA(bits uint32, exponent []byte) (*rsa.PrivateKey, error) {
	if bits < minModulus || bits > maxGenerate {
		return nil, failure(operationError, "The modulus has %d bits, not between %d and %d", bits, minModulus, maxGenerate)
	}
	public := new(big.Int).SetBytes(exponent)
	if public.BitLen() > 31 || public.BitLen() < 2 || public.Bit(0) == 0 {
		return nil, failure(operationError, "The public exponent is not an odd number from 3 to 2^31-1")
	}
	one := big.NewInt(1)
	for {
		p, err := c.prime(int(bits+1)/2, public)
		if err != nil {
			return nil, err
		}
		q, err := c.prime(int(bits)/2, public)
		if err != nil {
			return nil, err
		}
		n := new(big.Int).Mul(p, q)
		// The primes must differ early (FIPS 186-5, appendix A.1.3, step 5.4).
		apart := new(big.Int).Sub(p, q)
		if n.BitLen() != int(bits) || apart.BitLen() <= int(bits)/2-100 {
			continue
		}
		p1, q1 := new(big.Int).Sub(p, one), new(big.Int).Sub(q, one)
		gcd := new(big.Int).GCD(nil, nil, p1, q1)
		order := p1.Mul(p1, q1)
		order.Div(order, gcd)
		d := new(big.Int).ModInverse(public, order)
		if d == nil || d.BitLen() <= int(bits)/2 {
			continue
		}
		key := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: n, E: int(public.Int64())}, D: d, Primes: []*big.Int{p, q}}
		key.Precompute()
		if err := key.Validate(); err != nil {
			return nil, failure(operationError, "The generated key is not valid")
		}
		return key, nil
	}
}

// smallPrimes are those that candidates are divided by.
var smallPrimes = func() (primes []uint64) {
	composite := make([]bool, smallPrimesLimit)
	for i := 3; i < smallPrimesLimit; i += 2 {
		if !composite[i] {
			primes = append(primes, uint64(i))
			for j := i * i; j < smallPrimesLimit; j += i {
				composite[j] = true
			}
		}
	}
	return primes
}()

// prime makes a probable prime of that many bits, the first two of which are
// set, so that the product of two has all its bits; p-1 has no factor in common
// with the public exponent. It searches upwards from a random number and gives
// that one up after a while.
func (c *Crypto) prime(bits int, public *big.Int) (*big.Int, error) {
	buffer := make([]byte, (bits+7)/8)
	start, p, residue, divisor := new(big.Int), new(big.Int), new(big.Int), new(big.Int)
	residues := make([]uint64, len(smallPrimes))
	for {
		if _, err := io.ReadFull(rand.Reader, buffer); err != nil {
			return nil, err
		}
		start.SetBytes(buffer)
		start.Rsh(start, uint(8*len(buffer)-bits))
		start.SetBit(start, bits-1, 1).SetBit(start, bits-2, 1).SetBit(start, 0, 1)
		for i, small := range smallPrimes {
			residues[i] = residue.Mod(start, divisor.SetUint64(small)).Uint64()
		}
		c.spend(part / 4)
	search:
		for step := uint64(0); step < 1<<14; step += 2 {
			for i, small := range smallPrimes {
				if (residues[i]+step)%small == 0 {
					continue search
				}
			}
			p.Add(start, residue.SetUint64(step))
			if p.BitLen() != bits {
				break
			}
			residue.Sub(p, big.NewInt(1))
			if divisor.GCD(nil, nil, residue, public).Cmp(big.NewInt(1)) != 0 {
				continue
			}
			prime, err := c.probablyPrime(p)
			if err != nil {
				return nil, err
			}
			if prime {
				return p, nil
			}
		}
	}
}

// probablyPrime is the test of Miller and Rabin (FIPS 186-5, appendix B.3.1)
// with as many rounds as leave an error below 2^-112, as table B.1 has them,
// and some more.
func (c *Crypto) probablyPrime(n *big.Int) (bool, error) {
	rounds := 8
	if n.BitLen() < 1024 {
		rounds = 16
	}
	one := big.NewInt(1)
	last := new(big.Int).Sub(n, one)
	twos := last.TrailingZeroBits()
	odd := new(big.Int).Rsh(last, twos)
	limit := new(big.Int).Sub(n, big.NewInt(3))
	x := new(big.Int)
rounds:
	for range rounds {
		base, err := rand.Int(rand.Reader, limit)
		if err != nil {
			return false, err
		}
		x.Exp(base.Add(base, big.NewInt(2)), odd, n)
		c.spend(part)
		if x.Cmp(one) == 0 || x.Cmp(last) == 0 {
			continue
		}
		for range twos - 1 {
			if x.Mul(x, x).Mod(x, n).Cmp(last) == 0 {
				continue rounds
			}
		}
		return false, nil
	}
	return true, nil
}
