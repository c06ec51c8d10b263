-- Schema 1. A released migration is never edited: the next change is the next file.
--
-- Times are RFC 3339 in UTC with three decimals, the form that SQLite's own strftime('%Y-%m-%dT%H:%M:%fZ') writes: they
-- sort as text, its date functions take them, and they need no translation at the sqlite3 prompt.

PRAGMA application_id = 1685288816; -- "dswp"
PRAGMA user_version = 1;

-- The processes that wrote rows, one for each start. A pid alone comes back after a restart of the machine. They are not
-- pruned: they are few, and small.
CREATE TABLE processes (
    id      INTEGER PRIMARY KEY,
    pid     INTEGER NOT NULL,
    started TEXT    NOT NULL,
    boot    TEXT
) STRICT;

-- What is known of each portal beside its sweeps.
CREATE TABLE portals (
    portal    TEXT PRIMARY KEY,
    accounted TEXT,    -- every slot up to this instant has its row, or was before the portal's time
    keeps     INTEGER, -- whether it had a `keep` when it was last seen
    confirmed INTEGER  -- whether a person confirmed that its whole history may go
) STRICT, WITHOUT ROWID;

-- One row for each sweep and Dump value, for each slot that came to no sweep, and for each run of missed slots.
CREATE TABLE sweeps (
    id          INTEGER PRIMARY KEY,
    sweep_id    TEXT    NOT NULL,
    portal      TEXT    NOT NULL,
    schedule    TEXT    NOT NULL,
    slot        TEXT, -- NULL: on demand
    "trigger"   TEXT    NOT NULL,
    dump        TEXT    NOT NULL CHECK (dump IN ('false', 'true', 'both')),
    method      TEXT    NOT NULL,
    process     INTEGER NOT NULL REFERENCES processes (id),
    outcome     TEXT    NOT NULL,
    reason      TEXT,
    failure     TEXT,
    detail      TEXT,
    note        TEXT,
    advice      TEXT,
    http_status INTEGER,
    attempts    INTEGER NOT NULL DEFAULT 0,
    found       INTEGER, -- NULL: not observed, which is not zero
    deleted     INTEGER,
    kept        INTEGER,
    remaining   INTEGER,
    verified    INTEGER NOT NULL DEFAULT 0,
    last_slot   TEXT,    -- of a missed run, whose first slot is `slot`
    slots       INTEGER, -- how many slots the run holds, those without that have rows of their own
    began       TEXT    NOT NULL,
    ended       TEXT,
    duration_ms INTEGER,
    next_slot   TEXT,
    UNIQUE (sweep_id, dump),
    CHECK ((outcome = 'running') = (ended IS NULL)),
    CHECK ((last_slot IS NULL) = (slots IS NULL)),
    CHECK (last_slot IS NULL OR (slot <= last_slot AND slots > 0))
) STRICT;

-- The claim: nobody gets a second row for a slot.
CREATE UNIQUE INDEX sweeps_slot ON sweeps (portal, slot, dump) WHERE slot IS NOT NULL AND last_slot IS NULL;
CREATE INDEX sweeps_run ON sweeps (portal, last_slot) WHERE last_slot IS NOT NULL;
CREATE INDEX sweeps_portal ON sweeps (portal);
CREATE INDEX sweeps_running ON sweeps (portal) WHERE ended IS NULL;
CREATE INDEX sweeps_ended ON sweeps (ended) WHERE ended IS NOT NULL;

-- The backups that a sweep removed, left, or found before it came to an end that nobody saw.
CREATE TABLE backups (
    sweep      INTEGER NOT NULL REFERENCES sweeps (id) ON DELETE CASCADE,
    position   INTEGER NOT NULL,
    backup_id  TEXT    NOT NULL,
    file_name  TEXT    NOT NULL,
    storage    TEXT,
    created_on TEXT, -- as the server gave it, in UTC
    fate       TEXT    NOT NULL CHECK (fate IN ('found', 'removed', 'left')),
    doubt      TEXT,
    PRIMARY KEY (sweep, position)
) STRICT, WITHOUT ROWID;

-- How often each portal came to each outcome, and how many backups went; of that, what was pruned since.
CREATE TABLE totals (
    portal         TEXT    NOT NULL,
    outcome        TEXT    NOT NULL,
    sweeps         INTEGER NOT NULL DEFAULT 0,
    deleted        INTEGER NOT NULL DEFAULT 0,
    pruned_sweeps  INTEGER NOT NULL DEFAULT 0,
    pruned_deleted INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (portal, outcome)
) STRICT, WITHOUT ROWID;

-- Totals are kept by the database itself, so that no statement can forget them.
CREATE TRIGGER totals_of_whole_rows AFTER INSERT ON sweeps WHEN new.outcome <> 'running'
BEGIN
    INSERT INTO totals (portal, outcome, sweeps, deleted)
    VALUES (new.portal, new.outcome, coalesce(new.slots, 1), coalesce(new.deleted, 0))
    ON CONFLICT DO UPDATE SET sweeps = sweeps + excluded.sweeps, deleted = deleted + excluded.deleted;
END;

CREATE TRIGGER totals_of_completed_rows AFTER UPDATE OF outcome ON sweeps
WHEN old.outcome = 'running' AND new.outcome <> 'running'
BEGIN
    INSERT INTO totals (portal, outcome, sweeps, deleted)
    VALUES (new.portal, new.outcome, coalesce(new.slots, 1), coalesce(new.deleted, 0))
    ON CONFLICT DO UPDATE SET sweeps = sweeps + excluded.sweeps, deleted = deleted + excluded.deleted;
END;

CREATE TRIGGER totals_of_pruned_rows AFTER DELETE ON sweeps WHEN old.outcome <> 'running'
BEGIN
    UPDATE totals
    SET pruned_sweeps = pruned_sweeps + coalesce(old.slots, 1),
        pruned_deleted = pruned_deleted + coalesce(old.deleted, 0)
    WHERE portal = old.portal AND outcome = old.outcome;
END;

-- Where a failing ledger tries whether there is room again.
CREATE TABLE probe (room BLOB NOT NULL) STRICT;
