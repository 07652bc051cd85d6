//! From the schemas of earlier versions to that of `schema.sql`.

use rusqlite::Connection;

/// Version of the schema in `schema.sql`.
pub(super) const SCHEMA: i64 = 6;

/// What each version of the schema added to the one before it.
const MIGRATIONS: &[(i64, &str)] = &[
    (2, "ALTER TABLE job ADD COLUMN remote TEXT;"),
    (3, "ALTER TABLE job ADD COLUMN dependency TEXT;"),
    (
        4,
        "ALTER TABLE job ADD COLUMN het_leader INTEGER; ALTER TABLE job ADD COLUMN het_offset INTEGER; \
         ALTER TABLE job ADD COLUMN het_size INTEGER; \
         CREATE INDEX job_het ON job (het_leader) WHERE het_leader IS NOT NULL;",
    ),
    (5, "ALTER TABLE job ADD COLUMN suspension TEXT;"),
    // The steps of earlier runs stand beside the job, no longer in it.
    (
        6,
        "UPDATE earlier_run SET record = json_set(record, '$.steps', json_array(json_extract(record, '$.jobs[0].steps')));",
    ),
];

/// Brings a store of version `from` up to date: all of it or nothing.
pub(super) fn migrate(db: &Connection, from: i64) -> rusqlite::Result<()> {
    let steps: String = MIGRATIONS.iter().filter(|(to, _)| *to > from).map(|(_, sql)| *sql).collect();
    db.execute_batch(&format!("BEGIN IMMEDIATE; {steps} PRAGMA user_version = {SCHEMA}; COMMIT;"))
}
