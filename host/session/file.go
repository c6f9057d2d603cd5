package session

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
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

// The state of a session lies in files that are never changed: one with all but
// the memory and an index of its parts, and some with parts, each with those
// that were new at a time. The names are in the session's record, which is
// replaced in one transaction: with it the new state counts. Files that only
// the old one needs go after that.
//
// The first, in little endian:
//
//	length:u32 rest     as execution.State.AppendRest has it
//	index               as execution.State.SaveIndex writes it; nothing if there is no memory

// A change says what a state has that is new.
type change int

const (
	allNew    change = iota // the session is new, or restarted
	afterCell               // a cell has run
	filesOnly               // the memory is that of the state before
)

// maxPages is how many files with parts a session has; and all together have at
// most twice the bytes that its state needs, and slackPages. Past that the
// parts are written anew.
const (
	maxPages   = 32
	slackPages = 1 << 20
)

// write makes a state durable as the session's. The caller has the session's
// turn.
func (s *Service) write(ctx context.Context, x *session, state *execution.State, what change) (err error) {
	x.mu.Lock()
	before, known := x.record, x.places
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
	create := func(suffix string, content func(name string, w io.Writer) error) (string, error) {
		name := fmt.Sprintf("%d.%s", next.Revision, suffix)
		made = append(made, name)
		return name, writeFile(x.folder, name, func(w io.Writer) error { return content(name, w) })
	}

	parts, err := state.Parts()
	if err != nil {
		return err
	}
	kept, fresh, files := arrange(parts, known, before.Pages)
	next.Pages = files
	if len(fresh) > 0 {
		var size int64
		name, err := create("pages", func(name string, w io.Writer) error {
			for _, p := range fresh {
				sum, err := p.Save(w)
				if err != nil {
					return err
				}
				kept[p] = execution.MemoryPlace{File: name, At: size, Sum: sum}
				size += p.Size()
			}
			return nil
		})
		if err != nil {
			return err
		}
		next.Pages = append(next.Pages, pages{name, size})
	}
	rest := state.AppendRest(make([]byte, 4, 4096))
	binary.LittleEndian.PutUint32(rest, uint32(len(rest)-4))
	next.State, err = create("state", func(_ string, w io.Writer) error {
		if _, err := w.Write(rest); err != nil || !state.HasMemory() {
			return err
		}
		return state.SaveIndex(w, kept)
	})
	if err != nil {
		return err
	}
	if err := syncFolder(x.folder); err != nil {
		return err
	}
	next.Copied = next.Copied && what != afterCell
	next.Cells, next.MemoryBytes, next.FileBytes = state.Cells(), state.MemoryBytes(), state.FileBytes()
	if err := s.adopt(ctx, x, &before, next); err != nil {
		return err
	}
	x.mu.Lock()
	x.places = kept
	x.mu.Unlock()
	return nil
}

// arrange says which parts of a state are on disk already, and where; which
// have to be written; and which of the files are needed.
func arrange(parts []execution.MemoryPart, known places, files []pages) (kept places, fresh []execution.MemoryPart, needed []pages) {
	kept = places{}
	used := map[string]bool{}
	var live, stored int64
	for _, p := range parts {
		live += p.Size()
		if place, ok := known[p]; ok {
			kept[p] = place
			used[place.File] = true
		} else {
			fresh = append(fresh, p)
			stored += p.Size()
		}
	}
	for _, f := range files {
		if used[f.Name] {
			needed = append(needed, f)
			stored += f.Size
		}
	}
	if len(needed) >= maxPages || stored > 2*live+slackPages {
		return places{}, parts, nil
	}
	return kept, fresh, needed
}

// names are the files that a record needs.
func (r *record) names() map[string]bool {
	names := map[string]bool{}
	if r.State != "" {
		names[r.State] = true
	}
	for _, f := range r.Pages {
		names[f.Name] = true
	}
	return names
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
	needed := next.names()
	for name := range before.names() {
		if !needed[name] {
			if err := os.Remove(filepath.Join(x.folder, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
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
	old, places := from.record, from.places
	from.mu.Unlock()
	next.Revision, next.State, next.Pages = old.Revision, old.State, old.Pages
	next.Cells, next.MemoryBytes, next.FileBytes = old.Cells, old.MemoryBytes, old.FileBytes
	for name := range old.names() {
		if err := linkFile(filepath.Join(x.folder, name), filepath.Join(from.folder, name)); err != nil {
			return err
		}
	}
	if err := syncFolder(x.folder); err != nil {
		return err
	}
	if err := s.adopt(ctx, x, &record{}, next); err != nil {
		return err
	}
	x.mu.Lock()
	x.places = places
	x.mu.Unlock()
	return nil
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
	rest, index, err := s.readState(x)
	if err != nil {
		return nil, err
	}
	files := map[string]*os.File{}
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	x.mu.Lock()
	names := x.record.names()
	x.mu.Unlock()
	state, places, err := s.config.Executor.OpenState(rest, bytes.NewReader(index), func(name string) (io.ReaderAt, error) {
		if f := files[name]; f != nil {
			return f, nil
		}
		if !names[name] {
			return nil, fmt.Errorf("%w: it needs the file %.40q", execution.ErrCorruptState, name)
		}
		f, err := os.Open(filepath.Join(x.folder, name))
		if err != nil {
			return nil, unreadable(err)
		}
		files[name] = f
		return f, nil
	})
	if err != nil {
		return nil, err
	}
	x.mu.Lock()
	x.places = places
	x.mu.Unlock()
	return state, nil
}

// readState is the rest of the state, and the index of its memory.
func (s *Service) readState(x *session) (rest, index []byte, err error) {
	x.mu.Lock()
	name := x.record.State
	x.mu.Unlock()
	b, err := os.ReadFile(filepath.Join(x.folder, name))
	if err != nil {
		return nil, nil, unreadable(err)
	}
	if len(b) < 4 || uint64(binary.LittleEndian.Uint32(b)) > uint64(len(b)-4) {
		return nil, nil, unreadable(fmt.Errorf("%w: cut off", execution.ErrCorruptState))
	}
	n := binary.LittleEndian.Uint32(b)
	return b[4 : 4+n : 4+n], b[4+n:], nil
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
	names := x.record.names()
	for _, e := range entries {
		if !names[e.Name()] {
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
