//! `scontrol show ENTITY [ID]`.

use super::{Words, assoc_mgr, hosts, keyword, keyword::Keyword, keyword::row, reservation};
use crate::{
    commands::{
        ask::{self, AskError, Said},
        dump::Dump,
    },
    controller::{
        api::{Cluster, Filter},
        client::Client,
    },
    host::hardware,
    job::Job,
    report::{
        clock::{Clock, local},
        dump::{
            LicenseRecords, NodeRecord, NodeRecords, PartitionRecord, PartitionRecords, QueueJobs, ReservationRecords,
            StepRecords,
        },
        job_fields::JobRow,
        job_values::Context,
        node_groups,
        show::{self, Style},
        step_fields::StepRow,
    },
    slurm::{
        array::{BITSTR_LEN, JobIdSpec, TaskSel},
        errno::Errno,
        hostlist, options,
        state::JobState,
    },
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Entity {
    AssocMgr,
    Config,
    HostNames,
    HostList {
        sorted: bool,
    },
    Job,
    License,
    Node,
    Partition,
    Reservation,
    Step,
    Topology,
    /// There are none here: what Slurm says then.
    None(&'static str),
}

/// The entities and how short they may be, as the real one takes them.
#[rustfmt::skip]
const ENTITIES: &[Keyword<Entity>] = &[
    row("config", 1, Entity::Config),
    row("hostnames", 5, Entity::HostNames),
    row("hostlistsorted", 9, Entity::HostList { sorted: true }),
    row("hostlist", 5, Entity::HostList { sorted: false }),
    row("jobs", 1, Entity::Job),
    row("jobid", 4, Entity::Job),
    row("nodes", 1, Entity::Node),
    row("partitions", 2, Entity::Partition),
    row("partitionname", 11, Entity::Partition),
    row("steps", 2, Entity::Step),
    row("stepid", 5, Entity::Step),
    row("reservations", 1, Entity::Reservation),
    row("reservationname", 13, Entity::Reservation),
    row("licenses", 2, Entity::License),
    row("frontend", 2, Entity::None("No frontend nodes in the system")),
    row("aliases", 1, Entity::None("")),
    row("assoc_mgr", 2, Entity::AssocMgr),
    row("cache", 2, Entity::AssocMgr),
    row("burstbuffer", 2, Entity::None("")),
    row("daemons", 1, Entity::None("slurmctld ")),
    row("dwstat", 2, Entity::None("")),
    row("federation", 3, Entity::None("")),
    row("topology", 1, Entity::Topology),
];

/// Shows something.
pub fn run(words: &Words) -> Result<Said, AskError> {
    let [word, rest @ ..] = words.args else { return Ok(words.too_few()) };
    if keyword::find(ENTITIES, word) == Some(Entity::AssocMgr) {
        // Its old name takes one condition.
        let several = rest.len() > 1 && word.to_ascii_lowercase().starts_with('c');
        return if several { Ok(words.too_many()) } else { assoc_mgr::show(words, rest) };
    }
    let (name, id) = match (word.split_once('='), rest) {
        (_, [_, _, ..]) => return Ok(words.too_many()),
        (Some((name, id)), []) => (name, Some(id)),
        (Some(_), _) => return Ok(words.too_many()),
        (None, rest) => (word.as_str(), rest.first().map(String::as_str)),
    };
    let Some(entity) = keyword::find(ENTITIES, name) else {
        return Ok(Said::error(format!("invalid entity:{word} for keyword:{} ", words.keyword)));
    };
    match entity {
        Entity::HostNames => Ok(hosts::names(id, ask::env("SLURM_NODELIST").as_deref())),
        Entity::HostList { sorted } => Ok(hosts::list(id, sorted)),
        Entity::None("") | Entity::AssocMgr => Ok(Said::default()),
        Entity::Topology => {
            let text = match id {
                None => "No topology information available".to_owned(),
                Some(name) => format!("Topology information contains no switch or node named {name}"),
            };
            let err = vec![format!("scontrol: error: {text}")];
            Ok(Said { err, ..Said::default() })
        }
        Entity::None(sentence) => Ok(Said::out(format!("{sentence}\n"))),
        Entity::Job => jobs(words, id),
        Entity::Step => steps(words, id),
        Entity::Config => Ok(Said::out(show::config(&cluster()?.0, &hardware::host_name()))),
        Entity::License => cluster().map(|(cluster, _)| match &words.dump {
            Some(dump) => {
                // A name makes no difference to Slurm's answer.
                let mut rows: Vec<_> = cluster.licenses.iter().collect();
                rows.sort_unstable();
                printed(dump.print::<LicenseRecords>("licenses", &rows, &updated(cluster.now), &cluster.name))
            }
            None => licenses(&cluster, style(words), id),
        }),
        Entity::Reservation => cluster().map(|(cluster, clock)| match &words.dump {
            Some(dump) => {
                let rows: Vec<_> =
                    cluster.reservations.iter().filter(|r| id.is_none_or(|name| r.name == name)).collect();
                printed(dump.print::<ReservationRecords>("reservations", &rows, &updated(cluster.now), &cluster.name))
            }
            None => reservation::show(&cluster, &clock, style(words), id),
        }),
        Entity::Node => nodes(words, id),
        Entity::Partition => cluster().map(|(cluster, _)| match &words.dump {
            Some(dump) => {
                let rows = cluster.partitions.iter().filter(|p| id.is_none_or(|name| p.name == name));
                let rows: Vec<_> = rows.map(|partition| PartitionRecord { partition, cluster: &cluster }).collect();
                printed(dump.print::<PartitionRecords>("partitions", &rows, &updated(cluster.now), &cluster.name))
            }
            None => partitions(&cluster, style(words), id),
        }),
    }
}

/// When the answer was true.
fn updated(now: i64) -> [(&'static str, i64); 1] {
    [("last_update", now)]
}

/// What has been printed already.
fn printed(exit: u8) -> Said {
    Said { exit, ..Said::default() }
}

fn style(words: &Words) -> Style {
    Style { oneliner: words.oneliner, details: words.details }
}

fn cluster() -> Result<(Cluster, Clock), AskError> {
    let cluster = ask::cluster(&mut Client::connect()?)?;
    let clock = clock(&cluster);
    Ok((cluster, clock))
}

fn clock(cluster: &Cluster) -> Clock {
    Clock::new(local, ask::env("SLURM_TIME_FORMAT").as_deref(), cluster.now)
}

fn context<'a>(cluster: &'a Cluster, clock: &Clock) -> Context<'a> {
    let bitstr_len = ask::env("SLURM_BITSTR_LEN").and_then(|text| text.parse().ok()).unwrap_or(BITSTR_LEN);
    Context {
        cluster: &cluster.name,
        partitions: &cluster.partitions,
        clock: clock.clone(),
        bitstr_len,
        noconvert: false,
        expand: false,
    }
}

/// Jobs, the cluster they are in, and its clock.
type Loaded = (Vec<Job>, Cluster, Clock);

/// Asks for jobs; the controller's refusal is for the caller to word.
fn load(filter: Filter) -> Result<Result<Loaded, Errno>, AskError> {
    let mut client = Client::connect()?;
    let mut jobs = match ask::jobs(&mut client, filter) {
        Err(AskError::Refused(errno)) => return Ok(Err(errno)),
        other => other?,
    };
    ask::plan(&mut client, &mut jobs)?;
    let cluster = ask::cluster(&mut client)?;
    let clock = clock(&cluster);
    Ok(Ok((jobs, cluster, clock)))
}

fn jobs(words: &Words, id: Option<&str>) -> Result<Said, AskError> {
    let wanted = match id.map(str::parse::<JobIdSpec>).transpose() {
        // A step is no job.
        Ok(wanted) if wanted.as_ref().is_none_or(|id| id.step.is_none()) => wanted,
        _ => return Ok(Said::error(format!("scontrol_print_job error: {}", Errno::InvalidJobId))),
    };
    // Of a component that there is not the whole is there.
    let whole = |id: &JobIdSpec| JobIdSpec { tasks: None, step: None, het: None, ..id.clone() };
    let ids = wanted.iter().map(|id| JobIdSpec { het: id.het, ..whole(id) }).collect();
    let (jobs, cluster, clock) = match load(Filter { ids, ..Filter::default() })? {
        Ok((jobs, ..))
            if jobs.is_empty()
                && let Some(id) = wanted.as_ref().filter(|id| id.het.is_some())
                && load(Filter { ids: vec![whole(id)], ..Filter::default() })?
                    .is_ok_and(|(jobs, ..)| !jobs.is_empty()) =>
        {
            return Ok(not_found(id));
        }
        Ok(loaded) if !loaded.0.is_empty() || wanted.is_none() => loaded,
        Err(errno) if errno != Errno::InvalidJobId => return Ok(no_jobs(errno)),
        Ok(_) | Err(_) => {
            let nothing = |dump: &Dump| Ok(printed(dump.print::<QueueJobs>("jobs", &[], &NEVER, &cluster()?.0.name)));
            return words.dump.as_ref().map_or_else(|| Ok(no_jobs(Errno::InvalidJobId)), nothing);
        }
    };
    let context = context(&cluster, &clock);
    Ok(match &words.dump {
        Some(dump) => {
            let row = |(job, element)| JobRow { element, ..JobRow::new(job, &context) };
            let rows: Vec<_> = wanted_jobs(&jobs, wanted.as_ref()).map(row).collect();
            let times = [("last_backfill", 0), ("last_update", cluster.now)];
            printed(dump.print::<QueueJobs>("jobs", &rows, &times, &cluster.name))
        }
        None => job_records(&jobs, wanted.as_ref(), &context, style(words)),
    })
}

fn not_found(id: &JobIdSpec) -> Said {
    Said { exit: 1, ..Said::out(format!("Job {id} not found\n")) }
}

/// The times of an answer to a program that asked for what there is not: Slurm calls that no error.
const NEVER: [(&str, i64); 2] = [("last_backfill", 0), ("last_update", 0)];

fn no_jobs(errno: Errno) -> Said {
    Said::error(format!("slurm_load_jobs error: {errno}"))
}

/// All jobs, or those that `wanted` names, with the one waiting element it names.
fn wanted_jobs<'a>(
    jobs: &'a [Job],
    wanted: Option<&'a JobIdSpec>,
) -> impl Iterator<Item = (&'a Job, Option<u32>)> + 'a {
    jobs.iter().filter_map(move |job| match (wanted.and_then(|id| id.tasks.as_ref()), &job.array) {
        (None, _) => Some((job, None)),
        (Some(_), None) => None,
        (Some(tasks), Some(array)) => match (array.task_id, tasks) {
            (Some(task), tasks) if tasks.contains(task) => Some((job, None)),
            (None, TaskSel::One(task)) if array.pending.contains(*task) => Some((job, Some(*task))),
            (None, tasks) if array.pending.iter().any(|task| tasks.contains(task)) => Some((job, None)),
            _ => None,
        },
    })
}

/// The records of jobs, or of the elements that `wanted` names.
fn job_records(jobs: &[Job], wanted: Option<&JobIdSpec>, context: &Context, style: Style) -> Said {
    let mut out = String::new();
    wanted_jobs(jobs, wanted).for_each(|(job, element)| show::job(job, element, context, style, &mut out));
    match wanted {
        _ if !out.is_empty() => Said::out(out),
        Some(id) => not_found(id),
        None => Said::out("No jobs in the system\n".to_owned()),
    }
}

fn steps(words: &Words, id: Option<&str>) -> Result<Said, AskError> {
    let no_step = |errno: Errno| Said::error(format!("slurm_get_job_steps error: {errno}"));
    let Ok(wanted) = id.map(str::parse::<JobIdSpec>).transpose() else {
        return Ok(no_step(Errno::InvalidJobId));
    };
    let ids = wanted.iter().map(|id| JobIdSpec { step: None, ..id.clone() }).collect();
    let (jobs, cluster, clock) = match load(Filter { ids, ..Filter::default() })? {
        Ok(loaded) if !loaded.0.is_empty() || wanted.is_none() => loaded,
        Err(errno) if errno != Errno::InvalidJobId => return Ok(no_step(errno)),
        Ok(_) | Err(_) => {
            let name = || cluster().map(|(cluster, _)| cluster.name);
            let nothing = |dump: &Dump| Ok(printed(dump.print::<StepRecords>("steps", &[], &NEVER[1..], &name()?)));
            return words.dump.as_ref().map_or_else(|| Ok(no_step(Errno::InvalidJobId)), nothing);
        }
    };
    let step = wanted.as_ref().and_then(|id| id.step.as_deref());
    let running = jobs.iter().flat_map(|job| {
        let steps = job.steps.iter().filter(|s| s.end.is_none() && step.is_none_or(|id| s.id.answers_to(id)));
        steps.map(move |step| (job, step))
    });
    if let Some(dump) = &words.dump {
        let context = context(&cluster, &clock);
        let rows: Vec<_> = running.map(|(job, step)| StepRow { step, job: JobRow::new(job, &context) }).collect();
        return Ok(printed(dump.print::<StepRecords>("steps", &rows, &updated(cluster.now), &cluster.name)));
    }
    let mut out = String::new();
    running.for_each(|(job, step)| show::step(job, step, &clock, style(words), &mut out));
    Ok(match wanted {
        _ if !out.is_empty() => Said::out(out),
        Some(id) => Said { exit: 1, ..Said::out(format!("Job step {id} not found\n")) },
        None => Said::out("No job steps in the system\n".to_owned()),
    })
}

/// A name that is none of theirs prints nothing, as in Slurm.
fn licenses(cluster: &Cluster, style: Style, name: Option<&str>) -> Said {
    if cluster.licenses.is_empty() {
        return Said::out("No licenses configured in Slurm.\n".to_owned());
    }
    let wanted = cluster.licenses.iter().filter(|(of, ..)| name.is_none_or(|name| name == of));
    Said::out(wanted.map(|(name, total, used)| show::license(name, *total, *used, style.oneliner)).collect())
}

fn nodes(words: &Words, list: Option<&str>) -> Result<Said, AskError> {
    let Some(dump) = &words.dump else {
        return cluster().map(|(cluster, clock)| node_records(&cluster, &clock, style(words), list));
    };
    let names = match list.map(hostlist::expand).transpose() {
        Ok(names) => names,
        Err(error) => return Ok(Said::error(format!("scontrol: error: {error}"))),
    };
    let running = Filter { states: vec![JobState::Running, JobState::Suspended], ..Filter::default() };
    let (jobs, cluster, clock) = match load(running)? {
        Ok(loaded) => loaded,
        Err(errno) => return Ok(no_jobs(errno)),
    };
    let context = node_groups::Context {
        clock,
        used: node_groups::used_gres(&jobs),
        version: options::version().trim_start_matches("slurm "),
        noconvert: false,
    };
    let rows = cluster.nodes.iter().filter(|node| names.as_ref().is_none_or(|names| names.contains(&node.name)));
    let rows: Vec<_> = rows.map(|node| NodeRecord { node, cluster: &cluster, context: &context }).collect();
    Ok(printed(dump.print::<NodeRecords>("nodes", &rows, &updated(cluster.now), &cluster.name)))
}

fn node_records(cluster: &Cluster, clock: &Clock, style: Style, list: Option<&str>) -> Said {
    let mut said = Said::default();
    let names = match list.map(hostlist::expand).transpose() {
        Ok(names) => names,
        Err(error) => return Said::error(format!("scontrol: error: {error}")),
    };
    let Some(names) = names else {
        cluster.nodes.iter().for_each(|node| show::node(node, cluster, clock, style, &mut said.out));
        if said.out.is_empty() {
            said.out.push_str("No nodes in the system\n");
        }
        return said;
    };
    for name in names {
        match cluster.nodes.iter().find(|node| node.name == name) {
            Some(node) => show::node(node, cluster, clock, style, &mut said.out),
            None => {
                said.out.push_str(&format!("Node {name} not found\n"));
                said.exit = 1;
            }
        }
    }
    said
}

fn partitions(cluster: &Cluster, style: Style, name: Option<&str>) -> Said {
    let mut said = Said::default();
    let wanted = || cluster.partitions.iter().filter(|p| name.is_none_or(|name| p.name == name));
    wanted().for_each(|partition| show::partition(partition, cluster, style, &mut said.out));
    match name {
        _ if !said.out.is_empty() => said,
        Some(name) => Said { exit: 1, ..Said::out(format!("Partition {name} not found\n")) },
        None => Said::out("No partitions in the system\n".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        job::ArrayRef,
        report::{clock::utc, sample_jobs},
        slurm::{array::ArraySpec, state::JobState},
    };
    use std::sync::Arc;

    fn lines(said: &Said) -> Vec<&str> {
        said.out.lines().filter_map(|l| l.split(" ArrayTaskThrottle").next()).filter(|l| l.starts_with("Job")).collect()
    }

    #[test]
    fn elements_are_found() {
        let spec = Arc::new(ArraySpec::parse("1-5%2", 1001).unwrap());
        let mut waits = sample_jobs::job(813, |_| {}, JobState::Pending);
        let pending = (3..=5).collect();
        waits.array = Some(ArrayRef { job_id: 813, spec: spec.clone(), throttle: Some(2), task_id: None, pending });
        let mut runs = sample_jobs::job(815, |_| {}, JobState::Running);
        let pending = Default::default();
        runs.array = Some(ArrayRef { job_id: 813, spec, throttle: Some(2), task_id: Some(1), pending });
        let cluster = Cluster { partitions: vec![sample_jobs::gpu()], ..Cluster::default() };
        let context = context(&cluster, &Clock::new(utc, None, sample_jobs::START));
        let show = |id: &str| {
            job_records(&[waits.clone(), runs.clone()], Some(&id.parse().unwrap()), &context, Style::default())
        };
        assert_eq!(
            lines(&show("813")),
            ["JobId=813 ArrayJobId=813 ArrayTaskId=3-5%2", "JobId=815 ArrayJobId=813 ArrayTaskId=1"]
        );
        assert_eq!(lines(&show("813_1")), ["JobId=815 ArrayJobId=813 ArrayTaskId=1"]);
        assert_eq!(lines(&show("813_4")), ["JobId=813 ArrayJobId=813 ArrayTaskId=4"]);
        assert_eq!(lines(&show("813_9")), ["Job 813_9 not found"]);
        assert_eq!(show("813_9").exit, 1);
    }

    #[test]
    fn what_is_not_there_is_said() {
        let cluster = Cluster { partitions: vec![sample_jobs::gpu()], ..Cluster::default() };
        let clock = Clock::new(utc, None, 0);
        let said = node_records(&cluster, &clock, Style::default(), Some("nosuch"));
        assert_eq!((said.out.as_str(), said.exit), ("Node nosuch not found\n", 1));
        let said = partitions(&cluster, Style::default(), Some("nosuch"));
        assert_eq!((said.out.as_str(), said.exit), ("Partition nosuch not found\n", 1));
        let none = job_records(&[], None, &context(&cluster, &clock), Style::default());
        assert_eq!((none.out.as_str(), none.exit), ("No jobs in the system\n", 0));
    }
}
