package crypto

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"testing"

	"mayfly/host/op"
)

var kinds = []Kind{RSA, P256, P384, P521, Ed25519, X25519}

// importedKey reads the answer of an import.
func importedKey(t testing.TB, answer []byte) imported {
	t.Helper()
	r := op.NewReader(answer)
	k := imported{kind: Kind(r.U8()), private: r.U8() == 1, bits: int(r.U32()), exponent: r.Bytes(), material: r.Bytes()}
	if err := r.Done(); err != nil {
		t.Fatal(err)
	}
	return k
}

// A key that is exported in any format of its kind is the same when it is
// imported again, with or without the kind being told.
func TestFormats(t *testing.T) {
	c := New(Options{})
	for _, kind := range kinds {
		private, public := generated(t, c, kind, 1024)
		if got := call(t, c, op.CryptoKey, publicOfMessage(kind, private)); !bytes.Equal(got, public) {
			t.Errorf("kind %d: the public key of the private one is %x", kind, got)
		}
		for _, f := range []format{formatRaw, formatPKCS8, formatSPKI, formatJWK, formatPKCS1, formatSEC1, formatScalar} {
			for _, isPrivate := range []bool{false, true} {
				curve := kind == P256 || kind == P384 || kind == P521
				switch {
				case f == formatRaw && (isPrivate || kind == RSA), f == formatScalar && (!isPrivate || kind == RSA), f == formatPKCS1 && kind != RSA, f == formatSEC1 && !(curve && isPrivate),
					f == formatSPKI && isPrivate, f == formatPKCS8 && !isPrivate:
					continue
				}
				material := public
				if isPrivate {
					material = private
				}
				encoded := bytes.Clone(call(t, c, op.CryptoKey, exportMessage(kind, isPrivate, f, material)))
				message := importMessage(kind, f, encoded)
				if f == formatJWK {
					message = importJWKMessage(kind, op.NewReader(encoded).Pairs())
				}
				k := importedKey(t, call(t, New(Options{}), op.CryptoKey, message))
				if k.kind != kind || k.private != isPrivate || !bytes.Equal(k.material, material) {
					t.Errorf("kind %d, format %d, private %v: comes back as %+v", kind, f, isPrivate, k)
				}
				if kind == RSA && (k.bits != 1024 || !bytes.Equal(k.exponent, []byte{1, 0, 1})) {
					t.Errorf("format %d: %d bits, exponent %x", f, k.bits, k.exponent)
				}
				if f == formatJWK || f == formatRaw || f == formatScalar {
					continue
				}
				if k := importedKey(t, call(t, New(Options{}), op.CryptoKey, importMessage(0, f, encoded))); k.kind != kind {
					t.Errorf("format %d: kind %d is taken for %d", f, kind, k.kind)
				}
				other := RSA
				if kind == RSA {
					other = P256
				}
				refuses(t, op.CryptoKey, importMessage(other, f, encoded), dataError)
				refuses(t, op.CryptoKey, importMessage(kind, f, append(encoded, 0)), dataError)
				refuses(t, op.CryptoKey, importMessage(kind, f, encoded[:len(encoded)-1]), dataError)
			}
		}
	}
}

func publicOfMessage(kind Kind, material []byte) []byte {
	w := op.NewWriter(nil)
	w.U8(keyPublic)
	w.U8(uint8(kind))
	w.Bytes(material)
	return w.Message()
}

// The standard library reads what is exported.
func TestStandardFormats(t *testing.T) {
	c := New(Options{})
	for _, kind := range kinds {
		private, public := generated(t, c, kind, 1024)
		if _, err := x509.ParsePKCS8PrivateKey(call(t, c, op.CryptoKey, exportMessage(kind, true, formatPKCS8, private))); err != nil {
			t.Errorf("kind %d: %v", kind, err)
		}
		if _, err := x509.ParsePKIXPublicKey(call(t, c, op.CryptoKey, exportMessage(kind, false, formatSPKI, public))); err != nil {
			t.Errorf("kind %d: %v", kind, err)
		}
	}
}

// Points may come compressed (SEC 1, section 2.3.4), but have to be on the
// curve.
func TestPoints(t *testing.T) {
	for _, kind := range []Kind{P256, P384, P521} {
		_, public := generated(t, New(Options{}), kind, 0)
		compressed := append([]byte{2 + public[len(public)-1]&1}, public[1:1+kind.size()]...)
		if k := importedKey(t, call(t, New(Options{}), op.CryptoKey, importMessage(kind, formatRaw, compressed))); !bytes.Equal(k.material, public) {
			t.Errorf("kind %d: %x", kind, k.material)
		}
		off := bytes.Clone(public)
		off[len(off)-1] ^= 1
		for _, bad := range [][]byte{nil, {0}, off, public[1:], public[:len(public)-1], append([]byte{5}, compressed[1:]...), append([]byte{6}, public[1:]...), bytes.Repeat([]byte{255}, len(public))} {
			refuses(t, op.CryptoKey, importMessage(kind, formatRaw, bad), dataError)
		}
	}
	for _, n := range []int{0, 31, 33} {
		refuses(t, op.CryptoKey, importMessage(Ed25519, formatRaw, make([]byte, n)), dataError)
	}
	refuses(t, op.CryptoKey, importMessage(RSA, formatRaw, make([]byte, 32)), dataError)
}

