//! Submitting jobs: what goes up, and that it goes up once.
//!
//! Jobs that share a name (the elements of an array that are handed over together) are one request with one task; an allocation
//! with components is a request for each. By the name, which is on disk before, what may have been submitted is looked up
//! before it is submitted again.

use super::{
    bring::bring,
    client::{Client, Error, Launch, Rows},
    environment, follow,
    group::{Group, Stage, rank},
    shared::Shared,
    task::{Carrier, Facts, Task},
    vehicle::{self, Means, Seen},
};
use crate::{
    agent::remote::{self, Delivery, Payload},
    config::PartitionConfig,
    engine::{News, Start},
    job::{Job, Needs, Shape},
    slurm::{reason::Reason, state::JobState},
};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// A payload above this goes into the blob: SkyPilot hands variables on in a command line on some infra, and one
/// argument may have 128 KiB.
const IN_VARIABLE: usize = 48 << 10;

/// Pauses between looking for a job whose submission's answer was lost. Only when it was not there each time is it
/// submitted again.
const LOOKS: [Duration; 4] = [Duration::ZERO, Duration::from_secs(2), Duration::from_secs(5), Duration::from_secs(10)];

/// What was submitted again because it was not there may still come to be: a proxy had kept it, or the server was slow. It is
/// looked for after these pauses, most of which are shorter than what a job takes to its start.
const TWINS: [Duration; 6] = [
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(120),
    Duration::from_secs(600),
];

/// The longest pause between attempts to reach the server.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// What is said of a heterogeneous job where the server takes no groups.
pub(super) const NO_GROUPS: &str = "a heterogeneous job is a job group there, which SkyPilot has from 0.11.2 on";

/// Why a submission cannot be made.
pub(super) enum Trouble {
    /// It will not be otherwise later.
    Final(String),
    /// The server cannot be reached, or not now.
    Away(String),
    /// Something here, which may be otherwise later.
    Here(String),
}

impl Trouble {
    /// Something here that may be otherwise later.
    pub(super) fn here(error: impl ToString) -> Self {
        Self::Here(error.to_string())
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused { .. } => Self::Final(error.to_string()),
            Error::File { .. } => Self::here(error),
            _ => Self::Away(error.to_string()),
        }
    }
}

/// What is known of a former attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Sent {
    /// The server has heard of none.
    Not,
    /// It may have.
    Perhaps,
    /// It has: it works on this request, or has done so.
    As(String),
    /// It has taken it, under these numbers.
    Taken(Vec<u32>),
}

/// What a group is there, or one of several: its name, and what is known of former attempts at it.
struct Part {
    name: String,
    sent: Sent,
}

