//! What the controller has done: `sdiag --json` (`STATS_MSG` of Slurm's parsers). There is one scheduler, and so nothing
//! that its backfilling part did; calls are not counted by kind and user.

use super::{
    tree::{Field, Records},
    value::*,
};

/// Counts since the controller began; times in µs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Statistics {
    /// The controller's clock, epoch seconds.
    pub now: i64,
    /// When it began, epoch seconds.
    pub since: i64,
    /// Looks at the queue.
    pub cycles: u64,
    /// How long the last one took.
    pub last_cycle: u64,
    /// How long the longest one took.
    pub max_cycle: u64,
    /// How long all took.
    pub sum_cycles: u64,
    /// Jobs that were looked at, over all of them.
    pub depth: u64,
    /// Jobs in the queue at the last one.
    pub queue: u64,
    /// Jobs submitted.
    pub submitted: u64,
    /// Jobs started.
    pub started: u64,
    /// Jobs that ended.
    pub completed: u64,
    /// Jobs that were cancelled.
    pub cancelled: u64,
    /// Jobs that the system failed.
    pub failed: u64,
    /// Jobs that wait.
    pub pending: u32,
    /// Jobs that run.
    pub running: u32,
}

impl Statistics {
    /// What a sum is for each look at the queue.
    pub fn mean(&self, sum: u64) -> u64 {
        sum.checked_div(self.cycles).unwrap_or(0)
    }

    /// Looks at the queue in a minute.
    pub fn per_minute(&self) -> u64 {
        let minutes = (self.now - self.since).max(60).unsigned_abs() / 60;
        self.cycles / minutes
    }
}

/// One controller's.
pub struct StatisticsRecord;

impl Records for StatisticsRecord {
    type Row<'a> = Statistics;
    const FIELDS: &'static [Field<Self>] = FIELDS;
    const SINGLE: bool = true;
}

const fn row(path: &'static str, value: for<'r> fn(&'r Statistics) -> Value<'r>) -> Field<StatisticsRecord> {
    Field { path, value }
}

/// What is not counted, or there is nothing to count of.
const fn zero(path: &'static str) -> Field<StatisticsRecord> {
    row(path, |_| int(0))
}

#[rustfmt::skip]
const FIELDS: &[Field<StatisticsRecord>] = &[
    row("parts_packed", |_| int(1)),
    row("req_time", |s| number(s.now)),
    row("req_time_start", |s| number(s.since)),
    row("server_thread_count", |_| int(1)),
    zero("agent_queue_size"),
    zero("agent_count"),
    zero("agent_thread_count"),
    zero("dbd_agent_queue_size"),
    zero("gettimeofday_latency"),
    row("schedule_cycle_max", |s| int(s.max_cycle)),
    row("schedule_cycle_last", |s| int(s.last_cycle)),
    row("schedule_cycle_sum", |s| int(s.sum_cycles)),
    row("schedule_cycle_total", |s| int(s.cycles)),
    row("schedule_cycle_mean", |s| int(s.mean(s.sum_cycles))),
    row("schedule_cycle_mean_depth", |s| int(s.mean(s.depth))),
    row("schedule_cycle_per_minute", |s| int(s.per_minute())),
    row("schedule_cycle_depth", |s| int(s.depth)),
    zero("schedule_exit/end_job_queue"),
    zero("schedule_exit/default_queue_depth"),
    zero("schedule_exit/max_job_start"),
    zero("schedule_exit/max_rpc_cnt"),
    zero("schedule_exit/max_sched_time"),
    zero("schedule_exit/licenses"),
    row("schedule_queue_length", |s| int(s.queue)),
    row("jobs_submitted", |s| int(s.submitted)),
    row("jobs_started", |s| int(s.started)),
    row("jobs_completed", |s| int(s.completed)),
    row("jobs_canceled", |s| int(s.cancelled)),
    row("jobs_failed", |s| int(s.failed)),
    row("jobs_pending", |s| int(s.pending)),
    row("jobs_running", |s| int(s.running)),
    row("job_states_ts", |s| number(s.now)),
    zero("bf_backfilled_jobs"),
    zero("bf_last_backfilled_jobs"),
    zero("bf_backfilled_het_jobs"),
    zero("bf_cycle_counter"),
    zero("bf_cycle_mean"),
    zero("bf_depth_mean"),
    zero("bf_depth_mean_try"),
    zero("bf_cycle_sum"),
    zero("bf_cycle_last"),
    zero("bf_cycle_max"),
    zero("bf_exit/end_job_queue"),
    zero("bf_exit/bf_max_job_start"),
    zero("bf_exit/bf_max_job_test"),
    zero("bf_exit/bf_max_time"),
    zero("bf_exit/bf_node_space_size"),
    zero("bf_exit/state_changed"),
    zero("bf_last_depth"),
    zero("bf_last_depth_try"),
    zero("bf_depth_sum"),
    zero("bf_depth_try_sum"),
    zero("bf_queue_len"),
    zero("bf_queue_len_mean"),
    zero("bf_queue_len_sum"),
    zero("bf_table_size"),
    zero("bf_table_size_sum"),
    zero("bf_table_size_mean"),
    row("bf_when_last_cycle", |_| number(0)),
    row("bf_active", |_| Value::Bool(false)),
    row("rpcs_by_message_type", |_| NONE),
    row("rpcs_by_user", |_| NONE),
    row("pending_rpcs", |_| NONE),
    row("pending_rpcs_by_hostlist", |_| NONE),
];
