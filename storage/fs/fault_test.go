package fs

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mayfly/storage"
)

// faults fail operations of the file system as long as err is set.
type faults struct {
	fileSystem
	mu  sync.Mutex
	op  string // "create", "write", "sync", "rename", "folder"
	err error
}

func (f *faults) set(op string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.op, f.err = op, err
}

func (f *faults) fault(op string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.op == op && f.err != nil {
		return &os.PathError{Op: op, Path: "x", Err: f.err}
	}
	return nil
}

func (f *faults) Create(name string) (file, error) {
	if err := f.fault("create"); err != nil {
		return nil, err
	}
	made, err := f.fileSystem.Create(name)
	if err != nil {
		return nil, err
	}
	return &faultyFile{made, f}, nil
}

func (f *faults) Rename(from, to string) error {
	if err := f.fault("rename"); err != nil {
		return err
	}
	return f.fileSystem.Rename(from, to)
}

func (f *faults) Link(from, to string) error {
	if err := f.fault("link"); err != nil {
		return err
	}
	return f.fileSystem.Link(from, to)
}

func (f *faults) Sync(folder string) error {
	if err := f.fault("folder"); err != nil {
		return err
	}
	return f.fileSystem.Sync(folder)
}

type faultyFile struct {
	file
	faults *faults
}

func (f *faultyFile) Write(p []byte) (int, error) {
	if err := f.faults.fault("write"); err != nil {
		n, _ := f.file.Write(p[:len(p)/2])
		return n, err
	}
	return f.file.Write(p)
}

func (f *faultyFile) Sync() error {
	if err := f.faults.fault("sync"); err != nil {
		return err
	}
	return f.file.Sync()
}

// TestFailingDisk: the request fails with a clear error, what was there stays
// readable, nothing is left over, and all is well when the disk is.
func TestFailingDisk(t *testing.T) {
	ctx := t.Context()
	f := &faults{}
	s := openStore(t, t.TempDir(), Options{wrap: func(inner fileSystem) fileSystem {
		f.fileSystem = inner
		return f
	}})
	b := openBucket(t, s)
	content := bytes.Repeat([]byte("x"), 300<<10)
	put := func(key string) error {
		_, err := b.Put(ctx, key, bytes.NewReader(content), storage.PutOptions{})
		return err
	}
	if err := put("old"); err != nil {
		t.Fatal(err)
	}
	for _, op := range []string{"create", "write", "sync", "rename", "folder"} {
		for cause, want := range map[syscall.Errno]error{
			syscall.ENOSPC: storage.ErrNoSpace, syscall.EDQUOT: storage.ErrNoSpace, syscall.EROFS: storage.ErrReadOnly,
			syscall.EIO: syscall.EIO, syscall.EMFILE: syscall.EMFILE,
		} {
			f.set(op, cause)
			for _, key := range []string{"old", "new"} {
				var e *storage.Error
				if err := put(key); !errors.Is(err, want) || !errors.As(err, &e) || e.Op != "put" || e.Key != key {
					t.Fatalf("%s: %v: %v", op, cause, err)
				}
			}
			c, err := b.Get(ctx, "old", storage.GetOptions{})
			if err != nil {
				t.Fatalf("%s: %v: reading: %v", op, cause, err)
			}
			if got, err := io.ReadAll(c.Body); err != nil || !bytes.Equal(got, content) {
				t.Fatalf("%s: %v: reading: %v", op, cause, err)
			}
			c.Body.Close()
			f.set("", nil)
			wantTidy(t, s)
			if err := put("old"); err != nil {
				t.Fatalf("%s: %v: it does not heal: %v", op, cause, err)
			}
		}
	}
	f.set("link", syscall.EPERM)
	if _, err := b.Copy(ctx, "copy", "old", storage.CopyOptions{}); err != nil {
		t.Fatalf("copying where links are refused: %v", err)
	}
	wantTidy(t, s)
}

