package fs

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"mayfly/storage"
	"mayfly/storage/sqlite"
)

// checksumOfSchema1 is how rows of schema 1 were summed.
func checksumOfSchema1(bucket int64, key string, size, modified int64, sum []byte, file, contentType, metadata string) int64 {
	var b []byte
	text := func(s []byte) {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	b = binary.AppendVarint(b, bucket)
	text([]byte(key))
	b = binary.AppendVarint(b, size)
	b = binary.AppendVarint(b, modified)
	text(sum)
	if file != "" {
		text([]byte(file))
	}
	text([]byte(contentType))
	text([]byte(metadata))
	return int64(crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}

// TestSchema1: what an older version stored is there, with the ETags that it
// had, and its unfinished uploads can be finished.
func TestSchema1(t *testing.T) {
	ctx := t.Context()
	folder := t.TempDir()
	first, err := fs.ReadFile(migrations, "migrations/0001_objects.sql")
	if err != nil {
		t.Fatal(err)
	}
	db, err := sqlite.Open(ctx, filepath.Join(folder, "objects.db"), sqlite.Options{ApplicationID: applicationID,
		Migrations: fstest.MapFS{"0001_objects.sql": &fstest.MapFile{Data: first}}})
	if err != nil {
		t.Fatal(err)
	}
	small, large, part := []byte("small"), bytes.Repeat([]byte("large"), 20_000), bytes.Repeat([]byte("part"), 20)
	name, partName := fmt.Sprintf("%032x", 10), fmt.Sprintf("%032x", 11)
	for file, content := range map[string][]byte{name: large, partName: part} {
		path := filepath.Join(folder, dataPath(file))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, content, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	sumSmall, sumLarge, sumPart := sha256.Sum256(small), sha256.Sum256(large), sha256.Sum256(part)
	modified := time.Now().UnixMilli()
	err = db.Update(ctx, func(tx *sqlite.Tx) error {
		exec := func(query string, args ...any) {
			if _, execErr := tx.Exec(query, args...); execErr != nil && err == nil {
				err = execErr
			}
		}
		exec("INSERT INTO buckets (id, name, created) VALUES (1, 'artifacts', ?)", modified)
		exec("INSERT INTO objects (id, bucket, key, size, modified, sha256, content_type, metadata, crc) VALUES (1, 1, ?, ?, ?, ?, 'text/plain', ?, ?)", []byte("small"), len(small), modified,
			sumSmall[:], []byte(`{"k":"v"}`), checksumOfSchema1(1, "small", int64(len(small)), modified, sumSmall[:], "", "text/plain", `{"k":"v"}`))
		exec("INSERT INTO contents (object, data) VALUES (1, ?)", small)
		exec("INSERT INTO objects (id, bucket, key, size, modified, sha256, file, content_type, crc) VALUES (2, 1, ?, ?, ?, ?, ?, 'text/plain', ?)", []byte("large"), len(large), modified,
			sumLarge[:], name, checksumOfSchema1(1, "large", int64(len(large)), modified, sumLarge[:], name, "text/plain", ""))
		exec("INSERT INTO uploads (id, bucket, key, created, options) VALUES ('u', 1, ?, ?, ?)", []byte("upload"), modified,
			fmt.Appendf(nil, `{"ContentType":"text/csv","Metadata":null,"SHA256":"%x","Size":0,"MaxSize":0,"Expires":"0001-01-01T00:00:00Z","Conditions":{"IfMatch":"","IfNoneMatch":""}}`, sumPart))
		exec("INSERT INTO parts (upload, number, size, sha256, file) VALUES ('u', 1, ?, ?, ?)", len(part), sumPart[:], partName)
		return err
	})
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}

	s := openStore(t, folder, Options{})
	b := openBucket(t, s)
	for key, content := range map[string][]byte{"small": small, "large": large} {
		sum := sha256.Sum256(content)
		c, err := b.Get(ctx, key, storage.GetOptions{Conditions: storage.ReadConditions{IfMatch: hex.EncodeToString(sum[:16])}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(c.Body)
		c.Body.Close()
		if err != nil || !bytes.Equal(got, content) || c.ContentType != "text/plain" || c.StorageClass != storage.Standard || c.Digests != (storage.Digests{}) || c.Version == "" {
			t.Fatalf("%+v, %v", c.Object, err)
		}
		again, err := b.Head(ctx, key)
		if err != nil || again.Version != c.Version {
			t.Fatal(again, err)
		}
		copied, err := b.Copy(ctx, "copy", key, storage.CopyOptions{})
		if err != nil || copied.ETag != c.ETag || copied.Version == c.Version {
			t.Fatalf("%+v, %v", copied, err)
		}
		made, err := b.Put(ctx, key, bytes.NewReader(content), storage.PutOptions{Conditions: storage.WriteConditions{IfMatch: c.ETag}})
		if err != nil || made.ETag == c.ETag {
			t.Fatalf("%+v, %v", made, err)
		}
	}
	parts, err := b.ListParts(ctx, "upload", "u")
	if err != nil || len(parts) != 1 || parts[0].ETag != hex.EncodeToString(sumPart[:16]) {
		t.Fatal(parts, err)
	}
	made, err := b.CompleteUpload(ctx, "upload", "u", parts, storage.CompleteOptions{})
	if err != nil || made.ContentType != "text/csv" || made.Digests.SHA256 != hex.EncodeToString(sumPart[:]) {
		t.Fatalf("%+v, %v", made, err)
	}
	wantTidy(t, s)
}
