package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"mayfly/guests/registry"
)

// The suite is part of the source archive of Debian's nodejs package.
const (
	archiveName   = "nodejs_18.20.4+dfsg.orig.tar.xz"
	archiveDigest = "6ce58062c71eae37d9c5ac31eeaeff9c2d48561d21c2849179d056c9c1bd9ebc" // SHA-256
	suiteFolder   = "/test/fixtures/wpt/"
	suiteTests    = 328 // files *.any.js in it
	maxSuite      = 256 << 20
)

// fetchSuite answers the folder of the suite in the cache. Unless it is there,
// it is fetched with apt-get, from where the machine has its packages from.
//
// # Errors
//
// A [*registry.ToolError] if a tool is missing or fails, [registry.ErrDigest],
// errors of the file system.
func fetchSuite(ctx context.Context, cache string, progress io.Writer) (string, error) {
	folder := filepath.Join(cache, "wpt", "suite-"+archiveDigest[:16])
	if _, err := os.Stat(folder); err == nil {
		return folder, nil
	}
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(filepath.Dir(folder), "fetch-*.tmp")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	fmt.Fprintln(progress, "fetching the Web Platform Tests: the source of Debian's nodejs package (28 MB)")
	if err := downloadArchive(ctx, work); err != nil {
		return "", err
	}
	archive := filepath.Join(work, archiveName)
	if err := registry.CheckDigest(archive, archiveDigest); err != nil {
		return "", err
	}
	fmt.Fprintln(progress, "unpacking the Web Platform Tests")
	unpacked := filepath.Join(work, "unpacked")
	if err := os.Mkdir(unpacked, 0o755); err != nil {
		return "", err
	}
	if err := unpackSuite(ctx, archive, unpacked); err != nil {
		return "", fmt.Errorf("unpack %s: %w", archiveName, err)
	}
	err = os.Rename(unpacked, folder)
	if _, there := os.Stat(folder); there == nil {
		return folder, nil // another process may have been faster
	}
	return folder, err
}

// downloadArchive has apt-get download the source archive into a folder.
func downloadArchive(ctx context.Context, work string) error {
	parts := filepath.Join(work, "sources")
	for _, folder := range []string{parts, filepath.Join(work, "lists", "partial"), filepath.Join(work, "cache", "archives", "partial")} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
	}
	found := 0
	for _, pattern := range []string{"/etc/apt/sources.list", "/etc/apt/sources.list.d/*.list", "/etc/apt/sources.list.d/*.sources"} {
		files, _ := filepath.Glob(pattern) // the patterns are well formed
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(parts, filepath.Base(file)), sourceEntries(content), 0o644); err != nil {
				return err
			}
			found++
		}
	}
	if found == 0 {
		return &registry.ToolError{Tool: "apt-get", Hint: "the suite comes from Debian's package nodejs: run this on Debian bookworm, or give an unpacked suite by -suite",
			Err: errors.New("no package sources in /etc/apt")}
	}
	var output bytes.Buffer
	apt := func(args ...string) error {
		settings := []string{"-o", "Dir::Etc::sourcelist=/dev/null", "-o", "Dir::Etc::sourceparts=" + parts,
			"-o", "Dir::State::lists=" + filepath.Join(work, "lists"), "-o", "Dir::Cache=" + filepath.Join(work, "cache"),
			"-o", "Acquire::Languages=none", "-o", "APT::Sandbox::User=root"}
		command := exec.CommandContext(ctx, "apt-get", append(settings, args...)...)
		command.Dir = work
		command.Env = append(os.Environ(), "LC_ALL=C")
		command.Stdout, command.Stderr = &output, &output
		return command.Run()
	}
	// Neither has to succeed in all it does: other sources of the machine may
	// be out of order, and other parts of the package are gone from mirrors.
	// What counts is that the archive is there; its digest says whether it is
	// the right one.
	failed := errors.Join(apt("update"), apt("source", "--download-only", "nodejs"))
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(work, archiveName)); err != nil {
		return &registry.ToolError{Tool: "apt-get source nodejs", Hint: "the package's source " + archiveName + " is that of Debian bookworm; elsewhere give an unpacked suite by -suite",
			Output: output.String(), Err: errors.Join(failed, err)}
	}
	return nil
}

var (
	typesField = regexp.MustCompile(`(?m)^Types:.*$`)
	debLine    = regexp.MustCompile(`(?m)^[ \t]*deb[ \t]+`)
	sourceLine = regexp.MustCompile(`(?m)^[ \t]*deb-src[ \t]+`)
)

// sourceEntries makes package sources, in either of apt's two formats, such of
// the packages' sources.
func sourceEntries(content []byte) []byte {
	if typesField.Match(content) {
		return typesField.ReplaceAll(content, []byte("Types: deb-src"))
	}
	content = sourceLine.ReplaceAll(content, []byte("# deb-src "))
	return debLine.ReplaceAll(content, []byte("deb-src "))
}

// unpackSuite unpacks the suite's files from the archive. Links and whatever
// else is no file are left out; a name that leads out of the folder is an error.
func unpackSuite(ctx context.Context, archive, folder string) error {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer root.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var output bytes.Buffer
	xz := exec.CommandContext(ctx, "xz", "--decompress", "--stdout", archive)
	xz.Stderr = &output
	stream, err := xz.StdoutPipe()
	if err != nil {
		return err
	}
	if err := xz.Start(); err != nil {
		return &registry.ToolError{Tool: "xz", Hint: "install xz-utils", Err: err}
	}
	count, err := unpackTar(stream, root)
	if err != nil {
		cancel()
	}
	if waited := xz.Wait(); err == nil && waited != nil {
		err = &registry.ToolError{Tool: "xz", Hint: "the archive could not be decompressed", Output: output.String(), Err: waited}
	}
	if err == nil && count != suiteTests {
		err = fmt.Errorf("found %d tests where %d were expected", count, suiteTests)
	}
	return err
}

// unpackTar writes the suite's files of a tar stream below root, and answers
// how many tests are among them.
func unpackTar(stream io.Reader, root *os.Root) (count int, err error) {
	left := int64(maxSuite)
	for archive := tar.NewReader(stream); ; {
		header, err := archive.Next()
		if err == io.EOF {
			_, err = io.Copy(io.Discard, stream)
			return count, err
		}
		if err != nil {
			return count, err
		}
		_, name, inside := strings.Cut(header.Name, suiteFolder)
		if !inside || header.Typeflag != tar.TypeReg {
			continue
		}
		if left -= header.Size; left < 0 {
			return count, errors.New("the suite is larger than expected")
		}
		if strings.HasSuffix(name, testSuffix) {
			count++
		}
		if err := root.MkdirAll(filepath.Dir(filepath.FromSlash(name)), 0o755); err != nil {
			return count, err
		}
		f, err := root.OpenFile(filepath.FromSlash(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return count, err
		}
		_, err = io.Copy(f, archive)
		if err = errors.Join(err, f.Close()); err != nil {
			return count, err
		}
	}
}
