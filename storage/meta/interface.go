package meta

import (
	"context"
	"time"
)

// A Recorder is what the execution path needs of a [Store].
type Recorder interface {
	// NewID makes an execution's id: 28 characters a-z0-9, unguessable (64
	// random bits), ascending with time. Only such ids are accepted.
	NewID() string
	// Record queues an execution to be inserted, or to replace the record of
	// the same id, unless that is Done, which is final. It is durable after
	// the next batch, or when Flush has returned. If the queue is full, it
	// waits until there is room or ctx ends, which is ErrQueueFull; give it
	// the time that an answer may wait for its record. Usage is added to the
	// totals, on the day of EndedAt, when the status becomes Done.
	Record(ctx context.Context, e Execution) error
	// Execution finds an execution with its events and artifacts, also one
	// that is still queued. ErrNotFound if there is none, it has expired, or
	// it belongs to another tenant; an empty tenant means any.
	Execution(ctx context.Context, tenant, id string) (Execution, error)
	// Executions lists executions, newest first, without events; queued
	// records are flushed first. A page may hold fewer than was asked for, or
	// none, and still have a cursor: the work of one page is bounded.
	Executions(ctx context.Context, filter Filter) (Page, error)
}

// Keys is what authentication needs of a [Store].
type Keys interface {
	// CreateKey makes a key; the token ("mf_" and 43 characters) is returned
	// only here. A zero expires is never.
	CreateKey(ctx context.Context, name, tenant string, expires time.Time) (Key, string, error)
	// Authenticate finds the key of a token, or ErrUnauthorized.
	Authenticate(ctx context.Context, token string) (Key, error)
	// Keys lists all keys, also revoked ones, oldest first.
	Keys(ctx context.Context) ([]Key, error)
	// RevokeKey ends a key by id, at once. ErrNotFound if there is none.
	RevokeKey(ctx context.Context, id string) error
}

// Claims is what idempotent requests need of a [Store].
type Claims interface {
	// ClaimKey asks for the right to do the work of an idempotency key. The
	// claim ends after 24 hours.
	ClaimKey(ctx context.Context, tenant, key string, bodyHash [32]byte, execution string) (Claim, error)
	// CompleteClaim keeps the answer for later requests with the key.
	CompleteClaim(ctx context.Context, tenant, key string, response []byte) error
	// ReleaseClaim frees the key, because the request failed before it had
	// an effect.
	ReleaseClaim(ctx context.Context, tenant, key string) error
}

// Totals gives usage for billing.
type Totals interface {
	// UsageByDay sums the usage of a tenant (empty: of all) by UTC day, from
	// the day of from to that of to, both included. Queued records are
	// flushed first.
	UsageByDay(ctx context.Context, tenant string, from, to time.Time) ([]DayUsage, error)
}

// DayUsage is the usage of a tenant on a day.
type DayUsage struct {
	Tenant string
	Day    time.Time // midnight UTC
	Usage
}

// DeleteObjects removes the objects of expired artifacts. Keys that are
// already gone are no error.
type DeleteObjects func(ctx context.Context, keys []string) error

// Maintenance is what the server does at start, in the background and at the
// end.
type Maintenance interface {
	// EndUnfinished marks executions that a dead process left queued or
	// running as done with this outcome and result, and frees the idempotency
	// keys that it held; call it at start, before anything is recorded.
	EndUnfinished(ctx context.Context, outcome string, result []byte) (int, error)
	// Sweep removes what has expired, in small batches, and returns how many
	// executions went. Objects are deleted before their records, so that an
	// error leaves nothing orphaned.
	Sweep(ctx context.Context, deleteObjects DeleteObjects) (int, error)
	// Flush waits until all that was recorded before is durable.
	Flush(ctx context.Context) error
	// Close flushes and closes the database.
	Close(ctx context.Context) error
}
