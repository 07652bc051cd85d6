//! The job table on disk: SQLite, one writer.
//!
//! Changes are gathered and committed together; a commit is on disk when it returns
//! (`synchronous = FULL`), and only then is anybody told.

mod migrate;
mod row;
mod text;

use crate::{
    job::{Job, JobId, JobList, Request, Reservation, Step},
    slurm::time::TimeLimit,
};
use migrate::{SCHEMA, migrate};
use row::{Record, Requests, Trouble, job};
use rusqlite::{Connection, OptionalExtension, params};
use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    sync::Arc,
};
use text::{json, parse, sparse};

/// What went wrong with the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite's word: disk full, file damaged, ...
    #[error("{path}: {source}")]
    Sqlite {
        /// The database.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// It was written by a newer skyslurm.
    #[error("{path} was written by a newer skyslurm (schema {found}, this one knows {SCHEMA})")]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: i64,
    },
    /// What was written since the last commit is gone, after an error that was told before.
    #[error("{path}: the last changes could not be written")]
    TakenBack {
        /// The database.
        path: PathBuf,
    },
    /// Its integrity check failed, or a record in it makes no sense.
    #[error("{path} is damaged: {what}")]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What.
        what: String,
    },
}

/// The store.
pub struct Store {
    db: Connection,
    path: PathBuf,
    in_transaction: bool,
    /// The request row of each request in memory, by its address while it lives.
    requests: HashMap<usize, (i64, std::sync::Weak<Request>)>,
}

