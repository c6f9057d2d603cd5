package crypto

import (
	"crypto"
	"errors"
	"testing"

	"mayfly/host/op"
)

// FuzzCall: whatever a guest sends, it gets an answer or an error of its own,
// and long work pauses.
func FuzzCall(f *testing.F) {
	c := New(Options{})
	ecPrivate, ecPublic := generated(f, c, P256, 0)
	edPrivate, _ := generated(f, c, Ed25519, 0)
	xPrivate, xPublic := generated(f, c, X25519, 0)
	rsaPrivate, rsaPublic := generated(f, c, RSA, 1024)
	sha256 := uint8(crypto.SHA256)
	add := func(o op.Op, message []byte) { f.Add(uint8(o), message) }
	for _, hash := range hashes {
		add(op.CryptoHash, hashMessage(uint8(hash), hashFinish, nil, call(f, c, op.CryptoHash, hashMessage(uint8(hash), 0, nil, nil, []byte("abc"))), []byte("def")))
	}
	add(op.CryptoHash, hashMessage(sha256, hashKeyed|hashFinish, []byte("key"), nil, []byte("abc")))
	for algorithm := uint8(1); algorithm < cipherOAEP; algorithm++ {
		for direction := range uint8(2) {
			add(op.CryptoCipher, cipherMessage(algorithm, direction, make([]byte, 16), make([]byte, 16), 16, []byte("more"), make([]byte, 48)))
		}
	}
	add(op.CryptoCipher, cipherMessage(cipherOAEP, 0, rsaPublic, nil, uint32(sha256), nil, []byte("abc")))
	add(op.CryptoCipher, cipherMessage(cipherOAEP, 1, rsaPrivate, nil, uint32(sha256), nil, make([]byte, 128)))
	add(op.CryptoSign, signMessage(0, schemePSS, sha256, 0, RSA, rsaPrivate, nil, nil))
	add(op.CryptoSign, signMessage(1, schemePSS, sha256, 0, RSA, rsaPublic, make([]byte, 128), nil))
	add(op.CryptoSign, signMessage(0, schemeECDSA, sha256, 0, P256, ecPrivate, nil, nil))
	add(op.CryptoSign, signMessage(1, schemeECDSA, sha256, 0, P256, ecPublic, make([]byte, 64), nil))
	add(op.CryptoSign, signMessage(0, schemeEd25519, 0, 0, Ed25519, edPrivate, nil, nil))
	add(op.CryptoDerive, ecdhMessage(X25519, xPrivate, xPublic))
	add(op.CryptoDerive, ecdhMessage(P256, ecPrivate, ecPublic))
	add(op.CryptoDerive, pbkdf2Message(sha256, 3, 40, "p", "s"))
	add(op.CryptoDerive, hkdfMessage(sha256, 40, []byte("p"), nil, nil))
	add(op.CryptoDerive, scryptMessage(2, 1, 1, 32, "p", "s"))
	for _, key := range []struct {
		kind     Kind
		private  bool
		material []byte
	}{{RSA, true, rsaPrivate}, {RSA, false, rsaPublic}, {P256, true, ecPrivate}, {P256, false, ecPublic}, {Ed25519, true, edPrivate}, {X25519, false, xPublic}} {
		for format := range formatSEC1 + 1 {
			message := exportMessage(key.kind, key.private, format, key.material)
			add(op.CryptoKey, message)
			encoded, err := c.Call(op.CryptoKey, message, nil)
			if err != nil {
				continue
			}
			if format == formatJWK {
				add(op.CryptoKey, importJWKMessage(key.kind, op.NewReader(encoded).Pairs()))
			} else {
				add(op.CryptoKey, importMessage(key.kind, format, encoded))
			}
		}
	}
	add(op.CryptoGenerate, generateMessage(P384, 0, nil))
	f.Fuzz(func(t *testing.T, number uint8, message []byte) {
		type stop struct{}
		defer func() { // as a limit would end long work
			if p := recover(); p != nil && p != (stop{}) {
				panic(p)
			}
		}()
		pauses := 0
		c := New(Options{Pause: func() {
			if pauses++; pauses > 100 {
				panic(stop{})
			}
		}})
		_, err := c.Call(op.Op(number), message, make([]byte, 0, 128))
		var record *op.ErrorRecord
		if err != nil && !errors.Is(err, op.ErrMessage) && !errors.As(err, &record) {
			t.Errorf("%v: %v", op.Op(number), err)
		}
	})
}

// Long work pauses often, so that it can be ended.
func TestPauses(t *testing.T) {
	sha256 := uint8(crypto.SHA256)
	for name, test := range map[string]struct {
		o       op.Op
		message []byte
	}{
		"hash":           {op.CryptoHash, hashMessage(sha256, hashFinish, nil, nil, make([]byte, 4<<20))},
		"HMAC's key":     {op.CryptoHash, hashMessage(sha256, hashFinish|hashKeyed, make([]byte, 4<<20), nil, nil)},
		"CTR":            {op.CryptoCipher, cipherMessage(cipherCTR, 0, make([]byte, 16), make([]byte, 16), 64, nil, make([]byte, 4<<20))},
		"CBC":            {op.CryptoCipher, cipherMessage(cipherCBC, 0, make([]byte, 16), make([]byte, 16), 0, nil, make([]byte, 4<<20))},
		"KW":             {op.CryptoCipher, cipherMessage(cipherKW, 0, make([]byte, 16), nil, 0, nil, make([]byte, 1<<20))},
		"ECB":            {op.CryptoCipher, cipherMessage(cipherECB, 0, make([]byte, 16), nil, 0, nil, make([]byte, 4<<20))},
		"PBKDF2":         {op.CryptoDerive, pbkdf2Message(sha256, 1<<31, 32, "p", "s")},
		"PBKDF2, length": {op.CryptoDerive, pbkdf2Message(sha256, 1, maxDerived, "p", "s")},
		"PBKDF2, salt":   {op.CryptoDerive, pbkdf2Message(sha256, 1, 32, "p", string(make([]byte, 4<<20)))},
		"scrypt":         {op.CryptoDerive, scryptMessage(1<<12, 8, 1<<6, 32, "p", "s")},
		"RSA":            {op.CryptoGenerate, generateMessage(RSA, 4096, []byte{1, 0, 1})},
	} {
		ended := errors.New("ended")
		pauses := 0
		func() {
			defer func() {
				if p := recover(); p != ended {
					t.Errorf("%s: %v after %d pauses", name, p, pauses)
				}
			}()
			New(Options{Pause: func() {
				if pauses++; pauses == 3 {
					panic(ended)
				}
			}}).Call(test.o, test.message, nil)
		}()
	}
}
