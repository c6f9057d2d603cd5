package wasi

import (
	"encoding/binary"
	"math"
	"time"

	"mayfly/host/vfs"
)

// maxVectors is how many ranges one read or write may name (IOV_MAX).
const maxVectors = 1024

// maxStream is how many bytes one write to a stream takes, so that limits hold
// in between.
const maxStream = 1 << 20

// vectors is the list of ranges of a read or write, 8 bytes each.
func (c *call) vectors(at, count uint64) ([]byte, errno) {
	if count > maxVectors {
		return nil, eInval
	}
	return c.bytes(at, count*8)
}

// vector is the first range of a list.
func (c *call) vector(list []byte) ([]byte, errno) {
	at, length := binary.LittleEndian.Uint32(list), binary.LittleEndian.Uint32(list[4:])
	return c.bytes(uint64(at), uint64(length))
}

func (c *call) fdAdvise(p []uint64) errno {
	f, e := c.regular(p[0], 0)
	if e != success {
		return e
	}
	_ = f // all contents are in memory
	if p[3] > 5 || int64(p[1]) < 0 || int64(p[2]) < 0 {
		return eInval
	}
	return success
}

// fdAllocate makes a file long enough, as posix_fallocate(3).
func (c *call) fdAllocate(p []uint64) errno {
	f, e := c.regular(p[0], rightAllocate)
	if e != success {
		return e
	}
	offset, length := int64(p[1]), int64(p[2])
	if offset < 0 || length <= 0 {
		return eInval
	}
	if offset > math.MaxInt64-length {
		return eFbig
	}
	if offset+length <= c.tree.Size(f.ino) {
		return success
	}
	return errnoOf(c.tree.SetSize(f.ino, offset+length))
}

func (c *call) fdClose(p []uint64) errno {
	f := c.file(p[0])
	switch {
	case f == nil:
		return eBadf
	case p[0] == preopened:
		return eNotsup // libc keeps its number, and would find no path any more
	}
	c.release(f)
	return success
}

func (c *call) fdSync(p []uint64) errno {
	if c.file(p[0]) == nil {
		return eBadf
	}
	return success
}

func (c *call) fdFdstatGet(p []uint64) errno {
	f := c.file(p[0])
	if f == nil {
		return eBadf
	}
	b, e := c.bytes(p[1], 24)
	if e != success {
		return e
	}
	clear(b)
	switch f.kind {
	case directory:
		b[0] = typeDirectory
	case regular:
		b[0] = typeRegular
	default:
		// With the right to seek, libc takes it for no terminal.
		b[0] = typeCharacter
	}
	binary.LittleEndian.PutUint16(b[2:], f.flags)
	binary.LittleEndian.PutUint64(b[8:], f.rights)
	binary.LittleEndian.PutUint64(b[16:], f.inheriting)
	return success
}

func (c *call) fdFdstatSetFlags(p []uint64) errno {
	f := c.file(p[0])
	if f == nil {
		return eBadf
	}
	if p[1] > flagsAll {
		return eInval
	}
	f.flags = uint16(p[1])
	return success
}

// fdFdstatSetRights takes rights away.
func (c *call) fdFdstatSetRights(p []uint64) errno {
	f := c.file(p[0])
	if f == nil {
		return eBadf
	}
	if p[1]&^f.rights != 0 || p[2]&^f.inheriting != 0 {
		return eNotcapable
	}
	f.rights, f.inheriting = p[1], p[2]
	return success
}

func (c *call) fdFilestatGet(p []uint64) errno {
	f := c.file(p[0])
	if f == nil {
		return eBadf
	}
	b, e := c.bytes(p[1], filestatSize)
	if e != success {
		return e
	}
	switch f.kind {
	case regular, directory:
		info := c.tree.InfoOf(f.ino)
		putFilestat(b, &info)
	default:
		clear(b)
		b[16] = typeCharacter
		binary.LittleEndian.PutUint64(b[24:], 1)
	}
	return success
}

// filestatSize is the size of a filestat record.
const filestatSize = 64

// device is the number of the only file system.
const device = 1

func putFilestat(b []byte, info *vfs.Info) {
	clear(b)
	binary.LittleEndian.PutUint64(b, device)
	binary.LittleEndian.PutUint64(b[8:], uint64(info.Ino))
	b[16] = fileType(info.Kind)
	binary.LittleEndian.PutUint64(b[24:], uint64(info.Links))
	binary.LittleEndian.PutUint64(b[32:], uint64(info.Size))
	binary.LittleEndian.PutUint64(b[40:], uint64(info.Atime.UnixNano()))
	binary.LittleEndian.PutUint64(b[48:], uint64(info.Mtime.UnixNano()))
	binary.LittleEndian.PutUint64(b[56:], uint64(info.Ctime.UnixNano()))
}

