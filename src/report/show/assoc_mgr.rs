//! `scontrol show assoc_mgr`: who may use how much, and uses it. Shares and past usage are not counted (priority/basic),
//! as they are not in the real one that these records were taken from; what is in use now is.

use super::Style;
use crate::{
    job::{Cluster, Job, gpus_in},
    report::{
        associations::{self, Association},
        job_values::{self, Context},
    },
    slurm::{
        limit::{Limits, MostTres, Resource},
        state::JobState,
        time::TimeLimit,
    },
};
use std::fmt::Write;

/// What of it is asked for. Empty lists ask for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// `flags=users`, `users=`
    pub users: bool,
    /// `flags=assoc`, `accounts=`
    pub associations: bool,
    /// `flags=qos`, `qos=`
    pub qos: bool,
    /// `accounts=`
    pub of_accounts: Vec<String>,
    /// `users=`
    pub of_users: Vec<String>,
    /// `qos=`
    pub of_qos: Vec<String>,
}

/// What is in use.
#[derive(Default)]
struct Use {
    running: u32,
    submitted: u32,
    cpus: u64,
    memory: u64,
    nodes: u64,
    gpus: u64,
}

impl Use {
    fn of<'a>(jobs: impl Iterator<Item = &'a Job>, context: &Context) -> Self {
        let mut sum = Self::default();
        for job in jobs.filter(|job| !job.state.is_finished()) {
            sum.submitted += job.count();
            if job.state != JobState::Pending {
                let tres = job_values::tres(job, context);
                sum.running += 1;
                sum.cpus += tres.cpu;
                sum.memory += tres.mem.0;
                sum.nodes += tres.node;
                sum.gpus += gpus_in(&tres.gres.0);
            }
        }
        sum
    }

    /// With what there may be of each.
    fn tres(&self, most: &MostTres) -> String {
        let of = |resource: Resource| most.0.iter().find(|(limited, _)| *limited == resource).map(|(_, most)| *most);
        let shown = |resource: Resource, used: u64| {
            of(resource).map_or_else(|| format!("N({used})"), |most| format!("{most}({used})"))
        };
        format!(
            "cpu={},mem={},energy=N(0),node={},billing=N({}),fs/disk=N(0),vmem=N(0),pages=N(0),gres/gpu={}",
            shown(Resource::Cpu, self.cpus),
            shown(Resource::Mem, self.memory),
            shown(Resource::Node, self.nodes),
            self.cpus,
            shown(Resource::Gres("gpu".to_owned(), None), self.gpus),
        )
    }
}

/// `cpu=4,mem=10240`
fn plain(most: &MostTres) -> String {
    let all: Vec<String> = most.0.iter().map(|(resource, most)| format!("{resource}={most}")).collect();
    all.join(",")
}

/// Lines of a record.
struct Lines<'a> {
    out: &'a mut String,
    between: &'static str,
}

impl Lines<'_> {
    fn line(&mut self, text: std::fmt::Arguments) -> &mut Self {
        let _ = write!(self.out, "{text}{}", self.between);
        self
    }
}

/// Appends all that is wanted, for the user of that name and number.
pub fn assoc_mgr(
    cluster: &Cluster,
    jobs: &[Job],
    context: &Context,
    user: (&str, u32),
    wanted: &Wanted,
    style: Style,
    out: &mut String,
) {
    let takes = |list: &[String], name: &str| list.is_empty() || list.iter().any(|one| one == name);
    let (gap, section) = if style.oneliner { ("", "\n") } else { ("\n", "\n\n") };
    let between = if style.oneliner { " " } else { "\n    " };
    out.push_str("Current Association Manager state\n");
    let (name, uid) = user;
    if wanted.users {
        match takes(&wanted.of_users, name) {
            true => {
                let account = associations::default_account(cluster);
                let _ = write!(out, "{gap}User Records{section}");
                let _ = writeln!(out, "UserName={name}({uid}) DefAccount={account} DefWckey= AdminLevel=Administrator");
            }
            false => out.push_str("\nNo users currently cached in Slurm.\n\n"),
        }
    }
    if wanted.associations {
        let mut listed = associations::tree(cluster, name);
        listed.retain(|a| {
            takes(&wanted.of_accounts, a.account) && a.user.is_none_or(|user| takes(&wanted.of_users, user))
        });
        match listed.is_empty() {
            true => out.push_str("\nNo associations currently cached in Slurm.\n\n"),
            false => {
                let _ = write!(out, "{gap}Association Records{section}");
            }
        }
        for association in listed {
            let own = jobs.iter().filter(|job| of_account(job, &association));
            let mut lines = Lines { out: &mut *out, between };
            of_association(cluster, &association, user, &Use::of(own, context), &mut lines);
        }
    }
    if wanted.qos {
        let _ = write!(out, "{gap}QOS Records{section}");
        for (name, id) in cluster.qos.iter().zip(1..).filter(|(name, _)| takes(&wanted.of_qos, name)) {
            let own = jobs.iter().filter(|job| job.request.qos.as_deref().unwrap_or("normal") == name);
            let mut lines = Lines { out: &mut *out, between };
            of_qos(cluster, (name, id), user, &Use::of(own, context), style, &mut lines);
        }
    }
}