// Members of a JWK that are missing, no base64url, of a wrong length, or don't
// belong together.
func TestJWKRefuses(t *testing.T) {
	c := New(Options{})
	for _, kind := range kinds {
		private, _ := generated(t, c, kind, 1024)
		otherPrivate, _ := generated(t, c, kind, 1024)
		members := op.NewReader(call(t, c, op.CryptoKey, exportMessage(kind, true, formatJWK, private))).Pairs()
		others := op.NewReader(call(t, c, op.CryptoKey, exportMessage(kind, true, formatJWK, otherPrivate))).Pairs()
		for i := range members {
			name := members[i].Name
			with := func(value string) []op.Pair {
				changed := append([]op.Pair(nil), members...)
				changed[i].Value = value
				return changed
			}
			if name == "e" {
				continue // any odd one may go with a modulus
			}
			if name != "d" { // without which it is a public key
				missing := append(append([]op.Pair(nil), members[:i]...), members[i+1:]...)
				refuses(t, op.CryptoKey, importJWKMessage(kind, missing), dataError)
			}
			for _, value := range []string{"", "!", members[i].Value + "=", members[i].Value + "AAAA", members[i].Value[4:]} {
				refuses(t, op.CryptoKey, importJWKMessage(kind, with(value)), dataError)
			}
			if name != "crv" {
				refuses(t, op.CryptoKey, importJWKMessage(kind, with(others[i].Value)), dataError)
			}
		}
	}
	refuses(t, op.CryptoKey, importJWKMessage(octets, nil), dataError)
}

// The key of a certificate, whoever signed it.
func TestCertificate(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	want, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if k := importedKey(t, call(t, New(Options{}), op.CryptoKey, importMessage(0, formatX509, der))); k.kind != P256 || k.private || !bytes.Equal(k.material, want) {
		t.Errorf("%+v", k)
	}
	refuses(t, op.CryptoKey, importMessage(0, formatX509, der[1:]), dataError)
	refuses(t, op.CryptoKey, importMessage(RSA, formatX509, der), dataError)
}

func TestExportRefuses(t *testing.T) {
	_, public := generated(t, New(Options{}), P256, 0)
	refuses(t, op.CryptoKey, exportMessage(P256, false, formatPKCS8, public), notSupportedError)
	refuses(t, op.CryptoKey, exportMessage(P256, true, formatPKCS8, public), operationError)
	refuses(t, op.CryptoKey, exportMessage(P256, false, formatSPKI, nil), operationError)
	refuses(t, op.CryptoKey, exportMessage(RSA, true, formatJWK, nil), operationError)
	refuses(t, op.CryptoKey, exportMessage(77, false, formatJWK, nil), operationError)
	refuses(t, op.CryptoKey, exportMessage(X25519, false, formatSPKI, nil), operationError)
	refuses(t, op.CryptoKey, exportMessage(Ed25519, false, formatJWK, nil), operationError)
}

// A generated key is one: its primes are prime by another test, too.
func TestGenerateRSA(t *testing.T) {
	pauses := 0
	c := New(Options{Pause: func() { pauses++ }})
	for _, bits := range []uint32{1024, 1025, 1536, 2048} {
		for _, exponent := range [][]byte{{3}, {1, 0, 1}, {0, 0, 1, 0, 1}} {
			answer := call(t, c, op.CryptoGenerate, generateMessage(RSA, bits, exponent))
			private := op.NewReader(answer).Bytes()
			key, err := parseRSAPrivate(private)
			if err != nil {
				t.Fatal(err)
			}
			if key.N.BitLen() != int(bits) || int64(key.E) != new(big.Int).SetBytes(exponent).Int64() {
				t.Errorf("%d bits, exponent %x: %d bits, exponent %d", bits, exponent, key.N.BitLen(), key.E)
			}
			for _, p := range key.Primes {
				if !p.ProbablyPrime(4) {
					t.Errorf("%d bits: %v is not prime", bits, p)
				}
			}
		}
	}
	if pauses == 0 {
		t.Error("no pause")
	}
	for _, bits := range []uint32{0, 512, 1023, 4097, 16384, 1<<32 - 1} {
		refuses(t, op.CryptoGenerate, generateMessage(RSA, bits, []byte{1, 0, 1}), operationError)
	}
	for _, exponent := range [][]byte{nil, {0}, {1}, {2}, {1, 0, 0}, {128, 0, 0, 1}, bytes.Repeat([]byte{255}, 1000)} {
		refuses(t, op.CryptoGenerate, generateMessage(RSA, 1024, exponent), operationError)
	}
}

func TestProbablyPrime(t *testing.T) {
	c := New(Options{})
	for text, want := range map[string]bool{
		"170141183460469231731687303715884105727": true,  // 2^127 - 1
		"170141183460469231731687303715884105729": false, // 3 · …
		"443372888629441":                         false, // Carmichael: 17·31·41·43·89·97·167·331
		"3825123056546413051":                     false, // strong pseudoprime to nine bases
		"57896044618658097711785492504343953926634992332820282019728792003956564819949": true, // 2^255 - 19
	} {
		n, _ := new(big.Int).SetString(text, 10)
		if got, err := c.probablyPrime(n); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

// Keys are parsed once, and the cache is bounded.
func TestParsedKeys(t *testing.T) {
	c := New(Options{})
	private, _ := generated(t, c, RSA, 1024)
	a, err := c.rsaPrivate(private)
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := c.rsaPrivate(private); a != b {
		t.Error("parsed again")
	}
	for range 3 * maxKeys {
		material, _ := generated(t, c, P256, 0)
		if _, err := c.ecdsaPrivate(P256, material); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.keys) > maxKeys {
		t.Errorf("%d keys are kept", len(c.keys))
	}
}

func BenchmarkGenerateRSA(b *testing.B) {
	c := New(Options{})
	for b.Loop() {
		call(b, c, op.CryptoGenerate, generateMessage(RSA, 2048, []byte{1, 0, 1}))
	}
}
