package crypto

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
)

// A Kind is what a key is for a host: a family, with its curve.
type Kind uint8

// The kinds of keys. Material, the form in which guests keep keys, is
//   - RSA: RSAPrivateKey or RSAPublicKey (RFC 8017, appendix A.1), in DER
//   - P-256, P-384, P-521: the public point, uncompressed (SEC 1, section
//     2.3.3), or the private scalar and then the point
//   - Ed25519, X25519: the public key (RFC 8032, RFC 7748), or the private one
//     and then the public key
const (
	RSA Kind = iota + 1
	P256
	P384
	P521
	Ed25519
	X25519
	octets // symmetric keys: here only for their way through JWK
)

// maxModulus is the longest RSA modulus in bits: longer ones would make a
// single operation, which can't be cut in parts, too long.
const maxModulus = 8192

// maxDER is the longest encoded key in bytes: that of such a modulus, and
// something to spare.
const maxDER = 8 << 10

func (k Kind) curve() elliptic.Curve {
	switch k {
	case P256:
		return elliptic.P256()
	case P384:
		return elliptic.P384()
	case P521:
		return elliptic.P521()
	}
	return nil
}

func (k Kind) exchange() ecdh.Curve {
	switch k {
	case P256:
		return ecdh.P256()
	case P384:
		return ecdh.P384()
	case P521:
		return ecdh.P521()
	case X25519:
		return ecdh.X25519()
	}
	return nil
}

// size is the length of a private key of a curve in bytes.
func (k Kind) size() int {
	switch k {
	case P256, Ed25519, X25519:
		return 32
	case P384:
		return 48
	case P521:
		return 66
	}
	return 0
}

// publicSize is the length of a public key of a curve in bytes.
func (k Kind) publicSize() int {
	if k == Ed25519 || k == X25519 {
		return 32
	}
	return 1 + 2*k.size()
}

// split takes the material of a private key of a curve apart.
func (k Kind) split(material []byte) (private, public []byte, err error) {
	if k.size() == 0 || len(material) != k.size()+k.publicSize() {
		return nil, nil, errMaterial
	}
	return material[:k.size()], material[k.size():], nil
}

var (
	errMaterial = failure(operationError, "The key can't be used")
	errKey      = failure(dataError, "The key data is not a valid key")
)

func parseRSAPrivate(material []byte) (*rsa.PrivateKey, error) {
	if len(material) > maxDER {
		return nil, errKey
	}
	key, err := x509.ParsePKCS1PrivateKey(material)
	if err != nil || key.N.BitLen() > maxModulus {
		return nil, errKey
	}
	return key, nil
}

func parseRSAPublic(material []byte) (*rsa.PublicKey, error) {
	if len(material) > maxDER {
		return nil, errKey
	}
	key, err := x509.ParsePKCS1PublicKey(material)
	if err != nil || key.N.BitLen() > maxModulus || key.N.Bit(0) == 0 || key.E < 3 || key.E&1 == 0 {
		return nil, errKey
	}
	return key, nil
}

func (c *Crypto) rsaPrivate(material []byte) (*rsa.PrivateKey, error) {
	return parsed(c, RSA, true, material, parseRSAPrivate)
}

func (c *Crypto) rsaPublic(material []byte) (*rsa.PublicKey, error) {
	return parsed(c, RSA, false, material, parseRSAPublic)
}

func (c *Crypto) ecdsaPrivate(kind Kind, material []byte) (*ecdsa.PrivateKey, error) {
	return parsed(c, kind, true, material, func(material []byte) (*ecdsa.PrivateKey, error) {
		scalar, _, err := kind.split(material)
		if err != nil || kind.curve() == nil {
			return nil, errMaterial
		}
		key, err := ecdsa.ParseRawPrivateKey(kind.curve(), scalar)
		if err != nil {
			return nil, errMaterial
		}
		return key, nil
	})
}

func (c *Crypto) ecdsaPublic(kind Kind, material []byte) (*ecdsa.PublicKey, error) {
	return parsed(c, kind, false, material, func(material []byte) (*ecdsa.PublicKey, error) {
		if kind.curve() == nil {
			return nil, errMaterial
		}
		key, err := ecdsa.ParseUncompressedPublicKey(kind.curve(), material)
		if err != nil {
			return nil, errMaterial
		}
		return key, nil
	})
}

func ed25519Private(material []byte) (ed25519.PrivateKey, error) {
	if len(material) != ed25519.PrivateKeySize {
		return nil, errMaterial
	}
	// The public half is derived anew: signing with another's would give the
	// private key away.
	return ed25519.NewKeyFromSeed(material[:ed25519.SeedSize]), nil
}

// privateMaterial is the material of a curve's private key, whose public half
// is computed.
func privateMaterial(kind Kind, private []byte) ([]byte, error) {
	if len(private) != kind.size() {
		return nil, errKey
	}
	private = private[:len(private):len(private)]
	switch kind {
	case Ed25519:
		return ed25519.NewKeyFromSeed(private), nil
	case X25519:
		key, err := ecdh.X25519().NewPrivateKey(private)
		if err != nil {
			return nil, errKey
		}
		return append(private, key.PublicKey().Bytes()...), nil
	}
	if kind.curve() == nil {
		return nil, errKey
	}
	key, err := ecdsa.ParseRawPrivateKey(kind.curve(), private)
	if err != nil {
		return nil, errKey
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		return nil, errKey
	}
	return append(private, point...), nil
}

// publicMaterial is the material of a curve's public key, from its point,
// which may be compressed.
func publicMaterial(kind Kind, point []byte) ([]byte, error) {
	curve := kind.curve()
	if curve == nil {
		if len(point) != kind.size() || len(point) == 0 {
			return nil, errKey
		}
		return point, nil
	}
	if len(point) == 1+kind.size() && (point[0] == 2 || point[0] == 3) {
		x, y := elliptic.UnmarshalCompressed(curve, point)
		if x == nil {
			return nil, errKey
		}
		return joinPoint(kind, x, y), nil
	}
	if _, err := ecdsa.ParseUncompressedPublicKey(curve, point); err != nil {
		return nil, errKey
	}
	return point, nil
}

func joinPoint(kind Kind, x, y *big.Int) []byte {
	point := make([]byte, kind.publicSize())
	point[0] = 4
	x.FillBytes(point[1 : 1+kind.size()])
	y.FillBytes(point[1+kind.size():])
	return point
}
