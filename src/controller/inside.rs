//! What commands ask from inside a job on nodes from which the controller cannot be reached: it comes as an event of the job's
//! agent, with the job's own rights, and the answer goes back by its engine.
//!
//! A log is read again after a restart, and an agent asks again what was not answered. So the number of what was done last is
//! put on disk together with what it did, and nothing is done twice; only who waits for something is let wait again.

use super::{
    api::{Call, PROTOCOL, Reply, Submission},
    core::{Core, Message, respond},
};
use crate::{
    engine::skypilot::environment,
    host::ipc,
    job::{JobId, JobList, Kind, Request, env::Environment},
    slurm::errno::Errno,
};
use std::path::{Path, PathBuf};
use tokio::sync::oneshot;

/// Nobody waits for an answer longer, in seconds; with something for clocks that differ.
const PATIENCE: i64 = 210;

/// A question as it came.
pub(super) struct Asked {
    pub time: i64,
    pub run: u32,
    pub number: u64,
    pub sealed: String,
    pub copies: Vec<PathBuf>,
}

impl Core {
    /// Answers it, if it is due.
    pub(super) fn asked(&mut self, id: JobId, asked: Asked, now: i64) {
        let Asked { time, run, number, sealed, copies } = asked;
        let which = (run, number);
        let Some(body) = self.engine.question(id, which, &sealed) else {
            return tracing::warn!(job = id, "what came is no question of the job's");
        };
        let call = match ipc::parse::<(u16, Call)>(&body) {
            Ok((PROTOCOL, call)) => Some(call),
            _ => None, // of another version
        };
        let waits = call.as_ref().is_some_and(Call::may_wait);
        let Some(heard) = self.table.get(id).and_then(|job| job.remote.as_ref()).map(|remote| remote.heard) else {
            return;
        };
        let was_done = heard.is_some_and(|(of, last)| of == run && number <= last);
        if (was_done && !waits) || time < now - PATIENCE {
            return;
        }
        if waits {
            let table = &self.table;
            self.waiting_afar.retain(|(id, ..)| table.get(*id).is_some_and(|job| !job.is_finished()));
            if !self.waiting_afar.insert((id, which)) {
                return;
            }
        }
        let (answer, coming) = oneshot::channel();
        self.engine.answer(id, which, coming);
        if !was_done && let Some(remote) = self.table.get_mut(id).and_then(|job| job.remote.as_mut()) {
            remote.heard = Some(which);
            self.save(id);
        }
        let Some(call) = call else {
            let _ = answer.send(ipc::frame(&(PROTOCOL, None::<Reply>)).unwrap_or_default());
            return;
        };
        match self.at_home(id, call, &copies) {
            Ok((call, uid)) => self.handle(Message { call, uid, answer }, now),
            Err(refusal) => respond::<JobList>(answer, &refusal),
        }
    }

    /// The call as it would have come from where the job was submitted, and whose it is.
    fn at_home(&mut self, id: JobId, mut call: Call, copies: &[PathBuf]) -> Result<(Call, u32), Reply> {
        let Some(job) = self.table.get(id) else { return Err(refused(Vec::new())) };
        let parent = std::sync::Arc::clone(&job.request);
        match &mut call {
            Call::Submit(submission) | Call::TestOnly(submission) => {
                if submission.request.kind != Kind::Batch {
                    let why = "an allocation made on a node of another job could not be reached from there: use sbatch";
                    return Err(refused(vec![why.into()]));
                }
                let own = match self.kept(id, |job| job.environment) {
                    Reply::Script(own) => own,
                    other => return Err(other),
                };
                move_home(submission, &parent, &own, copies).map_err(|why| refused(vec![why]))?;
            }
            Call::Stop | Call::GiveUp(_) | Call::Granted { .. } | Call::WayIn(_) => return Err(refused(Vec::new())),
            _ => {}
        }
        Ok((call, parent.user.uid))
    }
}

