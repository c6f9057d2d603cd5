package s3

import (
	"errors"
	"io"
	"os"
	"testing"
)

// What was lent for an attempt is not read after it, so that its buffer can
// hold something else.
func TestLease(t *testing.T) {
	buffer := []byte("contents")
	l := newLease(buffer)
	head := make([]byte, 3)
	if n, err := l.Read(head); n != 3 || err != nil || string(head) != "con" {
		t.Fatal(n, err)
	}
	if at, err := l.Seek(0, io.SeekStart); at != 0 || err != nil {
		t.Fatal(at, err)
	}
	l.end()
	copy(buffer, "another!")
	if n, err := l.Read(head); n != 0 || !errors.Is(err, os.ErrClosed) || string(head) != "con" {
		t.Errorf("read %q, %v", head[:n], err)
	}
	if _, err := l.Seek(0, io.SeekStart); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	l.end()
}
