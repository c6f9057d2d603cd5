package session

import (
	"context"
	"errors"
	"slices"

	"mayfly/host/execution"
	"mayfly/host/vfs"
)

// Files of a session are read as they were after its last cell, also while one
// runs; changes wait for that.

// ReadFile is the content of a file; it must not be changed.
func (s *Service) ReadFile(ctx context.Context, tenant, id, name string) (content []byte, info vfs.Info, err error) {
	err = s.view(ctx, tenant, id, func(t *vfs.Tree) error {
		if info, err = t.Stat(name); err != nil {
			return err
		}
		content, err = t.Read(name)
		content = slices.Clone(content)
		return err
	})
	return content, info, err
}

// ListFiles lists a directory.
func (s *Service) ListFiles(ctx context.Context, tenant, id, name string) (entries []File, err error) {
	err = s.view(ctx, tenant, id, func(t *vfs.Tree) error {
		list, err := t.ReadDir(name)
		if err != nil {
			return err
		}
		at := t.Abs(name)
		if at != "/" {
			at += "/"
		}
		for _, e := range list {
			info, err := t.Stat(at + e.Name)
			if errors.Is(err, vfs.ENOENT) {
				continue // a link to nothing
			}
			if err != nil {
				return err
			}
			entries = append(entries, File{Name: e.Name, Path: at + e.Name, Info: info})
		}
		return nil
	})
	return entries, err
}

// A File is an entry of a directory of a session.
type File struct {
	Name, Path string
	vfs.Info
}

// WriteFile puts a file into a session, and makes the directories above it.
func (s *Service) WriteFile(ctx context.Context, tenant, id, name string, content []byte) error {
	return s.edit(ctx, tenant, id, func(t *vfs.Tree) error { return t.MountFile(name, content) })
}

// MakeDirectory makes a directory, and those above it. One that is there is no
// error.
func (s *Service) MakeDirectory(ctx context.Context, tenant, id, name string) error {
	return s.edit(ctx, tenant, id, func(t *vfs.Tree) error {
		_, err := t.Mkdir(name, true)
		return err
	})
}

// RemoveFile removes a file, or a directory with all that is in it.
func (s *Service) RemoveFile(ctx context.Context, tenant, id, name string) error {
	return s.edit(ctx, tenant, id, func(t *vfs.Tree) error { return t.Remove(name, vfs.Recursive) })
}

// view calls f with the session's files.
func (s *Service) view(ctx context.Context, tenant, id string, f func(*vfs.Tree) error) error {
	x, err := s.find(tenant, id)
	if err != nil {
		return err
	}
	x.mu.Lock()
	var state *execution.State
	if x.state != nil {
		state = x.state.Fork()
	}
	x.mu.Unlock()
	if state != nil {
		return errors.Join(state.View(f), state.Close())
	}
	if x, err = s.take(ctx, tenant, id); err != nil {
		return err
	}
	defer s.give(x)
	own, err := s.load(x)
	if err != nil {
		return err
	}
	return own.View(f)
}

// edit changes the session's files.
func (s *Service) edit(ctx context.Context, tenant, id string, f func(*vfs.Tree) error) error {
	x, err := s.take(ctx, tenant, id)
	if err != nil {
		return err
	}
	defer s.give(x)
	state, err := s.load(x)
	if err != nil {
		return err
	}
	next, err := state.Edit(f)
	if err != nil {
		return err
	}
	if err := s.write(ctx, x, next, filesOnly); err != nil {
		return errors.Join(err, next.Close())
	}
	s.hold(x, next)
	return nil
}
