package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"mayfly/storage"
)

// A migration brings the schema from version-1 to version.
type migration struct {
	version int
	name    string
	sql     string
}

// readMigrations reads NNNN_name.sql files and demands that the numbers have
// no gap.
func readMigrations(fsys fs.FS) ([]migration, error) {
	if fsys == nil {
		return nil, nil
	}
	names, err := fs.Glob(fsys, "*.sql") // sorted
	if err != nil {
		return nil, err
	}
	var out []migration
	for _, name := range names {
		number, _, ok := strings.Cut(name, "_")
		version, err := strconv.Atoi(number)
		if !ok || err != nil || len(number) != 4 || version != len(out)+1 {
			return nil, fmt.Errorf("migration %s: want the number %04d and an underscore", name, len(out)+1)
		}
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, err
		}
		out = append(out, migration{version, strings.TrimSuffix(path.Base(name), ".sql"), string(text)})
	}
	return out, nil
}

// migrate applies what is missing. The version is kept twice, in the header
// and in a table, so that damage to the header is not taken for an old or new
// schema.
func migrate(ctx context.Context, conn *sql.Conn, migrations []migration, applicationID int32) error {
	version, err := check(ctx, conn, applicationID)
	if err != nil {
		return err
	}
	if version > len(migrations) {
		return fmt.Errorf("%w: it has schema %d, this program knows up to %d", storage.ErrNewerSchema, version, len(migrations))
	}
	for version < len(migrations) {
		applied, err := apply(ctx, conn, migrations[version], version, applicationID)
		if err != nil {
			return fmt.Errorf("migration %s: %w", migrations[version].name, err)
		}
		if !applied {
			// Another process was faster.
			return migrate(ctx, conn, migrations, applicationID)
		}
		version++
	}
	return nil
}

// check reads the version, and refuses a file whose numbers don't agree. It
// reads them in one transaction: another process may be migrating.
func check(ctx context.Context, conn *sql.Conn, applicationID int32) (version int, err error) {
	if _, err := conn.ExecContext(ctx, "BEGIN"); err != nil {
		return 0, err
	}
	defer func() {
		_, rollbackErr := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		err = errors.Join(err, rollbackErr)
	}()
	version, id, err := schema(ctx, conn)
	if err != nil || version == 0 && id == 0 {
		return version, err
	}
	if id != applicationID {
		return 0, fmt.Errorf("%w: it belongs to another application (id %#x, want %#x)", storage.ErrCorrupt, uint32(id), uint32(applicationID))
	}
	return version, agree(ctx, conn, version)
}

// schema reads the header's numbers.
func schema(ctx context.Context, conn *sql.Conn) (version int, id int32, err error) {
	if err := conn.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return 0, 0, err
	}
	var raw int64
	if err := conn.QueryRowContext(ctx, "PRAGMA application_id").Scan(&raw); err != nil {
		return 0, 0, err
	}
	return version, int32(raw), nil
}

// agree compares the header's version with the table's.
func agree(ctx context.Context, conn *sql.Conn, version int) error {
	var recorded sql.NullInt64
	if err := conn.QueryRowContext(ctx, "SELECT max(version) FROM schema_migrations").Scan(&recorded); err != nil {
		return fmt.Errorf("%w: schema %d in the header, but: %w", storage.ErrCorrupt, version, err)
	}
	if recorded.Int64 != int64(version) {
		return fmt.Errorf("%w: schema %d in the header, %d in the table", storage.ErrCorrupt, version, recorded.Int64)
	}
	return nil
}

// apply runs one migration; false if it has been applied meanwhile.
func apply(ctx context.Context, conn *sql.Conn, m migration, from int, applicationID int32) (applied bool, err error) {
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return false, err
	}
	defer func() {
		if !applied {
			_, rollbackErr := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
			err = errors.Join(err, rollbackErr)
		}
	}()
	if version, _, err := schema(ctx, conn); err != nil || version != from {
		return false, err
	}
	steps := []string{
		"CREATE TABLE IF NOT EXISTS schema_migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied INTEGER NOT NULL)",
		m.sql,
		fmt.Sprintf("INSERT INTO schema_migrations VALUES (%d, '%s', unixepoch())", m.version, strings.ReplaceAll(m.name, "'", "''")),
		fmt.Sprintf("PRAGMA user_version = %d", m.version),
		fmt.Sprintf("PRAGMA application_id = %d", applicationID),
		"COMMIT",
	}
	for _, step := range steps {
		if _, err := conn.ExecContext(ctx, step); err != nil {
			return false, err
		}
	}
	return true, nil
}
