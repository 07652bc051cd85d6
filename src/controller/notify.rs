//! Who is told what happens to jobs: by mail (`--mail-type`) and by the configuration's hooks.
//!
//! What has happened is told when it is on disk. Programs run one after the other on a thread of their own, so that a
//! slow one keeps nobody waiting.

use super::core::Core;
use crate::{
    config::Config,
    job::{
        Job, JobId,
        notice::{Summary, environment, subject},
    },
    slurm::{
        mail::{self, Occasion},
        state::JobState,
        time::TimeLimit,
    },
};
use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    thread,
    time::{Duration, Instant},
};

/// So many programs may wait to be run; more are dropped and logged.
const BACKLOG: usize = 10_000;
/// How long one program may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a controller that ends lets programs finish.
const LAST: Duration = Duration::from_secs(5);

/// Something that happened to a job.
pub(super) struct News {
    /// The job as it was then.
    job: Job,
    occasion: Occasion,
    /// It is the first element of its array to start.
    first: bool,
}

/// A program to run.
struct Errand {
    command: Command,
    input: Vec<u8>,
}

/// Runs programs.
pub(super) struct Messenger {
    errands: Option<SyncSender<Errand>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Messenger {
    /// One that has nothing to do yet.
    pub(super) fn new() -> Self {
        Self { errands: None, thread: None }
    }

    fn run(&mut self, errand: Errand) {
        let errands = self.errands.get_or_insert_with(|| {
            let (sender, receiver) = sync_channel(BACKLOG);
            self.thread = thread::Builder::new().name("notify".into()).spawn(move || work(&receiver)).ok();
            sender
        });
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = errands.try_send(errand) {
            tracing::error!("a mail or hook was dropped: too many wait");
        }
    }
}

impl Drop for Messenger {
    fn drop(&mut self) {
        drop(self.errands.take());
        let Some(thread) = self.thread.take() else { return };
        let until = Instant::now() + LAST;
        while !thread.is_finished() && Instant::now() < until {
            thread::sleep(Duration::from_millis(10));
        }
    }
}

fn work(errands: &Receiver<Errand>) {
    for Errand { mut command, input } in errands {
        let result = command.spawn().and_then(|mut child| {
            if let Some(mut stdin) = child.stdin.take() {
                // One that does not read has its reasons.
                let _ = stdin.write_all(&input);
            }
            wait(&mut child)
        });
        match result {
            Ok(Some(status)) if status.success() => {}
            Ok(Some(status)) => tracing::warn!(?command, %status, "mail or hook failed"),
            Ok(None) => tracing::warn!(?command, "mail or hook took too long and was ended"),
            Err(error) => tracing::warn!(?command, %error, "mail or hook not run"),
        }
    }
}

fn wait(child: &mut Child) -> std::io::Result<Option<std::process::ExitStatus>> {
    let until = Instant::now() + PATIENCE;
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() > until {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

/// What sends mail here.
fn mail_program(config: &Config) -> Option<PathBuf> {
    let usual = ["/bin/mail", "/usr/bin/mail", "/usr/sbin/sendmail", "/usr/lib/sendmail"];
    config.controller.mail_program.clone().or_else(|| usual.iter().map(PathBuf::from).find(|path| path.exists()))
}

/// The command for one mail. sendmail takes a message, others a subject and who it is for.
fn mail(program: &Path, subject: &str, to: &str) -> Errand {
    let mut command = Command::new(program);
    let mut input = Vec::new();
    if program.file_name().is_some_and(|name| name == "sendmail") {
        let clean: String = to.chars().filter(|c| !c.is_control()).collect();
        command.arg("-t");
        input = format!("To: {clean}\nSubject: {subject}\n\n").into_bytes();
    } else {
        command.arg("-s").arg(subject);
        // An address is no option.
        command.arg(if to.starts_with('-') { format!("./{to}") } else { to.to_owned() });
    }
    Errand { command, input }
}

impl Core {
    /// Something happened to a job; who wants to hear of it does once it is on disk.
    pub(super) fn happened(&mut self, id: JobId, occasion: Occasion) {
        let Some(job) = self.table.get(id) else { return };
        if self.config.hooks.of(occasion).is_some() || job.request.mail_type.is_some() {
            let first = job.array.as_ref().is_some_and(|array| {
                let own = self.table.get(array.job_id).filter(|own| own.state == JobState::Pending);
                own.map_or(0, Job::count) + 1 == array.spec.count()
            });
            self.news.push(News { job: job.clone(), occasion, first });
        }
        if occasion == Occasion::Begin {
            self.await_warnings(id);
        }
    }

    /// Notes when parts of a running job's time limit are over, where its user wants to hear of that.
    pub(super) fn await_warnings(&mut self, id: JobId) {
        let due: Vec<i64> = self.table.get(id).into_iter().flat_map(warnings).map(|(_, time)| time).collect();
        due.into_iter().for_each(|time| self.due_at(time, id));
    }

    /// How a job's end is called.
    pub(super) fn ended(&mut self, id: JobId) {
        let Some(state) = self.table.get(id).map(|job| job.state) else { return };
        let good = matches!(state, JobState::Completed | JobState::Cancelled);
        if state == JobState::Timeout {
            self.happened(id, Occasion::TimeLimit(100));
        }
        self.happened(id, if good { Occasion::End } else { Occasion::Fail });
    }

    /// A part of a running job's time limit that is over at `due` is told.
    pub(super) fn tell_time(&mut self, id: JobId, due: i64) {
        let Some(job) = self.table.get(id).filter(|job| job.state == JobState::Running) else { return };
        let parts: Vec<u8> =
            warnings(job).into_iter().filter(|(_, time)| *time == due).map(|(percent, _)| percent).collect();
        parts.into_iter().for_each(|percent| self.happened(id, Occasion::TimeLimit(percent)));
    }

    /// Sends what has happened and is on disk.
    pub(super) fn tell_news(&mut self) {
        let now = crate::host::clock::now();
        for news in std::mem::take(&mut self.news) {
            let (job, occasion) = (&news.job, news.occasion);
            self.run_hook(job, occasion, now);
            // Of a heterogeneous job its first component is told of.
            let Some(list) = job.request.mail_type.clone().filter(|_| job.leads()) else { continue };
            let summary = match &job.array {
                Some(_) if !mail::of_each_task(&list) => match self.summary(&news) {
                    Some(summary) => Some(summary),
                    None => continue,
                },
                _ => None,
            };
            // A summary says how all of it ended, and not the last.
            let occasion = match (occasion, summary) {
                (Occasion::End | Occasion::Fail, Some(Summary { codes: (_, 0), .. })) => Occasion::End,
                (Occasion::End | Occasion::Fail, Some(_)) => Occasion::Fail,
                (other, _) => other,
            };
            if !mail::wants(&list, occasion) {
                continue;
            }
            // All of an array is told of by its own record, which becomes its last element.
            let own = summary.and(job.array.as_ref()).and_then(|array| self.table.get(array.job_id)).cloned();
            let job = own.as_ref().unwrap_or(job);
            let Some(program) = mail_program(&self.config) else {
                tracing::warn!(
                    job = job.id,
                    "no mail is sent: there is neither mail nor sendmail, nor a mail_program in the configuration"
                );
                continue;
            };
            let to = job.request.mail_user.as_deref().unwrap_or(&job.request.user.name);
            let errand = mail(&program, &subject(job, occasion, summary, now), to);
            self.send(errand, job, occasion, summary, now);
        }
    }

    fn run_hook(&mut self, job: &Job, occasion: Occasion, now: i64) {
        let Some(line) = self.config.hooks.of(occasion) else { return };
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(line);
        self.send(Errand { command, input: Vec::new() }, job, occasion, None, now);
    }

    fn send(&mut self, mut errand: Errand, job: &Job, occasion: Occasion, summary: Option<Summary>, now: i64) {
        let variables = environment(job, occasion, summary, &self.config.controller.cluster_name, now);
        let stdin = if errand.input.is_empty() { Stdio::null() } else { Stdio::piped() };
        errand.command.envs(variables).current_dir("/").stdin(stdin).stdout(Stdio::null()).stderr(Stdio::null());
        self.messenger.run(errand);
    }

    /// What is said of all of an array: when its first element starts, and when its last is over.
    fn summary(&mut self, News { job, occasion, first }: &News) -> Option<Summary> {
        let array = job.array.as_ref()?;
        let records = self.table.records_of(array.job_id);
        match occasion {
            Occasion::Begin => first.then_some(Summary { state: None, codes: (0, 0) }),
            Occasion::End | Occasion::Fail => {
                let over = records.iter().filter_map(|id| self.table.get(*id)).all(Job::is_finished);
                // Told once: with the record that was the last to end.
                let last = over && !self.news_told.contains(&array.job_id);
                let jobs = if last { self.store.by_ids(&[array.job_id]).ok()? } else { return None };
                self.news_told.insert(array.job_id);
                let codes = jobs.iter().map(|job| job.exit.code());
                let state = jobs.first().map(|job| job.state);
                Some(Summary {
                    state: state.filter(|state| jobs.iter().all(|job| job.state == *state)),
                    codes: (codes.clone().min().unwrap_or(0), codes.max().unwrap_or(0)),
                })
            }
            _ => Some(Summary { state: None, codes: (0, 0) }),
        }
    }
}

/// The parts of its time limit that a job's user wants to hear of, and when they are over.
fn warnings(job: &Job) -> Vec<(u8, i64)> {
    let (Some(list), Some(start), TimeLimit::Minutes(minutes)) =
        (&job.request.mail_type, job.start_time, job.time_limit)
    else {
        return Vec::new();
    };
    let asked = [50, 80, 90].into_iter().filter(|percent| mail::wants(list, Occasion::TimeLimit(*percent)));
    asked.map(|percent| (percent, start + i64::from(minutes) * 60 * i64::from(percent) / 100)).collect()
}
