use super::*;
use crate::{
    job::{ArrayRef, ExitStatus, Het, NodeShare, Placement, StepId, Usage},
    slurm::{array::ArraySpec, reason::Reason, state::JobState},
};

fn job(id: JobId) -> Job {
    Job {
        reason: Reason::Resources,
        detail: Some("why".into()),
        priority: 4_294_901_759,
        partition: "gpu".into(),
        time_limit: TimeLimit::Minutes(5),
        min_cpus: 2,
        eligible_time: Some(100),
        script: 1,
        environment: 2,
        ..Job::new(
            id,
            Arc::new(Request { name: "a\0b\u{1F600}\n".into(), args: vec![vec![0xff, 0xfe]], ..Request::default() }),
            100,
        )
    }
}

fn step() -> Step {
    Step {
        id: StepId::Number(0),
        name: "true".into(),
        state: JobState::Running,
        nodes: vec!["node1".into()],
        tasks: 1,
        cpus: 1,
        memory: 2000,
        gpus: 0,
        tasks_per_node: vec![1],
        start: 200,
        end: None,
        exit: ExitStatus::default(),
        usage: Usage::default(),
        cancelled_by: None,
        command: "srun true".into(),
    }
}

#[test]
fn jobs_come_back_as_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let plain = job(1);
    let spec = Arc::new(ArraySpec::parse("1-5%2", 100).unwrap());
    let array = |task_id, pending: &str| ArrayRef {
        job_id: 2,
        spec: Arc::clone(&spec),
        throttle: Some(2),
        task_id,
        pending: pending.parse().unwrap(),
    };
    let head = Job { array: Some(array(None, "2-5")), ..job(2) };
    let element = Job {
        id: 3,
        array: Some(array(Some(1), "")),
        state: JobState::Running,
        start_time: Some(200),
        placement: Some(Placement { nodes: vec![NodeShare { node: "node1".into(), ..NodeShare::default() }] }),
        steps: vec![step()],
        ..head.clone()
    };
    let component = |id, offset| Job { het: Some(Het { leader: 4, offset, size: 2 }), ..job(id) };
    let (leader, component) = (component(4, 0), component(5, 1));
    let mut store = Store::open(&path).unwrap();
    for job in [&plain, &head, &element, &leader, &component] {
        store.put_job(job).unwrap();
    }
    store.put_step(3, 0, &step()).unwrap();
    store.commit().unwrap();
    drop(store);
    let mut store = Store::open(&path).unwrap();
    let back = store.unfinished().unwrap();
    assert_eq!(back, [plain, head, element, leader, component]);
    assert!(Arc::ptr_eq(&back[1].request, &back[2].request), "elements share their request");
    assert_eq!(store.last_id().unwrap(), 5);
    let found = |store: &mut Store, id| store.by_ids(&[id]).unwrap().len();
    assert_eq!([2, 4, 5].map(|id| found(&mut store, id)), [2, 2, 1]);
}

#[test]
fn what_is_rolled_back_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(&dir.path().join("db")).unwrap();
    store.put_job(&job(1)).unwrap();
    store.roll_back();
    store.put_job(&job(2)).unwrap();
    store.commit().unwrap();
    let ids: Vec<JobId> = store.unfinished().unwrap().iter().map(|j| j.id).collect();
    assert_eq!(ids, [2]);
}

#[test]
fn the_same_bytes_are_kept_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(&dir.path().join("db")).unwrap();
    let first = store.put_blob(b"#!/bin/sh\n").unwrap();
    assert_eq!(store.put_blob(b"#!/bin/sh\n").unwrap(), first);
    let second = store.put_blob(b"").unwrap();
    assert_ne!(second, first);
    assert_eq!((store.blob(first).unwrap(), store.blob(second).unwrap()), (b"#!/bin/sh\n".to_vec(), Vec::new()));
}

