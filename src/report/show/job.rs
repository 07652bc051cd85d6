//! `scontrol show job`.

use super::{Record, Style, or_null};
use crate::{
    job::{Job, Kind, NodeShare, Requeue},
    report::{
        job_values::{self as values, Context},
        table::number,
    },
    slurm::{
        array::show_pending, count::NodeCount, gres::Gres, hostlist, mail, memory::Mebibytes, state::JobState,
        time::elapsed_sacct,
    },
};

/// Appends the record of a job; of one waiting element, if `element` says which.
pub fn job(job: &Job, element: Option<u32>, context: &Context, style: Style, out: &mut String) {
    let mut record = Record::new(style, out);
    identity(&mut record, job, element, context);
    state(&mut record, job, style);
    times(&mut record, job, context);
    places(&mut record, job);
    resources(&mut record, job, context, style);
    files(&mut record, job, element);
    extras(&mut record, job);
    // The last line is empty, and its three blanks are Slurm's.
    record.out.push_str(style.record_end());
}

fn identity(record: &mut Record, job: &Job, element: Option<u32>, context: &Context) {
    let request = &job.request;
    let user = &request.user;
    record.number("JobId", job.id);
    if let Some(array) = &job.array {
        record.number("ArrayJobId", array.job_id);
        record.with("ArrayTaskId", |out| match element.or(array.task_id) {
            Some(task) => number(out, task),
            None => out.push_str(&show_pending(&array.pending, array.throttle, context.bitstr_len)),
        });
        if let Some(throttle) = array.throttle {
            record.number("ArrayTaskThrottle", throttle);
        }
    }
    if let Some(het) = job.het {
        record.number("HetJobId", het.leader).number("HetJobOffset", het.offset);
    }
    record.put("JobName", &request.name).line();
    if let Some(het) = job.het {
        record.put("HetJobIdSet", het.id_set()).line();
    }
    let named = |name: &str, id: u32| format!("{name}({id})");
    record.put("UserId", named(&user.name, user.uid)).put("GroupId", named(&user.group, user.gid));
    record.fixed("MCS_label=N/A").line();
    record.number("Priority", job.priority).number("Nice", request.nice);
    record.put("Account", or_null(request.account.as_deref())).put("QOS", request.qos.as_deref().unwrap_or("normal"));
    if let Some(wckey) = &request.wckey {
        record.put("WCKey", wckey);
    }
    record.line();
}

fn state(record: &mut Record, job: &Job, style: Style) {
    let request = &job.request;
    let mut reason = String::new();
    values::write_reason(job, &mut reason);
    record.put("JobState", job.shown_state().name()).put("Reason", reason.replace(' ', "_"));
    record.with("Dependency", |out| values::write_dependency(job, out)).line();
    record.number("Requeue", request.requeue != Requeue::No).number("Restarts", job.restarts);
    record
        .number("BatchFlag", request.kind == Kind::Batch)
        .fixed("Reboot=0")
        .put("ExitCode", job.last_exit().pair())
        .line();
    if style.details {
        record.put("DerivedExitCode", job.derived_exit.pair()).line();
    }
}

fn times(record: &mut Record, job: &Job, context: &Context) {
    let clock = &context.clock;
    let time = |record: &mut Record, key: &str, when: Option<i64>| {
        record.with(key, |out| clock.write_or(when, "Unknown", out));
    };
    let limit = |limit: Option<_>| limit.map_or("N/A".to_owned(), |l: crate::slurm::time::TimeLimit| l.scontrol());
    record.put("RunTime", elapsed_sacct(job.elapsed(clock.now())));
    record.put("TimeLimit", job.time_limit.scontrol()).put("TimeMin", limit(job.request.time_min)).line();
    time(record, "SubmitTime", Some(job.submit_time));
    time(record, "EligibleTime", job.eligible_time);
    record.line();
    time(record, "AccrueTime", job.eligible_time);
    record.line();
    time(record, "StartTime", values::start_time(job));
    time(record, "EndTime", values::end_time(job));
    record.with("Deadline", |out| clock.write_or(job.request.deadline, "N/A", out)).line();
    record.with("SuspendTime", |out| clock.write_or(job.suspension.time, "None", out));
    record.number("SecsPreSuspend", job.suspension.time.map_or(0, |_| job.elapsed(clock.now())));
    time(
        record,
        "LastSchedEval",
        Some(job.start_time.filter(|_| job.state != JobState::Pending).unwrap_or(job.submit_time)),
    );
    record.fixed("Scheduler=Main").line();
}

