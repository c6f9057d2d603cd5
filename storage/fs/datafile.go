package fs

import (
	"context"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"runtime"
	"sync"
	"syscall"

	"mayfly/storage"
)

// A fileSystem is what the store needs of the system. Names are relative to
// the store's folder.
type fileSystem interface {
	Create(name string) (file, error) // for writing; fails if it is there
	Open(name string) (file, error)
	Rename(from, to string) error
	Link(from, to string) error
	Remove(name string) error
	MkdirAll(name string) error
	Sync(folder string) error // makes the folder's names durable
	List(folder string) ([]fs.DirEntry, error)
}

// A file is an open data file.
type file interface {
	io.Reader
	io.Writer
	io.Seeker
	io.Closer
	Sync() error
	Stat() (fs.FileInfo, error)
}

// rootFiles is the real file system: os.Root never leaves the folder.
type rootFiles struct{ root *os.Root }

func (r rootFiles) Create(name string) (file, error) {
	return asFile(r.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600))
}
func (r rootFiles) Open(name string) (file, error) { return asFile(r.root.Open(name)) }
func (r rootFiles) Rename(from, to string) error   { return r.root.Rename(from, to) }
func (r rootFiles) Link(from, to string) error     { return r.root.Link(from, to) }
func (r rootFiles) Remove(name string) error       { return r.root.Remove(name) }
func (r rootFiles) MkdirAll(name string) error     { return r.root.MkdirAll(name, 0o700) }

func (r rootFiles) Sync(folder string) error {
	d, err := r.root.Open(folder)
	if err != nil {
		return err
	}
	err = d.Sync()
	if runtime.GOOS == "windows" || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil // folders can't be synced here
	}
	return errors.Join(err, d.Close())
}

func (r rootFiles) List(folder string) ([]fs.DirEntry, error) {
	d, err := r.root.Open(folder)
	if err != nil {
		return nil, err
	}
	entries, err := d.ReadDir(-1)
	return entries, errors.Join(err, d.Close())
}

// asFile avoids an interface that holds a nil pointer.
func asFile(f *os.File, err error) (file, error) {
	if err != nil {
		return nil, err
	}
	return f, nil
}

// dataFiles are the contents that are not in the database. A data file is
// named by 128 random bits and never changes after it got its name.
type dataFiles struct {
	fs fileSystem

	mu      sync.Mutex
	pending map[string]struct{} // files that got their name, but may not have a row yet
}

const (
	temporaryFolder = "tmp"
	dataFolder      = "data"
	folders         = 256
)

// dataPath is where a data file lies: data/ab/abcdef...
func dataPath(name string) string { return dataFolder + "/" + name[:2] + "/" + name }

