//! `scontrol hold`, `uhold`, `release`, `suspend`, `resume`, `requeue` and `requeuehold`.

use super::{Words, jobs_named};
use crate::{
    commands::{
        ask::{self, AskError, Said},
        terminal::outlive_the_order,
    },
    controller::{
        api::{Call, Change},
        client::Client,
    },
    slurm::{array::JobIdSpec, errno::Errno},
};

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// `hold`, `uhold`, `holdu`
    Hold,
    /// `release`
    Release,
    /// `suspend`
    Suspend,
    /// `resume`
    Resume,
    /// `requeue`, `requeuehold`
    Requeue {
        /// And hold it.
        hold: bool,
    },
}

impl Order {
    fn change(self) -> Change {
        match self {
            Order::Hold => Change::Hold,
            Order::Release => Change::Release,
            Order::Suspend => Change::Suspend,
            Order::Resume => Change::Resume,
            Order::Requeue { hold } => Change::Requeue { hold },
        }
    }
}

/// A job as it was written, and what it is; `None` for what is no id.
type Named = (String, Option<JobIdSpec>);

/// Carries one of them out.
pub fn run(words: &Words, order: Order) -> Result<Said, AskError> {
    if words.args.is_empty() {
        return Ok(words.too_few());
    }
    let state = |word: &&String| word.to_ascii_lowercase().starts_with("state=");
    if let Some(word) = words.args.iter().find(state) {
        return Ok(Said::error(format!("scontrol: error: {word} is not supported: use requeuehold alone")));
    }
    let mut client = Client::connect()?;
    if matches!(order, Order::Requeue { .. }) {
        outlive_the_order();
    }
    let mut all: Vec<Named> = Vec::new();
    for word in words.args {
        match word.split_once('=') {
            Some((key, name)) if key.eq_ignore_ascii_case("name") || key.eq_ignore_ascii_case("jobname") => {
                let found = jobs_named(&mut client, name)?;
                all.extend(found.into_iter().map(|id| (id.to_string(), Some(id))));
            }
            Some((_, ids)) => all.extend(named(ids)),
            None => all.extend(named(word)),
        }
    }
    let known: Vec<JobIdSpec> = all.iter().filter_map(|(_, id)| id.clone()).collect();
    let mut results =
        if known.is_empty() { Vec::new() } else { ask::done(&mut client, &Call::Change(known, order.change()))? }
            .into_iter();
    let mut said = Said::default();
    for (shown, id) in &all {
        let result = match id {
            Some(_) => results.next().unwrap_or(Ok(())),
            None => Err(Errno::InvalidJobId),
        };
        if let Err(errno) = result {
            said.exit = 1;
            said.err.push(failure(shown, errno));
            // scontrol calls all of these "suspend", but not where the controller answered by element.
            if !shown.contains('_') && matches!(order, Order::Hold | Order::Release) {
                said.err.push(format!("slurm_suspend error: {errno}"));
            }
        }
    }
    Ok(said)
}

/// A comma separated list of ids; what cannot be read is kept to be complained about.
pub fn named(text: &str) -> Vec<Named> {
    match JobIdSpec::parse_list(text) {
        Ok(ids) => ids.into_iter().map(|id| (id.to_string(), Some(id))).collect(),
        Err(_) => vec![(text.to_owned(), None)],
    }
}

/// How a change that failed is told: `ERROR for job 12`, `12_3: ERROR` (extra.txt).
pub fn failure(shown: &str, errno: Errno) -> String {
    match shown.contains('_') {
        true => format!("{shown}: {errno}"),
        false => format!("{errno} for job {shown}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_those_of_extra_txt() {
        assert_eq!(failure("999999", Errno::InvalidJobId), "Invalid job id specified for job 999999");
        assert_eq!(failure("899_9", Errno::InvalidJobId), "899_9: Invalid job id specified");
        assert_eq!(failure("88", Errno::JobPending), "Job is pending execution for job 88");
    }

    #[test]
    fn lists_keep_what_is_no_id() {
        let shown = |text| named(text).into_iter().map(|(s, id)| (s, id.is_some())).collect::<Vec<_>>();
        assert_eq!(shown("1,2_[3-4]"), [("1".to_owned(), true), ("2_[3-4]".to_owned(), true)]);
        assert_eq!(shown("abc"), [("abc".to_owned(), false)]);
    }
}
