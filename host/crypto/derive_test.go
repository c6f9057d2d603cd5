package crypto

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"mayfly/host/op"
)

// PBKDF2: RFC 6070 for SHA-1, RFC 7914 (section 11) for SHA-256; the last, with
// a password longer than a block, from Python's hashlib.
func TestPBKDF2(t *testing.T) {
	for _, test := range []struct {
		hash           crypto.Hash
		iterations, n  uint32
		password, salt string
		want           string
	}{
		{crypto.SHA1, 1, 20, "password", "salt", "0c60c80f961f0e71f3a9b524af6012062fe037a6"},
		{crypto.SHA1, 4096, 20, "password", "salt", "4b007901b765489abead49d926f721d065a429c1"},
		{
			crypto.SHA1, 4096, 25, "passwordPASSWORDpassword", "saltSALTsaltSALTsaltSALTsaltSALTsalt",
			"3d2eec4fe41c849b80c8d83662c0e44a8b291a964cf2f07038",
		},
		{crypto.SHA1, 4096, 16, "pass\x00word", "sa\x00lt", "56fa6aa75548099dcc37d7f03425e0c3"},
		{
			crypto.SHA256, 1, 64, "passwd", "salt",
			"55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783",
		},
		{
			crypto.SHA512, 3, 70, strings.Repeat("p", 200), "salt",
			"0499d2f52a54272883fc04786c49cbfe54771bb53aa16a2f8d3fdad6a6ef15fad0133b49b8e08dc4bbd208c754356edd34d0e5e2516c4975f9150c616cc96d356e8358be8ec6",
		},
	} {
		got := call(t, New(Options{}), op.CryptoDerive, pbkdf2Message(uint8(test.hash), test.iterations, test.n, test.password, test.salt))
		if hex.EncodeToString(got) != test.want {
			t.Errorf("%v, %d iterations: %x", test.hash, test.iterations, got)
		}
	}
	refuses(t, op.CryptoDerive, pbkdf2Message(uint8(crypto.SHA256), 0, 32, "p", "s"), operationError)
	refuses(t, op.CryptoDerive, pbkdf2Message(uint8(crypto.SHA256), 1, maxDerived+1, "p", "s"), operationError)
	refuses(t, op.CryptoDerive, pbkdf2Message(200, 1, 32, "p", "s"), notSupportedError)
}

// HKDF: RFC 5869, test cases 1 to 3.
func TestHKDF(t *testing.T) {
	span := func(from, n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(from + i)
		}
		return b
	}
	for _, test := range []struct {
		key, salt, info []byte
		n               uint32
		want            string
	}{
		{
			bytes.Repeat([]byte{0x0b}, 22), span(0, 13), span(0xf0, 10), 42,
			"3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
		},
		{
			span(0, 80), span(0x60, 80), span(0xb0, 80), 82,
			"b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
		},
		{
			bytes.Repeat([]byte{0x0b}, 22), nil, nil, 42,
			"8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
		},
	} {
		got := call(t, New(Options{}), op.CryptoDerive, hkdfMessage(uint8(crypto.SHA256), test.n, test.key, test.salt, test.info))
		if hex.EncodeToString(got) != test.want {
			t.Errorf("%d bytes: %x", test.n, got)
		}
	}
	refuses(t, op.CryptoDerive, hkdfMessage(uint8(crypto.SHA256), 255*32+1, nil, nil, nil), operationError)
}

// scrypt: RFC 7914, section 12.
func TestScrypt(t *testing.T) {
	for _, test := range []struct {
		cost, size, lanes uint32
		password, salt    string
		want              string
	}{
		{16, 1, 1, "", "", "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906"},
		{1024, 8, 16, "password", "NaCl", "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"},
		{16384, 8, 1, "pleaseletmein", "SodiumChloride", "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"},
	} {
		got := call(t, New(Options{}), op.CryptoDerive, scryptMessage(test.cost, test.size, test.lanes, 64, test.password, test.salt))
		if hex.EncodeToString(got) != test.want {
			t.Errorf("N %d, r %d, p %d: %x", test.cost, test.size, test.lanes, got)
		}
	}
	for _, bad := range [][3]uint32{{0, 8, 1}, {1, 8, 1}, {15, 8, 1}, {16, 0, 1}, {16, 8, 0}} {
		refuses(t, op.CryptoDerive, scryptMessage(bad[0], bad[1], bad[2], 64, "", ""), operationError)
	}
	// Memory is the guest's: too little of it, or numbers that wrap.
	short := scryptMessage(16, 1, 1, 64, "", "")
	if _, err := New(Options{}).Call(op.CryptoDerive, short[:len(short)-1], nil); !errors.Is(err, op.ErrMessage) {
		t.Errorf("got %v", err)
	}
	w := op.NewWriter(nil)
	w.U8(deriveScrypt)
	for _, v := range []uint32{1 << 31, 1<<32 - 1, 1<<32 - 1, 32, 0, 0} {
		w.U32(v)
	}
	if _, err := New(Options{}).Call(op.CryptoDerive, w.Message(), nil); !errors.Is(err, op.ErrMessage) {
		t.Errorf("got %v", err)
	}
}

// X25519: RFC 7748, section 6.1; a public key of small order has no secret.
func TestX25519(t *testing.T) {
	private, err := privateMaterial(X25519, unhex(t, "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"))
	if err != nil || hex.EncodeToString(private[32:]) != "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a" {
		t.Fatalf("%x, %v", private, err)
	}
	peer := unhex(t, "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
	got := call(t, New(Options{}), op.CryptoDerive, ecdhMessage(X25519, private, peer))
	if hex.EncodeToString(got) != "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742" {
		t.Errorf("%x", got)
	}
	for _, small := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
	} {
		refuses(t, op.CryptoDerive, ecdhMessage(X25519, private, unhex(t, small)), operationError)
	}
}

// Both sides of an exchange get the same secret, as long as the curve's field.
func TestECDH(t *testing.T) {
	for _, kind := range []Kind{P256, P384, P521, X25519} {
		c := New(Options{})
		private, public := generated(t, c, kind, 0)
		otherPrivate, otherPublic := generated(t, c, kind, 0)
		a := call(t, c, op.CryptoDerive, ecdhMessage(kind, private, otherPublic))
		b := call(t, c, op.CryptoDerive, ecdhMessage(kind, otherPrivate, public))
		if !bytes.Equal(a, b) || len(a) != kind.size() {
			t.Errorf("kind %d: %x, %x", kind, a, b)
		}
		refuses(t, op.CryptoDerive, ecdhMessage(kind, private[1:], public), operationError)
		refuses(t, op.CryptoDerive, ecdhMessage(kind, private, public[1:]), operationError)
	}
	private, public := generated(t, New(Options{}), P256, 0)
	public[len(public)-1] ^= 1 // off the curve
	refuses(t, op.CryptoDerive, ecdhMessage(P256, private, public), operationError)
	refuses(t, op.CryptoDerive, ecdhMessage(Ed25519, make([]byte, 64), make([]byte, 32)), operationError)
	refuses(t, op.CryptoDerive, ecdhMessage(RSA, nil, nil), operationError)
	refuses(t, op.CryptoDerive, ecdhMessage(200, nil, nil), operationError)
}