fn places(record: &mut Record, job: &Job) {
    let request = &job.request;
    let list = |names: &[String]| match names {
        [] => "(null)".to_owned(),
        names => hostlist::compress_sorted(names),
    };
    // Slurm prints the session of the submitting shell, which nobody here knows.
    record.put("Partition", partition(job)).put("AllocNode:Sid", format!("{}:0", request.submit_host)).line();
    record.put("ReqNodeList", list(&request.nodelist)).put("ExcNodeList", list(&request.exclude)).line();
    let placed = values::allocation(job);
    record.put("NodeList", placed.map(|p| hostlist::compress_sorted(p.names())).unwrap_or_default());
    let planned = job.placement.as_ref().filter(|_| placed.is_none());
    if let Some(planned) = planned {
        record.put("SchedNodeList", hostlist::compress_sorted(planned.names()));
    }
    record.line();
    if let Some(first) = placed.and_then(|p| p.names().next()) {
        record.put("BatchHost", first).line();
    }
}

/// A waiting job may have several.
fn partition(job: &Job) -> String {
    match job.request.partitions.as_slice() {
        several @ [_, _, ..] if job.state == JobState::Pending => several.join(","),
        _ => job.partition.clone(),
    }
}

fn resources(record: &mut Record, job: &Job, context: &Context, style: Style) {
    let request = &job.request;
    let placed = values::allocation(job);
    let nodes = values::nodes(job);
    record.with("NumNodes", |out| {
        number(out, nodes);
        if let Some(max) = request.nodes.filter(|_| placed.is_none()).map(NodeCount::most)
            && max >= nodes
        {
            out.push('-');
            number(out, max);
        }
    });
    record.number("NumCPUs", values::cpus(job)).number("NumTasks", values::tasks(job));
    record.number("CPUs/Task", values::cpus_per_task(request)).fixed("ReqB:S:C:T=0:0:*:*").line();
    record.put("ReqTRES", values::requested_tres(job, context).to_string()).line();
    record.put("AllocTRES", placed.map_or("(null)".to_owned(), |_| values::tres(job, context).to_string())).line();
    let per = &request.tasks_per;
    let or_star = |n: Option<u32>| n.map_or("*".to_owned(), |n| n.to_string());
    record.fixed("Socks/Node=*");
    let tasks = format!("{}:0:{}:{}", per.node.unwrap_or(0), or_star(per.socket), or_star(per.core));
    record.put("NtasksPerN:B:S:C", tasks).fixed("CoreSpec=*").line();
    if let Some(placed) = placed.filter(|_| style.details) {
        details(record, &placed.nodes);
    }
    let (memory, per_cpu) = values::memory(job, context);
    record.number("MinCPUsNode", values::min_cpus_per_node(request));
    record.put(if per_cpu && memory > 0 { "MinMemoryCPU" } else { "MinMemoryNode" }, Mebibytes(memory).squeue_min());
    record.put("MinTmpDiskNode", Mebibytes(request.tmp.unwrap_or(0)).squeue_min()).line();
    record.put("Features", or_null(request.constraint.as_deref())).fixed("DelayBoot=00:00:00").line();
    if let Some(reservation) = &request.reservation {
        record.put("Reservation", reservation).line();
    }
    record.put("OverSubscribe", values::oversubscribe(request)).number("Contiguous", request.contiguous);
    record.put("Licenses", or_null(request.licenses.as_deref())).fixed("Network=(null)").line();
}

