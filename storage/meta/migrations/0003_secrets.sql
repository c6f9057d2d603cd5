-- sealed is encrypted by the caller, who alone has the key; deleted rows may
-- stay in free pages, sealed as they were.
CREATE TABLE secrets (
	tenant  TEXT NOT NULL,
	name    TEXT NOT NULL,
	sealed  BLOB NOT NULL,
	created INTEGER NOT NULL,
	updated INTEGER NOT NULL,
	crc     INTEGER NOT NULL,
	PRIMARY KEY (tenant, name)
) WITHOUT ROWID;
