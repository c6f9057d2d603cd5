package snapshot

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// WriteFile saves the image in a file. After it returned the file is durable;
// after a crash at any moment it is whole, or as it was before.
func (img *Image) WriteFile(path string) error {
	return fail("write image", WriteFile(path, img.Save))
}

// WriteFile makes a file of what save writes. After it returned the file is
// durable; after a crash at any moment it is whole, or as it was before.
func WriteFile(path string, save func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	w := bufio.NewWriterSize(f, 1<<20)
	if err := save(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes a rename durable. Windows has no such call, nor the need.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Load reads an image that WriteFile wrote; see [ReadImage].
func Load(path string, guest Digest) (*Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fail("load image", err)
	}
	defer f.Close()
	return ReadImage(f, guest)
}