/// The root's are all jobs.
fn of_account(job: &Job, association: &Association) -> bool {
    association.account == associations::ROOT || job.request.account.as_deref() == Some(association.account)
}

fn most(limit: Option<u32>, used: u32) -> String {
    limit.map_or_else(String::new, |limit| format!("{limit}({used})"))
}

/// `N`: no limit.
fn of_all(limit: Option<u32>, used: u32) -> String {
    limit.map_or_else(|| format!("N({used})"), |limit| format!("{limit}({used})"))
}

fn minutes(limit: Option<TimeLimit>) -> String {
    match limit {
        Some(TimeLimit::Minutes(minutes)) => minutes.to_string(),
        _ => String::new(),
    }
}

fn of_association(cluster: &Cluster, a: &Association, (name, uid): (&str, u32), used: &Use, lines: &mut Lines) {
    let none = Limits::default();
    // Those of all its users are the account's own, those of one are his, too.
    let limits = cluster.account_limits.get(a.account).unwrap_or(&none);
    let group = if a.user.is_none() { limits } else { &none };
    let user = a.user.map_or_else(String::new, |_| format!("{name}({uid})"));
    let parent = a.parent.map_or_else(String::new, |parent| format!("{parent}(1)"));
    let default = if a.user.is_some() && a.account == associations::default_account(cluster) { "Yes" } else { "No" };
    let (account, id, tres) = (a.account, a.id, used.tres(&group.grp_tres));
    lines
        .line(format_args!(
            "ClusterName={} Account={account} UserName={user} Partition= Priority=0 ID={id}",
            cluster.name
        ))
        .line(format_args!("SharesRaw/Norm/Level/Factor=1/18446744073709551616.00/1/0.00"))
        .line(format_args!("UsageRaw/Norm/Efctv=0.00/1.00/0.00"))
        .line(format_args!("ParentAccount={parent} Lft={id} DefAssoc={default}"))
        .line(format_args!("GrpJobs={} GrpJobsAccrue=N(0)", of_all(group.grp_jobs, used.running)))
        .line(format_args!("GrpSubmitJobs={} GrpWall=N(0.00)", of_all(group.grp_submit_jobs, used.submitted)))
        .line(format_args!("GrpTRES={tres}"))
        .line(format_args!("GrpTRESMins={}", Use::default().tres(&none.grp_tres)))
        .line(format_args!("GrpTRESRunMins={}", Use::default().tres(&none.grp_tres)));
    let (jobs, submit) = (most(limits.max_jobs, used.running), most(limits.max_submit_jobs, used.submitted));
    lines
        .line(format_args!(
            "MaxJobs={jobs} MaxJobsAccrue= MaxSubmitJobs={submit} MaxWallPJ={}",
            minutes(limits.max_wall)
        ))
        .line(format_args!("MaxTRESPJ={}", plain(&limits.max_tres)))
        .line(format_args!("MaxTRESPN="))
        .line(format_args!("MaxTRESMinsPJ="));
    lines.out.push_str("MinPrioThresh=\n");
}

