package session

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"mayfly/host/execution"
	"mayfly/storage"
)

// Fork makes a session that starts from the state of another, after the cells
// that came before. Both are independent from then on. What is asked for is
// taken from the other session; metadata, if not nil, replaces its.
func (s *Service) Fork(ctx context.Context, tenant, id string, metadata map[string]string) (Info, error) {
	from, err := s.take(ctx, tenant, id)
	if err != nil {
		return Info{}, err
	}
	defer s.give(from)
	from.mu.Lock()
	r := from.record
	var state *execution.State
	if from.state != nil {
		state = from.state.Fork()
	}
	from.mu.Unlock()
	r.Parent, r.Snapshot = from.id, ""
	r.Created = s.config.Now().UTC().Truncate(time.Millisecond)
	r.Used = r.Created
	if metadata != nil {
		r.Metadata = metadata
	}
	r.Copied = true
	return s.add(ctx, from.tenant, r, state, from)
}

// A Snapshot is a state that was put aside: memory and files, without the
// environment of its session.
type Snapshot struct {
	ID, Tenant, Session, Language string
	Name                          string // given by who made it; may be empty
	CreatedAt                     time.Time
	Size                          int64 // bytes that are stored
	Cells                         int
	MemoryBytes, FileBytes        int64
	SHA256                        string // of what is stored
}

// snapshotPrefix begins the keys of snapshots; tenant and id follow.
const snapshotPrefix = "snapshots/"

// snapshotType is the content type of a stored snapshot.
const snapshotType = "application/vnd.mayfly.snapshot"

func snapshotKey(tenant, id string) string { return snapshotPrefix + tenant + "/" + id }

// MaxNameLength is how many bytes a snapshot's name may have.
const MaxNameLength = 128

// Snapshot puts the session's state aside, as one object: with the digests of
// what it needs and checksums, to be restored here or wherever the same guest
// is.
func (s *Service) Snapshot(ctx context.Context, tenant, id, name string) (Snapshot, error) {
	if len(name) > MaxNameLength {
		return Snapshot{}, &execution.InvalidError{Field: "/name", Message: fmt.Sprintf("longer than %d bytes", MaxNameLength)}
	}
	x, err := s.take(ctx, tenant, id)
	if err != nil {
		return Snapshot{}, err
	}
	state, created, err := s.stateToKeep(ctx, x)
	s.give(x)
	if err != nil {
		return Snapshot{}, err
	}
	defer state.Close()
	snapshot := Snapshot{
		ID: s.config.Records.NewID(), Tenant: x.tenant, Session: x.id, Language: state.Language(), Name: name, CreatedAt: created,
		Cells: state.Cells(), MemoryBytes: state.MemoryBytes(), FileBytes: state.FileBytes(),
	}
	r, w := io.Pipe()
	go func() {
		b := bufio.NewWriterSize(w, 256<<10)
		w.CloseWithError(errors.Join(state.Save(b), b.Flush()))
	}()
	object, err := s.config.Objects.Put(ctx, snapshotKey(x.tenant, snapshot.ID), r, storage.PutOptions{ContentType: snapshotType, Metadata: snapshot.metadata()})
	r.CloseWithError(err)
	if err != nil {
		return Snapshot{}, err
	}
	snapshot.Size, snapshot.SHA256 = object.Size, object.SHA256
	return snapshot, nil
}

// stateToKeep is a hold of the state of a session, whose turn the caller has,
// if there may be another snapshot.
func (s *Service) stateToKeep(ctx context.Context, x *session) (*execution.State, time.Time, error) {
	listing, err := s.config.Objects.List(ctx, storage.ListOptions{Prefix: snapshotKey(x.tenant, ""), Limit: s.config.Snapshots})
	if err != nil {
		return nil, time.Time{}, err
	}
	if len(listing.Objects) >= s.config.Snapshots {
		return nil, time.Time{}, &LimitError{Tenant: true, Most: s.config.Snapshots, What: "snapshots"}
	}
	state, err := s.load(x)
	if err != nil {
		return nil, time.Time{}, err
	}
	return state.Fork(), s.config.Now().UTC().Truncate(time.Millisecond), nil
}

func (p *Snapshot) metadata() map[string]string {
	return map[string]string{
		"session": p.Session, "language": p.Language, "name": p.Name, "created": p.CreatedAt.Format(time.RFC3339Nano),
		"cells": strconv.Itoa(p.Cells), "memory-bytes": strconv.FormatInt(p.MemoryBytes, 10), "file-bytes": strconv.FormatInt(p.FileBytes, 10),
	}
}

