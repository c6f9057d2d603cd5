package crypto

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"mayfly/host/op"
)

// Messages of the operations, as guests write them.

func hashMessage(hash, flags uint8, key, state, data []byte) []byte {
	w := op.NewWriter(nil)
	w.U8(hash)
	w.U8(flags)
	w.Bytes(key)
	w.Bytes(state)
	w.Raw(data)
	return w.Message()
}

func cipherMessage(algorithm, direction uint8, key, iv []byte, parameter uint32, additional, data []byte) []byte {
	w := op.NewWriter(nil)
	w.U8(algorithm)
	w.U8(direction)
	w.Bytes(key)
	w.Bytes(iv)
	w.U32(parameter)
	w.Bytes(additional)
	w.Raw(data)
	w.Raw(make([]byte, cipherRoom))
	return w.Message()
}

func signMessage(verify, scheme, hash uint8, salt uint32, kind Kind, key, sig, data []byte) []byte {
	w := op.NewWriter(nil)
	w.U8(verify)
	w.U8(scheme)
	w.U8(hash)
	w.U32(salt)
	w.U8(uint8(kind))
	w.Bytes(key)
	w.Bytes(sig)
	w.Raw(data)
	return w.Message()
}

func pbkdf2Message(hash uint8, iterations, n uint32, password, salt string) []byte {
	w := op.NewWriter(nil)
	w.U8(derivePBKDF2)
	w.U8(hash)
	w.U32(iterations)
	w.U32(n)
	w.Str(password)
	w.Str(salt)
	return w.Message()
}

func hkdfMessage(hash uint8, n uint32, key, salt, info []byte) []byte {
	w := op.NewWriter(nil)
	w.U8(deriveHKDF)
	w.U8(hash)
	w.U32(n)
	w.Bytes(key)
	w.Bytes(salt)
	w.Bytes(info)
	return w.Message()
}

func scryptMessage(cost, size, lanes, n uint32, password, salt string) []byte {
	w := op.NewWriter(nil)
	w.U8(deriveScrypt)
	w.U32(cost)
	w.U32(size)
	w.U32(lanes)
	w.U32(n)
	w.Str(password)
	w.Str(salt)
	w.Raw(make([]byte, 128*size*(cost+lanes+2)))
	return w.Message()
}

func ecdhMessage(kind Kind, private, public []byte) []byte {
	w := op.NewWriter(nil)
	w.U8(deriveECDH)
	w.U8(uint8(kind))
	w.Bytes(private)
	w.Bytes(public)
	return w.Message()
}

func importMessage(kind Kind, f format, data []byte) []byte {
	w := op.NewWriter(nil)
	w.U8(keyImport)
	w.U8(uint8(kind))
	w.U8(uint8(f))
	w.Raw(data)
	return w.Message()
}

func importJWKMessage(kind Kind, members []op.Pair) []byte {
	w := op.NewWriter(nil)
	w.U8(keyImport)
	w.U8(uint8(kind))
	w.U8(uint8(formatJWK))
	w.Pairs(members)
	return w.Message()
}

func exportMessage(kind Kind, private bool, f format, material []byte) []byte {
	w := op.NewWriter(nil)
	w.U8(keyExport)
	w.U8(uint8(kind))
	w.U8(boolByte(private))
	w.U8(uint8(f))
	w.Bytes(material)
	return w.Message()
}

func generateMessage(kind Kind, bits uint32, exponent []byte) []byte {
	w := op.NewWriter(nil)
	w.U8(uint8(kind))
	w.U32(bits)
	w.Bytes(exponent)
	return w.Message()
}

func call(t testing.TB, c *Crypto, o op.Op, message []byte) []byte {
	t.Helper()
	answer, err := c.Call(o, message, make([]byte, 0, 64))
	if err != nil {
		t.Fatalf("%v: %v", o, err)
	}
	return answer
}

// refuses checks the name of the error that an operation answers with.
func refuses(t testing.TB, o op.Op, message []byte, name string) {
	t.Helper()
	answer, err := New(Options{}).Call(o, message, nil)
	var record *op.ErrorRecord
	if !errors.As(err, &record) || record.Name != name {
		t.Errorf("%v: %x, %v; not %s", o, answer, err, name)
	}
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.NewReplacer(" ", "", "\n", "", "\t", "").Replace(text))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// generated makes a key pair.
func generated(t testing.TB, c *Crypto, kind Kind, bits uint32) (private, public []byte) {
	t.Helper()
	r := op.NewReader(call(t, c, op.CryptoGenerate, generateMessage(kind, bits, []byte{1, 0, 1})))
	private, public = r.Bytes(), r.Bytes()
	if err := r.Done(); err != nil {
		t.Fatal(err)
	}
	return private, public
}
