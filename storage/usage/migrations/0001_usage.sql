-- The last part of the journal whose entries are in the tables below.
CREATE TABLE folded (
	one     INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
	segment INTEGER NOT NULL
);

INSERT INTO folded (one, segment) VALUES (1, 0);

-- What was used, by hour. Dynamic workers are together those of their parent:
-- parent is its name then, and worker is empty.
CREATE TABLE hours (
	hour        INTEGER NOT NULL, -- from 1970
	tenant      TEXT NOT NULL,
	parent      TEXT NOT NULL,
	worker      TEXT NOT NULL,
	kind        INTEGER NOT NULL,
	outcome     TEXT NOT NULL,
	events      INTEGER NOT NULL,
	subrequests INTEGER NOT NULL,
	cpu         INTEGER NOT NULL, -- nanoseconds
	wall        INTEGER NOT NULL, -- nanoseconds
	dynamics    INTEGER NOT NULL, -- dynamic workers that were first seen on their day
	PRIMARY KEY (hour, tenant, parent, worker, kind, outcome)
) WITHOUT ROWID;

-- Each dynamic worker of each UTC day. Those without an id are together one row,
-- of the empty id.
CREATE TABLE dynamics (
	day         INTEGER NOT NULL, -- from 1970
	tenant      TEXT NOT NULL,
	parent      TEXT NOT NULL,
	id          TEXT NOT NULL,
	code        BLOB NOT NULL,
	workers     INTEGER NOT NULL, -- 1, but of the empty id
	seen        INTEGER NOT NULL, -- 1: it was here before the last update
	events      INTEGER NOT NULL,
	errors      INTEGER NOT NULL,
	subrequests INTEGER NOT NULL,
	cpu         INTEGER NOT NULL, -- nanoseconds
	wall        INTEGER NOT NULL, -- nanoseconds
	PRIMARY KEY (day, tenant, parent, id, code)
) WITHOUT ROWID;
