package session

import (
	"container/list"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"mayfly/host/execution"
	"mayfly/storage"
	"mayfly/storage/meta"
)

// Executor runs cells; *execution.Service is one.
type Executor interface {
	Validate(r *execution.Request) error
	NewState(ctx context.Context, r execution.Request) (*execution.State, error)
	ExecuteCell(ctx context.Context, id string, r execution.Request, c execution.Cell, emit func(execution.Event)) (*execution.Result, *execution.State, error)
	OpenState(rest []byte, index io.Reader, open func(file string) (io.ReaderAt, error)) (*execution.State, map[execution.MemoryPart]execution.MemoryPlace, error)
	OpenFiles(rest []byte) (*execution.State, error)
	ReadState(r io.Reader) (*execution.State, error)
	Mount(ctx context.Context, st *execution.State, r execution.Request) (*execution.State, error)
}

// Config configures a Service. Executor, Records, Objects and Folder are
// required.
type Config struct {
	Executor Executor
	Records  meta.Sessions
	Objects  storage.Objects // where snapshots are kept
	Folder   string          // where states are kept; made if missing

	// MemoryBudget is how many bytes of states stay in memory; past it those
	// that were not used for longest are on disk only. 0: 512 MiB.
	MemoryBudget int64
	PerTenant    int // sessions of one tenant; 0: 1,000
	Total        int // sessions in all; 0: 10,000
	Snapshots    int // of one tenant; 0: 1,000
	Waiting      int // calls that wait for one session; 0: 16; one more is an OverloadError
	// IdleTimeout is that of sessions that don't say otherwise. 0: 30 minutes.
	IdleTimeout time.Duration
	// Keep is how long a session is kept that nobody uses. 0: for ever.
	Keep time.Duration

	Now func() time.Time // nil: time.Now
	Log *slog.Logger     // nil: slog.Default()
}

// MaxIdleTimeout is the longest idle time-out that a session may ask for.
const MaxIdleTimeout = 30 * 24 * time.Hour