func TestFullDatabase(t *testing.T) {
	ctx := t.Context()
	s := openStore(t, t.TempDir(), Options{maxPages: 60})
	b := openBucket(t, s)
	for _, size := range []int{4000, 20 << 10} { // in the database, in a file
		var err error
		stored := []string{}
		for i := range 500 {
			key := fmt.Sprintf("%d/%d%s", size, i, strings.Repeat("x", 500))
			if _, err = b.Put(ctx, key, bytes.NewReader(make([]byte, size)), storage.PutOptions{}); err != nil {
				break
			}
			stored = append(stored, key)
		}
		if !errors.Is(err, storage.ErrNoSpace) {
			t.Fatalf("%d objects of %d bytes, then %v", len(stored), size, err)
		}
		wantTidy(t, s)
		for _, key := range stored {
			c, err := b.Get(ctx, key, storage.GetOptions{})
			if err != nil {
				t.Fatalf("reading with a full disk: %v", err)
			}
			if _, err := io.Copy(io.Discard, c.Body); err != nil {
				t.Fatal(err)
			}
			c.Body.Close()
		}
		if err := b.Delete(ctx, stored...); err != nil {
			t.Fatalf("deleting with a full disk: %v", err)
		}
		if _, err := b.Put(ctx, "after", strings.NewReader("x"), storage.PutOptions{}); err != nil {
			t.Fatalf("it does not heal: %v", err)
		}
	}
}

