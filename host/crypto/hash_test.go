package crypto

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"testing"

	"mayfly/host/op"
)

var hashes = []crypto.Hash{
	crypto.MD5, crypto.SHA1, crypto.SHA224, crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA512_224, crypto.SHA512_256,
	crypto.SHA3_224, crypto.SHA3_256, crypto.SHA3_384, crypto.SHA3_512,
}

// Digests of "abc": RFC 1321, FIPS 180-4, FIPS 202.
func TestHash(t *testing.T) {
	for hash, want := range map[crypto.Hash]string{
		crypto.MD5:      "900150983cd24fb0d6963f7d28e17f72",
		crypto.SHA1:     "a9993e364706816aba3e25717850c26c9cd0d89d",
		crypto.SHA224:   "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
		crypto.SHA256:   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		crypto.SHA384:   "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
		crypto.SHA512:   "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
		crypto.SHA3_256: "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532",
	} {
		got := call(t, New(Options{}), op.CryptoHash, hashMessage(uint8(hash), hashFinish, nil, nil, []byte("abc")))
		if hex.EncodeToString(got) != want {
			t.Errorf("%v: %x", hash, got)
		}
	}
	refuses(t, op.CryptoHash, hashMessage(1, hashFinish, nil, nil, nil), notSupportedError)
	refuses(t, op.CryptoHash, hashMessage(255, hashFinish, nil, nil, nil), notSupportedError)
}

// HMAC of RFC 4231, test cases 1 and 6 (a key longer than a block), for
// SHA-256.
func TestHMAC(t *testing.T) {
	for _, test := range []struct{ key, data, want string }{
		{"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
		{
			hex.EncodeToString(bytes.Repeat([]byte{0xaa}, 131)), "Test Using Larger Than Block-Size Key - Hash Key First",
			"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
		},
	} {
		got := call(t, New(Options{}), op.CryptoHash, hashMessage(uint8(crypto.SHA256), hashFinish|hashKeyed, unhex(t, test.key), nil, []byte(test.data)))
		if hex.EncodeToString(got) != test.want {
			t.Errorf("%s: %x", test.data, got)
		}
	}
}

// Whatever the parts, a digest is that of the whole.
func TestHashInParts(t *testing.T) {
	data := make([]byte, 1000)
	rand.Read(data)
	for _, hash := range hashes {
		for _, key := range [][]byte{nil, []byte("key"), make([]byte, 300)} {
			for _, cuts := range [][]int{{}, {0}, {1, 2, 3}, {64, 128, 500}, {136, 999, 1000}} {
				var state, flags = []byte(nil), uint8(0)
				want := hash.New()
				if key != nil {
					flags, want = hashKeyed, hmac.New(hash.New, key)
				}
				want.Write(data)
				from := 0
				for _, to := range cuts {
					// Each part is another Crypto's: nothing is kept but the state.
					state = call(t, New(Options{}), op.CryptoHash, hashMessage(uint8(hash), flags, key, state, data[from:to]))
					from = to
				}
				got := call(t, New(Options{}), op.CryptoHash, hashMessage(uint8(hash), flags|hashFinish, key, state, data[from:]))
				if !bytes.Equal(got, want.Sum(nil)) {
					t.Errorf("%v in parts %v with a key of %d bytes: %x", hash, cuts, len(key), got)
				}
			}
		}
	}
	refuses(t, op.CryptoHash, hashMessage(uint8(crypto.SHA256), 0, nil, []byte("no state"), nil), operationError)
	sha1 := call(t, New(Options{}), op.CryptoHash, hashMessage(uint8(crypto.SHA1), 0, nil, nil, nil))
	refuses(t, op.CryptoHash, hashMessage(uint8(crypto.SHA256), 0, nil, sha1, nil), operationError)
}

func BenchmarkSHA256(b *testing.B) {
	for _, size := range []int{1 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%d", size), func(b *testing.B) {
			c := New(Options{})
			message := hashMessage(uint8(crypto.SHA256), hashFinish, nil, nil, make([]byte, size))
			out := make([]byte, 0, 64)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Call(op.CryptoHash, message, out); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
