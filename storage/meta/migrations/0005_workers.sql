-- Deployed workers. A version never changes: a deployment adds one and makes it
-- the current one, in one transaction.
CREATE TABLE workers (
	tenant  TEXT NOT NULL,
	name    TEXT NOT NULL,
	version TEXT NOT NULL,
	created INTEGER NOT NULL,
	updated INTEGER NOT NULL,
	crc     INTEGER NOT NULL,
	PRIMARY KEY (tenant, name)
) WITHOUT ROWID;

CREATE TABLE worker_versions (
	tenant     TEXT NOT NULL,
	name       TEXT NOT NULL,
	version    TEXT NOT NULL,
	number     INTEGER NOT NULL,
	created    INTEGER NOT NULL,
	deployment BLOB NOT NULL,
	crc        INTEGER NOT NULL,
	PRIMARY KEY (tenant, name, version)
);

CREATE UNIQUE INDEX worker_version_numbers ON worker_versions (tenant, name, number);

-- Host names that lead to a worker.
CREATE TABLE worker_domains (
	domain TEXT NOT NULL PRIMARY KEY,
	tenant TEXT NOT NULL,
	name   TEXT NOT NULL
) WITHOUT ROWID;

CREATE INDEX worker_domains_of ON worker_domains (tenant, name);