func (c Config) withDefaults() Config {
	set := func(p *int, d int) {
		if *p == 0 {
			*p = d
		}
	}
	set(&c.PerTenant, 1000)
	set(&c.Total, 10_000)
	set(&c.Snapshots, 1000)
	set(&c.Waiting, 16)
	if c.MemoryBudget == 0 {
		c.MemoryBudget = 512 << 20
	}
	if c.IdleTimeout == 0 {
		c.IdleTimeout = 30 * time.Minute
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}

// A Service keeps sessions. It is safe for concurrent use.
type Service struct {
	config Config
	life   context.Context
	end    context.CancelFunc
	work   sync.WaitGroup

	mu       sync.Mutex
	sessions map[string]*session
	tenants  map[string]int // sessions of each
	resident *list.List     // *session, that used last in front
	bytes    int64          // of their states
}

// Open makes a service with the sessions that the records know of, and removes
// what nothing refers to. Close it.
func Open(ctx context.Context, config Config) (*Service, error) {
	config = config.withDefaults()
	if err := os.MkdirAll(config.Folder, 0o700); err != nil {
		return nil, err
	}
	s := &Service{config: config, sessions: map[string]*session{}, tenants: map[string]int{}, resident: list.New()}
	s.life, s.end = context.WithCancel(context.Background())
	stored, damaged, err := config.Records.Sessions(ctx)
	if err != nil {
		return nil, err
	}
	for _, m := range stored {
		x := s.newSession(m.ID, m.Tenant)
		if err := json.Unmarshal(m.Record, &x.record); err != nil || x.record.Version != recordVersion {
			damaged = append(damaged, m.ID)
			continue
		}
		x.used, x.counted = x.record.Used, true
		s.sessions[x.id] = x
		s.tenants[x.tenant]++
	}
	if len(damaged) > 0 {
		config.Log.Error("records of sessions are damaged; their files are left alone", "sessions", damaged)
	}
	if err := s.tidy(damaged); err != nil {
		return nil, err
	}
	s.work.Go(s.watch)
	return s, nil
}

func (s *Service) newSession(id, tenant string) *session {
	x := &session{id: id, tenant: tenant, folder: filepath.Join(s.config.Folder, id), turn: make(chan struct{}, 1)}
	x.turn <- struct{}{}
	return x
}

// tidy removes files that no record refers to: of what was under way when the
// process died.
func (s *Service) tidy(damaged []string) error {
	entries, err := os.ReadDir(s.config.Folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		x := s.sessions[e.Name()]
		switch {
		case slices.Contains(damaged, e.Name()):
		case x == nil:
			err = errors.Join(err, os.RemoveAll(filepath.Join(s.config.Folder, e.Name())))
		default:
			err = errors.Join(err, x.tidy())
		}
	}
	return err
}

// Close writes down when sessions were used, and lets go of their states. No
// call may be under way.
func (s *Service) Close() error {
	s.end()
	s.work.Wait()
	s.mu.Lock()
	list := slices.Collect(maps.Values(s.sessions))
	s.sessions = map[string]*session{}
	s.mu.Unlock()
	var errs []error
	for _, x := range list {
		x.mu.Lock()
		if x.used.After(x.record.Used) {
			x.record.Used = x.used
			errs = append(errs, s.putRecord(context.Background(), x, &x.record))
		}
		x.mu.Unlock()
		s.drop(x)
	}
	return errors.Join(errs...)
}

// find finds a session that the tenant may see; an empty tenant sees all.
func (s *Service) find(tenant, id string) (*session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.sessions[id]
	if x == nil || tenant != "" && x.tenant != tenant {
		return nil, ErrNotFound
	}
	return x, nil
}

// take finds a session and waits for its turn: until it is given back nobody
// else changes the session.
func (s *Service) take(ctx context.Context, tenant, id string) (*session, error) {
	x, err := s.find(tenant, id)
	if err != nil {
		return nil, err
	}
	x.mu.Lock()
	if x.waiting >= s.config.Waiting {
		x.mu.Unlock()
		return nil, &execution.OverloadError{RetryAfter: time.Second, Tenant: true, Reason: fmt.Sprintf("%d requests wait for this session already", s.config.Waiting)}
	}
	x.waiting++
	x.mu.Unlock()
	defer func() {
		x.mu.Lock()
		x.waiting--
		x.mu.Unlock()
	}()
	select {
	case <-x.turn:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	x.mu.Lock()
	deleted := x.deleted
	x.mu.Unlock()
	if deleted {
		x.turn <- struct{}{}
		return nil, ErrNotFound
	}
	return x, nil
}

// give gives the turn back, after a use.
func (s *Service) give(x *session) {
	x.mu.Lock()
	x.used = s.config.Now().UTC()
	x.mu.Unlock()
	x.turn <- struct{}{}
	s.shrink()
}

// Create makes a session.
//
// # Errors
//
// One or more [*execution.InvalidError], a [*LimitError], an
// [*execution.OverloadError] while the language is not ready; of a snapshot,
// ErrNotFound or an [*execution.StateError].
func (s *Service) Create(ctx context.Context, o Options) (Info, error) {
	if o.IdleTimeout == 0 {
		o.IdleTimeout = s.config.IdleTimeout
	}
	if o.IdleTimeout < 0 || o.IdleTimeout > MaxIdleTimeout {
		return Info{}, &execution.InvalidError{Field: "/idle_timeout_ms", Message: fmt.Sprintf("must be from 1 to %d", MaxIdleTimeout/time.Millisecond)}
	}
	var state *execution.State
	var err error
	if o.Snapshot != "" {
		state, err = s.restore(ctx, &o)
	} else {
		state, err = s.config.Executor.NewState(ctx, o.request())
	}
	if err != nil {
		return Info{}, err
	}
	now := s.config.Now().UTC().Truncate(time.Millisecond)
	return s.add(ctx, o.Tenant, record{
		Version: recordVersion, Language: o.Language, Env: o.Env, Limits: o.Limits, Network: o.Network, Bindings: o.Bindings, Metadata: o.Metadata,
		IdleTimeout: o.IdleTimeout, DeleteIdle: o.DeleteIdle, Snapshot: o.Snapshot, Copied: o.Snapshot != "", Created: now, Used: now,
	}, state, nil)
}

// request is what the executor is asked to look at.
func (o *Options) request() execution.Request {
	return execution.Request{Language: o.Language, Code: " ", Files: o.Files, Env: o.Env, Limits: o.Limits, Network: o.Network, Bindings: o.Bindings, Packages: o.Packages, Tenant: o.Tenant}
}

// add makes a session of a state, which belongs to it from then on: from the
// files of another session, if one is given, whose turn the caller has.
func (s *Service) add(ctx context.Context, tenant string, r record, state *execution.State, from *session) (info Info, err error) {
	x := s.newSession(s.config.Records.NewID(), tenant)
	defer func() {
		if err != nil {
			s.forget(x)
			if state != nil {
				err = errors.Join(err, state.Close())
			}
			err = errors.Join(err, os.RemoveAll(x.folder))
		}
	}()
	x.record, x.used = r, r.Used
	if err := s.reserve(x); err != nil {
		return Info{}, err
	}
	if err := errors.Join(os.Mkdir(x.folder, 0o700), syncFolder(s.config.Folder)); err != nil {
		return Info{}, err
	}
	if from != nil {
		err = s.link(ctx, x, from)
	} else {
		err = s.write(ctx, x, state, allNew)
	}
	if err != nil {
		return Info{}, err
	}
	if state != nil {
		s.hold(x, state)
	}
	s.mu.Lock()
	s.sessions[x.id] = x
	s.mu.Unlock()
	s.shrink()
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.info(s.config.Keep), nil
}

// reserve counts a session that is about to be.
func (s *Service) reserve(x *session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life.Err() != nil {
		return ErrClosed
	}
	total := 0
	for _, n := range s.tenants {
		total += n
	}
	switch {
	case s.tenants[x.tenant] >= s.config.PerTenant:
		return &LimitError{Tenant: true, Most: s.config.PerTenant, What: "sessions"}
	case total >= s.config.Total:
		return &LimitError{Most: s.config.Total, What: "sessions"}
	}
	s.tenants[x.tenant]++
	x.counted = true
	return nil
}

// forget takes a session out of the tables.
func (s *Service) forget(x *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions[x.id] == x {
		delete(s.sessions, x.id)
	}
	if x.counted {
		x.counted = false
		if s.tenants[x.tenant]--; s.tenants[x.tenant] == 0 {
			delete(s.tenants, x.tenant)
		}
	}
}

// Get tells of a session.
func (s *Service) Get(tenant, id string) (Info, error) {
	x, err := s.find(tenant, id)
	if err != nil {
		return Info{}, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.info(s.config.Keep), nil
}

// List lists a tenant's sessions (all sessions, if empty) by their ids, which
// is the order of their creation, newest first: at most limit of those before
// cursor. next is the cursor of the next page; empty: there is none.
func (s *Service) List(tenant, cursor string, limit int) (page []Info, next string) {
	s.mu.Lock()
	var found []*session
	for id, x := range s.sessions {
		if (tenant == "" || x.tenant == tenant) && (cursor == "" || id < cursor) {
			found = append(found, x)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(found, func(a, b *session) int { return strings.Compare(b.id, a.id) })
	if len(found) > limit {
		found = found[:limit]
		next = found[limit-1].id
	}
	for _, x := range found {
		x.mu.Lock()
		page = append(page, x.info(s.config.Keep))
		x.mu.Unlock()
	}
	return page, next
}

// Delete ends a session: what runs in it is canceled, its state and its files
// go. Its executions' records and its snapshots stay.
func (s *Service) Delete(ctx context.Context, tenant, id string) error {
	x, err := s.find(tenant, id)
	if err != nil {
		return err
	}
	if !x.doom(true) {
		return ErrNotFound
	}
	select {
	case <-x.turn:
		return s.remove(x)
	case <-ctx.Done():
		x.doom(false)
		return context.Cause(ctx)
	}
}

// doom says that the session is about to be deleted, or is not after all: what
// runs is canceled, and who has waited for a turn finds no session. It reports
// whether that is news.
func (x *session) doom(deleted bool) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	news := x.deleted != deleted
	x.deleted = deleted
	if deleted && x.cancel != nil {
		x.cancel(ErrDeleted)
	}
	return news
}

// remove deletes a session that is doomed, whose turn the caller has, and gives
// the turn back.
func (s *Service) remove(x *session) error {
	defer func() { x.turn <- struct{}{} }()
	if err := s.config.Records.DeleteSession(context.Background(), x.id); err != nil {
		x.doom(false)
		return err
	}
	s.forget(x)
	s.drop(x)
	return os.RemoveAll(x.folder)
}

// Stats is how a service stands.
type Stats struct {
	Sessions int   // in all
	Resident int   // of those, with their state in memory
	Bytes    int64 // that these states hold
	Budget   int64
}

// Stats tells how the service stands.
func (s *Service) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Stats{Sessions: len(s.sessions), Resident: s.resident.Len(), Bytes: s.bytes, Budget: s.config.MemoryBudget}
}
