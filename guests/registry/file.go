package registry

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// CheckDigest compares the SHA-256 of a file with one in hexadecimal: ErrDigest
// if they differ.
func CheckDigest(file, want string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	digest := sha256.New()
	if _, err := io.Copy(digest, f); err != nil {
		return err
	}
	return matches(file, digest.Sum(nil), want)
}

// ReadChecked reads a file whose SHA-256 is known, in hexadecimal: ErrDigest if
// the file has another.
func ReadChecked(file, want string) ([]byte, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(content)
	return content, matches(file, sum[:], want)
}

func matches(file string, sum []byte, want string) error {
	if got := hex.EncodeToString(sum); got != want {
		return fmt.Errorf("%w: %s is %s where %s was expected", ErrDigest, file, got, want)
	}
	return nil
}

// Load reads a file that Store wrote: ErrDigest if it is damaged.
func Load(file string) ([]byte, error) {
	sum, err := os.ReadFile(file + ".sha256")
	if err != nil {
		return nil, err
	}
	return ReadChecked(file, strings.TrimSpace(string(sum)))
}

// Store writes a file, then its checksum: a file without one does not count.
func Store(file string, content []byte) error {
	sum := sha256.Sum256(content)
	if err := replace(file, content); err != nil {
		return err
	}
	return replace(file+".sha256", []byte(hex.EncodeToString(sum[:])+"\n"))
}

// replace writes a file under a temporary name and renames it.
func replace(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+"-*.tmp")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
