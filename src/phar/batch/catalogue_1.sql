-- Paths are blobs: a file name need not be text in any encoding.
CREATE TABLE video (
    id          INTEGER PRIMARY KEY,
    path        BLOB NOT NULL UNIQUE,       -- absolute
    place       BLOB NOT NULL UNIQUE,       -- of its outputs, below the folder of each format, without suffix
    size_bytes  INTEGER,                    -- when sha256 was taken
    mtime_ns    INTEGER,
    sha256      TEXT,                       -- of the file's content
    status      TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'done', 'failed')),
    content     TEXT,                       -- the sha256 that status and all below speaks of
    analysis    TEXT,                       -- fingerprint of models, gates, windows
    settings    TEXT,                       -- fingerprint of fusion, thresholds, formats
    has_poses   INTEGER NOT NULL DEFAULT 0,
    error_code  INTEGER,
    error       TEXT,
    duration_s  REAL,
    fps         REAL,
    width_px    INTEGER,
    height_px   INTEGER,
    has_audio   INTEGER,
    warnings    TEXT,                       -- JSON list
    timing      TEXT,                       -- JSON object, the report's
    total_s     REAL,                       -- how long the analysis took
    created     TEXT                        -- ISO 8601
);
CREATE INDEX video_by_content ON video (content);
CREATE INDEX video_by_status ON video (status, duration_s, size_bytes, total_s);

CREATE TABLE label (
    id    INTEGER PRIMARY KEY,
    name  TEXT NOT NULL UNIQUE
);

CREATE TABLE tag (
    label_id  INTEGER NOT NULL REFERENCES label (id),
    video_id  INTEGER NOT NULL REFERENCES video (id),
    seconds   REAL NOT NULL,
    share     REAL NOT NULL,
    score     REAL NOT NULL,
    clips     INTEGER NOT NULL,
    PRIMARY KEY (label_id, video_id)
) WITHOUT ROWID;
CREATE INDEX tag_by_video ON tag (video_id);

-- Segments of a label; the time between them is `none`.
CREATE TABLE span (
    video_id  INTEGER NOT NULL REFERENCES video (id),
    position  INTEGER NOT NULL,
    label_id  INTEGER NOT NULL REFERENCES label (id),
    start_s   REAL NOT NULL,
    end_s     REAL NOT NULL,
    score     REAL NOT NULL,
    PRIMARY KEY (video_id, position)
) WITHOUT ROWID;

-- Shares of the labels as little-endian float32, label i at position i - 1; without `none`.
CREATE TABLE vector (
    video_id  INTEGER PRIMARY KEY REFERENCES video (id),
    shares    BLOB NOT NULL
);
