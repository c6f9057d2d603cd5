CREATE TABLE buckets (
	id      INTEGER PRIMARY KEY,
	name    TEXT NOT NULL UNIQUE,
	created INTEGER NOT NULL
);

-- One row an object. Keys are blobs so that they compare by their bytes.
-- file names a data file; if it is null the contents are in the table below.
-- crc is the CRC-32C of all other columns.
CREATE TABLE objects (
	id           INTEGER PRIMARY KEY,
	bucket       INTEGER NOT NULL,
	key          BLOB NOT NULL,
	size         INTEGER NOT NULL,
	modified     INTEGER NOT NULL,
	expires      INTEGER,
	sha256       BLOB NOT NULL,
	file         TEXT,
	content_type TEXT NOT NULL,
	metadata     BLOB,
	crc          INTEGER NOT NULL
);
CREATE UNIQUE INDEX objects_by_key ON objects (bucket, key);
CREATE INDEX objects_by_expiry ON objects (expires) WHERE expires IS NOT NULL;
CREATE INDEX objects_by_file ON objects (file) WHERE file IS NOT NULL;

-- Contents of small objects. A table of its own keeps listings dense.
CREATE TABLE contents (
	object INTEGER PRIMARY KEY,
	data   BLOB NOT NULL
);

-- options is JSON: what CreateUpload was given.
CREATE TABLE uploads (
	id      TEXT PRIMARY KEY,
	bucket  INTEGER NOT NULL,
	key     BLOB NOT NULL,
	created INTEGER NOT NULL,
	options BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX uploads_by_key ON uploads (bucket, key);

CREATE TABLE parts (
	upload TEXT NOT NULL,
	number INTEGER NOT NULL,
	size   INTEGER NOT NULL,
	sha256 BLOB NOT NULL,
	file   TEXT NOT NULL,
	PRIMARY KEY (upload, number)
) WITHOUT ROWID;
CREATE INDEX parts_by_file ON parts (file);
