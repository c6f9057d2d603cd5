package crypto

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"slices"

	"mayfly/host/op"
)

// curveNames are the values of crv (RFC 7518, section 6.2.1.1; RFC 8037).
var curveNames = map[Kind]string{P256: "P-256", P384: "P-384", P521: "P-521", Ed25519: "Ed25519", X25519: "X25519"}

// jwkMembers are the members of a JWK that are the key itself.
type jwkMembers map[string]string

// bytes decodes a member (base64url without padding, RFC 7515, section 2). ok
// is false if it is not there.
func (m jwkMembers) bytes(name string) (value []byte, ok bool, err error) {
	text, ok := m[name]
	if !ok {
		return nil, false, nil
	}
	value, err = base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, true, failure(dataError, "The JWK's member %q is not base64url", name)
	}
	return value, true, nil
}

// need is bytes, or the error that says that the member is missing.
func (m jwkMembers) need(name string) ([]byte, error) {
	value, ok, err := m.bytes(name)
	if err == nil && !ok {
		err = failure(dataError, "The JWK has no member %q", name)
	}
	return value, err
}

// number is a member that is Base64urlUInt (RFC 7518, section 2).
func (m jwkMembers) number(name string) (*big.Int, error) {
	value, err := m.need(name)
	if err != nil {
		return nil, err
	}
	if len(value) > maxModulus/8+1 {
		return nil, errKey
	}
	return new(big.Int).SetBytes(value), nil
}

func parseJWK(kind Kind, pairs []op.Pair) (*imported, error) {
	m := make(jwkMembers, len(pairs))
	for _, p := range pairs {
		m[p.Name] = p.Value
	}
	switch kind {
	case octets:
		k, err := m.need("k")
		return &imported{kind: octets, material: k}, err
	case RSA:
		return parseRSAJWK(m)
	case 0:
		return nil, op.ErrMessage
	}
	if name := curveNames[kind]; name == "" || m["crv"] != name {
		return nil, failure(dataError, "The JWK's member \"crv\" is not that of the key")
	}
	public, err := m.need("x")
	if err != nil {
		return nil, err
	}
	if kind.curve() != nil {
		y, err := m.need("y")
		if err != nil {
			return nil, err
		}
		if len(public) != kind.size() || len(y) != kind.size() {
			return nil, errKey
		}
		public = slices.Concat([]byte{4}, public, y)
	}
	if public, err = publicMaterial(kind, public); err != nil {
		return nil, err
	}
	d, private, err := m.bytes("d")
	if err != nil {
		return nil, err
	}
	if !private {
		return &imported{kind: kind, material: public}, nil
	}
	material, err := privateMaterial(kind, d)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(material[kind.size():], public) {
		return nil, failure(dataError, "The JWK's private and public key don't belong together")
	}
	return &imported{kind: kind, private: true, material: material}, nil
}

func parseRSAJWK(m jwkMembers) (*imported, error) {
	n, err := m.number("n")
	if err != nil {
		return nil, err
	}
	e, err := m.number("e")
	if err != nil {
		return nil, err
	}
	if e.BitLen() > 31 {
		return nil, failure(dataError, "The public exponent is too large")
	}
	public := rsa.PublicKey{N: n, E: int(e.Int64())}
	if _, private := m["d"]; !private {
		if n.BitLen() == 0 || n.BitLen() > maxModulus {
			return nil, errKey
		}
		return rsaKey(false, x509.MarshalPKCS1PublicKey(&public))
	}
	numbers := make(map[string]*big.Int, 6)
	for _, name := range []string{"d", "p", "q", "dp", "dq", "qi"} {
		if numbers[name], err = m.number(name); err != nil {
			return nil, err
		}
	}
	key := &rsa.PrivateKey{PublicKey: public, D: numbers["d"], Primes: []*big.Int{numbers["p"], numbers["q"]}}
	if n.BitLen() == 0 || n.BitLen() > maxModulus {
		return nil, errKey
	}
	key.Precompute()
	if err := key.Validate(); err != nil {
		return nil, errKey
	}
	for name, want := range map[string]*big.Int{"dp": key.Precomputed.Dp, "dq": key.Precomputed.Dq, "qi": key.Precomputed.Qinv} {
		if want == nil || want.Cmp(numbers[name]) != 0 {
			return nil, failure(dataError, "The JWK's member %q does not follow from the others", name)
		}
	}
	return rsaKey(true, x509.MarshalPKCS1PrivateKey(key))
}

// formatJWK are the members of a JWK that are the key itself.
func (c *Crypto) formatJWK(kind Kind, private bool, material []byte) ([]op.Pair, error) {
	encode := base64.RawURLEncoding.EncodeToString
	switch kind {
	case octets:
		return []op.Pair{{Name: "k", Value: encode(material)}}, nil
	case RSA:
		var key *rsa.PrivateKey
		var public *rsa.PublicKey
		var err error
		if private {
			if key, err = c.rsaPrivate(material); err == nil {
				public = &key.PublicKey
			}
		} else {
			public, err = c.rsaPublic(material)
		}
		if err != nil {
			return nil, errMaterial
		}
		members := []op.Pair{{Name: "n", Value: encode(public.N.Bytes())}, {Name: "e", Value: encode(bigEndian(public.E))}}
		if !private {
			return members, nil
		}
		if len(key.Primes) != 2 {
			return nil, failure(notSupportedError, "The key has more than two primes")
		}
		pre := &key.Precomputed
		return append(members,
			op.Pair{Name: "d", Value: encode(key.D.Bytes())},
			op.Pair{Name: "p", Value: encode(key.Primes[0].Bytes())}, op.Pair{Name: "q", Value: encode(key.Primes[1].Bytes())},
			op.Pair{Name: "dp", Value: encode(pre.Dp.Bytes())}, op.Pair{Name: "dq", Value: encode(pre.Dq.Bytes())},
			op.Pair{Name: "qi", Value: encode(pre.Qinv.Bytes())}), nil
	}
	public := material
	var d []byte
	if private {
		var err error
		if d, public, err = kind.split(material); err != nil {
			return nil, err
		}
	}
	if kind.size() == 0 || len(public) != kind.publicSize() {
		return nil, errMaterial
	}
	members := []op.Pair{{Name: "crv", Value: curveNames[kind]}}
	if kind.curve() != nil {
		x, y := public[1:1+kind.size()], public[1+kind.size():]
		members = append(members, op.Pair{Name: "x", Value: encode(x)}, op.Pair{Name: "y", Value: encode(y)})
	} else {
		members = append(members, op.Pair{Name: "x", Value: encode(public)})
	}
	if private {
		members = append(members, op.Pair{Name: "d", Value: encode(d)})
	}
	return members, nil
}
