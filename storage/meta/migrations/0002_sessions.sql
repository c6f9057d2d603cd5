-- record is in the caller's encoding; crc is the CRC-32C of the other columns.
CREATE TABLE sessions (
	id     TEXT PRIMARY KEY,
	tenant TEXT NOT NULL,
	record BLOB NOT NULL,
	crc    INTEGER NOT NULL
) WITHOUT ROWID;
