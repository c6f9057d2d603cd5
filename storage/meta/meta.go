// Package meta keeps the records of a Mayfly server in one SQLite database:
// executions with their events and artifacts, API keys, idempotency keys, and
// usage by tenant and day.
//
// What an answer waits for (keys, idempotency) is written at once. Records of
// executions are queued and written in batches by one goroutine, so that they
// never slow the answer; until then they are found in memory.
package meta

import (
	"errors"
	"time"
)

// A Status is where an execution stands.
type Status string

// The statuses of an execution.
const (
	Queued  Status = "queued"
	Running Status = "running"
	Done    Status = "done"
)

// An Execution is the record of one run of a program.
type Execution struct {
	ID        string // made by [Store.NewID]
	Tenant    string
	Status    Status
	Outcome   string    // empty until Done
	CreatedAt time.Time // kept in milliseconds, as all times here
	EndedAt   time.Time // zero until Done
	ExpiresAt time.Time // zero: kept for ever
	Request   []byte    // summary of what was asked, in the caller's encoding
	Result    []byte    // what is answered, in the caller's encoding
	Usage     Usage
	Events    []Event // not filled by Executions
	Artifacts []Artifact
}

// An Event is one part of an execution's story, in the caller's encoding.
type Event struct {
	Seq  int64  // ascending
	Type string // "stdout", ...
	Data []byte
}

// An Artifact is a file that an execution left in the object store.
type Artifact struct {
	Name        string
	Path        string
	Size        int64
	ContentType string
	SHA256      string // hexadecimal
	ObjectKey   string // in the object store
	Export      Export // where else it was put; zero: nowhere
}

// An Export is where an artifact was put besides, or why it could not be.
type Export struct {
	Bucket string
	Key    string
	Error  string // empty: it is there
}

// Usage is what an execution used, or several together.
type Usage struct {
	Executions   int64         // only in totals
	CPU          time.Duration // in microseconds, as all durations here
	Wall         time.Duration
	PeakMemory   int64 // bytes; in totals the largest
	EgressBytes  int64
	IngressBytes int64
	Subrequests  int64

	BindingOperations int64
	BindingReadBytes  int64 // of bodies that bindings gave to programs
	BindingWriteBytes int64 // of bodies that they took
}

// A Filter selects executions. The zero value selects the newest ones.
type Filter struct {
	Tenant  string // empty: of all tenants
	Status  Status
	Outcome string
	Cursor  string // Page.Cursor of the page before
	Limit   int    // 0: 50; at most 1,000
}

// A Page is a part of a list of executions, newest first.
type Page struct {
	Executions []Execution
	Cursor     string // of the next page; empty: this was the last one
}

// A Key is an API key. Its token is known only to its owner.
type Key struct {
	ID        string
	Name      string
	Tenant    string
	CreatedAt time.Time
	LastUsed  time.Time // kept to the minute; zero: never
	ExpiresAt time.Time // zero: never
	RevokedAt time.Time // zero: not revoked
}

// A Claim is the answer to an attempt to use an idempotency key.
type Claim struct {
	State     ClaimState
	Execution string // of the first request with the key; empty while it is not known
	Response  []byte // of Replay
}

// A ClaimState says what the server has to do with a request that carries an
// idempotency key.
type ClaimState int

// The states of a claim.
const (
	Claimed  ClaimState = iota // the key was free: do the work, then CompleteClaim or ReleaseClaim
	InFlight                   // the first request has not been answered yet: 409
	Replay                     // it has been: answer Response again
	Mismatch                   // the key was used with another body: 422
)

// What can go wrong, besides the errors of package storage (ErrCorrupt,
// ErrNewerSchema, ErrNoSpace, ErrReadOnly, ErrLocked, ErrClosed).
var (
	ErrNotFound      = errors.New("no such record")
	ErrInvalidID     = errors.New("invalid id")
	ErrInvalidCursor = errors.New("invalid cursor")
	ErrUnauthorized  = errors.New("unknown, expired or revoked key")
	ErrQueueFull     = errors.New("queue of records is full")
	ErrTooLarge      = errors.New("record too large")
)
