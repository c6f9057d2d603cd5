package storage

import (
	"errors"
	"strings"
	"testing"
)

// checks are the digests of "123456789": the CRCs are the check values of
// their definitions, the others come from coreutils.
var checks = Digests{
	MD5:       "25f9e794323b453885f5181f1b624d0b",
	SHA1:      "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
	SHA256:    "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
	SHA384:    "eb455d56d2c1a69de64e832011f3393d45f3fa31d6842f21af92d2fe469c499da5e3179847334a18479c8d1dedea1be3",
	SHA512:    "d9e6762dd1c8eaf6d61b3c6192fc408d4d6d5f1176d0c29169bc24e71c3f274ad27fcd5811b313d681f7e55ec02d73d499c95455b6b5bb503acf574fba8ffe85",
	CRC32:     "cbf43926",
	CRC32C:    "e3069283",
	CRC64NVME: "ae8b14860a799888",
}

func TestDigester(t *testing.T) {
	d := NewDigester(checks)
	for _, piece := range []string{"1234", "", "56789"} {
		d.Write([]byte(piece))
	}
	if got := d.Sum(); got != checks {
		t.Fatalf("%+v", got)
	}
	if err := d.Check(); err != nil {
		t.Fatal(err)
	}
	d.Write([]byte("x"))
	if err := d.Check(); !errors.Is(err, ErrChecksum) {
		t.Fatal(err)
	}
	if got := NewDigester(Digests{CRC32: "x"}).Sum(); got != (Digests{CRC32: "00000000"}) {
		t.Fatalf("%+v", got)
	}
}

func TestDigests(t *testing.T) {
	if err := checks.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []Digests{{MD5: "00"}, {CRC32: "CBF43926"}, {SHA1: strings.Repeat("g", 40)}, {CRC64NVME: "ae8b14860a79988800"}} {
		if err := bad.Validate(); !errors.Is(err, ErrInvalidOption) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	md5, both := Digests{MD5: checks.MD5}, Digests{MD5: checks.MD5, CRC32: checks.CRC32}
	if md5.Covers(both) || !both.Covers(md5) || both.Without(md5) != (Digests{CRC32: checks.CRC32}) || md5.With(both) != both {
		t.Error("sets of digests")
	}
	if err := md5.Match(Digests{CRC32: "00000000"}); err != nil {
		t.Error(err)
	}
	if err := both.Match(Digests{CRC32: "00000000"}); !errors.Is(err, ErrChecksum) {
		t.Error(err)
	}
}
