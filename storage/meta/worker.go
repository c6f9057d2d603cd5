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

// A Worker is the record of a deployed worker.
type Worker struct {
	Tenant, Name string
	Version      string // the current one
	Created      time.Time
	Updated      time.Time
}

// A WorkerVersion is a deployment of a worker, which never changes.
type WorkerVersion struct {
	Version    string
	Number     int // from 1 on
	Created    time.Time
	Deployment []byte // the caller's; empty in lists
}

// Triggers are what has a worker's current version run.
type Triggers struct {
	Domains []string // host names that lead to it
	Crons   []string // times at which it runs
}

// Workers is what a keeper of deployed workers needs of a [Store].
type Workers interface {
	// DeployWorker adds a version and makes it the current one, with what
	// triggers it from then on. It is durable, all of it, when the
	// call returns. A new worker that would be more than most of the tenant's is
	// ErrTooMany; a host name of another worker is an error that wraps
	// ErrTaken. Of more than keep versions those deployed longest ago are
	// forgotten.
	DeployWorker(ctx context.Context, tenant, name, version string, deployment []byte, triggers Triggers, most, keep int) (w Worker, created bool, err error)
	// RollBackWorker makes an earlier version the current one. ErrNotFound if
	// there is none.
	RollBackWorker(ctx context.Context, tenant, name, version string, triggers Triggers) (Worker, error)
	// Worker finds a worker. ErrNotFound if there is none.
	Worker(ctx context.Context, tenant, name string) (Worker, error)
	// Workers lists a tenant's workers by name, at most limit after a name.
	Workers(ctx context.Context, tenant, after string, limit int) ([]Worker, error)
	// WorkerVersion finds a version. ErrNotFound if there is none.
	WorkerVersion(ctx context.Context, tenant, name, version string) (WorkerVersion, error)
	// WorkerVersions lists a worker's versions, the newest first, without what
	// was deployed.
	WorkerVersions(ctx context.Context, tenant, name string) ([]WorkerVersion, error)
	// DeleteWorker removes a worker with all versions. ErrNotFound if there is
	// none.
	DeleteWorker(ctx context.Context, tenant, name string) error
	// AllWorkers calls f with every worker.
	AllWorkers(ctx context.Context, f func(Worker) error) error
	// WorkerDomains are the host names that lead to workers.
	WorkerDomains(ctx context.Context) (map[string]Worker, error)
	// WorkerCrons calls f with every worker that has crons.
	WorkerCrons(ctx context.Context, f func(tenant, name string, crons []string)) error
}

var _ Workers = (*Store)(nil)

// ErrTaken says that a name belongs to another already.
var ErrTaken = errors.New("the name is taken")

type workerRow struct {
	version          string
	created, updated int64
	crc              int64
}

func (r *workerRow) checksum(tenant, name string) int64 {
	return checksum(tenant, name, []byte(r.version), r.created, r.updated)
}

func (r *workerRow) worker(tenant, name string) (Worker, error) {
	if r.crc != r.checksum(tenant, name) {
		return Worker{}, fmt.Errorf("%w: a worker fails its checksum", storage.ErrCorrupt)
	}
	return Worker{Tenant: tenant, Name: name, Version: r.version, Created: fromMilliseconds(r.created), Updated: fromMilliseconds(r.updated)}, nil
}

