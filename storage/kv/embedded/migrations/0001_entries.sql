CREATE TABLE namespaces (
	id     INTEGER PRIMARY KEY,
	tenant TEXT NOT NULL,
	name   TEXT NOT NULL
);
CREATE UNIQUE INDEX namespaces_by_name ON namespaces (tenant, name);

-- Keys are blobs so that they compare by their bytes. expires is in seconds of
-- Unix time. crc is the CRC-32C of all other columns but the id; the value, the
-- largest part, has one of its own, so that listings need not read it.
CREATE TABLE entries (
	id        INTEGER PRIMARY KEY,
	namespace INTEGER NOT NULL,
	key       BLOB NOT NULL,
	expires   INTEGER,
	metadata  BLOB,
	value_crc INTEGER NOT NULL,
	crc       INTEGER NOT NULL,
	value     BLOB NOT NULL
);
CREATE UNIQUE INDEX entries_by_key ON entries (namespace, key);
CREATE INDEX entries_by_expiry ON entries (expires) WHERE expires IS NOT NULL;
