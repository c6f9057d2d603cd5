package vfs

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// An archive is a layer in a file:
//
//	header   magic, version u32, zero u32, offset of the index u64, its length
//	         u64, its SHA-256
//	contents of the files, those that are equal once
//	index    number of inodes u32, time i64, inodes in order of their numbers:
//	         a file is 1, offset u64, size u64, CRC-32C u32, SHA-256;
//	         a directory is 2, number of entries u32, entries in order of their
//	         names: length u16, name, inode u32
//
// Numbers are little endian. An inode's number is greater than that of its
// directory.
const (
	archiveMagic   = "MAYFLYFS"
	archiveVersion = 1
	headerSize     = 8 + 4 + 4 + 8 + 8 + sha256.Size
)

// ErrArchive is what OpenLayer fails with when a file is no archive, or not as
// it was written: it has to be built again.
var ErrArchive = errors.New("not an archive of files, or a damaged one")

// ErrTooLarge is what BuildLayer fails with past its limits.
var ErrTooLarge = errors.New("too many files, or too large ones")

// A Source is a file system at a place in an archive.
type Source struct {
	At string // slash-separated, as "matplotlib/mpl-data"; empty: at the root
	FS fs.FS  // of directories and regular files, as a zip.Reader
}

// BuildOptions bound and describe an archive. The zero value is usable.
type BuildOptions struct {
	Time  time.Time // of all files, so that equal files make an equal archive; default 1980-01-01 UTC
	Bytes int64     // contents of all files, past it ErrTooLarge; default 4 GiB
	Files int       // files and directories, past it ErrTooLarge; default 1,000,000
}

// BuildLayer writes an archive of what is in the sources, verifies it and puts
// it at a path, where it appears whole or not at all. Directories are merged;
// a later source replaces files of an earlier one. Equal sources make equal
// archives. What is neither a directory nor a regular file is an error.
func BuildLayer(dst string, options BuildOptions, sources ...Source) (err error) {
	if options.Time.IsZero() {
		options.Time = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if options.Bytes == 0 {
		options.Bytes = 4 << 30
	}
	if options.Files == 0 {
		options.Files = 1_000_000
	}
	file, err := os.CreateTemp(filepath.Dir(dst), "."+filepath.Base(dst)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			file.Close()
			os.Remove(file.Name())
		}
	}()
	w := &archiveWriter{
		options: options, out: bufio.NewWriterSize(file, 1<<20), tree: newBuilder(),
		stored: map[[sha256.Size]byte]stored{}, at: headerSize,
	}
	w.out.Write(make([]byte, headerSize))
	for _, s := range sources {
		if err := w.source(s); err != nil {
			return err
		}
	}
	header, index := w.index()
	w.out.Write(index)
	if err := w.out.Flush(); err != nil {
		return err
	}
	if _, err := file.WriteAt(header, 0); err != nil {
		return err
	}
	if err := errors.Join(file.Chmod(0o444), file.Sync(), file.Close()); err != nil {
		return err
	}
	l, err := OpenLayer(file.Name())
	if err != nil {
		return err
	}
	if err := errors.Join(l.Verify(), l.Close()); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), dst); err != nil {
		return err
	}
	return syncDirectory(filepath.Dir(dst))
}

func syncDirectory(name string) error {
	dir, err := os.Open(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, os.ErrInvalid) {
		return err
	}
	return nil
}

// stored is where contents are in an archive.
type stored struct {
	offset, size int64
	sum          uint32
	digest       [sha256.Size]byte
}

type archiveWriter struct {
	options BuildOptions
	out     *bufio.Writer
	at      int64
	total   int64
	tree    *builder
	stored  map[[sha256.Size]byte]stored
	places  []stored // of files, by the number that their nodes carry as size
}

func (w *archiveWriter) source(s Source) error {
	return fs.WalkDir(s.FS, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		full := path.Join("/", s.At, name)
		if len(w.tree.nodes) > w.options.Files {
			return fmt.Errorf("%s: %w", full, ErrTooLarge)
		}
		switch {
		case entry.IsDir():
			_, err := w.directory(full)
			return err
		case !entry.Type().IsRegular():
			return fmt.Errorf("%s is no regular file", full)
		}
		return w.file(s.FS, name, full)
	})
}