func TestRecovery(t *testing.T) {
	ctx := t.Context()
	folder := t.TempDir()
	s := openStore(t, folder, Options{})
	b := openBucket(t, s)
	content := bytes.Repeat([]byte("x"), 100<<10)
	files := map[string]string{}
	for _, key := range []string{"whole", "missing", "short", "flipped"} {
		if _, err := b.Put(ctx, key, bytes.NewReader(content), storage.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		r, err := b.find(key)
		if err != nil {
			t.Fatal(err)
		}
		files[key] = filepath.Join(folder, dataPath(*r.file))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	orphan := filepath.Join(folder, dataPath(strings.Repeat("0a", 16)))
	young := filepath.Join(folder, dataPath(strings.Repeat("0b", 16)))
	temporary := filepath.Join(folder, temporaryFolder, "x")
	flipped := bytes.Clone(content)
	flipped[50<<10] ^= 1
	err := errors.Join(
		os.Remove(files["missing"]),
		os.Truncate(files["short"], 1000),
		os.WriteFile(files["flipped"], flipped, 0o600),
		os.WriteFile(orphan, content, 0o600),
		os.Chtimes(orphan, time.Time{}, time.Now().Add(-2*time.Hour)),
		os.WriteFile(young, content, 0o600),
		os.WriteFile(temporary, content, 0o600),
	)
	if err != nil {
		t.Fatal(err)
	}
	s = openStore(t, folder, Options{})
	b = openBucket(t, s)
	report, err := s.Recovery(ctx)
	if err != nil || report.Orphans != 1 || len(report.Damaged) != 2 {
		t.Fatalf("%+v, %v", report, err)
	}
	damaged := map[string]bool{}
	for _, d := range report.Damaged {
		damaged[d.Bucket+" "+d.Key] = errors.Is(d.Err, storage.ErrCorrupt)
	}
	if !damaged["artifacts missing"] || !damaged["artifacts short"] {
		t.Fatalf("%+v", report.Damaged)
	}
	for path, want := range map[string]bool{orphan: false, temporary: false, young: true} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, key := range []string{"missing", "short"} {
		if _, err := b.Get(ctx, key, storage.GetOptions{}); !errors.Is(err, storage.ErrCorrupt) {
			t.Errorf("%s: %v", key, err)
		}
	}
	for key, want := range map[string]error{"whole": nil, "flipped": storage.ErrChecksum} {
		c, err := b.Get(ctx, key, storage.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(c.Body); !errors.Is(err, want) {
			t.Errorf("%s: %v", key, err)
		}
		c.Body.Close()
	}
	// What is damaged can be replaced, and removed.
	if _, err := b.Put(ctx, "missing", bytes.NewReader(content), storage.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := b.Delete(ctx, "short"); err != nil {
		t.Fatal(err)
	}
}

func TestSweep(t *testing.T) {
	ctx := t.Context()
	var mu sync.Mutex
	now := time.Now()
	s := openStore(t, t.TempDir(), Options{Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return now }})
	b := openBucket(t, s)
	for i := range 150 {
		body := bytes.NewReader(make([]byte, i%3*20<<10))
		if _, err := b.Put(ctx, fmt.Sprint(i), body, storage.PutOptions{Expires: now.Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Put(ctx, "kept", strings.NewReader("x"), storage.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	upload, err := b.CreateUpload(ctx, "u", storage.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.UploadPart(ctx, "u", upload, 1, strings.NewReader("x"), storage.PartOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{0, 0}, {time.Hour, 150}, {7 * 24 * time.Hour, 1}, {0, 0}} {
		mu.Lock()
		now = now.Add(step.after)
		mu.Unlock()
		if n, err := s.Sweep(ctx); n != step.want || err != nil {
			t.Fatalf("after %v: %d, %v", step.after, n, err)
		}
		wantTidy(t, s)
	}
	if _, err := b.Head(ctx, "kept"); err != nil {
		t.Fatal(err)
	}
}

func TestOneProcessOnly(t *testing.T) {
	folder := t.TempDir()
	s := openStore(t, folder, Options{})
	if _, err := Open(t.Context(), folder, Options{}); !errors.Is(err, storage.ErrLocked) {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	openStore(t, folder, Options{})
}

func TestBuckets(t *testing.T) {
	ctx := t.Context()
	s := openStore(t, t.TempDir(), Options{})
	for _, bad := range []string{"", "ab", "A-b", "../x", "a/b", "-ab", "ab-", "a.b", strings.Repeat("x", 64)} {
		if _, err := s.Bucket(ctx, bad); !errors.Is(err, storage.ErrInvalidBucket) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	one := openBucket(t, s)
	two, err := s.Bucket(ctx, "two")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := one.Put(ctx, "key", strings.NewReader("x"), storage.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := two.Head(ctx, "key"); !errors.Is(err, storage.ErrNotFound) {
		t.Fatal(err)
	}
}

// TestFlippedBytes damages the database: an object is read as it was, or with
// an error.
func TestFlippedBytes(t *testing.T) {
	ctx := t.Context()
	folder := t.TempDir()
	s := openStore(t, folder, Options{})
	b := openBucket(t, s)
	const n = 100
	content := func(i int) []byte { return bytes.Repeat([]byte(fmt.Sprint(i, " ")), i*2) }
	for i := range n {
		if _, err := b.Put(ctx, fmt.Sprint(i), bytes.NewReader(content(i)), storage.PutOptions{ContentType: "text/plain"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "objects.db")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 4))
	refused, found := 0, 0
	for range 60 {
		bad := bytes.Clone(good)
		at := r.IntN(len(bad))
		bad[at] ^= byte(1 + r.IntN(255))
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(ctx, folder, Options{})
		if err != nil {
			if !errors.Is(err, storage.ErrCorrupt) && !errors.Is(err, storage.ErrNewerSchema) {
				t.Fatalf("byte %d: %v", at, err)
			}
			refused++
			continue
		}
		b := openBucket(t, s)
		for i := range n {
			c, err := b.Get(ctx, fmt.Sprint(i), storage.GetOptions{})
			if err != nil {
				if !errors.Is(err, storage.ErrCorrupt) {
					t.Fatalf("byte %d: %v", at, err)
				}
				found++
				continue
			}
			got, err := io.ReadAll(c.Body)
			if err != nil || !bytes.Equal(got, content(i)) || c.ContentType != "text/plain" {
				t.Fatalf("byte %d: silently wrong: %v", at, err)
			}
			c.Body.Close()
		}
		if err := s.Close(); err != nil {
			t.Fatalf("byte %d: closing: %v", at, err)
		}
	}
	if refused == 0 || found == 0 {
		t.Fatalf("%d refused, %d found: the test shows nothing", refused, found)
	}
}

func TestNewerSchema(t *testing.T) {
	folder := t.TempDir()
	s := openStore(t, folder, Options{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(folder, "objects.db"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec("INSERT INTO schema_migrations VALUES (7, 'future', 0); PRAGMA user_version = 7")
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), folder, Options{}); !errors.Is(err, storage.ErrNewerSchema) {
		t.Fatal(err)
	}
}

// TestScanDuringWrites: a scan takes no file of a running put for an orphan.
func TestScanDuringWrites(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{OrphanGrace: -1})
	b := openBucket(t, s)
	if _, err := s.Recovery(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for w := range 3 {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				if _, err := b.Put(t.Context(), fmt.Sprint(w, i%5), bytes.NewReader(make([]byte, 20<<10)), storage.PutOptions{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 5 {
		report, err := s.scan(t.Context())
		if err != nil || len(report.Damaged) > 0 {
			t.Errorf("%+v, %v", report, err)
		}
	}
	stop()
	wg.Wait()
	report, err := s.scan(t.Context())
	if err != nil || report.Orphans > 0 || len(report.Damaged) > 0 {
		t.Errorf("%+v, %v", report, err)
	}
	wantTidy(t, s)
}

func FuzzCursor(f *testing.F) {
	f.Add(after("a/b").encode())
	f.Add(beyond("\U0010ffff").encode())
	f.Fuzz(func(t *testing.T, s string) {
		p, err := decodePosition(s)
		if err == nil && p.encode() != s {
			t.Fatalf("%q is accepted for %q", s, p)
		}
		if q, err := decodePosition(position(s).encode()); len(s) <= maxCursor && (err != nil || string(q) != s) {
			t.Fatalf("%q became %q, %v", s, q, err)
		}
	})
}

func BenchmarkPut(b *testing.B) {
	for _, size := range []int{1 << 10, 4 << 10, 16 << 10, 32 << 10, 64 << 10} {
		for name, limit := range map[string]int{"Inline": 64 << 10, "File": -1} {
			for _, workers := range []int{1, 16} {
				b.Run(fmt.Sprintf("%s/%dKiB/%d", name, size>>10, workers), func(b *testing.B) {
					s := openStore(b, b.TempDir(), Options{InlineLimit: limit})
					bucket := openBucket(b, s)
					content := make([]byte, size)
					b.SetBytes(int64(size))
					b.ResetTimer()
					var wg sync.WaitGroup
					for w := range workers {
						wg.Go(func() {
							for i := w; i < b.N; i += workers {
								if _, err := bucket.Put(context.Background(), fmt.Sprint(i), bytes.NewReader(content), storage.PutOptions{}); err != nil {
									b.Error(err)
								}
							}
						})
					}
					wg.Wait()
				})
			}
		}
	}
}

func BenchmarkGet(b *testing.B) {
	for _, size := range []int{4 << 10, 16 << 10, 64 << 10} {
		for name, limit := range map[string]int{"Inline": 64 << 10, "File": -1} {
			b.Run(fmt.Sprintf("%s/%dKiB", name, size>>10), func(b *testing.B) {
				s := openStore(b, b.TempDir(), Options{InlineLimit: limit})
				bucket := openBucket(b, s)
				for i := range 100 {
					if _, err := bucket.Put(context.Background(), fmt.Sprint(i), bytes.NewReader(make([]byte, size)), storage.PutOptions{}); err != nil {
						b.Fatal(err)
					}
				}
				b.SetBytes(int64(size))
				b.ResetTimer()
				for i := range b.N {
					c, err := bucket.Get(context.Background(), fmt.Sprint(i%100), storage.GetOptions{})
					if err != nil {
						b.Fatal(err)
					}
					if _, err := io.Copy(io.Discard, c.Body); err != nil {
						b.Fatal(err)
					}
					c.Body.Close()
				}
			})
		}
	}
}
