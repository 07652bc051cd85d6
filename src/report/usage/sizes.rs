//! `sreport job Sizes...`: the time of jobs by how large they were.

use super::{Resource, TimeFormat, Window, count::ran};
use crate::{
    job::Job,
    report::{
        job_values::{self, Context},
        sacct_table::{self, Layout},
    },
};

/// How jobs are put together.
#[derive(Clone, Debug)]
pub struct Sizes<'a> {
    /// The sizes at which another group begins; rising.
    pub groups: Vec<u64>,
    /// The accounts that have a line, and which jobs are theirs; `None`: all are `root`'s.
    pub accounts: Option<Vec<&'a str>>,
    /// Jobs are counted, not their time.
    pub count_jobs: bool,
    /// In what time is told.
    pub format: TimeFormat,
    /// What size is counted in.
    pub resource: Resource,
}

/// Appends the table.
pub fn sizes(
    jobs: &[&Job],
    context: &Context,
    window: Window,
    of: &Sizes,
    head: bool,
    layout: &Layout,
    out: &mut String,
) {
    let unit = if of.resource.name == "cpu" { "CPUs" } else { "TRES" };
    let from = std::iter::once(&0).chain(&of.groups);
    let mut names: Vec<String> =
        from.zip(&of.groups).map(|(from, to)| format!("{from}-{} {unit}", to.saturating_sub(1))).collect();
    names.push(format!(">= {} {unit}", of.groups.last().unwrap_or(&0)));
    let wide = if of.format.is_wide() && !of.count_jobs { 20 } else { 13 };
    let mut widths = vec![9, 9];
    widths.extend(names.iter().map(|_| wide));
    widths.push(12);
    if head {
        let head =
            ["Cluster", "Account"].map(str::to_owned).into_iter().chain(names).chain(["% of cluster".to_owned()]);
        sacct_table::text_header(&widths, &head.collect::<Vec<_>>(), layout, out);
    }
    let ran: Vec<(&str, u64, u64)> = jobs
        .iter()
        .filter_map(|job| {
            let seconds = ran(job, window, context.clock.now())?;
            let size = (of.resource.of)(&job_values::tres(job, context));
            Some((job.request.account.as_deref().unwrap_or_default(), size, size.saturating_mul(seconds)))
        })
        .collect();
    let total: u64 = ran.iter().map(|(.., time)| time).sum();
    let lines: Vec<(&str, Option<&str>)> = match &of.accounts {
        None => vec![("root", None)],
        Some(accounts) => accounts.iter().map(|name| (*name, Some(*name))).collect(),
    };
    for (name, account) in lines {
        let own = || ran.iter().filter(move |(of, ..)| account.is_none_or(|account| account == *of));
        let sum: u64 = own().map(|(.., time)| time).sum();
        if own().next().is_none() {
            continue;
        }
        let group = |index: usize| {
            let from = index.checked_sub(1).and_then(|before| of.groups.get(before)).copied().unwrap_or(0);
            let to = of.groups.get(index).copied().unwrap_or(u64::MAX);
            let jobs = own().filter(move |(_, size, _)| (from..to).contains(size) || (*size == to && to == u64::MAX));
            match of.count_jobs {
                true => jobs.count().to_string(),
                false => of.format.show(jobs.map(|(.., time)| time).sum(), sum),
            }
        };
        let mut values = vec![context.cluster.to_owned(), name.to_owned()];
        values.extend((0..=of.groups.len()).map(group));
        values.push(format!("{:.2}%", sum as f64 / total.max(1) as f64 * 100.0));
        sacct_table::text_line(&widths, &values, layout, out);
    }
}