fn of_qos(
    cluster: &Cluster,
    (qos, id): (&str, u32),
    (name, uid): (&str, u32),
    used: &Use,
    style: Style,
    lines: &mut Lines,
) {
    let none = Limits::default();
    let limits = cluster.qos_limits.get(qos).unwrap_or(&none);
    let unused = Use::default().tres(&none.grp_tres);
    let (running, submitted) = (used.running, used.submitted);
    lines
        .line(format_args!("QOS={qos}({id})"))
        .line(format_args!("UsageRaw=0.000000"))
        .line(format_args!(
            "GrpJobs={} GrpJobsAccrue=N(0) GrpSubmitJobs={} GrpWall=N(0.00)",
            of_all(limits.grp_jobs, running),
            of_all(limits.grp_submit_jobs, submitted)
        ))
        .line(format_args!("GrpTRES={}", used.tres(&limits.grp_tres)))
        .line(format_args!("GrpTRESMins={unused}"))
        .line(format_args!("GrpTRESRunMins={unused}"))
        .line(format_args!("MaxWallPJ={}", minutes(limits.max_wall)))
        .line(format_args!("MaxTRESPJ={}", plain(&limits.max_tres)))
        .line(format_args!("MaxTRESPN="))
        .line(format_args!("MaxTRESMinsPJ="))
        .line(format_args!("MinPrioThresh= "))
        .line(format_args!("MinTRESPJ="))
        .line(format_args!("PreemptMode=OFF"))
        .line(format_args!("Priority=0"));
    let deeper = if style.oneliner { "=" } else { "\n        " };
    let _ = write!(lines.out, "Account Limits{deeper}No Accounts{}User Limits{deeper}", lines.between);
    if submitted == 0 && *limits == none {
        lines.out.push_str("No Users\n");
        return;
    }
    let deepest = if style.oneliner { " " } else { "\n            " };
    let (jobs, submit) = (of_all(limits.max_jobs, running), of_all(limits.max_submit_jobs, submitted));
    let _ = writeln!(
        lines.out,
        "{name}({uid}){deepest}MaxJobsPU={jobs} MaxJobsAccruePU=N(0) MaxSubmitJobsPU={submit}{deepest}MaxTRESPU={}",
        used.tres(&limits.max_tres_per_user)
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{
        clock::{Clock, utc},
        samples,
    };

    fn shown(cluster: &Cluster, jobs: &[Job], wanted: &Wanted, oneliner: bool) -> String {
        let clock = Clock::new(utc, None, 0);
        let context = Context {
            cluster: "lab",
            partitions: &cluster.partitions,
            clock,
            bitstr_len: 64,
            noconvert: false,
            expand: false,
        };
        let mut out = String::new();
        assoc_mgr(cluster, jobs, &context, ("alice", 2001), wanted, Style { oneliner, details: false }, &mut out);
        out
    }

    /// As a real one printed them.
    #[test]
    fn records_are_slurms() {
        let cluster = samples::cluster();
        let users = Wanted { users: true, ..Wanted::default() };
        let expected = "\
Current Association Manager state

User Records

UserName=alice(2001) DefAccount=research DefWckey= AdminLevel=Administrator
";
        assert_eq!(shown(&cluster, &[], &users, false), expected);
        assert_eq!(shown(&cluster, &[], &users, true), expected.replace("\n\n", "\n"));
        let nobody = Wanted { of_users: vec!["bob".into()], ..users };
        assert!(shown(&cluster, &[], &nobody, false).ends_with("\n\nNo users currently cached in Slurm.\n\n"));
        let qos = shown(&cluster, &[], &Wanted { qos: true, ..Wanted::default() }, false);
        assert!(qos.ends_with("    Account Limits\n        No Accounts\n    User Limits\n        No Users\n"), "{qos}");
        let accounts = Wanted { associations: true, of_accounts: vec!["research".into()], ..Wanted::default() };
        let text = shown(&cluster, &[], &accounts, false);
        for line in [
            "ClusterName=lab Account=research UserName= Partition= Priority=0 ID=2",
            "    ParentAccount=root(1) Lft=2 DefAssoc=No",
            "ClusterName=lab Account=research UserName=alice(2001) Partition= Priority=0 ID=3",
            "    ParentAccount= Lft=3 DefAssoc=Yes",
            "    GrpSubmitJobs=N(0) GrpWall=N(0.00)",
            "    MaxJobs= MaxJobsAccrue= MaxSubmitJobs= MaxWallPJ=",
            "    MinPrioThresh=",
        ] {
            assert!(text.lines().any(|l| l == line), "{line:?} in\n{text}");
        }
    }

    #[test]
    fn limits_and_what_is_in_use_are_told() {
        let mut cluster = samples::cluster();
        let limits = Limits {
            max_jobs: Some(5),
            max_submit_jobs: Some(9),
            max_wall: Some(TimeLimit::Minutes(60)),
            grp_jobs: Some(7),
            grp_tres: "mem=10G,gres/gpu=8".parse().unwrap(),
            max_tres: "mem=1G".parse().unwrap(),
            ..Limits::default()
        };
        cluster.account_limits.insert("research".into(), limits.clone());
        cluster.qos_limits.insert("normal".into(), limits);
        let jobs = samples::recorded();
        let all = Wanted { users: true, associations: true, qos: true, ..Wanted::default() };
        let text = shown(&cluster, &jobs, &all, false);
        assert!(text.contains("MaxWallPJ=60\n") && text.contains("gres/gpu=8("), "{text}");
        assert!(
            text.contains("GrpJobs=7(") && text.contains(",mem=10240(") && text.contains("MaxTRESPJ=mem=1024\n"),
            "{text}"
        );
        assert!(text.contains("        alice(2001)\n            MaxJobsPU=5("), "{text}");
    }
}
