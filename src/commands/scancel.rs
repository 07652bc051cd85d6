//! scancel(1): cancel jobs, or signal them and their steps.

mod plan;
mod select;
mod young;

use super::{
    ask::{self, AskError, Said},
    terminal::{eprint, outlive_the_order, print, refuse},
};
use crate::{
    controller::{
        api::{Call, SignalJob},
        client::Client,
    },
    slurm::{
        errno::Errno,
        options::{self, Command::Scancel, Place},
    },
};
use plan::Plan;
use std::{
    ffi::OsString,
    io::{self, BufRead},
};

/// Runs `scancel` with these arguments (without its own name) and gives the exit code.
pub fn run(args: Vec<OsString>) -> u8 {
    let parsed = match options::parse(Scancel, &args, &ask::env) {
        Ok(parsed) => parsed,
        Err(refusal) => return refuse(&refusal),
    };
    for (name, text) in [
        ("help", options::help as fn(_) -> _),
        ("usage", options::usage),
        ("version", |_| options::version().to_owned()),
    ] {
        if parsed.options.is_set(name) {
            return print(&format!("{}\n", text(Scancel).trim_end_matches('\n')));
        }
    }
    let plan = match Plan::read(&parsed) {
        Ok(plan) => plan,
        Err(refusal) => return refuse(&refusal),
    };
    parsed.options.warnings(Place::Here).iter().for_each(|line| eprint(line));
    if let Err(exit) = ask::right_cluster(Scancel, &parsed.options) {
        return exit;
    }
    match carry_out(&plan, &mut io::stdin().lock()) {
        Ok(exit) => exit,
        Err(error) => Said::error(format!("scancel: error: {error}")).print(),
    }
}

fn carry_out(plan: &Plan, answers: &mut impl BufRead) -> Result<u8, AskError> {
    let mut client = Client::connect()?;
    if !plan.interactive {
        outlive_the_order();
    }
    let mut unknown = Vec::new();
    let mut orders: Vec<(String, SignalJob)> = if plan.is_direct() {
        plan.ids.iter().map(|(written, id)| (written.clone(), select::direct(plan, id))).collect()
    } else {
        let jobs = match ask::jobs(&mut client, select::filter(plan)) {
            Err(AskError::Refused(Errno::InvalidJobId)) => Vec::new(),
            other => other?,
        };
        let (mut chosen, not_there) = select::choose(plan, &jobs);
        unknown = not_there;
        if plan.interactive {
            chosen.retain(|job| is_confirmed(&job.question, answers));
        } else if chosen.is_empty() && unknown.is_empty() && plan.verbose {
            eprint(&plan.no_match());
        }
        chosen.into_iter().map(|job| (job.shown, job.order)).collect()
    };
    for id in &unknown {
        let (_, line) = failure(plan, id, id.contains('.'), Errno::InvalidJobId);
        line.iter().for_each(|line| eprint(line));
    }
    let mut worst = u16::from(!unknown.is_empty());
    if plan.verbose {
        orders.iter().for_each(|(shown, order)| eprint(&plan.announcement(shown, order.id.step.is_some())));
    }
    if orders.is_empty() {
        return Ok(worst as u8);
    }
    let call = Call::Signal(orders.iter_mut().map(|(_, order)| order.clone()).collect());
    let results = ask::done(&mut client, &call)?;
    for ((shown, order), result) in orders.iter().zip(results) {
        if let Err(errno) = result
            && !(errno == Errno::InvalidJobId && young::signal(order))
        {
            let (exit, line) = failure(plan, shown, order.id.step.is_some(), errno);
            line.iter().for_each(|line| eprint(line));
            worst = worst.max(exit);
        }
    }
    Ok((worst & 0xff) as u8)
}

/// What a failure counts for the exit code, and what is said of it.
///
/// A job that is over or never was is as good as cancelled: it is only mentioned with
/// `--verbose`, unless there was something to be signalled (scancel.txt, extra.txt).
fn failure(plan: &Plan, shown: &str, step: bool, errno: Errno) -> (u16, Option<String>) {
    let kind = if step { "job step id" } else { "job id" };
    let line = format!("scancel: error: Kill job error on {kind} {shown}: {errno}");
    let over = matches!(errno, Errno::InvalidJobId | Errno::AlreadyDone | Errno::TransitionStateNoUpdate);
    match (over, plan.is_direct() && !step) {
        (true, true) => (0, (plan.verbose && !plan.quiet).then_some(line)),
        (true, false) if errno == Errno::InvalidJobId => (1, Some(line)),
        (true, false) => (0, (plan.verbose && !plan.quiet).then_some(line)),
        (false, _) => (errno.number(), Some(line)),
    }
}

/// Asks until the answer is yes or no; the end of the input is a no.
fn is_confirmed(question: &str, answers: &mut impl BufRead) -> bool {
    loop {
        print(question);
        let mut line = String::new();
        match answers.read_line(&mut line) {
            Ok(1..) => {}
            _ => return false,
        }
        match line.trim_end_matches('\n') {
            "y" | "Y" => return true,
            "n" | "N" => return false,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
