-- seq and secret are the halves of an execution's id; seq ascends with time.
-- tenant and outcome are hashes of the names, to filter by; record holds all,
-- with a checksum, and events likewise.
CREATE TABLE executions (
	seq     INTEGER PRIMARY KEY,
	secret  INTEGER NOT NULL,
	tenant  INTEGER NOT NULL,
	status  INTEGER NOT NULL,
	outcome INTEGER NOT NULL,
	expires INTEGER,
	record  BLOB NOT NULL,
	events  BLOB
);
CREATE INDEX executions_by_tenant ON executions (tenant);
CREATE INDEX executions_by_expiry ON executions (expires) WHERE expires IS NOT NULL;
CREATE INDEX executions_unfinished ON executions (status) WHERE status < 2;

-- Totals; day counts from 1970. crc is the CRC-32C of the other columns, here
-- and below.
CREATE TABLE usage (
	tenant      TEXT NOT NULL,
	day         INTEGER NOT NULL,
	executions  INTEGER NOT NULL,
	cpu         INTEGER NOT NULL, -- microseconds
	wall        INTEGER NOT NULL, -- microseconds
	peak_memory INTEGER NOT NULL,
	egress      INTEGER NOT NULL,
	ingress     INTEGER NOT NULL,
	subrequests INTEGER NOT NULL,
	crc         INTEGER NOT NULL,
	PRIMARY KEY (tenant, day)
) WITHOUT ROWID;

-- hash is the SHA-256 of the token.
CREATE TABLE keys (
	id        TEXT PRIMARY KEY,
	hash      BLOB NOT NULL UNIQUE,
	name      TEXT NOT NULL,
	tenant    TEXT NOT NULL,
	created   INTEGER NOT NULL,
	expires   INTEGER NOT NULL, -- 0: never
	revoked   INTEGER NOT NULL, -- 0: not
	last_used INTEGER NOT NULL, -- 0: never; not in crc
	crc       INTEGER NOT NULL
) WITHOUT ROWID;

-- response is null while the first request is in flight, else it has one byte
-- in front.
CREATE TABLE claims (
	id        INTEGER PRIMARY KEY,
	tenant    TEXT NOT NULL,
	key       TEXT NOT NULL,
	body_hash BLOB NOT NULL,
	execution TEXT NOT NULL,
	created   INTEGER NOT NULL,
	response  BLOB,
	crc       INTEGER NOT NULL
);
CREATE UNIQUE INDEX claims_by_key ON claims (tenant, key);
CREATE INDEX claims_in_flight ON claims (id) WHERE response IS NULL;
