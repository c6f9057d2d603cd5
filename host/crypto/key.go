package crypto

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"

	"mayfly/host/op"
)

// Functions of the operation crypto_key.
const (
	keyImport = iota + 1
	keyExport
	keyPublic
)

// A format is a key's encoding.
type format uint8

const (
	formatRaw    format = iota
	formatPKCS8         // PrivateKeyInfo (RFC 5208) or OneAsymmetricKey (RFC 5958)
	formatSPKI          // SubjectPublicKeyInfo (RFC 5280)
	formatJWK           // RFC 7517, as names and values
	formatPKCS1         // RSAPrivateKey or RSAPublicKey (RFC 8017)
	formatSEC1          // ECPrivateKey (RFC 5915)
	formatX509          // a certificate (RFC 5280), for the public key in it
	formatScalar        // the private number of a curve alone
)

// An imported key is its material and what is worth knowing of it.
type imported struct {
	kind     Kind
	private  bool
	bits     int    // of an RSA modulus
	exponent []byte // RSA's public one
	material []byte
}

func (c *Crypto) key(r *op.Reader, w *op.Writer) ([]byte, error) {
	switch r.U8() {
	case keyImport:
		kind, f := Kind(r.U8()), format(r.U8())
		var members []op.Pair
		var data []byte
		if f == formatJWK {
			members = r.Pairs()
		} else {
			data = r.Rest()
		}
		if err := r.Done(); err != nil {
			return nil, err
		}
		k, err := c.importKey(kind, f, data, members)
		if err != nil {
			return nil, err
		}
		w.U8(uint8(k.kind))
		w.U8(boolByte(k.private))
		w.U32(uint32(k.bits))
		w.Bytes(k.exponent)
		w.Bytes(k.material)
	case keyExport:
		kind, private, f, material := Kind(r.U8()), r.U8(), format(r.U8()), r.Bytes()
		if err := r.Done(); err != nil {
			return nil, err
		}
		return c.exportKey(kind, private != 0, f, material, w)
	case keyPublic:
		kind, material := Kind(r.U8()), r.Bytes()
		if err := r.Done(); err != nil {
			return nil, err
		}
		public, err := c.publicOf(kind, material)
		if err != nil {
			return nil, err
		}
		w.Raw(public)
	default:
		return nil, op.ErrMessage
	}
	return w.Message(), nil
}

func (c *Crypto) publicOf(kind Kind, material []byte) ([]byte, error) {
	if kind == RSA {
		key, err := c.rsaPrivate(material)
		if err != nil {
			return nil, errMaterial
		}
		return x509.MarshalPKCS1PublicKey(&key.PublicKey), nil
	}
	_, public, err := kind.split(material)
	return public, err
}

func (c *Crypto) importKey(kind Kind, f format, data []byte, members []op.Pair) (k *imported, err error) {
	if len(data) > maxDER {
		return nil, errKey
	}
	defer c.spend(slow)
	switch f {
	case formatRaw:
		k = &imported{kind: kind}
		k.material, err = publicMaterial(kind, data)
	case formatPKCS8:
		k, err = parsePKCS8(data)
	case formatSPKI:
		k, err = parseSPKI(data)
	case formatJWK:
		k, err = parseJWK(kind, members)
	case formatPKCS1:
		if k, err = rsaKey(true, data); err != nil {
			k, err = rsaKey(false, data)
		}
	case formatSEC1:
		k, err = parseSEC1(0, data)
	case formatX509:
		k, err = parseCertificate(data)
	case formatScalar:
		k = &imported{kind: kind, private: true}
		k.material, err = privateMaterial(kind, data)
	default:
		return nil, op.ErrMessage
	}
	if err != nil {
		return nil, err
	}
	if kind != 0 && k.kind != kind {
		return nil, failure(dataError, "The key is of another algorithm")
	}
	return k, nil
}

