// Package crypto does the work of Web Crypto and of node's crypto for guests:
// digests, ciphers, signatures, derivation, and keys in their formats.
//
// It keeps no state that a guest could miss. Keys live in the guest as bytes
// (material.go says which) and come with each operation; the state of a digest
// under way is handed to the guest and comes back. So an isolate can rest, be
// forked and be resumed anywhere. What is kept here is only a cache of parsed
// keys.
//
// All of it runs on the goroutine of the guest's turn, so that it is counted
// as the guest's processor time; long work calls Options.Pause between parts.
package crypto

import (
	"crypto/sha256"
	"fmt"

	"mayfly/host/op"
)

// Options configure a Crypto. The zero value is usable.
type Options struct {
	// Pause is called between parts of long work, of about a millisecond each,
	// so that limits hold: it may panic to end the guest.
	Pause func()
}

// A Crypto answers for one isolate. It is not safe for concurrent use.
type Crypto struct {
	pause func()
	owed  int // nanoseconds of work since the last pause, by estimate
	keys  map[[sha256.Size]byte]any
}

// New makes a Crypto.
func New(options Options) *Crypto {
	if options.Pause == nil {
		options.Pause = func() {}
	}
	return &Crypto{pause: options.Pause}
}

// Names of the errors that guests get, as exceptions of the web (Web IDL,
// DOMException names).
const (
	dataError         = "DataError"
	operationError    = "OperationError"
	notSupportedError = "NotSupportedError"
)

func failure(name, format string, args ...any) error {
	return &op.ErrorRecord{Name: name, Message: fmt.Sprintf(format, args...)}
}

// Call answers the operations whose names begin with crypto_. The answer is
// appended to out[:0] if it fits there, else it is allocated, or shares the end
// of in: crypto_cipher and crypto_derive work in the guest's own memory.
//
// # Errors
//
// [op.ErrMessage] if in can't be read or the operation is none of these, else
// an [op.ErrorRecord] whose name is DataError, OperationError or
// NotSupportedError.
func (c *Crypto) Call(o op.Op, in, out []byte) ([]byte, error) {
	r, w := op.NewReader(in), op.NewWriter(out)
	switch o {
	case op.CryptoHash:
		return c.hash(r, out)
	case op.CryptoCipher:
		return c.cipher(r, out)
	case op.CryptoSign:
		return c.signature(r, w)
	case op.CryptoDerive:
		return c.derive(r, w)
	case op.CryptoKey:
		return c.key(r, w)
	case op.CryptoGenerate:
		return c.generate(r, w)
	}
	return nil, op.ErrMessage
}

// part is how much work, in nanoseconds by estimate, is done between pauses.
const part = 1_000_000

// spend notes work that was done, and pauses when there was enough of it.
func (c *Crypto) spend(nanoseconds int) {
	if c.owed += nanoseconds; c.owed >= part {
		c.owed = 0
		c.pause()
	}
}

// maxKeys bounds the cache of parsed keys.
const maxKeys = 16

// parsed answers what parse makes of a key's material, from the cache if it
// was parsed before.
func parsed[K any](c *Crypto, kind Kind, private bool, material []byte, parse func([]byte) (K, error)) (K, error) {
	h := sha256.New()
	h.Write([]byte{byte(kind), boolByte(private)})
	h.Write(material)
	var id [sha256.Size]byte
	h.Sum(id[:0])
	if k, ok := c.keys[id].(K); ok {
		return k, nil
	}
	k, err := parse(material)
	if err != nil {
		return k, err
	}
	if c.keys == nil || len(c.keys) >= maxKeys {
		c.keys = make(map[[sha256.Size]byte]any, maxKeys)
	}
	c.keys[id] = k
	return k, nil
}

func boolByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}
