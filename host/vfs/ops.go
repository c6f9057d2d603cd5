package vfs

import (
	"math"

	"mayfly/host/op"
)

// Call answers the operations fs_* of a guest. The answer is appended to out[:0]
// if it fits there, else allocated; nothing of in is kept.
//
// # Errors
//
// An [*Error], or one that wraps [op.ErrMessage] if in can't be read, or if the
// operation is none of these.
func (t *Tree) Call(o op.Op, in, out []byte) ([]byte, error) {
	r, w := op.NewReader(in), op.NewWriter(out)
	var err error
	switch o {
	case op.FSRead:
		name := r.Str()
		if err = r.Done(); err == nil {
			var content []byte
			content, err = t.Read(name)
			w.Raw(content)
		}
	case op.FSWrite:
		name, mode, content := r.Str(), WriteMode(r.U8()), r.Bytes()
		if err = r.Done(); err == nil {
			err = t.Write(name, mode, content)
		}
	case op.FSReaddir:
		name := r.Str()
		if err = r.Done(); err == nil {
			var list []Entry
			list, err = t.ReadDir(name)
			w.U32(uint32(len(list)))
			for _, e := range list {
				w.Str(e.Name)
				w.U8(uint8(e.Kind))
			}
		}
	case op.FSStat:
		name := r.Str()
		if err = r.Done(); err == nil {
			var info Info
			info, err = t.Stat(name)
			info.encode(w)
		}
	case op.FSMkdir:
		name, recursive := r.Str(), r.U8()
		if err = r.Done(); err == nil {
			var first string
			first, err = t.Mkdir(name, recursive != 0)
			w.Str(first)
		}
	case op.FSRm:
		name, flags := r.Str(), RemoveFlags(r.U8())
		if err = r.Done(); err == nil {
			err = t.Remove(name, flags)
		}
	case op.FSRename:
		from, to := r.Str(), r.Str()
		if err = r.Done(); err == nil {
			err = t.Rename(from, to)
		}
	case op.FSCopy:
		from, to, mode := r.Str(), r.Str(), WriteMode(r.U8())
		if err = r.Done(); err == nil {
			err = t.Copy(from, to, mode == Exclusive)
		}
	case op.FSTruncate:
		name, size := r.Str(), r.F64()
		if err = r.Done(); err == nil {
			err = t.truncate(name, size)
		}
	default:
		err = op.ErrMessage
	}
	if err != nil {
		return nil, err
	}
	return w.Message(), nil
}

// truncate takes a size as guests know it, which may be no size at all.
func (t *Tree) truncate(name string, size float64) error {
	if !(size >= 0) || size != math.Trunc(size) {
		return &Error{Op: "open", Path: name, Code: EINVAL}
	}
	return t.Truncate(name, int64(min(size, 1<<53)))
}

// File types of a mode, as in stat(2).
const (
	modeDirectory = 0o040000
	modeFile      = 0o100000
)

func (i Info) encode(w *op.Writer) {
	w.U8(uint8(i.Kind))
	w.F64(float64(i.Size))
	for _, at := range [...]int64{i.Mtime.UnixMicro(), i.Ctime.UnixMicro(), i.Birth.UnixMicro()} {
		w.F64(float64(at) / 1000)
	}
	w.F64(float64(i.Ino))
	mode := i.Mode | modeFile
	if i.Kind == Directory {
		mode = i.Mode | modeDirectory
	}
	w.U32(mode)
}

// Record is the error as it crosses to a guest, like one of node:fs.
func (e *Error) Record() *op.ErrorRecord {
	return &op.ErrorRecord{Name: "Error", Code: string(e.Code), Message: e.Error()}
}
