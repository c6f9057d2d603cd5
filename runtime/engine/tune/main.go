// Tune makes a copy of the pinned wazero module with edits that double the
// speed of trusted guests, and prints the path of a go.mod by which the go
// command builds with it:
//
//	go build -modfile="$(go run ./runtime/engine/tune)" -tags mayfly_tuned ./cmd/mayfly
//
// The copy lies in the cache directory (MAYFLY_CACHE, or mayfly below the
// user's), under a name made of the digests of its inputs. It is made once,
// and verified each time.
//
// # What the edits do
//
//  1. Loads and stores of a trusted module have no bounds checks.
//  2. A trusted module keeps the base of its memory across calls.
//  3. A module whose code comes from a cache isn't validated a second time.
//  4. On amd64, every 32-bit value has zeros in the upper half of its register.
//  5. On amd64, functions with small frames check the end of the stack without
//     moving the stack pointer, and a select compares once instead of twice.
//
// 1 and 2 are one switch per compilation, experimental.WithUncheckedMemory. It
// is part of the module's ID, by which wazero's caches in memory and on disk
// are keyed, so that checked and unchecked code of the same module can't be
// mistaken for one another. Modules compiled without it keep every check.
//
// # Why they are safe
//
// An address is base + zero-extended 32-bit operand + 32-bit offset, and an
// access is at most 16 bytes wide: always within 8 GiB + 16 bytes of the base.
// Each instance of a trusted module owns the 8 GiB + 64 KiB from its base on
// (engine.WindowSize), readable and writable. What else depends on the check,
// or on a reload of the base:
//
//   - memory.size reads the length from the module's context, not from the
//     value that the checks use. memory.grow reloads both afterwards; and it
//     fails, because our allocator refuses to grow.
//   - memory.fill, memory.copy and memory.init go through
//     boundsCheckInMemory, which is as it was. Their length comes from the
//     module's context; kept across calls it is still right, because it never
//     changes. Table accesses have their own checks.
//   - Atomics and shared memory are not enabled, and the switch does nothing
//     for a shared or an imported memory, whose base is another's.
//   - A host function can't move the memory: it is fixed at instantiation.
//   - A load whose result isn't used is left out by stock wazero, too: the
//     check was an instruction of its own, so nothing relies on a load for it.
//   - A tail call or an exception passes no memory base on: each function
//     loads its own.
//
// The zero-extension costs nothing where the addressing mode takes a 32-bit
// index (arm64 has UXTW). amd64 has none: there wazero uses the 64-bit register
// as it is and relies on the upper half being zero. Three places break that in
// stock wazero 1.12, where the check mostly hides it: i32.load8_s and
// i32.load16_s sign-extend to 64 bits, the first i32 result of a Go function
// is loaded with 64 bits, and the zero-extension of a constant is done as a
// sign-extension. These are what 4 corrects. All other sources of 32-bit values
// were read through: parameters and results are moved by type, spilled values
// reload by type, constants are masked, and 32-bit operations clear the upper
// half. A test uses the result of every instruction that makes an i32 as an
// address.
//
// 3 is sound because a module's ID is the digest of its bytes (or of a digest of
// them, experimental.WithModuleDigest, which spares a second one) and of the
// switches: code under that key was compiled from the same bytes after
// validating them. Functions are validated after the caches were asked and
// before anything is compiled. The rest of a module is always validated.
//
// 5 is sound because the bottom that functions compare with now lies 512 bytes
// above the end of the stack, and only functions that need no more than those
// compare as they are. A stack that grows gets more than 512 bytes beyond what
// was asked for.
//
// # What the edits gain
//
// Eleven programs of computation on QuickJS, as the geometric mean of their
// times against QuickJS built natively from the same sources (gcc -O2), without
// metering: stock 2.95, the edits 1 and 2 with the address of each access kept
// for later ones 2.04, with the address in the addressing mode 1.98, with edit 5
// 1.94. What remains is mostly spilled registers in the interpreter's loop.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	dir := flag.String("cache", "", "`directory` for the copy; default MAYFLY_CACHE, else mayfly in the user's cache directory")
	flag.Parse()
	modfile, err := run(*dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, "tune:", err)
		os.Exit(1)
	}
	fmt.Println(modfile)
}

// run makes what is missing and returns the path of the go.mod to build with.
func run(cache string) (modfile string, err error) {
	cache, err = cacheDir(cache)
	if err != nil {
		return "", err
	}
	source, err := findModule(modulePath)
	if err != nil {
		return "", err
	}
	copied, err := makeCopy(cache, source)
	if err != nil {
		return "", err
	}
	return makeModfile(cache, source, copied)
}

// cacheDir is where copies are kept, absolute. A directory that was asked for
// must be usable; the default one gives way to a temporary directory.
func cacheDir(dir string) (string, error) {
	if dir == "" {
		dir = os.Getenv("MAYFLY_CACHE")
	}
	if dir != "" {
		dir, err := filepath.Abs(dir)
		if err != nil {
			return "", err
		}
		return dir, os.MkdirAll(dir, 0o755)
	}
	if user, err := os.UserCacheDir(); err == nil {
		dir = filepath.Join(user, "mayfly")
		if os.MkdirAll(dir, 0o755) == nil {
			return dir, nil
		}
	}
	return os.MkdirTemp("", "mayfly-tune-*") // a new one: others can't have prepared it
}