// DeployWorker implements [Workers].
func (s *Store) DeployWorker(ctx context.Context, tenant, name, version string, deployment []byte, triggers Triggers, most, keep int) (w Worker, created bool, err error) {
	err = s.db.Update(ctx, func(tx *sqlite.Tx) error {
		now := s.options.Now().UnixMilli()
		r := workerRow{version: version, created: now, updated: now}
		err := tx.QueryRow("SELECT created FROM workers WHERE tenant = ? AND name = ?", []any{tenant, name}, &r.created)
		if errors.Is(err, sql.ErrNoRows) {
			created = true
			var count int
			if err := tx.QueryRow("SELECT count(*) FROM workers WHERE tenant = ?", []any{tenant}, &count); err != nil {
				return err
			}
			if count >= most {
				return ErrTooMany
			}
		} else if err != nil {
			return err
		}
		var number int
		if err := tx.QueryRow("SELECT coalesce(max(number), 0) + 1 FROM worker_versions WHERE tenant = ? AND name = ?", []any{tenant, name}, &number); err != nil {
			return err
		}
		crc := checksum(tenant, name, deployment, int64(number), now)
		if _, err := tx.Exec("INSERT INTO worker_versions (tenant, name, version, number, created, deployment, crc) VALUES (?, ?, ?, ?, ?, ?, ?)",
			tenant, name, version, number, now, deployment, crc); err != nil {
			return err
		}
		if _, err := tx.Exec("DELETE FROM worker_versions WHERE tenant = ? AND name = ? AND number <= ?", tenant, name, number-keep); err != nil {
			return err
		}
		w, err = putWorker(tx, tenant, name, &r, triggers)
		return err
	})
	if err != nil {
		return Worker{}, false, s.fail("deploy worker", name, err)
	}
	return w, created, nil
}

// putWorker writes a worker's record and what triggers it.
func putWorker(tx *sqlite.Tx, tenant, name string, r *workerRow, triggers Triggers) (Worker, error) {
	r.crc = r.checksum(tenant, name)
	if _, err := tx.Exec("INSERT INTO workers (tenant, name, version, created, updated, crc) VALUES (?, ?, ?, ?, ?, ?) "+
		"ON CONFLICT (tenant, name) DO UPDATE SET version = excluded.version, updated = excluded.updated, crc = excluded.crc",
		tenant, name, r.version, r.created, r.updated, r.crc); err != nil {
		return Worker{}, err
	}
	if _, err := tx.Exec("DELETE FROM worker_domains WHERE tenant = ? AND name = ?", tenant, name); err != nil {
		return Worker{}, err
	}
	if err := putCrons(tx, tenant, name, triggers.Crons); err != nil {
		return Worker{}, err
	}
	for _, domain := range triggers.Domains {
		var one int
		err := tx.QueryRow("SELECT 1 FROM worker_domains WHERE domain = ?", []any{domain}, &one)
		if err == nil {
			return Worker{}, fmt.Errorf("%w: %s", ErrTaken, domain)
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return Worker{}, err
		}
		if _, err := tx.Exec("INSERT INTO worker_domains (domain, tenant, name) VALUES (?, ?, ?)", domain, tenant, name); err != nil {
			return Worker{}, err
		}
	}
	return r.worker(tenant, name)
}

// RollBackWorker implements [Workers].
func (s *Store) RollBackWorker(ctx context.Context, tenant, name, version string, triggers Triggers) (w Worker, err error) {
	err = s.db.Update(ctx, func(tx *sqlite.Tx) error {
		r := workerRow{version: version, updated: s.options.Now().UnixMilli()}
		err := tx.QueryRow("SELECT created FROM workers WHERE tenant = ? AND name = ?", []any{tenant, name}, &r.created)
		var one int
		if err == nil {
			err = tx.QueryRow("SELECT 1 FROM worker_versions WHERE tenant = ? AND name = ? AND version = ?", []any{tenant, name, version}, &one)
		}
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		w, err = putWorker(tx, tenant, name, &r, triggers)
		return err
	})
	if err != nil {
		return Worker{}, s.fail("roll back worker", name, err)
	}
	return w, nil
}

// Worker implements [Workers].
func (s *Store) Worker(ctx context.Context, tenant, name string) (Worker, error) {
	var r workerRow
	err := s.db.Reader().QueryRowContext(ctx, "SELECT version, created, updated, crc FROM workers WHERE tenant = ? AND name = ?", tenant, name).
		Scan(&r.version, &r.created, &r.updated, &r.crc)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	var w Worker
	if err == nil {
		w, err = r.worker(tenant, name)
	}
	if err != nil {
		return Worker{}, s.fail("get worker", name, err)
	}
	return w, nil
}

// Workers implements [Workers].
func (s *Store) Workers(ctx context.Context, tenant, after string, limit int) (list []Worker, err error) {
	err = s.eachWorker(ctx, func(w Worker) error {
		list = append(list, w)
		return nil
	}, "WHERE tenant = ? AND name > ? ORDER BY name LIMIT ?", tenant, after, limit)
	if err != nil {
		return nil, s.fail("list workers", "", err)
	}
	return list, nil
}