#[test]
fn what_is_old_goes_with_all_that_was_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let mut store = Store::open(&path).unwrap();
    let (old, new) = (store.put_blob(b"old").unwrap(), store.put_blob(b"new").unwrap());
    let ended = |id, time, blob| Job {
        state: JobState::Completed,
        end_time: Some(time),
        start_time: Some(time),
        script: blob,
        environment: blob,
        ..job(id)
    };
    let shared = ended(3, 100, old);
    let runs = Job { state: JobState::Running, ..Job { id: 4, ..shared.clone() } };
    for job in [&ended(1, 100, old), &ended(2, 300, new), &shared, &Job { script: new, environment: new, ..runs }] {
        store.put_job(job).unwrap();
    }
    store.put_step(1, 0, &step()).unwrap();
    assert_eq!(store.purge(200, 1).unwrap(), 1);
    assert_eq!(store.purge(200, 9).unwrap(), 1);
    assert_eq!(store.purge(200, 9).unwrap(), 0);
    store.sweep().unwrap();
    store.commit().unwrap();
    assert_eq!(store.by_ids(&[1, 2, 3, 4]).unwrap().iter().map(|j| j.id).collect::<Vec<_>>(), [2, 4]);
    assert!(store.blob(old).is_err() && store.blob(new).is_ok());
    // Its request is written anew though another with the same one was there before.
    store.put_job(&Job { id: 5, ..shared }).unwrap();
    store.commit().unwrap();
    assert_eq!(store.by_ids(&[5]).unwrap().len(), 1);
    assert_eq!(store.last_id().unwrap(), 5);
}

#[test]
fn damaged_and_newer_stores_are_told_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    std::fs::write(&path, b"this is no database, but somebody's file of more than a hundred bytes; it has to stay as it is, byte for byte").unwrap();
    assert!(matches!(Store::open(&path), Err(StoreError::Sqlite { .. })));
    assert!(std::fs::read(&path).unwrap().starts_with(b"this is no database"));
    let path = dir.path().join("newer");
    drop(Store::open(&path).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(Store::open(&path), Err(StoreError::Newer { found: 99, .. })));
}

/// What each version lacked, from the last one back; the first one is the oldest that is read.
const BACK: [(i64, &str); 5] = [
    (
        5,
        "UPDATE earlier_run SET record = json_remove(json_set(record, '$.jobs[0].steps', json_extract(record, '$.steps[0]')), '$.steps')",
    ),
    (4, "ALTER TABLE job DROP COLUMN suspension"),
    (
        3,
        "DROP INDEX job_het; ALTER TABLE job DROP COLUMN het_leader; ALTER TABLE job DROP COLUMN het_offset; \
         ALTER TABLE job DROP COLUMN het_size",
    ),
    (2, "ALTER TABLE job DROP COLUMN dependency"),
    (1, "ALTER TABLE job DROP COLUMN remote"),
];

#[test]
fn older_stores_are_brought_up_to_date() {
    assert_eq!(BACK.map(|(version, _)| version).first(), Some(&(SCHEMA - 1)));
    for oldest in 1..SCHEMA {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        let mut store = Store::open(&path).unwrap();
        let now = Job { state: JobState::Completed, end_time: Some(300), ..job(7) };
        let earlier = Job { steps: vec![step()], end_time: Some(200), ..job(7) };
        store.put_job(&now).unwrap();
        store.put_earlier_run(&earlier).unwrap();
        store.commit().unwrap();
        drop(store);
        let db = Connection::open(&path).unwrap();
        for (_, sql) in BACK.iter().filter(|(version, _)| *version >= oldest) {
            db.execute_batch(sql).unwrap();
        }
        db.pragma_update(None, "user_version", oldest).unwrap();
        drop(db);
        let mut store = Store::open(&path).unwrap();
        assert_eq!(store.by_ids(&[7]).unwrap(), [now], "{oldest}");
        assert_eq!(store.earlier_runs().unwrap(), [earlier], "{oldest}");
    }
}