func (c *call) fdFilestatSetSize(p []uint64) errno {
	f, e := c.regular(p[0], 0)
	if e != success {
		return e
	}
	if f.rights&rightSetSize == 0 || int64(p[1]) < 0 {
		return eInval // as ftruncate(2) answers for a file open for reading
	}
	return errnoOf(c.tree.SetSize(f.ino, int64(p[1])))
}

// The flags of the functions that set times.
const (
	setAtime    = 1
	setAtimeNow = 2
	setMtime    = 4
	setMtimeNow = 8
)

// times are the times to be set; a zero one stays.
func (c *call) times(a, m, flags uint64) (atime, mtime time.Time, e errno) {
	const both, bothM = setAtime | setAtimeNow, setMtime | setMtimeNow
	if flags >= 16 || flags&both == both || flags&bothM == bothM || a > math.MaxInt64 || m > math.MaxInt64 {
		return atime, mtime, eInval
	}
	now := c.options.Now().Truncate(Resolution)
	switch flags & both {
	case setAtime:
		atime = time.Unix(0, int64(a))
	case setAtimeNow:
		atime = now
	}
	switch flags & bothM {
	case setMtime:
		mtime = time.Unix(0, int64(m))
	case setMtimeNow:
		mtime = now
	}
	return atime, mtime, success
}

func (c *call) fdFilestatSetTimes(p []uint64) errno {
	f := c.file(p[0])
	if f == nil {
		return eBadf
	}
	if f.kind != regular && f.kind != directory {
		return eInval
	}
	atime, mtime, e := c.times(p[1], p[2], p[3])
	if e != success {
		return e
	}
	return errnoOf(c.tree.SetTimes(f.ino, atime, mtime))
}

func (c *call) fdPread(p []uint64) errno {
	f, e := c.regular(p[0], rightRead)
	if e != success {
		return e
	}
	if int64(p[3]) < 0 {
		return eInval
	}
	_, e = c.read(f, p[1], p[2], int64(p[3]), p[4])
	return e
}

func (c *call) fdRead(p []uint64) errno {
	if f := c.file(p[0]); f != nil && f.kind == streamIn {
		return c.readStream(p[1], p[2], p[3])
	}
	f, e := c.regular(p[0], rightRead)
	if e != success {
		if e == eSpipe {
			e = eBadf
		}
		return e
	}
	n, e := c.read(f, p[1], p[2], f.position, p[3])
	f.position += n
	return e
}

// read reads from a file into ranges of memory and writes there how much.
func (c *call) read(f *file, vectors, count uint64, offset int64, result uint64) (n int64, e errno) {
	list, e := c.vectors(vectors, count)
	if e != success {
		return 0, e
	}
	if _, e := c.bytes(result, 4); e != success {
		return 0, e
	}
	content, code := c.tree.Contents(f.ino)
	if code != "" {
		return 0, errnoOf(code)
	}
	content = content[min(offset, int64(len(content))):]
	n, e = c.scatter(list, content)
	if e == success {
		e = c.put32(result, uint32(n))
	}
	return n, e
}

// scatter copies content into ranges of memory, as far as either goes. Nothing
// is copied if a range is none.
func (c *call) scatter(list, content []byte) (n int64, e errno) {
	for l := list; len(l) > 0; l = l[8:] {
		if _, e := c.vector(l); e != success {
			return 0, e
		}
	}
	for ; len(list) > 0 && len(content) > 0; list = list[8:] {
		b, e := c.vector(list) // once more: the list may lie in what was copied to
		if e != success {
			return n, e
		}
		k := copy(b, content)
		content = content[k:]
		n += int64(k)
	}
	return n, success
}

func (c *call) readStream(vectors, count, result uint64) errno {
	list, e := c.vectors(vectors, count)
	if e != success {
		return e
	}
	if _, e := c.bytes(result, 4); e != success {
		return e
	}
	n, e := c.scatter(list, c.options.Stdin[c.stdin:])
	c.stdin += int(n)
	if e != success {
		return e
	}
	return c.put32(result, uint32(n))
}

func (c *call) fdPwrite(p []uint64) errno {
	f, e := c.regular(p[0], rightWrite)
	if e != success {
		return e
	}
	if int64(p[3]) < 0 {
		return eInval
	}
	_, e = c.write(f, p[1], p[2], int64(p[3]), p[4])
	return e
}

func (c *call) fdWrite(p []uint64) errno {
	if f := c.file(p[0]); f != nil && f.kind == streamOut {
		return c.writeStream(int(f.ino), p[1], p[2], p[3])
	}
	f, e := c.regular(p[0], rightWrite)
	if e != success {
		if e == eSpipe || e == eIsdir {
			e = eBadf
		}
		return e
	}
	if f.flags&flagAppend != 0 {
		f.position = c.tree.Size(f.ino)
	}
	n, e := c.write(f, p[1], p[2], f.position, p[3])
	f.position += n
	return e
}

