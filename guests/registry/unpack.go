package registry

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// maxUnpacked bounds what an archive may unpack to, in bytes.
const maxUnpacked = 4 << 30

var errArchive = errors.New("malformed archive")

// unpackZip unpacks the files of a wheel that are wanted. Names that lead out
// of the folder are an error.
func unpackZip(file, folder string, keep func(path string) bool) error {
	archive, err := zip.OpenReader(file)
	if err != nil {
		return err
	}
	defer archive.Close()
	left := int64(maxUnpacked)
	for _, entry := range archive.File {
		if entry.FileInfo().IsDir() || !keep(entry.Name) {
			continue
		}
		content, err := entry.Open()
		if err != nil {
			return err
		}
		err = writeEntry(folder, entry.Name, entry.Mode(), content, &left)
		content.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// unpackTar unpacks the files of a source archive that are wanted, without its
// outermost folder. Links are left out.
func unpackTar(file, folder string, keep func(path string) bool) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	zipped, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	archive := tar.NewReader(zipped)
	left := int64(maxUnpacked)
	for {
		header, err := archive.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		_, name, nested := strings.Cut(header.Name, "/")
		if header.Typeflag != tar.TypeReg || !nested || !keep(name) {
			continue
		}
		if err := writeEntry(folder, name, fs.FileMode(header.Mode), archive, &left); err != nil {
			return err
		}
	}
}

func writeEntry(folder, name string, mode fs.FileMode, content io.Reader, left *int64) error {
	if !fs.ValidPath(name) || strings.Contains(name, "\\") {
		return fmt.Errorf("%w: the name %q", errArchive, name)
	}
	target := filepath.Join(folder, filepath.FromSlash(path.Clean(name)))
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	permissions := fs.FileMode(0o644)
	if mode&0o111 != 0 {
		permissions = 0o755
	}
	f, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, permissions)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, io.LimitReader(content, *left+1))
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if *left -= n; err == nil && *left < 0 {
		err = fmt.Errorf("%w: it unpacks to more than %d bytes", errArchive, int64(maxUnpacked))
	}
	return err
}
