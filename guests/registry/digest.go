package registry

import (
	"encoding/binary"
	"hash"
	"io/fs"
)

// DigestTree feeds w the names and contents of a file, or of all files below a
// directory, of files that are part of the program.
func DigestTree(w hash.Hash, files fs.FS, root string) {
	err := fs.WalkDir(files, root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, path)
		if err != nil {
			return err
		}
		var lengths [16]byte
		binary.LittleEndian.PutUint64(lengths[:8], uint64(len(path)))
		binary.LittleEndian.PutUint64(lengths[8:], uint64(len(content)))
		w.Write(lengths[:])
		w.Write([]byte(path))
		w.Write(content)
		return nil
	})
	if err != nil {
		panic("registry: embedded files can't be read: " + err.Error()) // never: they are in the program
	}
}