fn refused(before: Vec<String>) -> Reply {
    Reply::Refused { errno: Errno::NotSupported, before, hint: None }
}

/// Makes a submission the parent's user's, from the directory that was copied to the node, with what of the node's
/// environment is not the node's own.
///
/// # Errors
/// Why it cannot be, in words.
fn move_home(submission: &mut Submission, parent: &Request, own: &[u8], copies: &[PathBuf]) -> Result<(), String> {
    let requests = std::iter::once(&mut submission.request).chain(submission.others.iter_mut().map(|(r, _)| r));
    for request in requests {
        request.user = parent.user.clone();
        request.work_dir = home_of(&request.work_dir, parent, copies).ok_or_else(|| {
            let (dir, of) = (&request.work_dir, &parent.work_dir);
            format!("{dir} is a directory of this node alone: submit from the job's directory ({of})")
        })?;
        request.submit_dir = home_of(&request.submit_dir, parent, copies).unwrap_or_else(|| request.work_dir.clone());
    }
    let mut all = Environment::parse(&environment::staying(own));
    let asked = environment::travelling(&submission.environment, &submission.request.export, &[]);
    all.merge(&Environment::parse(&asked));
    submission.environment = all.to_block();
    Ok(())
}

/// What the directory is called where the job was submitted; `None` where it is not there.
fn home_of(dir: &str, parent: &Request, copies: &[PathBuf]) -> Option<String> {
    let (dir, home) = (Path::new(dir), Path::new(&parent.work_dir));
    if copies.is_empty() || dir.starts_with(home) {
        return Some(dir.to_string_lossy().into_owned());
    }
    let rest = copies.iter().find_map(|copy| dir.strip_prefix(copy).ok())?;
    let path = if rest.as_os_str().is_empty() { home.to_owned() } else { home.join(rest) };
    Some(path.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copied_directory_is_called_as_at_home() {
        let parent = Request { work_dir: "/home/alice/run".into(), ..Request::default() };
        let copies = ["/root/sky_workdir".into(), "/data/copy".into()];
        let of = |dir| home_of(dir, &parent, &copies);
        assert_eq!(of("/root/sky_workdir").as_deref(), Some("/home/alice/run"));
        assert_eq!(of("/data/copy/a/b").as_deref(), Some("/home/alice/run/a/b"));
        assert_eq!(of("/home/alice/run/a").as_deref(), Some("/home/alice/run/a"));
        assert_eq!((of("/root"), of("/root/sky_workdir2")), (None, None));
        assert_eq!(home_of("/any", &parent, &[]).as_deref(), Some("/any"));
    }

    #[test]
    fn the_node_s_own_variables_stay_there() {
        let user = crate::job::User { uid: 7, name: "alice".into(), ..Default::default() };
        let parent = Request { work_dir: "/w".into(), user: user.clone(), ..Request::default() };
        let mut submission = Submission {
            request: Request { work_dir: "/copy".into(), submit_dir: "/copy".into(), ..Request::default() },
            array: None,
            script: Vec::new(),
            environment: b"PATH=/node\0SKYPILOT_NODE_RANK=0\0EPOCH=3\0".to_vec(),
            refusals: Vec::new(),
            others: Vec::new(),
        };
        move_home(&mut submission, &parent, b"PATH=/home\0EPOCH=2\0", &["/copy".into()]).unwrap();
        let block = Environment::parse(&submission.environment);
        let of = |name: &str| block.get(name).map(|v| String::from_utf8_lossy(v).into_owned());
        assert_eq!((of("PATH").as_deref(), of("EPOCH").as_deref()), (Some("/home"), Some("3")));
        assert_eq!((of("SKYPILOT_NODE_RANK"), submission.request.user), (None, user));
        assert_eq!((&*submission.request.work_dir, &*submission.request.submit_dir), ("/w", "/w"));
    }
}
