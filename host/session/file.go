package session

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"mayfly/host/execution"
	"mayfly/storage/meta"
)

// The state of a session lies in two files: the memory as it was after the last
// cell, and the rest. Their names are in the session's record, and have the
// revision in them, so that a new state never overwrites the one before: it
// counts when the record does, which is one transaction. What came before goes
// after that.

// A change says what a state has that is new.
type change int

const (
	allNew    change = iota // the session is new, or restarted
	afterCell               // a cell has run
	filesOnly               // the memory is that of the state before
)

// write makes a state durable as the session's. The caller has the session's
// turn.
func (s *Service) write(ctx context.Context, x *session, state *execution.State, what change) (err error) {
	x.mu.Lock()
	before := x.record
	x.mu.Unlock()
	next := before
	next.Revision++
	var made []string
	defer func() {
		if err != nil {
			for _, name := range made {
				os.Remove(filepath.Join(x.folder, name))
			}
		}
	}()
	rest := state.AppendRest(nil)
	sum := sha256.Sum256(rest)
	if next.RestSum = hex.EncodeToString(sum[:]); next.RestSum != before.RestSum {
		next.Rest = fmt.Sprintf("%d.rest", next.Revision)
		made = append(made, next.Rest)
		err := writeFile(x.folder, next.Rest, func(w io.Writer) error {
			_, err := w.Write(rest)
			return err
		})
		if err != nil {
			return err
		}
	}
	switch {
	case !state.HasMemory():
		next.Memory = ""
	case what != filesOnly:
		next.Memory = fmt.Sprintf("%d.memory", next.Revision)
		made = append(made, next.Memory)
		if err := writeFile(x.folder, next.Memory, state.SaveMemory); err != nil {
			return err
		}
	}
	if len(made) > 0 {
		if err := syncFolder(x.folder); err != nil {
			return err
		}
	}
	next.Copied = next.Copied && what != afterCell
	next.Cells, next.MemoryBytes, next.FileBytes = state.Cells(), state.MemoryBytes(), state.FileBytes()
	return s.adopt(ctx, x, &before, next)
}

// adopt makes a record the session's, and removes the files that it no longer
// names.
func (s *Service) adopt(ctx context.Context, x *session, before *record, next record) error {
	next.Used = s.config.Now().UTC()
	if err := s.putRecord(ctx, x, &next); err != nil {
		return err
	}
	x.mu.Lock()
	x.record = next
	x.mu.Unlock()
	for _, old := range []string{before.Rest, before.Memory} {
		if old != "" && old != next.Rest && old != next.Memory {
			if err := os.Remove(filepath.Join(x.folder, old)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				s.config.Log.Error("a session's old state could not be removed", "session", x.id, "err", err)
			}
		}
	}
	return nil
}

func (s *Service) putRecord(ctx context.Context, x *session, r *record) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return s.config.Records.PutSession(ctx, meta.Session{ID: x.id, Tenant: x.tenant, Record: b})
}

// link makes the files of another session, whose turn the caller has, those of
// a new one.
func (s *Service) link(ctx context.Context, x, from *session) error {
	from.mu.Lock()
	next := x.record
	next.Revision = 1
	next.RestSum, next.Cells, next.MemoryBytes, next.FileBytes = from.record.RestSum, from.record.Cells, from.record.MemoryBytes, from.record.FileBytes
	rest, memory := from.record.Rest, from.record.Memory
	from.mu.Unlock()
	next.Rest = "1.rest"
	if err := linkFile(filepath.Join(x.folder, next.Rest), filepath.Join(from.folder, rest)); err != nil {
		return err
	}
	if memory != "" {
		next.Memory = "1.memory"
		if err := linkFile(filepath.Join(x.folder, next.Memory), filepath.Join(from.folder, memory)); err != nil {
			return err
		}
	}
	if err := syncFolder(x.folder); err != nil {
		return err
	}
	return s.adopt(ctx, x, &record{}, next)
}

// linkFile gives a file, which never changes, another name; or a copy, where
// there are no such links.
func linkFile(name, from string) error {
	if os.Link(from, name) == nil {
		return nil
	}
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	return writeFile(filepath.Dir(name), filepath.Base(name), func(w io.Writer) error {
		_, err := io.Copy(w, f)
		return err
	})
}

// read is the session's state from its files. The caller has the session's
// turn.
func (s *Service) read(x *session) (*execution.State, error) {
	rest, err := s.readRest(x)
	if err != nil {
		return nil, err
	}
	x.mu.Lock()
	name := x.record.Memory
	x.mu.Unlock()
	if name == "" {
		return s.config.Executor.OpenState(rest, nil)
	}
	f, err := os.Open(filepath.Join(x.folder, name))
	if err != nil {
		return nil, unreadable(err)
	}
	defer f.Close()
	return s.config.Executor.OpenState(rest, bufio.NewReaderSize(f, 1<<20))
}

func (s *Service) readRest(x *session) ([]byte, error) {
	x.mu.Lock()
	name := x.record.Rest
	x.mu.Unlock()
	rest, err := os.ReadFile(filepath.Join(x.folder, name))
	if err != nil {
		return nil, unreadable(err)
	}
	return rest, nil
}

// unreadable is the error of a file that should be there.
func unreadable(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %w", execution.ErrCorruptState, err)
	}
	return &execution.StateError{Op: "read", Err: err}
}

// tidy removes the files that the record doesn't name.
func (x *session) tidy() error {
	entries, err := os.ReadDir(x.folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() != x.record.Rest && e.Name() != x.record.Memory {
			err = errors.Join(err, os.Remove(filepath.Join(x.folder, e.Name())))
		}
	}
	return err
}

// writeFile writes a file and makes its contents durable; its name is after
// syncFolder. Nothing else may know the name yet.
func writeFile(folder, name string, write func(io.Writer) error) error {
	f, err := os.OpenFile(filepath.Join(folder, name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 256<<10)
	if err := write(w); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := w.Flush(); err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(f.Sync(), f.Close())
}

// syncFolder makes names in a folder durable.
func syncFolder(name string) error {
	if runtime.GOOS == "windows" { // where a folder can't be opened so, and names are journaled
		return nil
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