// openDataFiles makes the folders and removes what a dead process left in the
// temporary one; the lock says that no other process is at work there.
func openDataFiles(files fileSystem) (*dataFiles, error) {
	d := &dataFiles{fs: files, pending: map[string]struct{}{}}
	if err := files.MkdirAll(temporaryFolder); err != nil {
		return nil, err
	}
	leftovers, err := files.List(temporaryFolder)
	if err != nil {
		return nil, err
	}
	for _, e := range leftovers {
		if err := files.Remove(temporaryFolder + "/" + e.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	if err := files.MkdirAll(dataFolder); err != nil {
		return nil, err
	}
	made, err := files.List(dataFolder)
	if err != nil {
		return nil, err
	}
	if len(made) >= folders {
		return d, nil
	}
	for i := range folders {
		if err := files.MkdirAll(fmt.Sprintf("%s/%02x", dataFolder, i)); err != nil {
			return nil, err
		}
	}
	return d, errors.Join(files.Sync(dataFolder), files.Sync("."))
}

// Staged contents are complete, but no row speaks of them yet.
type staged struct {
	size   int64
	sum    [sha256.Size]byte
	tag    []byte // MD5 of the contents, or of the MD5s of the parts
	parts  int64  // 0: not of parts
	inline []byte // contents, if name is empty
	name   string // of the data file
}

// expectation is what the caller knows of the contents.
type expectation struct {
	size    int64 // 0: unknown
	maxSize int64 // 0: storage.MaxObjectSize
	digests storage.Digests
}

// A buffer holds the largest inline contents and one byte more.
const bufferSize = 128 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// stage reads body to its end. Contents of at most inlineLimit bytes stay in
// memory; larger ones are in a durable data file, pending until release.
func (d *dataFiles) stage(ctx context.Context, body io.Reader, inlineLimit int, want expectation) (staged, error) {
	buffer := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buffer)
	in := &intake{ctx: ctx, body: body, limit: storage.MaxObjectSize}
	if want.maxSize > 0 {
		in.limit = min(in.limit, want.maxSize)
	}
	n, err := in.fill(buffer[:])
	if err != nil && err != io.EOF {
		return staged{}, err
	}
	if err == io.EOF && n <= inlineLimit {
		tag := md5.Sum(buffer[:n])
		s := staged{size: int64(n), sum: sha256.Sum256(buffer[:n]), tag: tag[:], inline: append([]byte{}, buffer[:n]...)}
		return s, want.check(s, want.others(buffer[:n]))
	}
	return d.stageFile(in, buffer[:], n, err == io.EOF, want)
}

// stageFile writes a data file: the first n bytes of buffer, then the rest of
// the body.
func (d *dataFiles) stageFile(in *intake, buffer []byte, n int, ended bool, want expectation) (s staged, err error) {
	name := randomName()
	temporary := temporaryFolder + "/" + name
	f, err := d.fs.Create(temporary)
	if err != nil {
		return staged{}, err
	}
	named := false
	defer func() {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			if named {
				d.discard(name)
			} else {
				// A name that can't be removed now is, when the store opens.
				_ = d.fs.Remove(temporary)
			}
			s = staged{}
		}
	}()
	hash := newContentHash(want)
	for {
		hash.write(buffer[:n])
		if _, err := f.Write(buffer[:n]); err != nil {
			return s, err
		}
		s.size += int64(n)
		if ended {
			break
		}
		var readErr error
		if n, readErr = in.fill(buffer); readErr != nil && readErr != io.EOF {
			return s, readErr
		}
		ended = readErr == io.EOF
	}
	s.name = name
	hash.sum(&s)
	if err := want.check(s, hash.others); err != nil {
		return s, err
	}
	if err := f.Sync(); err != nil {
		return s, err
	}
	closing := f
	f = nil
	if err := closing.Close(); err != nil {
		return s, err
	}
	d.hold(name)
	named = true
	if err := d.fs.Rename(temporary, dataPath(name)); err != nil {
		_ = d.fs.Remove(temporary)
		return s, err
	}
	return s, d.fs.Sync(dataFolder + "/" + name[:2])
}

// link gives a data file a second name, durably; pending until release.
func (d *dataFiles) link(name string) (string, error) {
	second := randomName()
	d.hold(second)
	err := d.fs.Link(dataPath(name), dataPath(second))
	if err == nil {
		err = d.fs.Sync(dataFolder + "/" + second[:2])
	}
	if err != nil {
		d.discard(second)
		return "", err
	}
	return second, nil
}

// open opens a data file and checks its size.
func (d *dataFiles) open(name string, size int64) (file, error) {
	f, err := d.fs.Open(dataPath(name))
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Size() != size {
		err = fmt.Errorf("%w: the data file %s has %d bytes instead of %d", storage.ErrCorrupt, dataPath(name), info.Size(), size)
	}
	if err != nil {
		f.Close() // only read from
		return nil, err
	}
	return f, nil
}

// hold keeps a scan from taking the file for an orphan.
func (d *dataFiles) hold(name string) {
	d.mu.Lock()
	d.pending[name] = struct{}{}
	d.mu.Unlock()
}

