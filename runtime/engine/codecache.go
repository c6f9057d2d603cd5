package engine

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/blake2b"
)

// codeCache keeps compiled code on disk. wazero's own file cache has no
// checksum over the offsets of functions, so a flipped bit there makes it jump
// to anywhere, and a truncated file fails the compilation. Here each module
// has a directory of its own, in which wazero keeps its files; it is filled
// under another name and renamed when complete, with a list of checksums that
// is verified before wazero may read the files.
type codeCache struct{ dir string }

// cacheFormat is part of every key; it changes with the layout below.
const cacheFormat = "mayfly code cache 1"

// Names inside the cache directory.
const (
	checksumsName = "checksums"  // of an entry: see checksums
	unfinished    = "unfinished" // prefix of entries that are being made
)

// unfinishedLife is after what time an entry that was never finished is taken
// for the remains of a process that died.
const unfinishedLife = 24 * time.Hour

// cacheKey is the name of the entry for a module. It is all that tells modules
// apart, those of different users too: a collision would run the one's code
// for the other. BLAKE2b takes a fifth of SHA-256's time where the processor
// has no instructions for that, and Python's guest is large.
func cacheKey(wasm []byte, unchecked bool) string {
	h, _ := blake2b.New256(nil) // fails for a key that is too long only
	fmt.Fprintf(h, "%s\x00wazero %s\x00%s/%s\x00%q\x00%t\x00", cacheFormat, Version, runtime.GOOS, runtime.GOARCH, edits, unchecked)
	h.Write(wasm)
	return hex.EncodeToString(h.Sum(nil))
}

// A cacheEntry is the directory of one module.
type cacheEntry struct {
	dir  string // where it is now
	home string // where it belongs
	sums string // the content of its list of checksums
}

// lookup returns the entry of a key if its files are all as they were written,
// or else removes it and returns nil.
func (c *codeCache) lookup(key string) *cacheEntry {
	home := filepath.Join(c.dir, key)
	entry := &cacheEntry{dir: home, home: home}
	want, err := os.ReadFile(filepath.Join(home, checksumsName))
	if err == nil {
		entry.sums, err = checksums(home)
	}
	if err != nil || entry.sums != string(want) {
		entry.remove()
		return nil
	}
	return entry
}

// create makes an empty entry, which commit puts in its place.
func (c *codeCache) create(key string) (*cacheEntry, error) {
	dir, err := os.MkdirTemp(c.dir, unfinished+"-*")
	if err != nil {
		return nil, err
	}
	return &cacheEntry{dir: dir, home: filepath.Join(c.dir, key)}, nil
}

// sweep removes what processes that died have left unfinished. It is done on
// a best-effort basis: what can't be removed is in nobody's way.
func (c *codeCache) sweep() {
	left, _ := filepath.Glob(filepath.Join(c.dir, unfinished+"-*"))
	for _, dir := range left {
		if info, err := os.Stat(dir); err == nil && time.Since(info.ModTime()) > unfinishedLife {
			os.RemoveAll(dir)
		}
	}
}

// remove takes the entry away: first its list, so that no other process trusts
// what is half removed.
func (e *cacheEntry) remove() {
	os.Remove(filepath.Join(e.dir, checksumsName))
	os.RemoveAll(e.dir)
}

// update renews the list if there are other files than it says. Where that
// fails, the next lookup finds a file too many and makes the entry anew.
func (e *cacheEntry) update() {
	files, err := codeFiles(e.dir)
	var listed []string
	for line := range strings.Lines(e.sums) {
		if _, name, ok := strings.Cut(line, "  "); ok {
			listed = append(listed, strings.TrimSuffix(name, "\n"))
		}
	}
	if err == nil && !slices.Equal(files, listed) {
		_ = e.seal()
	}
}

// commit seals the entry and puts it in its place. Another process that was
// quicker wins: its entry is as good, and may be in use.
func (e *cacheEntry) commit() error {
	if err := e.seal(); err != nil {
		e.remove()
		return err
	}
	if err := os.Rename(e.dir, e.home); err != nil {
		e.remove()
		if errors.Is(err, fs.ErrExist) || isNotEmpty(e.home) {
			return nil
		}
		return err
	}
	e.dir = e.home
	return nil
}

func isNotEmpty(dir string) bool {
	names, err := os.ReadDir(dir)
	return err == nil && len(names) > 0
}

// seal writes the list of checksums.
func (e *cacheEntry) seal() error {
	sums, err := checksums(e.dir)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(e.dir, checksumsName+".*")
	if err != nil {
		return err
	}
	_, err = f.WriteString(sums)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(e.dir, checksumsName))
	}
	if err != nil {
		os.Remove(f.Name())
	}
	e.sums = sums
	return err
}

// codeFiles lists the files that wazero made below dir, sorted. Its temporary
// files, which it renames when complete, are left out.
func codeFiles(dir string) ([]string, error) {
	var files []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && !strings.HasPrefix(name, checksumsName) && !strings.HasSuffix(name, ".tmp") {
			files = append(files, name)
		}
		return err
	})
	slices.Sort(files)
	return files, err
}

// checksums is one line for each file below dir: its checksum, two spaces, its
// name.
func checksums(dir string) (string, error) {
	files, err := codeFiles(dir)
	if err != nil {
		return "", err
	}
	var sums strings.Builder
	for _, name := range files {
		sum, err := checksum(filepath.Join(dir, name))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&sums, "%s  %s\n", sum, name)
	}
	return sums.String(), nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is a digest over the CRC-32C of every 64 KiB of a file. It is meant
// for disks, not for attackers: who can write here can as well replace the
// program. Compiled Python is 230 MB, which a SHA-256 over all of it would
// take longer to verify than to load where the processor has no instructions
// for it.
func checksum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	r := bufio.NewReaderSize(f, 1<<20)
	block := make([]byte, 64<<10)
	for {
		n, err := io.ReadFull(r, block)
		if n > 0 {
			crc := crc32.Checksum(block[:n], castagnoli)
			h.Write([]byte{byte(crc), byte(crc >> 8), byte(crc >> 16), byte(crc >> 24), byte(n), byte(n >> 8), byte(n >> 16)})
		}
		switch err {
		case nil:
		case io.EOF, io.ErrUnexpectedEOF:
			return hex.EncodeToString(h.Sum(nil)), nil
		default:
			return "", err
		}
	}
}
