// Package session keeps executions' state from one to the next: a session is a
// program at rest between cells, like a notebook. It holds no slot and no
// processor while nothing of it runs; only what its guest's memory and files
// differ in from their images, in memory as long as there is room, and always
// on disk: a cell that was acknowledged is never lost.
package session

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"

	"mayfly/host/execution"
)

// Errors of this package's functions. Those of execution pass through.
var (
	// ErrNotFound says that the tenant has no session, or no snapshot, of that id.
	ErrNotFound = errors.New("session: not found")
	// ErrRestarted and ErrDeleted are why a cell was canceled.
	ErrRestarted = errors.New("the session was restarted")
	ErrDeleted   = errors.New("the session was deleted")
	// ErrClosed says that the service was closed.
	ErrClosed = errors.New("session: the service is closed")
)

// A LimitError says that a tenant, or the server, has as many sessions or
// snapshots as it may.
type LimitError struct {
	Tenant bool // it is the tenant's share
	Most   int
	What   string // "sessions", "snapshots"
}

func (e *LimitError) Error() string {
	if e.Tenant {
		return "this tenant has as many " + e.What + " as it may; delete one first"
	}
	return "the server has as many " + e.What + " as it may"
}

// Options are what a session is made with. Language, or Snapshot, is required.
type Options struct {
	Tenant   string
	Language string
	Snapshot string           // to start from; empty: the language's warm image
	Files    []execution.File // mounted at the start, relative to the working directory
	Env      map[string]string
	Limits   execution.Limits    // of each cell, MemoryBytes and FilesBytes of the session
	Network  execution.Network   // of each cell that does not bring its own
	Bindings []execution.Binding // of each cell; what it brings of its own comes before
	Packages []string            // added to the files at the start
	Metadata map[string]string   // kept, not interpreted
	// IdleTimeout is how long the session may go unused; then it hibernates, or
	// is deleted if DeleteIdle is set. 0: the server's.
	IdleTimeout time.Duration
	DeleteIdle  bool
}

// A Status is where a session stands.
type Status string

// The statuses of a session.
const (
	Idle       Status = "idle"       // in memory
	Running    Status = "running"    // a cell runs, or waits for a processor
	Hibernated Status = "hibernated" // on disk only
)

// Info is what there is to know of a session.
type Info struct {
	ID, Tenant, Language   string
	Status                 Status
	CreatedAt, UsedAt      time.Time
	ExpiresAt              time.Time // when it is deleted if nobody uses it; zero: never
	Cells                  int       // that led to its state
	MemoryBytes, FileBytes int64
	IdleTimeout            time.Duration
	DeleteIdle             bool
	Limits                 execution.Limits // as asked for
	Network                execution.Network
	Bindings               []execution.Binding
	Metadata               map[string]string
	Parent                 string // the session that it was forked from
	Snapshot               string // the snapshot that it was made of
}

// places are where the parts of a state lie.
type places = map[execution.MemoryPart]execution.MemoryPlace

// A session is one session. What is above mu never changes.
type session struct {
	id, tenant string
	folder     string        // of its files
	counted    bool          // in the tenant's number; under the lock of the service
	turn       chan struct{} // holds one element while nobody changes the session

	mu        sync.Mutex
	record    record
	state     *execution.State // nil: on disk only
	places    places           // of the state's parts, as they are on disk
	resident  int64            // bytes that the state counts for in the budget
	place     *list.Element    // in the list of those that are resident
	waiting   int              // who wants the turn
	used      time.Time
	deleted   bool // or about to be
	restarts  int
	cancel    context.CancelCauseFunc // of the cell that runs; nil: none
	interrupt func()                  // of the cell that runs, once its guest does
	asked     bool                    // an interrupt that came before that
}

// record is what is kept of a session besides its state's files.
type record struct {
	Version     int                 `json:"version"`
	Language    string              `json:"language"`
	Env         map[string]string   `json:"env,omitempty"`
	Limits      execution.Limits    `json:"limits"`
	Network     execution.Network   `json:"network"`
	Bindings    []execution.Binding `json:"bindings,omitempty"`
	Metadata    map[string]string   `json:"metadata,omitempty"`
	IdleTimeout time.Duration       `json:"idle_timeout"`
	DeleteIdle  bool                `json:"delete_idle,omitempty"`
	Parent      string              `json:"parent,omitempty"`
	Snapshot    string              `json:"snapshot,omitempty"`
	Created     time.Time           `json:"created"`
	Used        time.Time           `json:"used"`

	Copied bool `json:"copied,omitempty"` // since its last cell: its generators of random numbers start anew

	Revision    int     `json:"revision"` // of the state
	State       string  `json:"state"`    // name of the file with all but the pages
	Pages       []pages `json:"pages,omitempty"`
	Cells       int     `json:"cells"`
	MemoryBytes int64   `json:"memory_bytes"`
	FileBytes   int64   `json:"file_bytes"`
}

const recordVersion = 1

// pages is a file with parts of memory.
type pages struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
}

// info tells what there is to know; the lock is held.
func (x *session) info(keep time.Duration) Info {
	r := &x.record
	i := Info{
		ID: x.id, Tenant: x.tenant, Language: r.Language, Status: Hibernated,
		CreatedAt: r.Created, UsedAt: x.used, Cells: r.Cells, MemoryBytes: r.MemoryBytes, FileBytes: r.FileBytes,
		IdleTimeout: r.IdleTimeout, DeleteIdle: r.DeleteIdle, Limits: r.Limits, Network: r.Network, Bindings: r.Bindings, Metadata: r.Metadata,
		Parent: r.Parent, Snapshot: r.Snapshot,
	}
	switch {
	case x.cancel != nil:
		i.Status = Running
	case x.state != nil:
		i.Status = Idle
	}
	if expires := x.expires(keep); !expires.IsZero() {
		i.ExpiresAt = expires
	}
	return i
}

// expires is when the session is deleted for want of use; zero: never.
func (x *session) expires(keep time.Duration) time.Time {
	switch {
	case x.record.DeleteIdle:
		return x.used.Add(x.record.IdleTimeout)
	case keep > 0:
		return x.used.Add(max(keep, x.record.IdleTimeout))
	}
	return time.Time{}
}