// directory makes a directory and those above it.
func (w *archiveWriter) directory(full string) (Ino, error) {
	dir := rootIno
	for name := range strings.SplitSeq(full, "/") {
		if name == "" {
			continue
		}
		if err := validName(name); err != nil {
			return 0, fmt.Errorf("%s: %w", full, err)
		}
		ino := w.tree.children[dir-1][name]
		if ino == 0 {
			ino = w.tree.add(node{kind: Directory, parent: dir})
			w.tree.enter(dir, name, ino)
		} else if w.tree.nodes[ino-1].kind != Directory {
			return 0, fmt.Errorf("%s: %s is a file", full, name)
		}
		dir = ino
	}
	return dir, nil
}

func validName(name string) error {
	if name == "" || name == "." || name == ".." || len(name) > 255 || strings.ContainsAny(name, "/\x00") {
		return fmt.Errorf("%q can't be a name", name)
	}
	return nil
}

func (w *archiveWriter) file(source fs.FS, name, full string) error {
	file, err := source.Open(name)
	if err != nil {
		return err
	}
	content, err := io.ReadAll(io.LimitReader(file, w.options.Bytes-w.total+1))
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("%s: %w", full, err)
	}
	if w.total += int64(len(content)); w.total > w.options.Bytes {
		return fmt.Errorf("%s: %w", full, ErrTooLarge)
	}
	digest := sha256.Sum256(content)
	where, known := w.stored[digest]
	if !known {
		where = stored{w.at, int64(len(content)), crc32.Checksum(content, castagnoli), digest}
		w.stored[digest] = where
		w.at += int64(len(content))
		if _, err := w.out.Write(content); err != nil {
			return err
		}
	}
	dir, err := w.directory(path.Dir(full))
	if err != nil {
		return err
	}
	if err := validName(path.Base(full)); err != nil {
		return fmt.Errorf("%s: %w", full, err)
	}
	if old := w.tree.children[dir-1][path.Base(full)]; old != 0 && w.tree.nodes[old-1].kind == Directory {
		return fmt.Errorf("%s is a directory elsewhere", full)
	}
	w.places = append(w.places, where)
	// The node carries the number of its place through the new numbering.
	w.tree.enter(dir, path.Base(full), w.tree.add(node{kind: File, count: len(w.places)}))
	return nil
}

// index ends an archive.
func (w *archiveWriter) index() (header, index []byte) {
	le := binary.LittleEndian
	l := w.tree.layer()
	index = le.AppendUint32(nil, uint32(len(l.nodes)))
	index = le.AppendUint64(index, uint64(w.options.Time.UnixNano()))
	for i := range l.nodes {
		n := &l.nodes[i]
		index = append(index, byte(n.kind))
		if n.kind == File {
			p := w.places[n.count-1]
			index = le.AppendUint64(index, uint64(p.offset))
			index = le.AppendUint64(index, uint64(p.size))
			index = le.AppendUint32(index, p.sum)
			index = append(index, p.digest[:]...)
			continue
		}
		index = le.AppendUint32(index, uint32(len(n.names)))
		for _, e := range n.names {
			index = le.AppendUint16(index, uint16(len(e.name)))
			index = append(index, e.name...)
			index = le.AppendUint32(index, uint32(e.ino))
		}
	}
	header = append(header, archiveMagic...)
	header = le.AppendUint32(header, archiveVersion)
	header = le.AppendUint32(header, 0)
	header = le.AppendUint64(header, uint64(w.at))
	header = le.AppendUint64(header, uint64(len(index)))
	sum := sha256.Sum256(index)
	return append(header, sum[:]...), index
}

// OpenLayer opens an archive. Its contents stay in the file, which is mapped
// into memory: it must not be changed or cut while the process lives. The
// index is verified at once, contents when they are first read (see
// [Layer.Verify]): EIO if they are not what was stored.
func OpenLayer(name string) (*Layer, error) {
	data, unmap, err := mapFile(name)
	if err != nil {
		return nil, err
	}
	l, err := decodeArchive(data)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), unmap())
	}
	l.unmap = unmap
	return l, nil
}

