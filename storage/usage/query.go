package usage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Step is the length of time that a row is about.
type Step string

// The steps; the empty one makes one row of the whole time.
const (
	Hour  Step = "hour"
	Day   Step = "day"   // of UTC
	Month Step = "month" // of the calendar, in UTC
)

// Fields that rows can be told apart by.
const (
	ByTenant = "tenant"
	ByParent = "parent"
	ByWorker = "worker"
)

// A Query selects usage.
type Query struct {
	Tenant string // empty: of all
	// Parent selects the dynamic workers of one deployed worker, Worker a
	// deployed one; empty: all.
	Parent, Worker string
	// From and To bound the time by whole hours: the hour of From is in it, that
	// of To only if To isn't its begin.
	From, To time.Time
	Step     Step
	By       []string // of the fields; rows of all others are added up
	Limit    int      // of rows; 0: 10,000
}

// A Row is what was used in one step of time, by one of those that the query
// tells apart.
type Row struct {
	Start                  time.Time
	Tenant, Parent, Worker string
	Amounts
	Kinds    map[string]int64 // events by kind
	Outcomes map[string]int64 // events by outcome
}

// Amounts are what was used.
type Amounts struct {
	Requests    int64 // events of the kinds that are requests
	Events      int64
	Errors      int64 // events whose outcome isn't ok
	Subrequests int64
	CPU, Wall   time.Duration
	// Dynamics are dynamic workers, each once for each UTC day on which it was
	// used. One whose day is in part before From counts in the hour in which it was
	// used first.
	Dynamics int64
}

func (a *Amounts) add(b *Amounts) {
	a.Requests += b.Requests
	a.Events += b.Events
	a.Errors += b.Errors
	a.Subrequests += b.Subrequests
	a.CPU += b.CPU
	a.Wall += b.Wall
	a.Dynamics += b.Dynamics
}

// ErrTooMany says that a query has more rows than its limit.
var ErrTooMany = errors.New("too many rows: ask for a shorter time, a longer step, or fewer fields")

// Usage folds what was recorded and sums it up. Rows come by time, then by the
// fields.
func (r *Recorder) Usage(ctx context.Context, q Query) ([]Row, error) {
	if q.Limit == 0 {
		q.Limit = 10_000
	}
	if err := r.Fold(ctx); err != nil {
		return nil, err
	}
	rows, err := r.query(ctx, &q)
	if errors.Is(err, ErrTooMany) {
		return nil, err
	}
	return rows, r.fail("usage", err)
}

func (r *Recorder) query(ctx context.Context, q *Query) ([]Row, error) {
	begin, end := hourOf(q.From), hourOf(q.To.Add(time.Hour-1))
	bucket := "0"
	switch q.Step {
	case Hour:
		bucket = "hour"
	case Day:
		bucket = "hour - hour % 24"
	case Month:
		bucket = "CAST(strftime('%s', hour * 3600, 'unixepoch', 'start of month') AS INTEGER) / 3600"
	case "":
	default:
		return nil, fmt.Errorf("unknown step %q", q.Step)
	}
	fields := make([]string, 3)
	for i, name := range [...]string{ByTenant, ByParent, ByWorker} {
		fields[i] = "''"
		if slices.Contains(q.By, name) {
			fields[i] = name
		}
	}
	list, err := r.db.Reader().QueryContext(ctx, "SELECT "+bucket+", "+strings.Join(fields, ", ")+", kind, outcome, sum(events), sum(subrequests), sum(cpu), sum(wall), sum(dynamics) FROM hours "+
		"WHERE hour >= ?1 AND hour < ?2 AND (?3 = '' OR tenant = ?3) AND (?4 = '' OR parent = ?4) AND (?5 = '' OR worker = ?5) "+
		"GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6", begin, end, q.Tenant, q.Parent, q.Worker)
	if err != nil {
		return nil, err
	}
	var rows []Row
	for list.Next() {
		var hour int64
		var tenant, parent, worker, outcome string
		var kind Kind
		var a Amounts
		if err := list.Scan(&hour, &tenant, &parent, &worker, &kind, &outcome, &a.Events, &a.Subrequests, &a.CPU, &a.Wall, &a.Dynamics); err != nil {
			return nil, errors.Join(err, list.Close())
		}
		start := time.Unix(hour*3600, 0).UTC()
		if q.Step == "" {
			start = time.Unix(begin*3600, 0).UTC()
		}
		n := len(rows) - 1
		if n < 0 || !rows[n].Start.Equal(start) || rows[n].Tenant != tenant || rows[n].Parent != parent || rows[n].Worker != worker {
			if len(rows) == q.Limit {
				return nil, errors.Join(ErrTooMany, list.Close())
			}
			rows = append(rows, Row{Start: start, Tenant: tenant, Parent: parent, Worker: worker, Kinds: map[string]int64{}, Outcomes: map[string]int64{}})
			n++
		}
		if kind.Request() {
			a.Requests = a.Events
		}
		if outcome != okOutcome {
			a.Errors = a.Events
		}
		rows[n].Amounts.add(&a)
		rows[n].Kinds[kind.String()] += a.Events
		rows[n].Outcomes[outcome] += a.Events
	}
	return rows, errors.Join(list.Err(), list.Close())
}

// A Dynamic is what a dynamic worker used on a day.
type Dynamic struct {
	Parent  string
	ID      string // empty: those without one, together
	Code    string // tells apart the codes of an id
	Workers int64
	Amounts
}

// Dynamics lists the dynamic workers of a parent on a UTC day by id: those of at
// most limit ids after another.
func (r *Recorder) Dynamics(ctx context.Context, tenant, parent string, day time.Time, after string, limit int) ([]Dynamic, error) {
	first := after == "" // the empty id, too
	if err := r.Fold(ctx); err != nil {
		return nil, err
	}
	// Codes of one id stay together: the limit is of ids.
	list, err := r.db.Reader().QueryContext(ctx, "SELECT parent, id, hex(code), workers, events, errors, subrequests, cpu, wall FROM dynamics "+
		"WHERE day = ?1 AND tenant = ?2 AND parent = ?3 AND (id > ?4 OR ?6) AND id <= (SELECT coalesce(max(id), '') FROM "+
		"(SELECT DISTINCT id FROM dynamics WHERE day = ?1 AND tenant = ?2 AND parent = ?3 AND (id > ?4 OR ?6) ORDER BY id LIMIT ?5)) ORDER BY id, code",
		dayOf(day), tenant, parent, after, limit, first)
	if err != nil {
		return nil, r.fail("usage", err)
	}
	var out []Dynamic
	for list.Next() {
		var d Dynamic
		if err := list.Scan(&d.Parent, &d.ID, &d.Code, &d.Workers, &d.Events, &d.Errors, &d.Subrequests, &d.CPU, &d.Wall); err != nil {
			return nil, r.fail("usage", errors.Join(err, list.Close()))
		}
		d.Requests, d.Dynamics = d.Events, d.Workers
		out = append(out, d)
	}
	return out, r.fail("usage", errors.Join(list.Err(), list.Close()))
}
