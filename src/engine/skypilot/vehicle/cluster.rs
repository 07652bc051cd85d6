//! A cluster that is an allocation: how it comes to be, whether it is still there, and its end.
//!
//! Two tell of it: the launch, which is a request of the server's and lasts until the job is in the cluster's queue, and the
//! cluster itself, which is in the server's table from the middle of its making to its end.

use super::{
    FIRST, Seen, Status, Watch,
    seen::{is_terminal, strip},
};
use crate::engine::skypilot::{
    client::{Client, ClusterRow, Error, LaunchRow},
    poll::Poll,
};
use std::{sync::Arc, time::Duration};
use tokio::sync::{Notify, watch};

/// The shortest pause between two looks.
const SHORTEST: Duration = Duration::from_secs(1);

/// The longest while it is being made, which goes on in steps of some seconds; its end is heard of at once.
const MAKING: Duration = Duration::from_secs(10);

/// The longest while it is there. What ends it mostly ends the log, too, and that is noticed.
const THERE: Duration = Duration::from_secs(60);

/// What was being made as its making was ended may come into the table so long after.
const SETTLING: Duration = Duration::from_secs(3);

/// Watches the cluster `name` until the answer is dropped.
pub(super) fn watch(client: Client, poll: Poll, name: String) -> Watch {
    let (tell, known) = watch::channel(None);
    let hurry = Arc::new(Notify::new());
    let look = Look { client: client.with_patience(Duration::ZERO), poll, name, has_begun: false };
    let bell = Arc::clone(&hurry);
    tokio::spawn(async move {
        tokio::select! {
            () = tell.closed() => {}
            () = look.on(&tell, &bell) => {}
        }
    });
    Watch { known, hurry }
}

struct Look {
    client: Client,
    poll: Poll,
    name: String,
    /// The job is, or was, in the cluster's queue.
    has_begun: bool,
}

impl Look {
    async fn on(mut self, tell: &watch::Sender<Option<Seen>>, hurry: &Notify) {
        let (mut pause, mut closely) = (SHORTEST, false);
        loop {
            let (seen, launch) = match self.look(closely).await {
                Ok(looked) => looked,
                Err(error) => {
                    tracing::warn!(name = self.name, %error, "cluster not seen");
                    self.poll.note_reach(Some(error.to_string()));
                    pause = (pause * 2).min(MAKING);
                    self.client.pause(pause).await;
                    continue;
                }
            };
            self.poll.note_reach(None);
            tracing::debug!(name = self.name, ?seen, "cluster");
            let is_over = seen.is_over();
            let is_news = tell.send_if_modified(|known| {
                let is_news = known.as_ref() != Some(&seen);
                *known = Some(seen);
                is_news
            });
            if is_over {
                return std::future::pending().await;
            }
            let longest = if self.has_begun { THERE } else { MAKING };
            pause = if is_news { SHORTEST } else { (pause * 3 / 2).min(longest) };
            closely = false;
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = hurry.notified() => closely = true,
                () = over(&self.client, launch) => {}
            }
        }
    }

    /// One look: what is seen, and the launch that goes on. `closely`: something is wrong with it, most likely.
    async fn look(&mut self, closely: bool) -> Result<(Seen, Option<LaunchRow>), Error> {
        let name = self.name.as_str();
        let launch = match self.has_begun {
            true => None,
            // Before the table is: a launch that is over by then has left there what it made.
            false => self.client.launches(name).await?.into_iter().next(),
        };
        let row = self.client.clusters(Some(&[name]), closely && self.has_begun).await?.into_iter().next();
        let row = row.as_ref();
        if let Some(launch) = launch {
            return match launch.status.as_str() {
                "SUCCEEDED" => {
                    self.has_begun = true;
                    Ok((there(row, None), None))
                }
                _ if !launch.is_over() => Ok((making(row, &launch), Some(launch))),
                _ => Ok((failed(self.client.launched(&launch.request_id).await)?, None)),
            };
        }
        // Nobody knows any more how its making ended; or there is reason to doubt that the job still runs.
        let is_up = row.is_some_and(|row| row.status == "UP");
        let status = match is_up && (closely || !self.has_begun) {
            true => self.client.job_status(name, FIRST).await?,
            false => None,
        };
        if !self.has_begun && status.is_none() {
            return Ok((Seen { status: Status::Lost, ..Seen::default() }, None));
        }
        self.has_begun = true;
        match row {
            Some(row) if closely && !is_up => Ok((gone(&row.status), None)),
            row => Ok((there(row, status.as_deref()), None)),
        }
    }
}

/// Waits for the end of a launch, if one goes on.
async fn over(client: &Client, launch: Option<LaunchRow>) {
    let ended = match launch {
        Some(launch) => client.launched(&launch.request_id).await,
        None => std::future::pending().await,
    };
    // Where its end cannot be heard of it is looked for after the pause.
    if !matches!(ended, Ok(()) | Err(Error::Refused { .. } | Error::MayHaveHappened(_))) {
        std::future::pending().await
    }
}

