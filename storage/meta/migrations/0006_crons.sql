-- The crons of a worker's current version, as JSON.
CREATE TABLE worker_crons (
	tenant TEXT NOT NULL,
	name   TEXT NOT NULL,
	crons  TEXT NOT NULL,
	PRIMARY KEY (tenant, name)
) WITHOUT ROWID;

-- The last minute (from 1970) whose crons were fired.
CREATE TABLE cron_minute (
	one    INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
	minute INTEGER NOT NULL
);