// snapshotOf tells of a stored object; ok is false if it is no snapshot.
func snapshotOf(o *storage.Object) (p Snapshot, ok bool) {
	path, ok := strings.CutPrefix(o.Key, snapshotPrefix)
	if !ok {
		return p, false
	}
	p.Tenant, p.ID, ok = strings.Cut(path, "/")
	if !ok {
		return p, false
	}
	m := o.Metadata
	p.Session, p.Language, p.Name, p.Size, p.SHA256 = m["session"], m["language"], m["name"], o.Size, o.SHA256
	p.CreatedAt, _ = time.Parse(time.RFC3339Nano, m["created"])
	p.Cells, _ = strconv.Atoi(m["cells"])
	p.MemoryBytes, _ = strconv.ParseInt(m["memory-bytes"], 10, 64)
	p.FileBytes, _ = strconv.ParseInt(m["file-bytes"], 10, 64)
	return p, true
}

// findSnapshot is the object of a snapshot that the tenant may see; an empty
// tenant sees all.
func (s *Service) findSnapshot(ctx context.Context, tenant, id string) (*storage.Object, error) {
	if id == "" || strings.Contains(id, "/") {
		return nil, ErrNotFound
	}
	if tenant != "" {
		o, err := s.config.Objects.Head(ctx, snapshotKey(tenant, id))
		if errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrInvalidKey) {
			err = ErrNotFound
		}
		return &o, err
	}
	tenants, err := s.config.Objects.List(ctx, storage.ListOptions{Prefix: snapshotPrefix, Delimiter: "/"})
	for err == nil {
		for _, prefix := range tenants.Prefixes {
			o, err := s.config.Objects.Head(ctx, prefix+id)
			if err == nil {
				return &o, nil
			}
			if !errors.Is(err, storage.ErrNotFound) && !errors.Is(err, storage.ErrInvalidKey) {
				return nil, err
			}
		}
		if tenants.Cursor == "" {
			return nil, ErrNotFound
		}
		tenants, err = s.config.Objects.List(ctx, storage.ListOptions{Prefix: snapshotPrefix, Delimiter: "/", Cursor: tenants.Cursor})
	}
	return nil, err
}

// GetSnapshot tells of a snapshot.
func (s *Service) GetSnapshot(ctx context.Context, tenant, id string) (Snapshot, error) {
	o, err := s.findSnapshot(ctx, tenant, id)
	if err != nil {
		return Snapshot{}, err
	}
	p, ok := snapshotOf(o)
	if !ok {
		return Snapshot{}, ErrNotFound
	}
	return p, nil
}

// ListSnapshots lists a tenant's snapshots (all, if empty), at most limit of
// those behind cursor, in the order of their creation for each tenant.
func (s *Service) ListSnapshots(ctx context.Context, tenant, cursor string, limit int) (page []Snapshot, next string, err error) {
	prefix := snapshotPrefix
	if tenant != "" {
		prefix = snapshotKey(tenant, "")
	}
	listing, err := s.config.Objects.List(ctx, storage.ListOptions{Prefix: prefix, Cursor: cursor, Limit: limit})
	if err != nil {
		return nil, "", err
	}
	for i := range listing.Objects {
		// A listing need not have what is kept with an object.
		o, err := s.config.Objects.Head(ctx, listing.Objects[i].Key)
		if errors.Is(err, storage.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, "", err
		}
		if p, ok := snapshotOf(&o); ok {
			page = append(page, p)
		}
	}
	return page, listing.Cursor, nil
}

// DeleteSnapshot removes a snapshot. Sessions that were made of it stay.
func (s *Service) DeleteSnapshot(ctx context.Context, tenant, id string) error {
	o, err := s.findSnapshot(ctx, tenant, id)
	if err != nil {
		return err
	}
	return s.config.Objects.Delete(ctx, o.Key)
}

// restore reads a snapshot for a session that is made with these options.
func (s *Service) restore(ctx context.Context, o *Options) (*execution.State, error) {
	object, err := s.findSnapshot(ctx, o.Tenant, o.Snapshot)
	if errors.Is(err, ErrNotFound) {
		return nil, &execution.InvalidError{Field: "/snapshot", Message: "there is no such snapshot"}
	}
	if err != nil {
		return nil, err
	}
	content, err := s.config.Objects.Get(ctx, object.Key, storage.GetOptions{})
	if err != nil {
		return nil, err
	}
	defer content.Body.Close()
	state, err := s.config.Executor.ReadState(bufio.NewReaderSize(content.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	fail := func(err error) (*execution.State, error) { return nil, errors.Join(err, state.Close()) }
	if o.Language == "" {
		o.Language = state.Language()
	}
	r := o.request()
	if err := s.config.Executor.Validate(&r); err != nil {
		return fail(err)
	}
	if !state.Speaks(o.Language) {
		return fail(&execution.InvalidError{Field: "/language", Message: "the snapshot's language is " + state.Language()})
	}
	if o.Limits.FilesBytes != 0 {
		return fail(&execution.InvalidError{Field: "/limits/files_bytes", Message: "is the snapshot's"})
	}
	if len(o.Files) == 0 {
		return state, nil
	}
	with, err := s.config.Executor.Mount(ctx, state, r)
	if err != nil {
		return fail(err)
	}
	return with, state.Close()
}
