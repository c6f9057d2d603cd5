package crypto

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"

	"mayfly/host/op"
)

// Ed25519: RFC 8032, section 7.1, tests 1 and 3.
func TestEd25519(t *testing.T) {
	for _, test := range []struct{ seed, public, data, sig string }{
		{
			"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
			"e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
		},
		{
			"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
			"6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
		},
	} {
		private, err := privateMaterial(Ed25519, unhex(t, test.seed))
		if err != nil || hex.EncodeToString(private[32:]) != test.public {
			t.Fatalf("%x, %v", private, err)
		}
		got := call(t, New(Options{}), op.CryptoSign, signMessage(0, schemeEd25519, 0, 0, Ed25519, private, nil, unhex(t, test.data)))
		if hex.EncodeToString(got) != test.sig {
			t.Errorf("%s: %x", test.data, got)
		}
		// With another's public half the same signature must come: one over
		// another public key would give the private one away.
		mixed := append(bytes.Clone(private[:32]), make([]byte, 32)...)
		if again := call(t, New(Options{}), op.CryptoSign, signMessage(0, schemeEd25519, 0, 0, Ed25519, mixed, nil, unhex(t, test.data))); !bytes.Equal(again, got) {
			t.Errorf("%s: %x with another public key", test.data, again)
		}
	}
}

// Every scheme: what is signed verifies, and nothing else does.
func TestSignatures(t *testing.T) {
	c := New(Options{})
	type pair struct{ private, public []byte }
	keys := map[Kind]pair{}
	for _, kind := range []Kind{RSA, P256, P384, P521, Ed25519} {
		private, public := generated(t, c, kind, 1024)
		keys[kind] = pair{private, public}
	}
	sha256, sha1, sha512 := uint8(crypto.SHA256), uint8(crypto.SHA1), uint8(crypto.SHA512)
	for _, test := range []struct {
		scheme, hash uint8
		salt         uint32
		kind         Kind
	}{
		{schemePKCS1, sha256, 0, RSA}, {schemePKCS1, sha1, 0, RSA}, {schemePKCS1, sha512, 0, RSA},
		{schemePSS, sha256, 0, RSA}, {schemePSS, sha1, 0, RSA}, {schemePSS, sha256, 32, RSA}, {schemePSS, sha256, 1, RSA}, {schemePSS, sha256, 94, RSA},
		{schemeECDSA, sha256, 0, P256}, {schemeECDSA, sha512, 0, P384}, {schemeECDSA, sha1, 0, P521}, {schemeECDSA, sha512, 0, P256},
		{schemeECDSAASN1, sha256, 0, P256}, {schemeECDSAASN1, sha256, 0, P521}, {schemeEd25519, 0, 0, Ed25519},
	} {
		name := fmt.Sprintf("scheme %d, hash %d, salt %d, kind %d", test.scheme, test.hash, test.salt, test.kind)
		key := keys[test.kind]
		data := []byte("what is signed")
		sig := call(t, c, op.CryptoSign, signMessage(0, test.scheme, test.hash, test.salt, test.kind, key.private, nil, data))
		verifies := func(hash uint8, salt uint32, sig, data []byte) bool {
			return call(t, c, op.CryptoSign, signMessage(1, test.scheme, hash, salt, test.kind, key.public, sig, data))[0] == 1
		}
		if !verifies(test.hash, test.salt, sig, data) {
			t.Errorf("%s does not verify", name)
		}
		if verifies(test.hash, test.salt, sig, append(data, 0)) {
			t.Errorf("%s verifies for other data", name)
		}
		for _, at := range []int{0, len(sig) / 2, len(sig) - 1} {
			wrong := bytes.Clone(sig)
			wrong[at] ^= 4
			if verifies(test.hash, test.salt, wrong, data) {
				t.Errorf("%s verifies with byte %d altered", name, at)
			}
		}
		for _, wrong := range [][]byte{nil, sig[1:], append(bytes.Clone(sig), 0), append([]byte{0}, sig...), make([]byte, len(sig)), bytes.Repeat([]byte{255}, len(sig))} {
			if verifies(test.hash, test.salt, wrong, data) {
				t.Errorf("%s verifies %x", name, wrong)
			}
		}
		if test.scheme == schemePSS {
			for any, want := range map[string]byte{"what is signed": 1, "what is not": 0} {
				if call(t, c, op.CryptoSign, signMessage(1, schemePSSAny, test.hash, 0, RSA, key.public, sig, []byte(any)))[0] != want {
					t.Errorf("%s: with any salt, %s", name, any)
				}
			}
		}
		if test.scheme == schemePSS && verifies(test.hash, test.salt+1, sig, data) {
			t.Errorf("%s verifies with another length of salt", name)
		}
		if test.scheme != schemeEd25519 && verifies(uint8(crypto.SHA384), test.salt, sig, data) {
			t.Errorf("%s verifies with another hash", name)
		}
	}
	for _, scheme := range []uint8{schemePKCS1, schemePSS} { // with a key that is of another kind
		refuses(t, op.CryptoSign, signMessage(0, scheme, sha256, 0, RSA, keys[P256].private, nil, nil), operationError)
	}
	refuses(t, op.CryptoSign, signMessage(0, schemePSS, sha256, 95, RSA, keys[RSA].private, nil, nil), operationError)
	refuses(t, op.CryptoSign, signMessage(0, schemePSS, sha512, 63, RSA, keys[RSA].private, nil, nil), operationError)
	refuses(t, op.CryptoSign, signMessage(0, schemeECDSA, sha256, 0, P384, keys[P256].private, nil, nil), operationError)
	refuses(t, op.CryptoSign, signMessage(0, schemeECDSA, sha256, 0, Ed25519, keys[Ed25519].private, nil, nil), operationError)
	refuses(t, op.CryptoSign, signMessage(0, schemeECDSA, 99, 0, P256, keys[P256].private, nil, nil), notSupportedError)
}

