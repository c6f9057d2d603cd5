//go:build unix

package fs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"mayfly/storage"
)

// starveFolder tells the child process to run out of descriptors.
const starveFolder = "STORAGE_FS_STARVE_FOLDER"

// TestStarvedOfDescriptors: with no descriptor left, requests that need one
// fail, what is in the database is read, and all is well when there are some
// again. It runs in a process of its own, for the others need theirs.
func TestStarvedOfDescriptors(t *testing.T) {
	if folder := os.Getenv(starveFolder); folder != "" {
		starve(t, folder)
		return
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestStarvedOfDescriptors$", "-test.v")
	child.Env = append(os.Environ(), starveFolder+"="+t.TempDir())
	out, err := child.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "starved and healed") {
		t.Fatalf("%v\n%s", err, out)
	}
}

func starve(t *testing.T, folder string) {
	ctx := context.Background()
	s := openStore(t, folder, Options{})
	b := openBucket(t, s)
	if _, err := s.Recovery(ctx); err != nil {
		t.Fatal(err)
	}
	small, large := bytes.Repeat([]byte("s"), 100), bytes.Repeat([]byte("l"), 100<<10)
	put := func(key string, content []byte) error {
		_, err := b.Put(ctx, key, bytes.NewReader(content), storage.PutOptions{})
		return err
	}
	get := func(key string) ([]byte, error) {
		c, err := b.Get(ctx, key, storage.GetOptions{})
		if err != nil {
			return nil, err
		}
		defer c.Body.Close()
		return io.ReadAll(c.Body)
	}
	for key, content := range map[string][]byte{"small": small, "large": large} {
		if err := put(key, content); err != nil {
			t.Fatal(err)
		}
		if got, err := get(key); err != nil || !bytes.Equal(got, content) {
			t.Fatal(err)
		}
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = 128
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	var hogs []*os.File
	for range 1000 {
		f, err := os.Open(os.DevNull)
		if err != nil {
			if !errors.Is(err, syscall.EMFILE) {
				t.Fatal(err)
			}
			break
		}
		hogs = append(hogs, f)
	}
	if len(hogs) == 1000 {
		t.Fatal("descriptors do not end")
	}
	for i := range 5 {
		var e *storage.Error
		if err := put(fmt.Sprint("new", i), large); !errors.Is(err, syscall.EMFILE) || !errors.As(err, &e) {
			t.Fatalf("put: %v", err)
		}
		if got, err := get("small"); err != nil || !bytes.Equal(got, small) {
			t.Fatalf("reading what is in the database: %v", err)
		}
		if _, err := get("large"); !errors.Is(err, syscall.EMFILE) {
			t.Fatalf("get: %v", err)
		}
		if err := put("small", small); err != nil {
			t.Fatalf("writing what goes into the database: %v", err)
		}
	}
	for _, f := range hogs {
		f.Close()
	}
	if err := put("new", large); err != nil {
		t.Fatalf("it does not heal: %v", err)
	}
	for key, want := range map[string][]byte{"small": small, "large": large, "new": large} {
		if got, err := get(key); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%s: %v", key, err)
		}
	}
	if _, err := get("new1"); !errors.Is(err, storage.ErrNotFound) {
		t.Fatal(err)
	}
	wantTidy(t, s)
	fmt.Println("starved and healed")
}