// release says that the row of a file is committed, or that the file is to be
// judged by the next scan.
func (d *dataFiles) release(name string) {
	if name == "" {
		return
	}
	d.mu.Lock()
	delete(d.pending, name)
	d.mu.Unlock()
}

func (d *dataFiles) isPending(name string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.pending[name]
	return ok
}

// discard removes a file that got no row.
func (d *dataFiles) discard(name string) {
	if name == "" {
		return
	}
	d.remove(name)
	d.release(name)
}

// remove removes files whose rows are gone. One that resists (it may be open,
// where that matters) is an orphan, and goes in a later scan.
func (d *dataFiles) remove(names ...string) {
	for _, name := range names {
		if name != "" {
			_ = d.fs.Remove(dataPath(name))
		}
	}
}

// check compares; others has what of the digests is neither SHA-256 nor MD5,
// and may be nil.
func (want expectation) check(s staged, others *storage.Digester) error {
	if want.size > 0 && want.size != s.size {
		return fmt.Errorf("%w: %d bytes came, %d were announced", storage.ErrChecksum, s.size, want.size)
	}
	if want.digests == (storage.Digests{}) {
		return nil
	}
	got := storage.Digests{SHA256: hex.EncodeToString(s.sum[:])}
	if s.parts == 0 {
		got.MD5 = hex.EncodeToString(s.tag)
	}
	if err := got.Match(want.digests); err != nil || others == nil {
		return err
	}
	return others.Check()
}

// others digests contents that are in memory.
func (want expectation) others(content []byte) *storage.Digester {
	d := want.digester()
	if d != nil {
		d.Write(content)
	}
	return d
}

// digester computes what else is wanted than SHA-256 and MD5; nil: nothing.
func (want expectation) digester() *storage.Digester {
	rest := want.digests
	rest.SHA256, rest.MD5 = "", ""
	if rest == (storage.Digests{}) {
		return nil
	}
	return storage.NewDigester(rest)
}

// A contentHash computes the digests of a data file while it is written.
type contentHash struct {
	sha256 hash.Hash
	md5    hash.Hash
	others *storage.Digester // may be nil
}

func newContentHash(want expectation) *contentHash {
	return &contentHash{sha256.New(), md5.New(), want.digester()}
}

// write digests large pieces by MD5 beside the others: it takes the longest.
func (h *contentHash) write(p []byte) {
	if len(p) < bufferSize/2 {
		h.md5.Write(p)
		h.rest(p)
		return
	}
	done := make(chan struct{})
	go func() {
		h.md5.Write(p)
		close(done)
	}()
	h.rest(p)
	<-done
}

func (h *contentHash) rest(p []byte) {
	h.sha256.Write(p)
	if h.others != nil {
		h.others.Write(p)
	}
}

func (h *contentHash) sum(s *staged) {
	h.sha256.Sum(s.sum[:0])
	s.tag = h.md5.Sum(nil)
}

// An intake reads a body under a limit, and looks at the context between
// reads.
type intake struct {
	ctx   context.Context
	body  io.Reader
	limit int64
	total int64
}

// fill reads until buffer is full or the body ends, which is io.EOF.
func (in *intake) fill(buffer []byte) (n int, err error) {
	for idle := 0; n < len(buffer); {
		if err := in.ctx.Err(); err != nil {
			return n, err
		}
		k, err := in.body.Read(buffer[n:])
		n += k
		in.total += int64(k)
		if in.total > in.limit {
			return n, fmt.Errorf("%w: more than %d bytes", storage.ErrTooLarge, in.limit)
		}
		if err != nil {
			if ctxErr := in.ctx.Err(); ctxErr != nil {
				return n, ctxErr
			}
			return n, err
		}
		if k > 0 {
			idle = 0
		} else if idle++; idle > 100 {
			return n, io.ErrNoProgress
		}
	}
	return n, nil
}

func randomName() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
