//! Submitting jobs: what goes up, and that it goes up once.
//!
//! Jobs that share a name (the elements of an array that are handed over together) are one request with one task. By
//! the name, which is on disk before, a job that may have been submitted is looked up before it is submitted again.

use super::{
    client::{Error, Launch, Rows},
    environment, follow,
    imp::Shared,
    task::{Carrier, Facts, Task},
    upload::{self, Contents, PackError},
};
use crate::{
    agent::remote::{Delivery, Payload, VARIABLE},
    engine::{News, Start},
    job::{Job, Needs, Shape},
    slurm::{reason::Reason, state::JobState},
};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::watch;

/// How long is waited for the rest of an array that is handed over together.
const GATHER: Duration = Duration::from_millis(50);

/// A payload above this goes into the blob: SkyPilot hands variables on in a command line on some infra, and one
/// argument may have 128 KiB.
const IN_VARIABLE: usize = 48 << 10;

/// Pauses between looking for a job whose submission's answer was lost. Only when it was not there each time is it
/// submitted again.
const LOOKS: [Duration; 4] = [Duration::ZERO, Duration::from_secs(2), Duration::from_secs(5), Duration::from_secs(10)];

/// The longest pause between attempts to reach the server.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How far a submission is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its jobs come together; nothing was sent.
    Gathering,
    /// It may have been sent.
    Underway,
    /// It was taken: SkyPilot's numbers, by rank.
    Taken(Arc<Vec<u32>>),
    /// It will never be: why.
    Failed(String),
}

/// Jobs that are submitted together.
pub struct Group {
    /// Their name.
    pub name: String,
    /// How many there are to be.
    count: u32,
    members: Mutex<Vec<Start>>,
    withdrawn: Mutex<BTreeSet<u32>>,
    stage: watch::Sender<Stage>,
    /// Nobody has to wait for its files: they are there, or cannot be sent now.
    files_done: AtomicBool,
}

impl Group {
    /// A group of `count` jobs, to be filled.
    pub fn new(name: String, count: u32) -> Self {
        let (stage, _) = watch::channel(Stage::Gathering);
        Self {
            name,
            count,
            members: Mutex::default(),
            withdrawn: Mutex::default(),
            stage,
            files_done: AtomicBool::new(false),
        }
    }

    /// Adds a job; whether all are there now.
    pub fn add(&self, start: Start) -> bool {
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        members.push(start);
        members.len() as u32 >= self.count
    }

    /// How far it is, from now on.
    pub fn stage(&self) -> watch::Receiver<Stage> {
        self.stage.subscribe()
    }

    /// Whether its files are being looked at or sent.
    pub fn is_on_its_way(&self) -> bool {
        let is_settled = matches!(*self.stage.borrow(), Stage::Taken(_) | Stage::Failed(_));
        !is_settled && !self.files_done.load(Ordering::Relaxed)
    }

    /// Takes the job with `rank` out, if nothing was sent yet.
    pub fn withdraw(&self, rank: u32) -> bool {
        let mut withdrawn = self.withdrawn.lock().unwrap_or_else(PoisonError::into_inner);
        if *self.stage.borrow() != Stage::Gathering {
            return false;
        }
        withdrawn.insert(rank);
        true
    }

    /// Ends the gathering: the jobs by rank. A controller that was restarted may have to do with fewer than there were.
    fn close(&self) -> Vec<Start> {
        let withdrawn = self.withdrawn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner).clone();
        members.retain(|m| !withdrawn.contains(&rank(&m.job)));
        members.sort_by_key(|m| rank(&m.job));
        self.stage.send_replace(Stage::Underway);
        members
    }
}

fn rank(job: &Job) -> u32 {
    job.remote.as_ref().map_or(0, |r| r.rank)
}

/// Why a submission cannot be made.
enum Trouble {
    /// It will not be otherwise later.
    Final(String),
    /// It may be.
    Passing(String),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused { .. } => Self::Final(error.to_string()),
            _ => Self::Passing(error.to_string()),
        }
    }
}