// rsaKey checks material of RSA, and writes it anew: the shortest encoding, all
// of whose numbers follow from the others, is the only one.
func rsaKey(private bool, material []byte) (*imported, error) {
	if private {
		key, err := parseRSAPrivate(material)
		if err != nil {
			return nil, err
		}
		return &imported{
			kind: RSA, private: true, bits: key.N.BitLen(), exponent: bigEndian(key.E), material: x509.MarshalPKCS1PrivateKey(key),
		}, nil
	}
	key, err := parseRSAPublic(material)
	if err != nil {
		return nil, err
	}
	return &imported{kind: RSA, bits: key.N.BitLen(), exponent: bigEndian(key.E), material: x509.MarshalPKCS1PublicKey(key)}, nil
}

// bigEndian is a positive number without leading zeros (Web Crypto, BigInteger).
func bigEndian(v int) (b []byte) {
	for shift := 56; shift >= 0; shift -= 8 {
		if x := byte(v >> shift); x != 0 || b != nil {
			b = append(b, x)
		}
	}
	return b
}

func (c *Crypto) exportKey(kind Kind, private bool, f format, material []byte, w *op.Writer) ([]byte, error) {
	if f == formatJWK {
		members, err := c.formatJWK(kind, private, material)
		if err != nil {
			return nil, err
		}
		w.Pairs(members)
		return w.Message(), nil
	}
	if kind == RSA && f == formatPKCS1 || !private && f == formatRaw {
		w.Raw(material)
		return w.Message(), nil
	}
	var encoded []byte
	parsed, err := c.standardKey(kind, private, material)
	if err == nil {
		switch {
		case private && f == formatPKCS8:
			encoded, err = x509.MarshalPKCS8PrivateKey(parsed)
		case !private && f == formatSPKI:
			encoded, err = x509.MarshalPKIXPublicKey(parsed)
		case private && f == formatSEC1 && kind.curve() != nil:
			encoded, err = x509.MarshalECPrivateKey(parsed.(*ecdsa.PrivateKey))
		case private && f == formatScalar:
			encoded, _, err = kind.split(material)
		default:
			return nil, failure(notSupportedError, "The key has no such format")
		}
	}
	if err != nil {
		return nil, errMaterial
	}
	w.Raw(encoded)
	return w.Message(), nil
}

// standardKey is a key as the standard library's encoders take it.
func (c *Crypto) standardKey(kind Kind, private bool, material []byte) (any, error) {
	switch kind {
	case RSA:
		if private {
			return c.rsaPrivate(material)
		}
		return c.rsaPublic(material)
	case P256, P384, P521:
		if private {
			return c.ecdsaPrivate(kind, material)
		}
		return c.ecdsaPublic(kind, material)
	case Ed25519:
		if private {
			return ed25519Private(material)
		}
		if len(material) == ed25519.PublicKeySize {
			return ed25519.PublicKey(material), nil
		}
	case X25519:
		if !private {
			return ecdh.X25519().NewPublicKey(material)
		}
		seed, _, err := kind.split(material)
		if err != nil {
			return nil, err
		}
		return ecdh.X25519().NewPrivateKey(seed)
	}
	return nil, errMaterial
}

func (c *Crypto) generate(r *op.Reader, w *op.Writer) ([]byte, error) {
	kind, bits, exponent := Kind(r.U8()), r.U32(), r.Bytes()
	if err := r.Done(); err != nil {
		return nil, err
	}
	defer c.spend(slow)
	var material []byte
	switch kind {
	case RSA:
		key, err := c.generateRSA(bits, exponent)
		if err != nil {
			return nil, err
		}
		w.Bytes(x509.MarshalPKCS1PrivateKey(key))
		w.Bytes(x509.MarshalPKCS1PublicKey(&key.PublicKey))
		return w.Message(), nil
	case Ed25519:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		material = key
	case P256, P384, P521, X25519:
		key, err := kind.exchange().GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		material = append(key.Bytes(), key.PublicKey().Bytes()...)
	default:
		return nil, op.ErrMessage
	}
	_, public, err := kind.split(material)
	if err != nil {
		return nil, err
	}
	w.Bytes(material)
	w.Bytes(public)
	return w.Message(), nil
}