/// `JOB_GRES=`, and a line for every run of nodes with the same share.
fn details(record: &mut Record, shares: &[NodeShare]) {
    let mut sum: Vec<Gres> = Vec::new();
    for share in shares.iter().flat_map(|node| &node.gres) {
        let count = share.ids.len() as u64;
        match sum.iter_mut().find(|g| g.name == share.name && g.type_ == share.kind) {
            Some(gres) => gres.count += count,
            None => sum.push(Gres { name: share.name.clone(), type_: share.kind.clone(), count }),
        }
    }
    let all: Vec<String> = sum.iter().map(Gres::to_string).collect();
    record.put("JOB_GRES", if all.is_empty() { "(null)".to_owned() } else { all.join(",") }).line();
    let same = |a: &NodeShare, b: &NodeShare| (&a.cpus, a.memory, &a.gres) == (&b.cpus, b.memory, &b.gres);
    for run in shares.chunk_by(same) {
        let Some(first) = run.first() else { continue };
        record.out.push_str("  ");
        record.put("Nodes", hostlist::compress(run.iter().map(|share| share.node.as_str())));
        record.put("CPU_IDs", first.cpus.to_ranges()).number("Mem", first.memory as i64);
        let gres = first.gres.iter().map(values::gres_share);
        record.put("GRES", gres.collect::<Vec<_>>().join(",")).line();
    }
}

fn files(record: &mut Record, job: &Job, element: Option<u32>) {
    let request = &job.request;
    record.with("Command", |out| {
        out.push_str(or_null(request.command.as_deref()));
        for arg in request.args.iter().filter(|_| request.command.is_some()) {
            out.push(' ');
            out.push_str(&String::from_utf8_lossy(arg));
        }
    });
    record.line();
    record.put("WorkDir", &request.work_dir).line();
    if let Some(comment) = &request.comment {
        // Slurm leaves a blank behind it.
        record.put("Comment", comment).fixed("").line();
    }
    if let Some(extra) = &request.extra {
        record.put("Extra", extra).line();
    }
    if request.kind == Kind::Batch {
        let output = request.output.as_deref();
        record.put("StdErr", values::output_path(job, element, request.error.as_deref().or(output))).line();
        let input = request.input.as_deref().map(|input| values::output_path(job, element, Some(input)));
        record.put("StdIn", input.as_deref().unwrap_or("/dev/null")).line();
        record.put("StdOut", values::output_path(job, element, output)).line();
    }
}

fn extras(record: &mut Record, job: &Job) {
    let request = &job.request;
    let gres = |lists: &[&[Gres]]| {
        let mut text = String::new();
        values::write_gres(lists.iter().copied(), &mut text);
        text
    };
    for (key, lists) in [
        ("TresPerJob", &[&request.gpus[..]][..]),
        ("TresPerNode", &[&request.gres, &request.gpus_per_node]),
        ("TresPerSocket", &[&request.gpus_per_socket]),
    ] {
        if lists.iter().any(|list| !list.is_empty()) {
            record.put(key, gres(lists)).line();
        }
    }
    let per_task = values::tres_per_task(request);
    if !per_task.is_empty() {
        record.put("TresPerTask", per_task).line();
    }
    if let Some(mail) = &request.mail_type {
        let user = request.mail_user.as_deref().unwrap_or(&request.user.name);
        record.put("MailUser", user).put("MailType", mail::shown(mail)).line();
    }
    if let Some(kill) = request.kill_on_invalid_dep {
        record.put("KillOInInvalidDependent", if kill { "Yes" } else { "No" }).line();
    }
    if request.spread_job {
        record.put("SpreadJob", "Yes").line();
    }
}

#[cfg(test)]
mod tests;
