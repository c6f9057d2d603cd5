package fs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mayfly/storage"
)

// hostileKeys are names that mean something to some file system.
var hostileKeys = []string{
	"../../canary", "/etc/passwd", "..", ".", "a/../../../canary", "..\\..\\canary", "C:\\canary", "\\\\?\\C:\\canary", "//canary/x", "~/canary",
	"nul\x00byte", "\x00", "key\x00/../../canary", "con", "aux.txt", "a.", "a ", "a:stream", "tmp", "data", "objects.db", "objects.db-wal", "lock",
	"Key", "key", "KEY", "ß", "ẞ", "SS", "ss", "é", "e\u0301", "ı", "i", "I", "İ", "\u212a", "k", "K", "\ufeffkey", "a\u200bb", "\u202ekey",
	strings.Repeat("../", 341), strings.Repeat("x", storage.MaxKeyLength),
}

// TestHostileNames: keys are opaque. Each is an object of its own, and files
// are named by the store alone, in its folder alone.
func TestHostileNames(t *testing.T) {
	ctx := t.Context()
	outer := t.TempDir()
	canary := filepath.Join(outer, "canary")
	if err := os.WriteFile(canary, []byte("untouched"), 0o600); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(outer, "a", "b")
	s := openStore(t, folder, Options{InlineLimit: -1})
	b := openBucket(t, s)
	for i, key := range hostileKeys {
		content := bytes.Repeat([]byte{byte(i)}, 100)
		if _, err := b.Put(ctx, key, bytes.NewReader(content), storage.PutOptions{Conditions: storage.WriteConditions{IfNoneMatch: "*"}}); err != nil {
			t.Fatalf("%q: %v", key, err)
		}
	}
	for i, key := range hostileKeys {
		c, err := b.Get(ctx, key, storage.GetOptions{})
		if err != nil {
			t.Fatalf("%q: %v", key, err)
		}
		got, err := io.ReadAll(c.Body)
		c.Body.Close()
		if err != nil || !bytes.Equal(got, bytes.Repeat([]byte{byte(i)}, 100)) {
			t.Fatalf("%q holds another's contents: %v", key, err)
		}
	}
	own := regexp.MustCompile(`^(canary|a|a/b|a/b/(tmp|data|objects\.db(-wal|-shm)?|lock|data/[0-9a-f]{2}(/[0-9a-f]{32})?))$`)
	err := filepath.WalkDir(outer, func(path string, _ fs.DirEntry, err error) error {
		name, relErr := filepath.Rel(outer, path)
		if err != nil || relErr != nil {
			return errors.Join(err, relErr)
		}
		if name != "." && !own.MatchString(filepath.ToSlash(name)) {
			t.Errorf("a file is named %q", name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(canary); err != nil || string(got) != "untouched" {
		t.Fatalf("%q, %v", got, err)
	}
}

// TestSymlinks: links that somebody puts into the folder of the store lead
// nowhere.
func TestSymlinks(t *testing.T) {
	ctx := t.Context()
	outer := t.TempDir()
	outside := filepath.Join(outer, "outside")
	secret := filepath.Join(outside, "secret")
	content := bytes.Repeat([]byte("s"), 100<<10)
	if err := errors.Join(os.Mkdir(outside, 0o700), os.WriteFile(secret, content, 0o600)); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(outer, "store")
	s := openStore(t, folder, Options{})
	b := openBucket(t, s)
	put := func(key string) error {
		_, err := b.Put(ctx, key, bytes.NewReader(bytes.Repeat([]byte("x"), len(content))), storage.PutOptions{})
		return err
	}
	if err := put("key"); err != nil {
		t.Fatal(err)
	}
	r, err := b.find("key")
	if err != nil {
		t.Fatal(err)
	}
	// A data file becomes a link to a file outside, of the same size.
	data := filepath.Join(folder, dataPath(*r.file))
	if err := errors.Join(os.Remove(data), os.Symlink(secret, data)); err != nil {
		t.Skip("links can't be made here:", err)
	}
	for _, options := range []storage.GetOptions{{}, {Range: &storage.Range{Offset: 5, Length: 5}}} {
		if c, err := b.Get(ctx, "key", options); err == nil {
			got, _ := io.ReadAll(c.Body)
			c.Body.Close()
			t.Fatalf("%d bytes from outside", len(got))
		}
	}
	if err := b.Delete(ctx, "key"); err != nil {
		t.Fatal(err)
	}
	// The folders themselves become links outside.
	for _, name := range []string{temporaryFolder, dataFolder} {
		path := filepath.Join(folder, name)
		if err := errors.Join(os.Rename(path, path+".aside"), os.Symlink(outside, path)); err != nil {
			t.Fatal(err)
		}
		if err := put("other"); err == nil {
			t.Errorf("%s: a put wrote through a link", name)
		}
		if err := errors.Join(os.Remove(path), os.Rename(path+".aside", path)); err != nil {
			t.Fatal(err)
		}
		if err := put("other"); err != nil {
			t.Errorf("%s: it does not heal: %v", name, err)
		}
	}
	entries, err := os.ReadDir(outside)
	if err != nil || len(entries) != 1 {
		t.Fatalf("%v, %v", entries, err)
	}
	if got, err := os.ReadFile(secret); err != nil || !bytes.Equal(got, content) {
		t.Fatal("the file outside was changed", err)
	}
}