// Signatures without a salt are those that Go accepts.
func TestUnsaltedPSS(t *testing.T) {
	c := New(Options{})
	for _, bits := range []uint32{1024, 1025, 1031, 1032} { // by which the first byte is cut differently
		private, public := generated(t, c, RSA, bits)
		data := []byte("what is signed")
		sig := call(t, c, op.CryptoSign, signMessage(0, schemePSS, uint8(crypto.SHA256), 0, RSA, private, nil, data))
		key, err := parseRSAPublic(public)
		if err != nil {
			t.Fatal(err)
		}
		digest := sha256.Sum256(data)
		if err := rsa.VerifyPSS(key, crypto.SHA256, digest[:], sig, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthAuto}); err != nil {
			t.Errorf("%d bits: %v", bits, err)
		}
		if again := call(t, c, op.CryptoSign, signMessage(0, schemePSS, uint8(crypto.SHA256), 0, RSA, private, nil, data)); !bytes.Equal(again, sig) {
			t.Errorf("%d bits: two signatures differ", bits)
		}
	}
}

func TestOAEP(t *testing.T) {
	c := New(Options{})
	private, public := generated(t, c, RSA, 1024)
	for _, hash := range []crypto.Hash{crypto.SHA1, crypto.SHA256} {
		longest := 128 - 2*hash.Size() - 2
		for _, n := range []int{0, 1, longest} {
			for _, label := range [][]byte{nil, []byte("label")} {
				data := bytes.Repeat([]byte{1}, n)
				sealed := call(t, c, op.CryptoCipher, cipherMessage(cipherOAEP, 0, public, nil, uint32(hash), label, data))
				opened := call(t, c, op.CryptoCipher, cipherMessage(cipherOAEP, 1, private, nil, uint32(hash), label, sealed))
				if !bytes.Equal(opened, data) {
					t.Errorf("%v, %d bytes: %x", hash, n, opened)
				}
				refuses(t, op.CryptoCipher, cipherMessage(cipherOAEP, 1, private, nil, uint32(hash), []byte("other"), sealed), operationError)
				refuses(t, op.CryptoCipher, cipherMessage(cipherOAEP, 1, private, nil, uint32(hash), label, sealed[1:]), operationError)
			}
		}
		refuses(t, op.CryptoCipher, cipherMessage(cipherOAEP, 0, public, nil, uint32(hash), nil, make([]byte, longest+1)), operationError)
	}
	// A ciphertext without its leading zero is too short, though the number is
	// the same.
	for {
		sealed := call(t, c, op.CryptoCipher, cipherMessage(cipherOAEP, 0, public, nil, uint32(crypto.SHA1), nil, nil))
		if sealed[0] == 0 {
			refuses(t, op.CryptoCipher, cipherMessage(cipherOAEP, 1, private, nil, uint32(crypto.SHA1), nil, sealed[1:]), operationError)
			break
		}
	}
	refuses(t, op.CryptoCipher, cipherMessage(cipherOAEP, 0, public, nil, 1<<20, nil, nil), notSupportedError)
	refuses(t, op.CryptoCipher, cipherMessage(cipherOAEP, 0, nil, nil, uint32(crypto.SHA1), nil, nil), operationError)
}

func BenchmarkPrivateOperation(b *testing.B) {
	for _, bits := range []uint32{2048, 4096} {
		c := New(Options{})
		private, _ := generated(b, c, RSA, bits)
		for _, salt := range []uint32{0, 32} {
			b.Run(fmt.Sprintf("%d salt %d", bits, salt), func(b *testing.B) {
				for b.Loop() {
					call(b, c, op.CryptoSign, signMessage(0, schemePSS, uint8(crypto.SHA256), salt, RSA, private, nil, nil))
				}
			})
		}
	}
}
