-- Version 6. Times are epoch seconds; texts in JSON where a value has parts.
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
-- Scripts and environments, each kept once.
CREATE TABLE blob (id INTEGER PRIMARY KEY, hash INTEGER NOT NULL, data BLOB NOT NULL);
CREATE INDEX blob_hash ON blob (hash);
-- What jobs asked for; the elements of an array share one.
CREATE TABLE request (id INTEGER PRIMARY KEY, request TEXT NOT NULL, spec TEXT);
CREATE TABLE job (
    id INTEGER PRIMARY KEY,
    request INTEGER NOT NULL,
    script INTEGER NOT NULL,
    environment INTEGER NOT NULL,
    array_job INTEGER,
    array_task INTEGER,
    array_pending TEXT,
    array_throttle INTEGER,
    state TEXT NOT NULL,
    flag TEXT,
    reason TEXT NOT NULL,
    detail TEXT,
    hold TEXT NOT NULL,
    priority INTEGER NOT NULL,
    partition TEXT NOT NULL,
    time_limit INTEGER,
    min_nodes INTEGER NOT NULL,
    min_cpus INTEGER NOT NULL,
    submit_time INTEGER NOT NULL,
    eligible_time INTEGER,
    start_time INTEGER,
    end_time INTEGER,
    placement TEXT,
    exit INTEGER NOT NULL,
    derived_exit INTEGER NOT NULL,
    restarts INTEGER NOT NULL,
    cancelled_by INTEGER,
    -- Version 2: how it is known to the system it was handed to.
    remote TEXT,
    -- Version 3: what is left of its dependency.
    dependency TEXT,
    -- Version 4: its place in a heterogeneous job.
    het_leader INTEGER,
    het_offset INTEGER,
    het_size INTEGER,
    -- Version 5: its suspensions.
    suspension TEXT
);
CREATE INDEX job_het ON job (het_leader) WHERE het_leader IS NOT NULL;
CREATE INDEX job_end ON job (end_time);
CREATE INDEX job_array ON job (array_job) WHERE array_job IS NOT NULL;
-- The runs of a requeued job before its last (sacct --duplicates).
CREATE TABLE earlier_run (job INTEGER NOT NULL, run INTEGER NOT NULL, record TEXT NOT NULL, PRIMARY KEY (job, run)) WITHOUT ROWID;
CREATE TABLE step (job INTEGER NOT NULL, seq INTEGER NOT NULL, record TEXT NOT NULL, PRIMARY KEY (job, seq)) WITHOUT ROWID;
