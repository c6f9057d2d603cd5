package crypto

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"math/big"
	"testing"

	"mayfly/host/op"
)

// blocksOfSP are the plaintext of SP 800-38A, appendix F.
const blocksOfSP = `6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51
	30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710`

const keyOfSP = "2b7e151628aed2a6abf7158809cf4f3c"

// Known answers: SP 800-38A (F.1.1, F.2.1, F.5.1), RFC 3394 (4.1, 4.6), and
// test case 6 of "The Galois/Counter Mode of Operation" (McGrew, Viega).
func TestCipherKnownAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		algorithm             uint8
		key, iv               string
		parameter             uint32
		additional, data, out string
	}{
		"ECB": {cipherECB, keyOfSP, "", 0, "", blocksOfSP, `3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf
			43b1cd7f598ece23881b00e3ed0306887b0c785e27e8ad3f8223207104725dd4`},
		"CBC": {cipherCBCRaw, keyOfSP, "000102030405060708090a0b0c0d0e0f", 0, "", blocksOfSP, `7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2
			73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7`},
		"CTR": {cipherCTR, keyOfSP, "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", 128, "", blocksOfSP, `874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff
			5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee`},
		"KW": {cipherKW, "000102030405060708090a0b0c0d0e0f", "", 0, "", "00112233445566778899aabbccddeeff",
			"1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"},
		"KW 256": {cipherKW, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "", 0, "",
			"00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f",
			"28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21"},
		"GCM": {cipherGCM, "feffe9928665731c6d6a8f9467308308", "9313225df88406e555909c5aff5269aa6a7a9538534f7da1e4c303d2a318a728c3c0c95156809539fcf0e2429a6b525416aedbf5a0de6a57a637b39b", 16,
			"feedfacedeadbeeffeedfacedeadbeefabaddad2",
			"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
			"8ce24998625615b603a033aca13fb894be9112a5c3a211a8ba262a3cca7e2ca701e4a9a4fba43c90ccdcb281d48c7c6fd62875d2aca417034c34aee5619cc5aefffe0bfa462af43c1699d050"},
	} {
		key, iv, additional := unhex(t, test.key), unhex(t, test.iv), unhex(t, test.additional)
		got := call(t, New(Options{}), op.CryptoCipher, cipherMessage(test.algorithm, 0, key, iv, test.parameter, additional, unhex(t, test.data)))
		if !bytes.Equal(got, unhex(t, test.out)) {
			t.Errorf("%s: %x", name, got)
		}
		back := call(t, New(Options{}), op.CryptoCipher, cipherMessage(test.algorithm, 1, key, iv, test.parameter, additional, got))
		if !bytes.Equal(back, unhex(t, test.data)) {
			t.Errorf("%s back: %x", name, back)
		}
	}
}

// The counter wraps inside of its bits, and leaves the others alone: compared
// with a key stream of single blocks.
func TestCounterWraps(t *testing.T) {
	key, data := unhex(t, keyOfSP), make([]byte, 16*6+5)
	rand.Read(data)
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, bits := range []uint{3, 4, 7, 8, 9, 31, 32, 33, 63, 64, 65, 127, 128} {
		for _, start := range []string{"ffffffffffffffffffffffffffffffff", "fffffffffffffffffffffffffffffffd", "00000000000000000000000000000000", "a5a5a5a57ffffffffffffffffffffffe"} {
			initial := unhex(t, start)
			counter := new(big.Int).SetBytes(initial)
			mask := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), bits), big.NewInt(1))
			want := make([]byte, len(data))
			for at := 0; at < len(data); at += 16 {
				var stream [16]byte
				block.Encrypt(stream[:], counter.FillBytes(make([]byte, 16)))
				for i := at; i < min(at+16, len(data)); i++ {
					want[i] = data[i] ^ stream[i-at]
				}
				low := new(big.Int).And(counter, mask)
				counter.AndNot(counter, mask)
				counter.Or(counter, low.Add(low, big.NewInt(1)).And(low, mask))
			}
			got := call(t, New(Options{}), op.CryptoCipher, cipherMessage(cipherCTR, 0, key, initial, uint32(bits), nil, data))
			if !bytes.Equal(got, want) {
				t.Errorf("%d bits from %s: %x, not %x", bits, start, got, want)
			}
		}
	}
	refuses(t, op.CryptoCipher, cipherMessage(cipherCTR, 0, key, make([]byte, 16), 2, nil, make([]byte, 65)), operationError)
	refuses(t, op.CryptoCipher, cipherMessage(cipherCTR, 0, key, make([]byte, 16), 0, nil, nil), operationError)
	refuses(t, op.CryptoCipher, cipherMessage(cipherCTR, 0, key, make([]byte, 16), 129, nil, nil), operationError)
	refuses(t, op.CryptoCipher, cipherMessage(cipherCTR, 0, key, make([]byte, 15), 64, nil, nil), operationError)
}