// Close gives back the address space of a layer from OpenLayer. Nothing may
// use the layer, trees over it, or contents from it any more.
func (l *Layer) Close() error {
	if l.unmap == nil {
		return nil
	}
	unmap := l.unmap
	l.nodes, l.unmap = nil, nil
	return unmap()
}

// Verify reads all contents of a layer that lie in files, unless they were read
// before, and fails with ErrArchive if some are not what was stored.
func (l *Layer) Verify() error {
	for i := range l.nodes {
		if _, code := l.nodes[i].contents(); code != "" {
			return fmt.Errorf("contents of inode %d: %w", i+1, ErrArchive)
		}
	}
	return nil
}

func decodeArchive(data []byte) (*Layer, error) {
	le := binary.LittleEndian
	if len(data) < headerSize || string(data[:8]) != archiveMagic || le.Uint32(data[8:]) != archiveVersion || le.Uint32(data[12:]) != 0 {
		return nil, fmt.Errorf("header: %w", ErrArchive)
	}
	at, length := le.Uint64(data[16:]), le.Uint64(data[24:])
	if at < headerSize || at > uint64(len(data)) || length != uint64(len(data))-at {
		return nil, fmt.Errorf("length: %w", ErrArchive)
	}
	index, sum := data[at:], [sha256.Size]byte(data[32:])
	if sha256.Sum256(index) != sum {
		return nil, fmt.Errorf("index: %w", ErrArchive)
	}
	l := &Layer{parts: func(h hash.Hash) {
		h.Write([]byte(archiveMagic))
		h.Write(sum[:])
	}}
	if !l.decodeIndex(string(index), data[:at]) {
		return nil, fmt.Errorf("index: %w", ErrArchive)
	}
	return l, nil
}

// decodeIndex makes the inodes. Its text is kept: names are parts of it.
func (l *Layer) decodeIndex(index string, contents []byte) bool {
	const smallest = 1 + 4 // bytes of an inode
	r := indexReader{rest: index}
	count := r.number(4)
	at := int64(r.number(8))
	if count == 0 || count > uint64(len(index))/smallest {
		return false
	}
	l.nodes = make([]node, count)
	seals := make([]seal, count)
	for i := range l.nodes {
		n := &l.nodes[i]
		*n = node{kind: Kind(r.number(1)), shared: true, links: 1, parent: n.parent, atime: at, mtime: at, ctime: at, btime: at}
		switch n.kind {
		case File:
			offset, size := r.number(8), r.number(8)
			seals[i].sum = uint32(r.number(4))
			r.text(sha256.Size)
			if offset < headerSize || offset > uint64(len(contents)) || size > uint64(len(contents))-offset {
				return false
			}
			n.mode = 0o644
			if size > 0 {
				n.data, n.seal = contents[offset:offset+size:offset+size], &seals[i]
			}
		case Directory:
			entries := r.number(4)
			if entries > uint64(len(r.rest))/7 {
				return false
			}
			n.mode, n.count, n.names = 0o755, int(entries), make([]dirent, entries)
			for j := range n.names {
				name := r.text(int(r.number(2)))
				child := r.number(4)
				if validName(name) != nil || j > 0 && name <= n.names[j-1].name {
					return false
				}
				// Every inode but the root has one directory, before it.
				if child <= uint64(i)+1 || child > count || l.nodes[child-1].parent != 0 {
					return false
				}
				l.nodes[child-1].parent = Ino(i + 1)
				n.names[j] = dirent{name, Ino(child), uint64(j + 1)}
			}
		default:
			return false
		}
		if i > 0 && n.parent == 0 || r.failed {
			return false
		}
	}
	l.nodes[0].parent = rootIno
	return l.nodes[0].kind == Directory && r.rest == ""
}

// An indexReader takes an index apart; what is cut off fails.
type indexReader struct {
	rest   string
	failed bool
}

func (r *indexReader) text(length int) string {
	if length > len(r.rest) {
		r.rest, r.failed = "", true
		return ""
	}
	s := r.rest[:length]
	r.rest = r.rest[length:]
	return s
}

func (r *indexReader) number(size int) (v uint64) {
	s := r.text(size)
	for i := len(s) - 1; i >= 0; i-- {
		v = v<<8 | uint64(s[i])
	}
	return v
}