/// Submits the group, however long it takes.
pub async fn run(shared: Arc<Shared>, group: Arc<Group>) {
    let mut pause = Duration::from_secs(1);
    let sent = if group.again { Sent::Perhaps } else { Sent::Not };
    let mut parts: Vec<Part> = group.names().into_iter().map(|name| Part { name, sent: sent.clone() }).collect();
    let mut is_doubtful = false;
    loop {
        is_doubtful |= parts.iter().any(|part| part.sent != Sent::Not);
        let (reason, why) = match attempt(&shared, &group, &mut parts).await {
            Ok(Stage::Failed(why)) | Err(Trouble::Final(why)) => {
                give_up(&shared.client, &group, parts);
                return group.set(Stage::Failed(why));
            }
            Ok(stage) => {
                group.set(stage.clone());
                return match stage {
                    Stage::Taken(numbers) if is_doubtful && group.means == Means::Managed => {
                        cancel_twins(&shared.client, &group.name, &numbers).await;
                    }
                    _ => {}
                };
            }
            Err(Trouble::Away(why)) => {
                shared.poll.note_reach(Some(why.clone()));
                (Reason::PartitionDown, why)
            }
            Err(Trouble::Here(why)) => (Reason::SystemFailure, why),
        };
        group.files_are_done();
        tracing::warn!(name = group.name, why, "not submitted yet");
        group.each(|job| {
            shared.tell(job.id, News::Waits { reason, detail: Some(why.clone()), configuring: false });
        });
        if parts.iter().all(|part| part.sent == Sent::Not) {
            // Until the next attempt a job may still be taken out.
            group.set(Stage::Gathering);
        }
        shared.client.pause(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Ends the clusters of an allocation that will never have all of them.
fn give_up(client: &Client, group: &Group, parts: Vec<Part>) {
    for part in parts.into_iter().filter(|part| group.means == Means::Cluster && part.sent != Sent::Not) {
        let client = client.clone();
        tokio::spawn(async move { vehicle::clear(&client, part.name).await });
    }
}

/// Cancels what has the name of our jobs and none of their numbers.
async fn cancel_twins(client: &Client, name: &str, ours: &[u32]) {
    for pause in TWINS {
        tokio::time::sleep(pause).await;
        // A look that saw nothing, or could do nothing, was none.
        while let Err(error) = cancel_others(client, name, ours).await {
            tracing::warn!(name, %error, "not looked for what was submitted twice");
            client.pause(LONGEST_PAUSE).await;
        }
    }
}

async fn cancel_others(client: &Client, name: &str, ours: &[u32]) -> Result<(), Error> {
    let rows = client.queue(Rows::Named(name)).await?;
    let same = rows.into_iter().filter(|row| row.job_name == name && !ours.contains(&row.job_id));
    let twins = same.filter_map(|row| Some(row.job_id).filter(|_| !Seen::from(row).is_over()));
    let twins: Vec<u32> = twins.collect();
    if !twins.is_empty() {
        tracing::warn!(name, ?twins, "cancelled: they were submitted twice");
    }
    client.cancel(&twins).await
}

/// One attempt, after what is known of a former one, and will be of this.
async fn attempt(shared: &Arc<Shared>, group: &Group, parts: &mut [Part]) -> Result<Stage, Trouble> {
    let client = shared.client.clone().with_patience(Duration::ZERO);
    look_up(&client, group, parts).await?;
    if let Some(numbers) = taken(group, parts) {
        shared.poll.note_reach(None);
        return Ok(Stage::Taken(numbers));
    }
    let members = group.close();
    let partition = members.first().and_then(|m| shared.partition(&m.job.partition));
    let pool = partition.and_then(|p| p.pool);
    if group.count > 1 && pool.is_none() && !client.takes_arrays().await? {
        return Ok(Stage::Apart);
    }
    let Some(first) = members.first() else { return Ok(Stage::Failed("withdrawn".into())) };
    let is_group = !first.others.is_empty() && group.means == Means::Managed;
    if is_group && !client.takes_groups().await? {
        return Err(Trouble::Final(NO_GROUPS.into()));
    }
    let (tasks, blob) = prepare(shared, group, first, &members).await?;
    group.files_are_done();
    for (part, task) in parts.iter_mut().zip(&tasks).filter(|(part, _)| part.sent == Sent::Not) {
        let launch = Launch { task, pool: pool.as_deref(), count: group.count, blob: Some(&blob) };
        let answer = vehicle::submit(&client, group.means, &part.name, &launch).await;
        part.sent = match &answer {
            Ok(numbers) => Sent::Taken(numbers.clone()),
            Err(Error::Underway { request, .. }) => Sent::As(request.clone()),
            Err(Error::MayHaveHappened(_) | Error::Nonsense(_)) => Sent::Perhaps,
            Err(_) => Sent::Not,
        };
        answer?;
    }
    shared.poll.note_reach(None);
    taken(group, parts).map(Stage::Taken).ok_or_else(|| Trouble::here("not all of it was sent"))
}

/// The numbers of a group of which the server has taken all parts; an allocation's first cluster's stands for all.
fn taken(group: &Group, parts: &[Part]) -> Option<Arc<Vec<u32>>> {
    let numbers = |part: &Part| match &part.sent {
        Sent::Taken(numbers) => Some(numbers.clone()),
        _ => None,
    };
    let mut first = parts.iter().map(numbers).collect::<Option<Vec<_>>>()?.into_iter().next()?;
    first.truncate(group.count as usize); // more were submitted twice
    Some(Arc::new(first))
}

/// Finds out about parts that were, or may have been, submitted before.
async fn look_up(client: &Client, group: &Group, parts: &mut [Part]) -> Result<(), Trouble> {
    for part in parts.iter_mut() {
        let Sent::As(request) = &part.sent else { continue };
        part.sent = match client.launched_jobs(request, group.count).await {
            // What a server that was restarted does not know any more it may have done before.
            Err(Error::MayHaveHappened(_) | Error::Nonsense(_)) => Sent::Perhaps,
            // Where its end is not to be heard of, its jobs may be seen.
            Err(Error::Underway { request, why }) => match vehicle::look_up(client, group.means, &part.name).await {
                Ok(numbers) if numbers.len() as u32 >= group.count => Sent::Taken(numbers),
                _ => return Err(Error::Underway { request, why }.into()),
            },
            answer => Sent::Taken(answer?),
        };
    }
    for pause in LOOKS {
        let mut doubtful: Vec<&mut Part> = parts.iter_mut().filter(|part| part.sent == Sent::Perhaps).collect();
        if doubtful.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(pause).await;
        for part in &mut doubtful {
            // Whatever the server says to that, the job may be there: no answer ends it here.
            let looked = vehicle::look_up(client, group.means, &part.name).await;
            let numbers = looked.map_err(|error| Trouble::Away(error.to_string()))?;
            match numbers.len() as u32 {
                0 => {}
                all if all >= group.count => part.sent = Sent::Taken(numbers),
                // The server has not put all of an array into its table yet.
                some => return Err(Trouble::Away(format!("{some} of {} jobs are submitted", group.count))),
            }
        }
    }
    let doubtful = parts.iter_mut().filter(|part| part.sent == Sent::Perhaps);
    doubtful.for_each(|part| part.sent = Sent::Not);
    Ok(())
}

/// What is known of the nodes of a job, or of one component.
struct Nodes {
    partition: PartitionConfig,
    shape: Shape,
    offered: Vec<(String, Vec<u32>)>,
}

impl Nodes {
    async fn of(shared: &Shared, job: &Job) -> Result<Self, Trouble> {
        let partition = shared
            .partition(&job.partition)
            .ok_or_else(|| Trouble::Final(format!("partition {} is gone from the configuration", job.partition)))?;
        let shape = Shape::of(&Needs::of(&job.request, None), partition.most_gpus()).map_err(Trouble::Final)?;
        let offered = match shape.gpus > 0 && shape.gpu_type.is_none() && partition.gpu_type.is_none() {
            true => shared.offered(&partition).await?,
            false => Vec::new(),
        };
        Ok(Self { partition, shape, offered })
    }
}

/// What is to be submitted of each part, and the blob with the files, which the server has then.
async fn prepare(
    shared: &Arc<Shared>,
    group: &Group,
    first: &Start,
    members: &[Start],
) -> Result<(Vec<String>, String), Trouble> {
    let jobs: Vec<&Job> = std::iter::once(&first.job).chain(&first.others).collect();
    let mut nodes = Vec::new();
    for job in &jobs {
        nodes.push(Nodes::of(shared, job).await?);
    }
    let request = &first.job.request;
    let read = |path: &Path| fs::read(path).map_err(|e| Trouble::Here(format!("{}: {e}", path.display())));
    let script = first.script.as_deref().map(read).transpose()?.unwrap_or_default();
    let environment = read(&first.environment)?;
    let environment = environment::travelling(&environment, &request.export, &shared.settings.keep_home);
    let partition = nodes.first().map(|nodes| &nodes.partition);
    let is_seen = partition.is_some_and(|partition| partition.sees(&request.work_dir));
    let is_copied = partition.is_some_and(|partition| partition.copies(&request.work_dir));
    let workdir = is_copied.then(|| request.work_dir.clone());
    let payload = Payload {
        job: first.job.clone(),
        elements: elements(group, members),
        others: first.others.clone(),
        shapes: nodes.iter().map(|nodes| nodes.shape.clone()).collect(),
        script,
        environment,
        cluster: shared.cluster.clone(),
        secret: remote::secret(&shared.key, &group.name),
        kill_wait: shared.kill_wait,
        over_time_limit: shared.over_time_limit,
        modules: shared.settings.modules.iter().map(|(n, c)| (n.clone(), c.clone())).collect(),
        delivery: if is_seen { Delivery::Shared } else { Delivery::Copied },
    };
    let sealed = payload.seal(&shared.key).map_err(Trouble::here)?;
    let file = group.name.clone();
    let large = (sealed.len() > IN_VARIABLE).then(|| sealed.clone().into_bytes());
    let said = if large.is_some() { format!("@{file}") } else { sealed };
    let mut tasks = Vec::new();
    for (job, Nodes { partition, shape, offered }) in jobs.iter().zip(&nodes) {
        let name = job.remote.as_ref().map_or("", |remote| &remote.name);
        let component = job.het.map(|het| het.offset);
        let carrier = Carrier::Sealed { name, payload: &said, workdir: workdir.is_some(), component };
        let facts = Facts { partition, settings: &shared.settings, shape, offered };
        let mut task = Task::of(&job.request, &facts, &carrier).map_err(Trouble::Final)?;
        if group.means == Means::Cluster {
            task.ends_when_idle(&partition.infra.0);
        }
        tasks.push(task);
    }
    let blob = bring(shared, workdir.map(PathBuf::from), large.map(|bytes| (file, bytes))).await?;
    let texts = match tasks.as_slice() {
        tasks @ [_, _, ..] if group.means == Means::Managed => vec![Task::group(&group.name, tasks)],
        tasks => tasks.iter().map(Task::submission).collect(),
    };
    Ok((texts, blob))
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
