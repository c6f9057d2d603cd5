package fs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"mayfly/storage"
)

// A Report says what the scan after opening found.
type Report struct {
	Orphans int      // data files without a row that were removed
	Damaged []Damage // objects whose data file is missing or has the wrong size
}

// Damage is an object that can't be read.
type Damage struct {
	Bucket, Key string // Key is empty for a part of an upload
	Err         error  // wraps storage.ErrCorrupt
}

// Recovery waits for the scan that began when the store was opened.
//
// # Errors
//
// What kept the scan from finding out, or ctx's error.
func (s *Store) Recovery(ctx context.Context) (Report, error) {
	select {
	case <-s.scanned:
		return s.report, s.scanErr
	case <-ctx.Done():
		return Report{}, ctx.Err()
	}
}

// scan compares data files and rows, folder by folder, while others write.
func (s *Store) scan(ctx context.Context) (Report, error) {
	var report Report
	for i := range folders {
		if err := ctx.Err(); err != nil {
			return report, err
		}
		if err := s.scanFolder(ctx, fmt.Sprintf("%02x", i), &report); err != nil {
			return report, fmt.Errorf("scanning %s/%02x: %w", dataFolder, i, err)
		}
	}
	return report, nil
}

// A claim is a row that speaks of a data file.
type claim struct {
	bucket *string
	key    []byte
	size   int64
}

// scanFolder lists files first, then asks which are pending, then reads the
// rows: a file that gets its row meanwhile is seen in one of the two.
func (s *Store) scanFolder(ctx context.Context, folder string, report *Report) error {
	entries, err := s.data.fs.List(dataFolder + "/" + folder)
	if err != nil {
		return err
	}
	pending := map[string]bool{}
	found := map[string]fs.DirEntry{}
	for _, e := range entries {
		found[e.Name()] = e
		pending[e.Name()] = s.data.isPending(e.Name())
	}
	claims, err := s.claims(ctx, folder)
	if err != nil {
		return err
	}
	for name, e := range found {
		if _, ok := claims[name]; ok || pending[name] {
			continue
		}
		info, err := e.Info()
		if err != nil {
			continue // it is gone
		}
		if s.options.OrphanGrace < 0 || s.options.Now().Sub(info.ModTime()) >= s.options.OrphanGrace {
			s.data.remove(name)
			report.Orphans++
		}
	}
	for name, c := range claims {
		if err := s.inspect(ctx, name, c, report); err != nil {
			return err
		}
	}
	return nil
}

// inspect checks the data file of a row; one that was replaced meanwhile is
// not damaged.
func (s *Store) inspect(ctx context.Context, name string, c claim, report *Report) error {
	var damage error
	f, err := s.data.open(name, c.size)
	switch {
	case err == nil:
		return f.Close()
	case errors.Is(err, fs.ErrNotExist):
		damage = fmt.Errorf("%w: the data file %s is missing", storage.ErrCorrupt, dataPath(name))
	case errors.Is(err, storage.ErrCorrupt):
		damage = err
	default:
		return err
	}
	var still int
	err = s.db.Reader().QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM objects WHERE file = ?1) OR EXISTS (SELECT 1 FROM parts WHERE file = ?1)", name).Scan(&still)
	if err != nil {
		return err
	}
	if still == 1 {
		d := Damage{Key: string(c.key), Err: damage}
		if c.bucket != nil {
			d.Bucket = *c.bucket
		}
		report.Damaged = append(report.Damaged, d)
	}
	return nil
}

// claims reads the rows of one folder's files.
func (s *Store) claims(ctx context.Context, folder string) (map[string]claim, error) {
	rows, err := s.db.Reader().QueryContext(ctx, `
		SELECT file, name, key, size FROM objects LEFT JOIN buckets ON buckets.id = bucket
			WHERE file IS NOT NULL AND file >= ?1 AND file < ?1 || 'g'
		UNION ALL SELECT file, NULL, NULL, size FROM parts WHERE file >= ?1 AND file < ?1 || 'g'`, folder)
	if err != nil {
		return nil, err
	}
	claims := map[string]claim{}
	for rows.Next() {
		var name string
		var c claim
		if err := rows.Scan(&name, &c.bucket, &c.key, &c.size); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		claims[name] = c
	}
	return claims, errors.Join(rows.Err(), rows.Close())
}
