package meta

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"mayfly/storage"
	"mayfly/storage/sqlite"
)

const day = 24 * time.Hour

// dayOf counts UTC days from 1970.
func dayOf(ms int64) int64 {
	d := ms / day.Milliseconds()
	if ms%day.Milliseconds() < 0 {
		d--
	}
	return d
}

// add adds up two usages.
func (u *Usage) add(v Usage) {
	u.Executions += v.Executions
	u.CPU += v.CPU
	u.Wall += v.Wall
	u.PeakMemory = max(u.PeakMemory, v.PeakMemory)
	u.EgressBytes += v.EgressBytes
	u.IngressBytes += v.IngressBytes
	u.Subrequests += v.Subrequests
	u.BindingOperations += v.BindingOperations
	u.BindingReadBytes += v.BindingReadBytes
	u.BindingWriteBytes += v.BindingWriteBytes
}

// A usageRow is a row of the table usage.
type usageRow struct {
	tenant                                                   string
	day                                                      int64
	executions, cpu, wall, peak, egress, ingress, subrequest int64
	bindingOperations, bindingRead, bindingWrite             int64
	crc                                                      int64
}

const usageColumns = "tenant, day, executions, cpu, wall, peak_memory, egress, ingress, subrequests, binding_operations, binding_read, binding_write, crc"

func (r *usageRow) fields() []any {
	return []any{&r.tenant, &r.day, &r.executions, &r.cpu, &r.wall, &r.peak, &r.egress, &r.ingress, &r.subrequest, &r.bindingOperations, &r.bindingRead, &r.bindingWrite, &r.crc}
}

// checksum covers what bindings used only where there is some: rows from before
// there were bindings stay whole.
func (r *usageRow) checksum() int64 {
	fields := []any{r.tenant, r.day, r.executions, r.cpu, r.wall, r.peak, r.egress, r.ingress, r.subrequest}
	if r.bindingOperations != 0 || r.bindingRead != 0 || r.bindingWrite != 0 {
		fields = append(fields, r.bindingOperations, r.bindingRead, r.bindingWrite)
	}
	return checksum(fields...)
}

func (r *usageRow) usage() (Usage, error) {
	if r.crc != r.checksum() {
		return Usage{}, fmt.Errorf("%w: usage of %q fails its checksum", storage.ErrCorrupt, r.tenant)
	}
	return Usage{
		Executions:   r.executions,
		CPU:          time.Duration(r.cpu) * time.Microsecond,
		Wall:         time.Duration(r.wall) * time.Microsecond,
		PeakMemory:   r.peak,
		EgressBytes:  r.egress,
		IngressBytes: r.ingress,
		Subrequests:  r.subrequest,

		BindingOperations: r.bindingOperations,
		BindingReadBytes:  r.bindingRead,
		BindingWriteBytes: r.bindingWrite,
	}, nil
}

// addUsage adds executions that became done to the totals.
func addUsage(tx *sqlite.Tx, lists ...[]*entry) error {
	type group struct {
		tenant string
		day    int64
	}
	totals := map[group]*Usage{}
	for _, entries := range lists {
		for _, e := range entries {
			if e.status != doneCode {
				continue
			}
			g := group{e.tenant, dayOf(e.ended)}
			if totals[g] == nil {
				totals[g] = &Usage{}
			}
			u := e.usage
			u.Executions = 1
			totals[g].add(u)
		}
	}
	for g, total := range totals {
		var r usageRow
		err := tx.QueryRow("SELECT "+usageColumns+" FROM usage WHERE tenant = ? AND day = ?", []any{g.tenant, g.day}, r.fields()...)
		if err == nil {
			// A damaged total is begun anew: its loss must not stop records.
			if before, err := r.usage(); err == nil {
				total.add(before)
			}
		} else if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		r = usageRow{g.tenant, g.day, total.Executions, total.CPU.Microseconds(), total.Wall.Microseconds(), total.PeakMemory, total.EgressBytes, total.IngressBytes, total.Subrequests,
			total.BindingOperations, total.BindingReadBytes, total.BindingWriteBytes, 0}
		_, err = tx.Exec("INSERT OR REPLACE INTO usage ("+usageColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			r.tenant, r.day, r.executions, r.cpu, r.wall, r.peak, r.egress, r.ingress, r.subrequest, r.bindingOperations, r.bindingRead, r.bindingWrite, r.checksum())
		if err != nil {
			return err
		}
	}
	return nil
}

// UsageByDay implements [Totals].
func (s *Store) UsageByDay(ctx context.Context, tenant string, from, to time.Time) ([]DayUsage, error) {
	days, err := s.usageByDay(ctx, tenant, from, to)
	if err != nil {
		return nil, s.fail("usage", tenant, err)
	}
	return days, nil
}

func (s *Store) usageByDay(ctx context.Context, tenant string, from, to time.Time) ([]DayUsage, error) {
	if err := s.settle(ctx); err != nil {
		return nil, err
	}
	rows, err := s.db.Reader().QueryContext(ctx, "SELECT "+usageColumns+" FROM usage WHERE (?1 = '' OR tenant = ?1) AND day BETWEEN ?2 AND ?3 ORDER BY day, tenant",
		tenant, dayOf(from.UnixMilli()), dayOf(to.UnixMilli()))
	if err != nil {
		return nil, err
	}
	var out []DayUsage
	for rows.Next() {
		var r usageRow
		if err := rows.Scan(r.fields()...); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		u, err := r.usage()
		if err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		out = append(out, DayUsage{r.tenant, time.UnixMilli(r.day * day.Milliseconds()).UTC(), u})
	}
	return out, errors.Join(rows.Err(), rows.Close())
}
