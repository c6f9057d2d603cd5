-- tag is the MD5 of the contents, or, where parts is not null, the MD5 of the
-- MD5s of so many parts. version is random. properties is JSON: what of
-- headers, storage class and digests was given. All are null in rows from
-- before.
ALTER TABLE objects ADD COLUMN tag BLOB;
ALTER TABLE objects ADD COLUMN parts INTEGER;
ALTER TABLE objects ADD COLUMN version BLOB;
ALTER TABLE objects ADD COLUMN properties BLOB;

-- digests is JSON: those that were given.
ALTER TABLE parts ADD COLUMN md5 BLOB;
ALTER TABLE parts ADD COLUMN digests BLOB;
ALTER TABLE parts ADD COLUMN modified INTEGER NOT NULL DEFAULT 0;

-- Each owner has names of its own; the store's own buckets have owner ''. An
-- id is never used again: what still holds the id of a bucket that is gone
-- must not find another one.
CREATE TABLE owned_buckets (
	id      INTEGER PRIMARY KEY AUTOINCREMENT,
	owner   TEXT NOT NULL DEFAULT '',
	name    TEXT NOT NULL,
	created INTEGER NOT NULL,
	UNIQUE (owner, name)
);
INSERT INTO owned_buckets (id, name, created) SELECT id, name, created FROM buckets;
DROP TABLE buckets;
ALTER TABLE owned_buckets RENAME TO buckets;
