package s3

import (
	"bytes"
	"io"
	"os"
	"sync"
)

// A lease reads contents for one attempt to send them. A transport may go on
// reading a body after the server's answer, as one that came early: the lease
// ends with the attempt, so that the buffer behind it can be used again.
type lease struct {
	mu      sync.Mutex
	content *bytes.Reader // nil: it has ended
}

func newLease(content []byte) *lease { return &lease{content: bytes.NewReader(content)} }

// Read implements io.Reader.
func (l *lease) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.content == nil {
		return 0, os.ErrClosed
	}
	return l.content.Read(p)
}

// Seek implements io.Seeker.
func (l *lease) Seek(offset int64, whence int) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.content == nil {
		return 0, os.ErrClosed
	}
	return l.content.Seek(offset, whence)
}

// end waits for a read that is under way; later ones fail.
func (l *lease) end() {
	l.mu.Lock()
	l.content = nil
	l.mu.Unlock()
}

var _ io.ReadSeeker = (*lease)(nil)
