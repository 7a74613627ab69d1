-- Paths are blobs: a file name need not be text in any encoding. Times named *_at, and lease_until, are seconds
-- since 1970 on the server's clock; start_s and end_s are seconds of a video.
CREATE TABLE video (
    id          INTEGER PRIMARY KEY,
    path        BLOB NOT NULL,
    name        TEXT NOT NULL,              -- for people
    uploaded    INTEGER NOT NULL,           -- 1: the server's own copy
    sha256      TEXT,                       -- of the content; NULL before it was read
    size_bytes  INTEGER,
    duration_s  REAL,
    added_at    REAL NOT NULL,
    gone        INTEGER NOT NULL DEFAULT 0  -- 1: deleted, or another video lies at its path
);
CREATE UNIQUE INDEX video_at_path ON video (path) WHERE gone = 0;

CREATE TABLE job (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT NOT NULL UNIQUE,       -- what the API calls it; nobody can guess it
    kind        TEXT NOT NULL CHECK (kind IN ('analyse', 'shots')),
    video_id    INTEGER NOT NULL REFERENCES video (id),
    state       TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    tries       INTEGER NOT NULL DEFAULT 0, -- how often it was begun
    error       TEXT,                       -- one line
    action      TEXT,                       -- safe, review or block
    reasons     TEXT,                       -- JSON list
    analysis    TEXT,                       -- fingerprint of what the scores came from
    key         TEXT UNIQUE,                -- of the request, so that asking again makes no second job
    created_at  REAL NOT NULL,
    began_at    REAL,
    ended_at    REAL
);
CREATE INDEX job_by_state ON job (state, kind, number);
CREATE INDEX job_by_video ON job (video_id);

CREATE TABLE span (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    video_id    INTEGER NOT NULL REFERENCES video (id),
    kind        TEXT NOT NULL CHECK (kind IN ('alarm', 'shot')),
    start_s     REAL NOT NULL,
    end_s       REAL NOT NULL,
    label       TEXT NOT NULL,              -- proposed; empty for shots
    category    TEXT NOT NULL DEFAULT '',   -- of the policy
    severity    INTEGER NOT NULL DEFAULT 0, -- 2 block, 1 review, 0 neither
    peak        REAL,                       -- highest probability
    why         TEXT NOT NULL DEFAULT '',
    skipped_at  REAL,
    moderator   TEXT,                       -- who holds it
    client      TEXT,                       -- in which page
    lease_until REAL,
    added_at    REAL NOT NULL,
    UNIQUE (video_id, kind, start_s, end_s, label)
);

CREATE TABLE verdict (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    key         TEXT NOT NULL UNIQUE,       -- made by the page, so that sending again gives no second verdict
    span_id     INTEGER NOT NULL REFERENCES span (id),
    moderator   TEXT NOT NULL,
    answer      TEXT NOT NULL CHECK (answer IN ('accept', 'reject', 'relabel', 'unsure', 'label')),
    labels      TEXT NOT NULL,              -- JSON list: of `relabel` and `label`
    start_s     REAL NOT NULL,
    end_s       REAL NOT NULL,
    given_at    REAL NOT NULL,
    undone_at   REAL
);
CREATE UNIQUE INDEX verdict_in_force ON verdict (span_id) WHERE undone_at IS NULL;
CREATE INDEX verdict_by_moderator ON verdict (moderator, id);