// AllWorkers implements [Workers].
func (s *Store) AllWorkers(ctx context.Context, f func(Worker) error) error {
	if err := s.eachWorker(ctx, f, "ORDER BY tenant, name"); err != nil {
		return s.fail("list workers", "", err)
	}
	return nil
}

func (s *Store) eachWorker(ctx context.Context, f func(Worker) error, where string, args ...any) error {
	rows, err := s.db.Reader().QueryContext(ctx, "SELECT tenant, name, version, created, updated, crc FROM workers "+where, args...)
	if err != nil {
		return err
	}
	for rows.Next() {
		var r workerRow
		var tenant, name string
		if err := rows.Scan(&tenant, &name, &r.version, &r.created, &r.updated, &r.crc); err != nil {
			return errors.Join(err, rows.Close())
		}
		w, err := r.worker(tenant, name)
		if err == nil {
			err = f(w)
		}
		if err != nil {
			return errors.Join(err, rows.Close())
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}

// WorkerDomains implements [Workers].
func (s *Store) WorkerDomains(ctx context.Context) (map[string]Worker, error) {
	rows, err := s.db.Reader().QueryContext(ctx, "SELECT domain, tenant, name FROM worker_domains")
	if err != nil {
		return nil, s.fail("list domains", "", err)
	}
	domains := map[string]Worker{}
	for rows.Next() {
		var domain string
		var w Worker
		if err := rows.Scan(&domain, &w.Tenant, &w.Name); err != nil {
			return nil, s.fail("list domains", "", errors.Join(err, rows.Close()))
		}
		domains[domain] = w
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, s.fail("list domains", "", err)
	}
	return domains, nil
}

// WorkerVersion implements [Workers].
func (s *Store) WorkerVersion(ctx context.Context, tenant, name, version string) (WorkerVersion, error) {
	v := WorkerVersion{Version: version}
	var created, crc int64
	err := s.db.Reader().QueryRowContext(ctx, "SELECT number, created, deployment, crc FROM worker_versions WHERE tenant = ? AND name = ? AND version = ?", tenant, name, version).
		Scan(&v.Number, &created, &v.Deployment, &crc)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	} else if err == nil && crc != checksum(tenant, name, v.Deployment, int64(v.Number), created) {
		err = fmt.Errorf("%w: a version of a worker fails its checksum", storage.ErrCorrupt)
	}
	if err != nil {
		return WorkerVersion{}, s.fail("get version", name, err)
	}
	v.Created = fromMilliseconds(created)
	return v, nil
}

// WorkerVersions implements [Workers].
func (s *Store) WorkerVersions(ctx context.Context, tenant, name string) ([]WorkerVersion, error) {
	rows, err := s.db.Reader().QueryContext(ctx, "SELECT version, number, created FROM worker_versions WHERE tenant = ? AND name = ? ORDER BY number DESC", tenant, name)
	if err != nil {
		return nil, s.fail("list versions", name, err)
	}
	var list []WorkerVersion
	for rows.Next() {
		var v WorkerVersion
		var created int64
		if err := rows.Scan(&v.Version, &v.Number, &created); err != nil {
			return nil, s.fail("list versions", name, errors.Join(err, rows.Close()))
		}
		v.Created = fromMilliseconds(created)
		list = append(list, v)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, s.fail("list versions", name, err)
	}
	return list, nil
}

// DeleteWorker implements [Workers].
func (s *Store) DeleteWorker(ctx context.Context, tenant, name string) error {
	err := s.db.Update(ctx, func(tx *sqlite.Tx) error {
		var one int
		err := tx.QueryRow("SELECT 1 FROM workers WHERE tenant = ? AND name = ?", []any{tenant, name}, &one)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		for _, table := range []string{"workers", "worker_versions", "worker_domains", "worker_crons"} {
			if err == nil {
				_, err = tx.Exec("DELETE FROM "+table+" WHERE tenant = ? AND name = ?", tenant, name)
			}
		}
		return err
	})
	if err != nil {
		return s.fail("delete worker", name, err)
	}
	return nil
}