impl Store {
    /// Opens the store, or makes it.
    ///
    /// # Errors
    /// When it cannot be opened, is damaged, or is of a newer version. It is never replaced.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let fail = |source| StoreError::Sqlite { path: path.to_owned(), source };
        let db = Connection::open(path).map_err(fail)?;
        let prepare = |db: &Connection| -> rusqlite::Result<i64> {
            db.pragma_update(None, "journal_mode", "WAL")?;
            db.pragma_update(None, "synchronous", "FULL")?;
            db.pragma_update(None, "cache_size", -2000)?;
            db.pragma_update(None, "wal_autocheckpoint", 4000)?;
            db.set_prepared_statement_cache_capacity(32);
            db.pragma_query_value(None, "user_version", |row| row.get(0))
        };
        let version = prepare(&db).map_err(fail)?;
        match version {
            0 => {
                db.execute_batch(&format!(
                    "BEGIN; {} PRAGMA user_version = {SCHEMA}; COMMIT;",
                    include_str!("schema.sql")
                ))
                .map_err(fail)?;
            }
            SCHEMA => {}
            older if (1..SCHEMA).contains(&older) => migrate(&db, older).map_err(fail)?,
            found => return Err(StoreError::Newer { path: path.to_owned(), found }),
        }
        Ok(Self { db, path: path.to_owned(), in_transaction: false, requests: HashMap::new() })
    }

    fn fail(&self, source: rusqlite::Error) -> StoreError {
        StoreError::Sqlite { path: self.path.clone(), source }
    }

    fn begin(&mut self) -> Result<(), StoreError> {
        if !self.in_transaction {
            self.db.execute_batch("BEGIN IMMEDIATE").map_err(|e| self.fail(e))?;
            self.in_transaction = true;
        } else if self.db.is_autocommit() {
            // SQLite takes a transaction back by itself on some errors. What would be written now would
            // be on disk without what was written before.
            return Err(StoreError::TakenBack { path: self.path.clone() });
        }
        Ok(())
    }

    /// Whether there are changes since the last commit.
    pub fn has_changes(&self) -> bool {
        self.in_transaction
    }

    /// Puts all changes since the last commit on disk.
    pub fn commit(&mut self) -> Result<(), StoreError> {
        if self.in_transaction {
            self.db.execute_batch("COMMIT").map_err(|e| self.fail(e))?;
            self.in_transaction = false;
        }
        Ok(())
    }

    /// Takes all changes since the last commit back.
    pub fn roll_back(&mut self) {
        if self.in_transaction {
            let _ = self.db.execute_batch("ROLLBACK");
            self.in_transaction = false;
            self.requests.clear();
        }
    }

    /// Keeps a script or an environment; the same bytes are kept once.
    pub fn put_blob(&mut self, data: &[u8]) -> Result<u64, StoreError> {
        self.begin()?;
        let mut hasher = DefaultHasher::new();
        data.hash(&mut hasher);
        let hash = hasher.finish() as i64;
        let put = || -> rusqlite::Result<i64> {
            let mut find = self.db.prepare_cached("SELECT id FROM blob WHERE hash = ?1 AND data = ?2")?;
            if let Some(id) = find.query_row(params![hash, data], |row| row.get(0)).optional()? {
                return Ok(id);
            }
            self.db.prepare_cached("INSERT INTO blob (hash, data) VALUES (?1, ?2)")?.execute(params![hash, data])?;
            Ok(self.db.last_insert_rowid())
        };
        put().map(|id| id as u64).map_err(|e| self.fail(e))
    }

    /// A script or an environment.
    pub fn blob(&self, id: u64) -> Result<Vec<u8>, StoreError> {
        let get = || {
            let mut find = self.db.prepare_cached("SELECT data FROM blob WHERE id = ?1")?;
            find.query_row([id as i64], |row| row.get(0))
        };
        get().map_err(|e| self.fail(e))
    }

    /// Writes a job as it is now.
    pub fn put_job(&mut self, job: &Job) -> Result<(), StoreError> {
        self.begin()?;
        let request = self.request_row(job)?;
        let array = job.array.as_ref();
        let put = || -> rusqlite::Result<()> {
            let mut put = self.db.prepare_cached(
                "INSERT OR REPLACE INTO job VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, \
                 ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33)",
            )?;
            put.execute(params![
                job.id,
                request,
                job.script as i64,
                job.environment as i64,
                array.map(|a| a.job_id),
                array.and_then(|a| a.task_id),
                array.filter(|a| a.task_id.is_none()).map(|a| a.pending.to_ranges()),
                array.and_then(|a| a.throttle),
                job.state.name(),
                job.flag.map(|f| f.name()),
                json(&job.reason),
                job.detail,
                json(&job.hold),
                job.priority,
                job.partition,
                match job.time_limit {
                    TimeLimit::Unlimited => None,
                    TimeLimit::Minutes(minutes) => Some(minutes),
                },
                job.min_nodes,
                job.min_cpus,
                job.submit_time,
                job.eligible_time,
                job.start_time,
                job.end_time,
                job.placement.as_ref().map(json),
                job.exit.0,
                job.derived_exit.0,
                job.restarts,
                job.cancelled_by,
                job.remote.as_ref().map(json),
                Some(&job.dependency).filter(|d| !d.is_empty()).map(json),
                job.het.map(|h| h.leader),
                job.het.map(|h| h.offset),
                job.het.map(|h| h.size),
                job.suspension.time.map(|_| json(&job.suspension)),
            ])
            .map(drop)
        };
        put().map_err(|e| self.fail(e))
    }

    /// Writes one step of a job.
    pub fn put_step(&mut self, job: JobId, seq: usize, step: &Step) -> Result<(), StoreError> {
        self.begin()?;
        let put = || {
            let mut put = self.db.prepare_cached("INSERT OR REPLACE INTO step VALUES (?1, ?2, ?3)")?;
            put.execute(params![job, seq as i64, json(step)]).map(drop)
        };
        put().map_err(|e| self.fail(e))
    }

    /// Keeps the run of a job that is put back into the queue, and forgets its steps.
    pub fn put_earlier_run(&mut self, job: &Job) -> Result<(), StoreError> {
        self.begin()?;
        let put = || -> rusqlite::Result<()> {
            self.db.execute(
                "INSERT OR REPLACE INTO earlier_run VALUES (?1, ?2, ?3)",
                params![job.id, job.restarts, json(&JobList::new([job]))],
            )?;
            self.db.execute("DELETE FROM step WHERE job = ?1", [job.id]).map(drop)
        };
        put().map_err(|e| self.fail(e))
    }

    fn request_row(&mut self, job: &Job) -> Result<i64, StoreError> {
        let key = Arc::as_ptr(&job.request) as usize;
        if let Some((row, alive)) = self.requests.get(&key)
            && alive.upgrade().is_some_and(|r| Arc::ptr_eq(&r, &job.request))
        {
            return Ok(*row);
        }
        let spec = job.array.as_ref().map(|a| json(&*a.spec));
        let put = || {
            let mut put = self.db.prepare_cached("INSERT INTO request (request, spec) VALUES (?1, ?2)")?;
            put.execute(params![sparse(&job.request), spec])?;
            Ok(self.db.last_insert_rowid())
        };
        let row = put().map_err(|e| self.fail(e))?;
        if self.requests.len() > 4096 {
            self.requests.retain(|_, (_, alive)| alive.strong_count() > 0);
        }
        self.requests.insert(key, (row, Arc::downgrade(&job.request)));
        Ok(row)
    }

    /// The highest job id ever given out.
    pub fn last_id(&self) -> Result<JobId, StoreError> {
        let get = || {
            let kept: Option<String> =
                self.db.query_row("SELECT value FROM meta WHERE key = 'last_id'", [], |r| r.get(0)).optional()?;
            let most: Option<JobId> = self.db.query_row("SELECT max(id) FROM job", [], |r| r.get(0))?;
            Ok(kept.and_then(|k| k.parse().ok()).unwrap_or(0).max(most.unwrap_or(0)))
        };
        get().map_err(|e| self.fail(e))
    }

    /// Keeps an id that was used up by no job (`--test-only`).
    pub fn put_last_id(&mut self, id: JobId) -> Result<(), StoreError> {
        self.begin()?;
        let put = self.db.execute("INSERT OR REPLACE INTO meta VALUES ('last_id', ?1)", [id.to_string()]);
        put.map(drop).map_err(|e| self.fail(e))
    }

    /// Keeps the reservations, all of them.
    pub fn put_reservations(&mut self, all: &[Reservation]) -> Result<(), StoreError> {
        self.begin()?;
        let put = self.db.execute("INSERT OR REPLACE INTO meta VALUES ('reservations', ?1)", [json(&all)]);
        put.map(drop).map_err(|e| self.fail(e))
    }

    /// The reservations.
    pub fn reservations(&self) -> Result<Vec<Reservation>, StoreError> {
        let get = self.db.query_row("SELECT value FROM meta WHERE key = 'reservations'", [], |r| r.get::<_, String>(0));
        let kept = get.optional().map_err(|e| self.fail(e))?;
        kept.map_or(Ok(Vec::new()), |text| parse(&text).map_err(|what| self.damaged(what)))
    }

    /// The jobs that are not over, with their steps; and components that are over of those.
    pub fn unfinished(&mut self) -> Result<Vec<Job>, StoreError> {
        let goes_on = "state IN ('PENDING', 'RUNNING', 'SUSPENDED')";
        let of_whole = format!("j.het_leader IN (SELECT id FROM job WHERE het_leader IS NOT NULL AND {goes_on})");
        self.jobs(&format!("j.{goes_on} OR j.flag IS NOT NULL OR {of_whole}"), params![])
    }

    /// Jobs that ended at `since` or later.
    pub fn ended_since(&mut self, since: i64) -> Result<Vec<Job>, StoreError> {
        self.jobs("j.end_time >= ?1 AND j.flag IS NULL", params![since])
    }

    /// The jobs with these ids, or of arrays and heterogeneous jobs with these ids.
    pub fn by_ids(&mut self, ids: &[JobId]) -> Result<Vec<Job>, StoreError> {
        let list = json(&ids);
        self.jobs(
            "j.id IN (SELECT value FROM json_each(?1)) OR j.array_job IN (SELECT value FROM json_each(?1)) \
             OR j.het_leader IN (SELECT value FROM json_each(?1))",
            params![list],
        )
    }

    /// The elements of an array that are COMPLETED.
    pub fn completed_of(&self, array: JobId) -> Result<Vec<JobId>, StoreError> {
        let get = || -> rusqlite::Result<Vec<JobId>> {
            let mut find = self
                .db
                .prepare_cached("SELECT id FROM job WHERE array_job = ?1 AND state = 'COMPLETED' AND flag IS NULL")?;
            find.query_map([array], |row| row.get(0))?.collect()
        };
        get().map_err(|e| self.fail(e))
    }

    /// Forgets at most so many jobs that ended before a time, and how many it forgot.
    pub fn purge(&mut self, before: i64, most: usize) -> Result<usize, StoreError> {
        self.begin()?;
        let purge = || -> rusqlite::Result<usize> {
            let mut find = self.db.prepare_cached(
                "SELECT id FROM job WHERE end_time < ?1 AND flag IS NULL AND state NOT IN ('PENDING', 'RUNNING', \
                 'SUSPENDED') LIMIT ?2",
            )?;
            let ids: Vec<JobId> =
                find.query_map(params![before, most as i64], |row| row.get(0))?.collect::<Result<_, _>>()?;
            let list = json(&ids);
            if ids.is_empty() {
                return Ok(0);
            }
            for table in ["step WHERE job", "earlier_run WHERE job", "job WHERE id"] {
                let sql = format!("DELETE FROM {table} IN (SELECT value FROM json_each(?1))");
                self.db.prepare_cached(&sql)?.execute([&list])?;
            }
            // An id is not given twice.
            self.db.execute(
                "INSERT INTO meta VALUES ('last_id', ?1) ON CONFLICT (key) DO UPDATE SET value = ?1 WHERE CAST(value AS INTEGER) < ?1",
                [ids.iter().max()],
            )?;
            Ok(ids.len())
        };
        let ids = purge();
        ids.map_err(|e| self.fail(e))
    }

    /// Forgets scripts, environments and requests that no job has any more.
    pub fn sweep(&mut self) -> Result<(), StoreError> {
        self.begin()?;
        let swept = self.db.execute_batch(
            "DELETE FROM request WHERE id NOT IN (SELECT request FROM job);
             DELETE FROM blob WHERE id NOT IN (SELECT script FROM job UNION SELECT environment FROM job);",
        );
        // Those in memory may have lost their rows.
        self.requests.clear();
        swept.map_err(|e| self.fail(e))
    }

    /// The earlier runs of requeued jobs.
    pub fn earlier_runs(&self) -> Result<Vec<Job>, StoreError> {
        let get = || -> rusqlite::Result<Vec<String>> {
            let mut find = self.db.prepare_cached("SELECT record FROM earlier_run ORDER BY job, run")?;
            find.query_map([], |row| row.get(0))?.collect()
        };
        let records = get().map_err(|e| self.fail(e))?;
        let mut runs = Vec::with_capacity(records.len());
        for record in &records {
            let list: JobList = parse(record).map_err(|what| self.damaged(what))?;
            runs.extend(list.into_jobs());
        }
        Ok(runs)
    }

    fn damaged(&self, what: String) -> StoreError {
        StoreError::Damaged { path: self.path.clone(), what }
    }

    fn jobs(&mut self, wanted: &str, with: &[&dyn rusqlite::ToSql]) -> Result<Vec<Job>, StoreError> {
        // One Arc a request row, so that elements share it in memory as on disk.
        let mut requests = Requests::new();
        let mut rows = 0;
        let mut read = || -> Result<Vec<Job>, Trouble> {
            // The file is locked once, and not for the steps of each job.
            let _reading = self.db.is_autocommit().then(|| self.db.unchecked_transaction()).transpose()?;
            let sql = format!(
                "SELECT j.*, r.request AS request_json, r.spec AS spec FROM job j JOIN request r ON r.id = j.request \
                 WHERE {wanted} ORDER BY j.id"
            );
            let mut find = self.db.prepare_cached(&sql)?;
            let columns = find.column_names().into_iter().enumerate().map(|(at, name)| (name.to_owned(), at)).collect();
            let mut found = find.query(with)?;
            let mut jobs = Vec::new();
            while let Some(row) = found.next()? {
                rows += 1;
                jobs.push(job(&Record { row, columns: &columns }, &mut requests)?);
            }
            let mut steps = self.db.prepare_cached("SELECT record FROM step WHERE job = ?1 ORDER BY seq")?;
            for job in jobs.iter_mut().filter(|j: &&mut Job| j.start_time.is_some()) {
                let mut found = steps.query([job.id])?;
                while let Some(row) = found.next()? {
                    job.steps.push(parse(row.get_ref(0)?.as_str().map_err(|e| Trouble::Damaged(e.to_string()))?)?);
                }
            }
            Ok(jobs)
        };
        let jobs = read();
        for (row, (request, _)) in requests {
            self.requests.insert(Arc::as_ptr(&request) as usize, (row, Arc::downgrade(&request)));
        }
        jobs.map_err(|trouble| match trouble {
            Trouble::Sqlite(source) => self.fail(source),
            Trouble::Damaged(what) => self.damaged(what),
        })
    }
}

#[cfg(test)]
mod tests;