// write writes ranges of memory to a file, all or nothing.
func (c *call) write(f *file, vectors, count uint64, offset int64, result uint64) (n int64, e errno) {
	list, e := c.vectors(vectors, count)
	if e != success {
		return 0, e
	}
	if _, e := c.bytes(result, 4); e != success {
		return 0, e
	}
	for l := list; len(l) > 0; l = l[8:] {
		b, e := c.vector(l)
		if e != success {
			return 0, e
		}
		n += int64(len(b))
	}
	// One check of the limits for all: a range may be named any number of times.
	if n > math.MaxUint32 {
		return 0, eInval
	}
	if offset > math.MaxInt64-n {
		return 0, eFbig
	}
	size := c.tree.Size(f.ino)
	if offset+n > size && count > 1 {
		if code := c.tree.SetSize(f.ino, offset+n); code != "" {
			return 0, errnoOf(code)
		}
	}
	done := int64(0)
	for ; len(list) > 0; list = list[8:] {
		b, _ := c.vector(list)
		if code := c.tree.WriteAt(f.ino, b, offset+done); code != "" {
			return 0, errnoOf(code)
		}
		done += int64(len(b))
	}
	return n, c.put32(result, uint32(n))
}

func (c *call) writeStream(fd int, vectors, count, result uint64) errno {
	list, e := c.vectors(vectors, count)
	if e != success {
		return e
	}
	if _, e := c.bytes(result, 4); e != success {
		return e
	}
	n := 0
	for ; len(list) > 0 && n < maxStream; list = list[8:] {
		b, e := c.vector(list)
		if e != success {
			return e
		}
		b = b[:min(len(b), maxStream-n)]
		if n += len(b); len(b) > 0 {
			c.options.Write(fd, b)
		}
	}
	return c.put32(result, uint32(n))
}

func (c *call) fdPrestatGet(p []uint64) errno {
	if p[0] != preopened {
		return eBadf
	}
	b, e := c.bytes(p[1], 8)
	if e != success {
		return e
	}
	clear(b)
	b[4] = 1 // the length of "/"
	return success
}

func (c *call) fdPrestatDirName(p []uint64) errno {
	if p[0] != preopened {
		return eBadf
	}
	if p[2] < 1 {
		return eNametoolong
	}
	b, e := c.bytes(p[1], 1)
	if e == success {
		b[0] = '/'
	}
	return e
}

// direntSize is the size of the record before a name in a directory.
const direntSize = 24

// fdReaddir fills a buffer with entries. The last may be cut; a buffer that
// isn't full says that there are no more. Cookies 1 and 2 are behind "." and
// "..", those above count on from the positions of the tree.
func (c *call) fdReaddir(p []uint64) errno {
	dir, e := c.directory(p[0])
	if e != success {
		return e
	}
	buffer, e := c.bytes(p[1], p[2])
	if e != success {
		return e
	}
	if _, e := c.bytes(p[4], 4); e != success {
		return e
	}
	used, cookie := 0, p[3]
	put := func(name string, kind byte, ino vfs.Ino, next uint64) bool {
		var record [direntSize]byte
		binary.LittleEndian.PutUint64(record[:], next)
		binary.LittleEndian.PutUint64(record[8:], uint64(ino))
		binary.LittleEndian.PutUint32(record[16:], uint32(len(name)))
		record[20] = kind
		used += copy(buffer[used:], record[:])
		used += copy(buffer[used:], name)
		return used < len(buffer)
	}
	more := true
	if cookie == 0 {
		more = put(".", typeDirectory, dir, 1)
	}
	if cookie <= 1 && more {
		more = put("..", typeDirectory, c.tree.Parent(dir), 2)
	}
	if more {
		code := c.tree.List(dir, max(cookie, 2)-2, func(e vfs.Entry, next uint64) bool {
			return put(e.Name, fileType(e.Kind), e.Ino, next+2)
		})
		if code != "" {
			return errnoOf(code)
		}
	}
	return c.put32(p[4], uint32(used))
}

// fdRenumber moves a descriptor to the number of another one, which is closed.
func (c *call) fdRenumber(p []uint64) errno {
	from, to := c.file(p[0]), c.file(p[1])
	switch {
	case from == nil || to == nil:
		return eBadf
	case p[0] == preopened || p[1] == preopened:
		return eNotsup
	case from == to:
		return success
	}
	c.release(to)
	*to, *from = *from, file{}
	return success
}

func (c *call) fdSeek(p []uint64) errno {
	f, e := c.regular(p[0], 0)
	if e != success {
		return e
	}
	var base int64
	switch p[2] {
	case 0:
	case 1:
		base = f.position
	case 2:
		base = c.tree.Size(f.ino)
	default:
		return eInval
	}
	delta := int64(p[1])
	if delta > math.MaxInt64-base {
		return eOverflow
	}
	if base+delta < 0 {
		return eInval
	}
	e = c.put64(p[3], uint64(base+delta))
	if e == success {
		f.position = base + delta
	}
	return e
}

func (c *call) fdTell(p []uint64) errno {
	f, e := c.regular(p[0], 0)
	if e != success {
		return e
	}
	return c.put64(p[1], uint64(f.position))
}
