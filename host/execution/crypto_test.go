package execution_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"mayfly/host/execution"
)

// TestCrypto runs the programs under testdata/crypto, which check themselves.
func TestCrypto(t *testing.T) {
	programs, err := filepath.Glob("testdata/crypto/*.test.mjs")
	if err != nil || len(programs) == 0 {
		t.Fatalf("no programs: %v", err)
	}
	s := newService(t, nil)
	for _, file := range programs {
		t.Run(filepath.Base(file), func(t *testing.T) {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			r := execute(t, s, execution.Request{Code: string(source), Limits: execution.Limits{CPU: 30 * time.Second, Wall: 2 * time.Minute}})
			if r.Outcome != execution.OK || r.Stdout != "0 failed, all others passed\n" {
				t.Errorf("%s: %+v\n%s%s", r.Outcome, r.Error, r.Stdout, r.Stderr)
			}
		})
	}
}

// Long work in the host ends at the CPU limit, and is counted as the guest's.
func TestCryptoIsLimited(t *testing.T) {
	s := newService(t, nil)
	for name, code := range map[string]string{
		"PBKDF2": `const key = await crypto.subtle.importKey("raw", new Uint8Array(1), "PBKDF2", false, ["deriveBits"]);
			await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt: new Uint8Array(1), iterations: 2 ** 31 }, key, 256);`,
		"RSA":    `for (;;) await crypto.subtle.generateKey({ name: "RSA-PSS", modulusLength: 4096, publicExponent: new Uint8Array([3]), hash: "SHA-1" }, false, ["sign"]);`,
		"digest": `for (const b = new Uint8Array(1 << 20);;) await crypto.subtle.digest("SHA-1", b);`,
		"scrypt": `import { scryptSync } from "node:crypto"; scryptSync("p", "s", 32, { N: 2 ** 14, r: 8, p: 2 ** 12, maxmem: 2 ** 40 });`,
	} {
		t.Run(name, func(t *testing.T) {
			r := execute(t, s, execution.Request{Code: code, Limits: execution.Limits{CPU: 60 * time.Millisecond}})
			if r.Outcome != execution.ExceededCPU {
				t.Errorf("%s: %+v", r.Outcome, r.Error)
			}
			if r.Usage.CPU < 60*time.Millisecond {
				t.Errorf("%v were counted", r.Usage.CPU)
			}
		})
	}
}
