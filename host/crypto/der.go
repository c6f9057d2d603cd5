package crypto

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
)

// Object identifiers: RFC 8017 (appendix C), RFC 5480 (section 2.1.1), RFC 8410
// (section 3).
var (
	oidRSA     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidEC      = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
	oidX25519  = asn1.ObjectIdentifier{1, 3, 101, 110}
	oidEd25519 = asn1.ObjectIdentifier{1, 3, 101, 112}
	oidCurves  = map[Kind]asn1.ObjectIdentifier{
		P256: {1, 2, 840, 10045, 3, 1, 7},
		P384: {1, 3, 132, 0, 34},
		P521: {1, 3, 132, 0, 35},
	}
)

// privateKeyInfo is OneAsymmetricKey (RFC 5958).
type privateKeyInfo struct {
	Version    int
	Algorithm  pkix.AlgorithmIdentifier
	PrivateKey []byte
	Attributes asn1.RawValue  `asn1:"optional,tag:0"`
	PublicKey  asn1.BitString `asn1:"optional,tag:1"`
}

// ecPrivateKey is ECPrivateKey (RFC 5915).
type ecPrivateKey struct {
	Version    int
	PrivateKey []byte
	Parameters asn1.ObjectIdentifier `asn1:"optional,explicit,tag:0"`
	PublicKey  asn1.BitString        `asn1:"optional,explicit,tag:1"`
}

// unmarshal reads one value, and nothing after it.
func unmarshal(der []byte, value any) error {
	if rest, err := asn1.Unmarshal(der, value); err != nil || len(rest) > 0 {
		return errKey
	}
	return nil
}

// kindOf finds the kind of key that an algorithm identifier means.
func kindOf(a *pkix.AlgorithmIdentifier) (Kind, error) {
	switch {
	case a.Algorithm.Equal(oidRSA):
		if null := a.Parameters.FullBytes; len(null) == 0 || slices.Equal(null, asn1.NullBytes) {
			return RSA, nil
		}
		return 0, errKey
	case a.Algorithm.Equal(oidEd25519), a.Algorithm.Equal(oidX25519):
		if len(a.Parameters.FullBytes) > 0 {
			return 0, errKey
		}
		if a.Algorithm.Equal(oidEd25519) {
			return Ed25519, nil
		}
		return X25519, nil
	case a.Algorithm.Equal(oidEC):
		var curve asn1.ObjectIdentifier
		if err := unmarshal(a.Parameters.FullBytes, &curve); err != nil {
			return 0, err
		}
		return kindOfCurve(curve)
	}
	return 0, failure(dataError, "The key is of an unknown algorithm")
}

func kindOfCurve(oid asn1.ObjectIdentifier) (Kind, error) {
	for kind, known := range oidCurves {
		if known.Equal(oid) {
			return kind, nil
		}
	}
	return 0, failure(dataError, "The key is on an unknown curve")
}

func parseSPKI(der []byte) (*imported, error) {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		PublicKey asn1.BitString
	}
	if err := unmarshal(der, &info); err != nil {
		return nil, err
	}
	kind, err := kindOf(&info.Algorithm)
	if err != nil {
		return nil, err
	}
	if info.PublicKey.BitLength%8 != 0 {
		return nil, errKey
	}
	if kind == RSA {
		return rsaKey(false, info.PublicKey.Bytes)
	}
	material, err := publicMaterial(kind, info.PublicKey.Bytes)
	return &imported{kind: kind, material: material}, err
}

// parseCertificate takes the public key out of a certificate, which it does not
// judge.
func parseCertificate(der []byte) (*imported, error) {
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, errKey
	}
	return parseSPKI(certificate.RawSubjectPublicKeyInfo)
}

func parsePKCS8(der []byte) (*imported, error) {
	var info privateKeyInfo
	if err := unmarshal(der, &info); err != nil {
		return nil, err
	}
	if info.Version != 0 && info.Version != 1 {
		return nil, errKey
	}
	kind, err := kindOf(&info.Algorithm)
	if err != nil {
		return nil, err
	}
	switch kind {
	case RSA:
		return rsaKey(true, info.PrivateKey)
	case P256, P384, P521:
		return parseSEC1(kind, info.PrivateKey)
	}
	var seed []byte // CurvePrivateKey (RFC 8410, section 7)
	if err := unmarshal(info.PrivateKey, &seed); err != nil {
		return nil, err
	}
	return privateKey(kind, seed, info.PublicKey)
}

// parseSEC1 reads an ECPrivateKey. Its curve is kind, or its own if that is 0.
func parseSEC1(kind Kind, der []byte) (*imported, error) {
	var info ecPrivateKey
	if err := unmarshal(der, &info); err != nil {
		return nil, err
	}
	if info.Version != 1 {
		return nil, errKey
	}
	if len(info.Parameters) > 0 || kind == 0 {
		own, err := kindOfCurve(info.Parameters)
		if err != nil {
			return nil, err
		}
		if kind != 0 && own != kind {
			return nil, errKey
		}
		kind = own
	}
	// Some encoders leave leading zeros out, or put more in.
	scalar := info.PrivateKey
	for len(scalar) > kind.size() && scalar[0] == 0 {
		scalar = scalar[1:]
	}
	if n := kind.size() - len(scalar); n > 0 {
		scalar = append(make([]byte, n), scalar...)
	}
	return privateKey(kind, scalar, info.PublicKey)
}

// privateKey is a private key of a curve. The public key beside it, if there is
// one, has to belong to it.
func privateKey(kind Kind, private []byte, beside asn1.BitString) (*imported, error) {
	material, err := privateMaterial(kind, private)
	if err != nil {
		return nil, err
	}
	if beside.BitLength > 0 {
		public, err := publicMaterial(kind, beside.Bytes)
		if err != nil || beside.BitLength%8 != 0 || !slices.Equal(public, material[kind.size():]) {
			return nil, errKey
		}
	}
	return &imported{kind: kind, private: true, material: material}, nil
}
