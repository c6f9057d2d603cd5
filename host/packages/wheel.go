package packages

import (
	"archive/zip"
	"bufio"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"mayfly/host/vfs"
)

// maxMetadata is how large a wheel's own files about it may be.
const maxMetadata = 1 << 20

// inspect refuses a wheel that is not one, that is not pure Python, or that
// unpacks to something else than files below its folder.
func (s *Store) inspect(path, file string) error {
	name, err := parseWheelName(file)
	if err != nil {
		return err
	}
	if name.native {
		return fmt.Errorf("%s", nativeReason(file))
	}
	archive, err := zip.OpenReader(path)
	if err != nil {
		return fmt.Errorf("%s is not a wheel: %v", file, err)
	}
	defer archive.Close()
	var size uint64
	pure, seen := false, map[string]bool{}
	for _, entry := range archive.File {
		clean := strings.TrimSuffix(entry.Name, "/")
		mode := entry.Mode()
		switch {
		case !fs.ValidPath(clean) || clean == "." || strings.ContainsAny(clean, "\\\x00"):
			return fmt.Errorf("%s has a file with the name %q", file, entry.Name)
		case mode&fs.ModeType != 0 && !mode.IsDir():
			return fmt.Errorf("%s has something else than files: %q", file, entry.Name)
		case seen[clean]:
			return fmt.Errorf("%s has the file %q twice", file, entry.Name)
		}
		seen[clean] = true
		if size += entry.UncompressedSize64; size > uint64(s.config.Bytes) || len(seen) > s.config.Files {
			return fmt.Errorf("%s has more than %d files, or more than %d bytes", file, s.config.Files, s.config.Bytes)
		}
		switch suffix := strings.ToLower(filepath.Ext(clean)); suffix {
		case ".so", ".pyd", ".dll", ".dylib":
			return fmt.Errorf("%s", nativeReason(file))
		}
		if folder, base, _ := strings.Cut(clean, "/"); base == "WHEEL" && strings.HasSuffix(folder, ".dist-info") {
			if pure, err = isPure(entry); err != nil {
				return fmt.Errorf("%s: %v", file, err)
			}
		}
	}
	if !pure {
		return fmt.Errorf("%s", nativeReason(file))
	}
	return nil
}

// isPure reads the file WHEEL (Binary distribution format, file contents).
func isPure(entry *zip.File) (bool, error) {
	r, err := entry.Open()
	if err != nil {
		return false, err
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, maxMetadata))
	if err != nil {
		return false, err
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		if key, value, _ := strings.Cut(lines.Text(), ":"); strings.EqualFold(strings.TrimSpace(key), "Root-Is-Purelib") {
			return strings.EqualFold(strings.TrimSpace(value), "true"), nil
		}
	}
	return false, nil
}

// unpack makes a layer of a lock's wheels.
func (s *Store) unpack(l *lock, path string) error {
	var sources []vfs.Source
	for _, w := range l.Wheels {
		digest, err := digestFile(s.wheelPath(w))
		if err != nil {
			return err
		}
		if digest != w.SHA256 {
			return ErrDigest
		}
		archive, err := zip.OpenReader(s.wheelPath(w))
		if err != nil {
			return err
		}
		defer archive.Close()
		sources = append(sources, vfs.Source{FS: archive})
		folders, err := fs.Glob(archive, "*.data/purelib")
		if err != nil {
			return err
		}
		for _, folder := range folders { // installers put it beside the rest
			lib, err := fs.Sub(archive, folder)
			if err != nil {
				return err
			}
			sources = append(sources, vfs.Source{FS: lib})
		}
	}
	return vfs.BuildLayer(path, vfs.BuildOptions{Bytes: s.config.Bytes, Files: s.config.Files}, sources...)
}

// writeStubs makes wheels without content for what the guest has, so that pip
// takes them as what others need.
func (s *Store) writeStubs(folder string) error {
	if err := os.Mkdir(folder, 0o755); err != nil {
		return err
	}
	for name, version := range s.config.Provided {
		base := strings.ReplaceAll(name, "-", "_") + "-" + version
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for _, file := range []struct{ name, content string }{
			{"METADATA", "Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + "\n"},
			{"WHEEL", "Wheel-Version: 1.0\nGenerator: mayfly\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
			{"RECORD", ""},
		} {
			w, err := z.Create(base + ".dist-info/" + file.name)
			if err != nil {
				return err
			}
			if _, err := io.WriteString(w, file.content); err != nil {
				return err
			}
		}
		if err := z.Close(); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, base+"-py3-none-any.whl"), b.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}