// Every length of nonce and tag, and what must not be opened.
func TestGCM(t *testing.T) {
	key := make([]byte, 32)
	rand.Read(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, nonce := range []int{1, 8, 12, 16, 17, 32, 60, 128} {
		iv := make([]byte, nonce)
		rand.Read(iv)
		aead, err := cipher.NewGCMWithNonceSize(block, nonce)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{0, 1, 15, 16, 17, 100} {
			data, additional := make([]byte, n), make([]byte, n/2)
			rand.Read(data)
			whole := aead.Seal(nil, iv, data, additional)
			for _, tag := range []uint32{4, 8, 12, 13, 14, 15, 16} {
				sealed := call(t, New(Options{}), op.CryptoCipher, cipherMessage(cipherGCM, 0, key, iv, tag, additional, data))
				if !bytes.Equal(sealed, whole[:n+int(tag)]) {
					t.Errorf("nonce %d, data %d, tag %d: %x", nonce, n, tag, sealed)
				}
				opened := call(t, New(Options{}), op.CryptoCipher, cipherMessage(cipherGCM, 1, key, iv, tag, additional, sealed))
				if !bytes.Equal(opened, data) {
					t.Errorf("nonce %d, data %d, tag %d opens as %x", nonce, n, tag, opened)
				}
				for _, at := range []int{0, n, n + int(tag) - 1} {
					wrong := bytes.Clone(sealed)
					wrong[at] ^= 1
					refuses(t, op.CryptoCipher, cipherMessage(cipherGCM, 1, key, iv, tag, additional, wrong), operationError)
				}
				refuses(t, op.CryptoCipher, cipherMessage(cipherGCM, 1, key, iv, tag, append(additional, 0), sealed), operationError)
			}
			stream := call(t, New(Options{}), op.CryptoCipher, cipherMessage(cipherGCMStream, 0, key, iv, 0, nil, data))
			if !bytes.Equal(stream, whole[:n]) {
				t.Errorf("nonce %d: the key stream gives %x, not %x", nonce, stream, whole[:n])
			}
			if n > 16 {
				rest := call(t, New(Options{}), op.CryptoCipher, cipherMessage(cipherGCMStream, 0, key, iv, 1, nil, data[16:]))
				if !bytes.Equal(rest, whole[16:n]) {
					t.Errorf("nonce %d: from the second block on the key stream gives %x", nonce, rest)
				}
			}
		}
	}
	for _, tag := range []uint32{0, 1, 5, 17, 1 << 31} {
		refuses(t, op.CryptoCipher, cipherMessage(cipherGCM, 0, key, make([]byte, 12), tag, nil, nil), operationError)
	}
	refuses(t, op.CryptoCipher, cipherMessage(cipherGCM, 0, key, nil, 16, nil, nil), operationError)
	refuses(t, op.CryptoCipher, cipherMessage(cipherGCM, 1, key, make([]byte, 12), 16, nil, make([]byte, 15)), operationError)
}

func TestCBCPadding(t *testing.T) {
	key, iv := unhex(t, keyOfSP), make([]byte, 16)
	for n := range 40 {
		data := bytes.Repeat([]byte{7}, n)
		sealed := call(t, New(Options{}), op.CryptoCipher, cipherMessage(cipherCBC, 0, key, iv, 0, nil, data))
		if len(sealed) != n/16*16+16 {
			t.Errorf("%d bytes become %d", n, len(sealed))
		}
		if opened := call(t, New(Options{}), op.CryptoCipher, cipherMessage(cipherCBC, 1, key, iv, 0, nil, sealed)); !bytes.Equal(opened, data) {
			t.Errorf("%d bytes come back as %x", n, opened)
		}
	}
	for _, plain := range []string{ // with a padding that is none
		"00000000000000000000000000000000", "00000000000000000000000000000011", "0000000000000000000000000000ff02", "10101010101010101010101010101f10",
	} {
		sealed := call(t, New(Options{}), op.CryptoCipher, cipherMessage(cipherCBCRaw, 0, key, iv, 0, nil, unhex(t, plain)))
		refuses(t, op.CryptoCipher, cipherMessage(cipherCBC, 1, key, iv, 0, nil, sealed), operationError)
	}
	refuses(t, op.CryptoCipher, cipherMessage(cipherCBC, 1, key, iv, 0, nil, nil), operationError)
	refuses(t, op.CryptoCipher, cipherMessage(cipherCBC, 1, key, iv, 0, nil, make([]byte, 17)), operationError)
	refuses(t, op.CryptoCipher, cipherMessage(cipherCBC, 0, make([]byte, 15), iv, 0, nil, nil), operationError)
}

func TestKeyWrapRefuses(t *testing.T) {
	key := unhex(t, keyOfSP)
	for _, n := range []int{0, 8, 15, 17} {
		refuses(t, op.CryptoCipher, cipherMessage(cipherKW, 0, key, nil, 0, nil, make([]byte, n)), operationError)
	}
	for _, n := range []int{0, 8, 16, 24, 25} { // the last two: an altered value, no whole words
		refuses(t, op.CryptoCipher, cipherMessage(cipherKW, 1, key, nil, 0, nil, make([]byte, n)), operationError)
	}
}

// Ciphers work in the guest's memory: whatever the length, nothing is
// allocated for the data.
func TestCiphersWorkInPlace(t *testing.T) {
	key, iv := unhex(t, keyOfSP), make([]byte, 16)
	for _, algorithm := range []uint8{cipherCTR, cipherCBC, cipherGCM, cipherGCMStream, cipherKW} {
		message := cipherMessage(algorithm, 0, key, iv, 16, nil, make([]byte, 4096))
		answer := call(t, New(Options{}), op.CryptoCipher, message)
		if &answer[len(answer)-1] != &message[len(message)-cipherRoom-4096+len(answer)-1] {
			t.Errorf("the answer of %d is not in the message: %s…", algorithm, hex.EncodeToString(answer[:8]))
		}
	}
}