/// One that is being made.
fn making(row: Option<&ClusterRow>, launch: &LaunchRow) -> Seen {
    let words = launch.status_msg.as_ref().or(row.and_then(|row| row.init_status_reason.as_ref()));
    let status = if row.is_some() { Status::Starting } else { Status::Pending };
    Seen { status, detail: words.map(|words| strip(words)), ..Seen::default() }
}

/// One whose job is, or was, in its queue with this status, if it was asked.
fn there(row: Option<&ClusterRow>, job: Option<&str>) -> Seen {
    match row.map(|row| row.status.as_str()) {
        None => gone("not there any more"),
        // The server doubts it, but we do not.
        Some("UP" | "INIT") => match job.filter(|status| is_terminal(status)) {
            Some(status) => {
                let detail = format!("the agent ended without a word; its status in SkyPilot is {status}");
                Seen { status: Status::Over, detail: Some(detail), has_cluster: true, ..Seen::default() }
            }
            None => Seen { status: Status::Running, has_cluster: true, ..Seen::default() },
        },
        Some(status) => gone(status),
    }
}

fn gone(how: &str) -> Seen {
    let detail = Some(format!("the allocation's cluster is {how}"));
    Seen { status: Status::Over, detail, ..Seen::default() }
}

/// One that could not be made.
///
/// # Errors
/// When how that was cannot be asked for now.
fn failed(how: Result<(), Error>) -> Result<Seen, Error> {
    let (status, detail) = match how {
        Err(Error::Refused { kind, .. }) if kind == "RequestCancelled" => (Status::Cancelled, None),
        Err(Error::Refused { message, .. }) => (Status::Over, Some(strip(&message))),
        // A restart of the server ended it, or it was forgotten meanwhile.
        Err(Error::MayHaveHappened(_)) | Ok(()) => (Status::Lost, None),
        Err(error) => return Err(error),
    };
    Ok(Seen { status, detail, ..Seen::default() })
}

/// Ends the cluster `name`, at whatever stage it is.
pub(super) async fn end(client: &Client, name: &str) -> Result<(), Error> {
    let launches = client.launches(name).await?;
    let active: Vec<String> = launches.into_iter().filter(|l| !l.is_over()).map(|l| l.request_id).collect();
    if !active.is_empty() {
        // What is still in the server's queue has no cluster that could be taken down.
        client.cancel_requests(&active).await?;
    }
    client.down(name).await?;
    if !active.is_empty() {
        tokio::time::sleep(SETTLING).await;
        if !client.clusters(Some(&[name]), false).await?.is_empty() {
            client.down(name).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(status: &str) -> ClusterRow {
        ClusterRow { name: "c".into(), status: status.into(), init_status_reason: Some("Setting up".into()) }
    }

    #[test]
    fn one_that_is_being_made_waits_until_it_is_in_the_table() {
        let launch = LaunchRow { status: "RUNNING".into(), ..LaunchRow::default() };
        assert_eq!(making(None, &launch), Seen::default());
        let seen = making(Some(&row("INIT")), &launch);
        assert_eq!((seen.status, seen.detail.as_deref()), (Status::Starting, Some("Setting up")));
        let waits = LaunchRow { status_msg: Some("Retry\n after 30s".into()), ..launch };
        assert_eq!(making(Some(&row("INIT")), &waits).detail.as_deref(), Some("Retry after 30s"));
    }

    #[test]
    fn one_that_was_there_is_there_until_it_is_gone() {
        assert_eq!(there(Some(&row("UP")), None).status, Status::Running);
        assert_eq!(there(Some(&row("INIT")), Some("RUNNING")).status, Status::Running);
        let silent = there(Some(&row("UP")), Some("FAILED_DRIVER"));
        assert!(silent.is_over() && silent.has_cluster, "its log may tell more");
        for over in [there(None, None), there(Some(&row("STOPPED")), None), gone("INIT")] {
            assert!(over.is_over() && !over.has_cluster, "{over:?}");
        }
    }

    #[test]
    fn a_failure_is_told_in_its_words() {
        let refused = |kind: &str| Err(Error::Refused { kind: kind.into(), message: "no\n way".into() });
        let seen = failed(refused("ResourcesUnavailableError")).unwrap();
        assert_eq!((seen.status, seen.detail.as_deref()), (Status::Over, Some("no way")));
        assert_eq!(failed(refused("RequestCancelled")).unwrap().status, Status::Cancelled);
        assert_eq!(failed(Err(Error::MayHaveHappened("x".into()))).unwrap().status, Status::Lost);
        let away = Error::Unreachable { endpoint: "e".into(), why: "w".into() };
        assert_eq!(failed(Err(away.clone())), Err(away));
    }
}
