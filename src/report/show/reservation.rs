//! `scontrol show reservation`, and `sinfo --reservation`.

use super::{Record, Style};
use crate::{job::Reservation, report::clock::Clock, slurm::hostlist};

/// `1-02:03:04` as reservations show it: with hours at least.
fn duration(seconds: i64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let time = format!("{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60);
    if days > 0 { format!("{days}-{time}") } else { time }
}

fn state(reservation: &Reservation, clock: &Clock) -> &'static str {
    if reservation.is_active(clock.now()) { "ACTIVE" } else { "INACTIVE" }
}

fn time(clock: &Clock, at: i64) -> String {
    let mut text = String::new();
    clock.write(at, &mut text);
    text
}

fn or_null(list: &[String]) -> String {
    if list.is_empty() { "(null)".into() } else { list.join(",") }
}

/// Its flags, that of its end with its time.
fn flags(reservation: &Reservation) -> String {
    let shown = |flag: &String| match flag.as_str() {
        "PURGE_COMP" => format!("PURGE_COMP={}", duration(reservation.purge)),
        flag => flag.to_owned(),
    };
    reservation.flags.iter().map(shown).collect::<Vec<_>>().join(",")
}

/// Appends the record of one.
pub fn reservation(reservation: &Reservation, clock: &Clock, style: Style, out: &mut String) {
    let mut record = Record::new(style, out);
    record.put("ReservationName", &reservation.name).put("StartTime", time(clock, reservation.start));
    record.put("EndTime", time(clock, reservation.end));
    record.put("Duration", duration(reservation.end - reservation.start)).line();
    record.put("Nodes", hostlist::compress(&reservation.nodes)).put("NodeCnt", reservation.nodes.len().to_string());
    record.put("CoreCnt", reservation.cpus.to_string()).fixed("Features=(null)");
    record.put("PartitionName", reservation.partition.as_deref().unwrap_or("(null)"));
    record.put("Flags", flags(reservation)).line();
    record.put("TRES", format!("cpu={}", reservation.cpus)).line();
    record.put("Users", or_null(&reservation.users)).fixed("Groups=(null)");
    record.put("Accounts", or_null(&reservation.accounts)).fixed("Licenses=(null)");
    record.put("State", state(reservation, clock)).fixed("BurstBuffer=(null) Watts=n/a").line();
    record.fixed("MaxStartDelay=(null)").end();
}

/// The table of `sinfo -T`.
pub fn table(all: &[Reservation], clock: &Clock) -> String {
    let width = all.iter().map(|r| r.name.len()).max().unwrap_or(0).max(9);
    let mut out = format!(
        "{:<width$}  {:>8} {:>20} {:>20} {:>12}  NODELIST\n",
        "RESV_NAME", "STATE", "START_TIME", "END_TIME", "DURATION"
    );
    for r in all {
        let (start, end, lasts) = (time(clock, r.start), time(clock, r.end), duration(r.end - r.start));
        let nodes = hostlist::compress(&r.nodes);
        out += &format!("{:<width$}  {:>8} {start:>20} {end:>20} {lasts:>12}  {nodes}\n", r.name, state(r, clock));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::clock::utc;

    fn sample() -> Reservation {
        Reservation {
            id: 1,
            name: "r0".into(),
            start: 1_795_817_321,
            end: 1_795_820_921,
            nodes: (1..=4).map(|n| format!("node{n}")).collect(),
            cpus: 256,
            partition: Some("gpu".into()),
            users: vec!["alice".into()],
            ..Reservation::default()
        }
    }

    /// As a real one printed it.
    #[test]
    fn one_is_four_lines_or_one() {
        let clock = Clock::new(utc, None, 1_795_817_322);
        let mut out = String::new();
        reservation(&sample(), &clock, Style { oneliner: false, details: false }, &mut out);
        let wanted = "ReservationName=r0 StartTime=2026-11-27T22:08:41 EndTime=2026-11-27T23:08:41 Duration=01:00:00
   Nodes=node[1-4] NodeCnt=4 CoreCnt=256 Features=(null) PartitionName=gpu Flags=
   TRES=cpu=256
   Users=alice Groups=(null) Accounts=(null) Licenses=(null) State=ACTIVE BurstBuffer=(null) Watts=n/a
   MaxStartDelay=(null)

";
        assert_eq!(out, wanted);
    }

    #[test]
    fn the_table_is_as_wide_as_a_real_one() {
        let clock = Clock::new(utc, None, 1_795_817_322);
        let wanted = "RESV_NAME     STATE           START_TIME             END_TIME     DURATION  NODELIST
r0           ACTIVE  2026-11-27T22:08:41  2026-11-27T23:08:41     01:00:00  node[1-4]
";
        assert_eq!(table(&[sample()], &clock), wanted);
        let later = Reservation { name: "alice_2".into(), start: 1_795_820_922, end: 1_795_907_323, ..sample() };
        assert!(
            table(&[later], &clock)
                .ends_with("alice_2    INACTIVE  2026-11-27T23:08:42  2026-11-28T23:08:43   1-00:00:01  node[1-4]\n")
        );
    }
}