/// Submits the group, however long it takes.
pub async fn run(shared: Arc<Shared>, group: Arc<Group>, full: bool) {
    if !full {
        tokio::time::sleep(GATHER).await;
    }
    let mut pause = Duration::from_secs(1);
    let mut look_first: Option<bool> = None;
    loop {
        let members = group.close();
        let Some(first) = members.first() else {
            group.stage.send_replace(Stage::Failed("withdrawn".into()));
            return;
        };
        let look_first = look_first.get_or_insert(first.again);
        let trouble = match attempt(&shared, &group, &members, look_first).await {
            Ok(numbers) => {
                shared.poll.note_reach(None);
                group.stage.send_replace(Stage::Taken(Arc::new(numbers)));
                return;
            }
            Err(Trouble::Final(why)) => {
                group.stage.send_replace(Stage::Failed(why));
                return;
            }
            Err(Trouble::Passing(why)) => why,
        };
        group.files_done.store(true, Ordering::Relaxed);
        tracing::warn!(name = group.name, trouble, "not submitted yet");
        shared.poll.note_reach(Some(trouble.clone()));
        for member in &members {
            let detail = Some(trouble.clone());
            shared.tell(member.job.id, News::Waits { reason: Reason::PartitionDown, detail, configuring: false });
        }
        if !*look_first {
            // Nothing was sent: until the next attempt a job may still be taken out.
            group.stage.send_replace(Stage::Gathering);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// One attempt. `look_first` is set once it may have been sent.
async fn attempt(
    shared: &Arc<Shared>,
    group: &Group,
    members: &[Start],
    look_first: &mut bool,
) -> Result<Vec<u32>, Trouble> {
    let client = shared.client.clone().with_patience(Duration::ZERO);
    if *look_first {
        for pause in LOOKS {
            tokio::time::sleep(pause).await;
            let rows = client.queue(Rows::Named(&group.name)).await?;
            let mut numbers: Vec<u32> = rows.iter().filter(|r| r.job_name == group.name).map(|r| r.job_id).collect();
            numbers.sort_unstable();
            if numbers.len() as u32 >= group.count {
                return Ok(numbers);
            }
            if !numbers.is_empty() {
                // The server has not put all of an array into its table yet.
                return Err(Trouble::Passing(format!("{} of {} jobs are submitted", numbers.len(), group.count)));
            }
        }
        *look_first = false;
    }
    let Some(first) = members.first() else { return Ok(Vec::new()) };
    let (task, blob) = prepare(shared, group, first, members).await?;
    group.files_done.store(true, Ordering::Relaxed);
    let pool = shared.partition(&first.job.partition).and_then(|p| p.pool);
    let launch = Launch { task: &task, pool: pool.as_deref(), count: group.count, blob: Some(&blob) };
    match client.launch(&launch).await {
        Ok(numbers) => Ok(numbers),
        Err(error) => {
            *look_first = matches!(error, Error::MayHaveHappened(_) | Error::Nonsense(_));
            Err(error.into())
        }
    }
}

/// The task of a group, and the blob with its files, which the server has then.
async fn prepare(
    shared: &Arc<Shared>,
    group: &Group,
    first: &Start,
    members: &[Start],
) -> Result<(String, String), Trouble> {
    let partition = shared
        .partition(&first.job.partition)
        .ok_or_else(|| Trouble::Final(format!("partition {} is gone from the configuration", first.job.partition)))?;
    let request = &first.job.request;
    let needs = Needs::of(request, None);
    let shape = Shape::of(&needs, partition.most_gpus()).map_err(Trouble::Final)?;
    let offered = match shape.gpus > 0 && shape.gpu_type.is_none() && partition.gpu_type.is_none() {
        true => shared.offered(&partition).await?,
        false => Vec::new(),
    };
    let read = |path: &Path| fs::read(path).map_err(|e| Trouble::Passing(format!("{}: {e}", path.display())));
    let script = first.script.as_deref().map(read).transpose()?.unwrap_or_default();
    let environment = read(&first.environment)?;
    let environment = environment::travelling(&environment, &request.export, &shared.settings.keep_home);
    let delivery = if partition.sees(&request.work_dir) { Delivery::Shared } else { Delivery::Copied };
    let workdir = partition.copies(&request.work_dir).then(|| request.work_dir.clone());
    let payload = Payload {
        job: first.job.clone(),
        elements: elements(group, members),
        shape: shape.clone(),
        script,
        environment,
        cluster: shared.cluster.clone(),
        secret: super::names::random().map_err(|e| Trouble::Passing(e.to_string()))?,
        kill_wait: shared.kill_wait,
        over_time_limit: shared.over_time_limit,
        modules: shared.settings.modules.iter().map(|(n, c)| (n.clone(), c.clone())).collect(),
        delivery,
    };
    let sealed = payload.seal(&shared.key);
    let file = group.name.clone();
    let large = (sealed.len() > IN_VARIABLE).then(|| sealed.clone().into_bytes());
    let said = if large.is_some() { format!("@{file}") } else { sealed };
    let carrier = Carrier::Sealed { name: &group.name, payload: &said, workdir: workdir.is_some() };
    let facts = Facts { partition: &partition, settings: &shared.settings, shape: &shape, offered: &offered };
    let task = Task::of(request, &facts, &carrier).map_err(Trouble::Final)?.submission();
    debug_assert!(task.contains(VARIABLE));
    let blob = bring(shared, workdir.map(PathBuf::from), large.map(|bytes| (file, bytes))).await?;
    Ok((task, blob))
}

/// The elements by rank; none for a job that is no array.
fn elements(group: &Group, members: &[Start]) -> Vec<Option<(u32, u32)>> {
    let element = |job: &Job| job.array.as_ref().and_then(|a| a.task_id).map(|task| (job.id, task));
    if members.first().is_none_or(|m| element(&m.job).is_none()) {
        return Vec::new();
    }
    let of_rank = |wanted| members.iter().find(|m| rank(&m.job) == wanted).and_then(|m| element(&m.job));
    (0..group.count).map(of_rank).collect()
}

/// Sees to it that the server has the files of a job, and gives the id of their blob. One after the other, so that a
/// sweep uploads once.
async fn bring(
    shared: &Arc<Shared>,
    workdir: Option<PathBuf>,
    payload: Option<(String, Vec<u8>)>,
) -> Result<String, Trouble> {
    let _turn = shared.uploading.lock().await;
    let packed = {
        let (shared, workdir) = (Arc::clone(shared), workdir.clone());
        let pack = move || {
            let mut files: Vec<(&str, &[u8])> = vec![("key", &shared.key)];
            files.extend(payload.as_ref().map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
            let contents = Contents {
                program: &shared.program,
                files: &files,
                workdir: workdir.as_deref(),
                limit: shared.workdir_limit(),
            };
            let pack = upload::pack(&contents, &shared.spool.join("hashes"))?;
            let zip = shared.spool.join("upload.zip");
            Ok((pack, zip))
        };
        tokio::task::spawn_blocking(pack).await.map_err(|e| Trouble::Passing(e.to_string()))?
    };
    let (pack, zip) = packed.map_err(|error: PackError| match &error {
        PackError::TooLarge { path, .. } => Trouble::Final(format!(
            "{error}: list what is not needed in {}, or raise workdir_limit in [skypilot]",
            path.join(".skyignore").display()
        )),
        PackError::Changed { .. } => Trouble::Passing(error.to_string()),
        _ => Trouble::Final(error.to_string()),
    })?;
    let client = shared.client.clone().with_patience(Duration::ZERO);
    if client.has_blob(&pack.id, pack.size).await? {
        return Ok(pack.id);
    }
    let id = pack.id.clone();
    let progress = Arc::clone(&shared.progress);
    progress.begin(pack.size);
    let written = {
        let (zip, progress) = (zip.clone(), Arc::clone(&progress));
        tokio::task::spawn_blocking(move || pack.write(&zip, &|done| progress.packed(done))).await
    };
    let sent = match written.map_err(|e| Trouble::Passing(e.to_string())) {
        Ok(Ok(size)) => {
            progress.sending(size);
            let told = Arc::clone(&progress);
            let client = client.with_patience(Duration::from_secs(30));
            client.upload(&id, &zip, &move |sent| told.sent(sent)).await.map_err(Trouble::from)
        }
        Ok(Err(error)) => Err(Trouble::Passing(error.to_string())),
        Err(trouble) => Err(trouble),
    };
    progress.end();
    let _ = fs::remove_file(&zip);
    sent.map(|()| id)
}

/// What becomes of a job whose submission failed.
pub fn failed(shared: &Shared, job: &Job, why: &str) {
    super::output::say(job, why);
    shared.tell(
        job.id,
        News::Gone {
            state: JobState::Failed,
            reason: Reason::JobLaunchFailure,
            exit: follow::NEVER_RAN,
            detail: Some(why.to_owned()),
        },
    );
}
