//! The fields of `sacctmgr show`, one row a field; all entities share them, as in Slurm.
//!
//! Names, headers and widths were asked of a real sacctmgr. A limit that nobody set is empty, as there.

use super::{
    associations::{self, Association},
    sacct_table::{self, Cut, Kind},
    table::number,
};
use crate::{
    job::Cluster,
    slurm::limit::{Limits, MostTres},
};

/// What sacctmgr lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entity {
    /// `account`
    Account,
    /// `association`
    Association,
    /// `cluster`
    Cluster,
    /// `qos`
    Qos,
    /// `tres`
    Tres,
    /// `user`
    User,
    /// There are none here: events, federations, reservations, resources, transactions, wckeys, ...
    Nothing,
}

/// A line of a listing.
#[derive(Clone, Debug)]
pub struct Row<'a> {
    /// What it is.
    pub entity: Entity,
    /// The cluster.
    pub cluster: &'a Cluster,
    /// The controller's host.
    pub host: &'a str,
    /// The user whose system it is.
    pub user: &'a str,
    /// The association it is, or that belongs to it.
    pub association: Option<Association<'a>>,
    /// The name of an account, a QOS or a TRES (and of this the type).
    pub name: &'a str,
    /// The type of a TRES.
    pub kind: &'a str,
    /// The number of a QOS or a TRES.
    pub id: u32,
    /// `tree`: the account is indented by its depth.
    pub tree: bool,
}

/// Listings of sacctmgr.
pub enum Listing {}

/// A field of them.
pub type Field = sacct_table::Field<Listing>;

impl Kind for Listing {
    type Row<'a> = Row<'a>;
    const FIELDS: &'static [Field] = FIELDS;
}

/// The columns that are shown when nobody chooses.
pub fn default_format(entity: Entity, with_associations: bool) -> &'static str {
    match (entity, with_associations) {
        (Entity::Account, false) => "account,description,organization",
        (Entity::Account, true) => {
            "account,description,organization,cluster,parentname,user,share,priority,grpjobs,grpnodes,grpcpus,grpmem,\
             grpsubmit,grpwall,grpcpumins,maxjobs,maxnodes,maxcpus,maxsubmit,maxwall,maxcpumins,qos,defaultqos"
        }
        (Entity::Association, _) => {
            "cluster,account,user,partition,share,priority,grpjobs,grptres,grpsubmit,grpwall,grptresmins,maxjobs,maxtres,\
             maxtrespernode,maxsubmit,maxwall,maxtresmins,qos,defaultqos,grptresrunmins"
        }
        (Entity::Cluster, _) => {
            "cluster,controlhost,controlport,rpc,share,grpjobs,grptres,grpsubmit,maxjobs,maxtres,maxsubmit,maxwall,qos,\
             defaultqos"
        }
        (Entity::Qos, _) => {
            "name,priority,gracetime,preempt,preemptexempttime,preemptmode,flags%40,usagethreshold,usagefactor,grptres,\
             grptresmins,grptresrunmins,grpjobs,grpsubmit,grpwall,maxtres,maxtrespernode,maxtresmins,maxwall,maxtrespu,\
             maxjobspu,maxsubmitpu,maxtrespa,maxjobspa,maxsubmitpa,mintres"
        }
        (Entity::Tres, _) => "type,name%15,id",
        (Entity::User, false) => "user,defaultaccount,adminlevel",
        (Entity::User, true) => {
            "user,defaultaccount,adminlevel,cluster,account,partition,share,priority,maxjobs,maxnodes,maxcpus,maxsubmit,\
             maxwall,maxcpumins,qos,defaultqos"
        }
        (Entity::Nothing, _) => "cluster",
    }
}

type Write = for<'a> fn(&Row<'a>, &mut String);

const fn row(name: &'static str, header: &'static str, width: i32, write: Write) -> Field {
    Field { name, header, width, cut: Cut::Marked, listed: true, write }
}

/// A limit or a thing that nobody has set.
const fn unset(name: &'static str, header: &'static str, width: i32) -> Field {
    row(name, header, width, |_, _| {})
}

fn account(row: &Row, out: &mut String) {
    match (&row.association, row.entity) {
        (Some(association), _) => {
            if row.tree {
                out.extend(std::iter::repeat_n(' ', association.depth));
            }
            out.push_str(association.account);
        }
        (None, Entity::Account) => out.push_str(row.name),
        (None, _) => {}
    }
}

fn user(row: &Row, out: &mut String) {
    match (&row.association, row.entity) {
        (_, Entity::User) => out.push_str(row.user),
        (Some(association), _) => out.push_str(association.user.unwrap_or_default()),
        (None, _) => {}
    }
}

/// A fixed text for those that have an association, and for the cluster, which is the root's.
fn of_association(row: &Row, text: &str, out: &mut String) {
    if row.association.is_some() || row.entity == Entity::Cluster {
        out.push_str(text);
    }
}

fn of(row: &Row, entity: Entity, text: &str, out: &mut String) {
    if row.entity == entity {
        out.push_str(text);
    }
}

/// What an account or a QOS is said to be.
pub fn description(row: &Row, out: &mut String) {
    match row.entity {
        Entity::Account if row.name == associations::ROOT => out.push_str("default root account"),
        Entity::Account => out.push_str(row.name),
        Entity::Qos if row.name == "normal" => out.push_str("Normal QOS default"),
        Entity::Qos => out.push_str(row.name),
        _ => {}
    }
}

/// Whose an account is.
pub fn organization(row: &Row, out: &mut String) {
    match row.entity {
        Entity::Account if row.name == associations::ROOT => out.push_str("root"),
        Entity::Account => out.push_str(&row.cluster.name),
        _ => {}
    }
}

fn tres(row: &Row, out: &mut String) {
    if row.entity == Entity::Cluster {
        let sum = |of: fn(&crate::job::Node) -> u64| row.cluster.nodes.iter().map(of).fold(0, u64::saturating_add);
        let (cpus, mib) = (sum(|node| node.cpus.into()), sum(|node| node.memory));
        let mem = crate::slurm::memory::Mebibytes(mib).tres();
        out.push_str(&format!("billing={cpus},cpu={cpus},mem={mem},node={}", row.cluster.nodes.len()));
    }
}

fn cluster(row: &Row, out: &mut String) {
    of_association(row, &row.cluster.name, out);
}

/// What all jobs of an account may have together, in the account's own line.
pub fn of_account<'a>(row: &'a Row) -> Option<&'a Limits> {
    of_users(row).filter(|_| row.association.as_ref().is_some_and(|a| a.user.is_none()))
}

/// What an account's users may have, each of whom has the account's.
pub fn of_users<'a>(row: &'a Row) -> Option<&'a Limits> {
    row.cluster.account_limits.get(row.association.as_ref()?.account)
}

fn of_qos<'a>(row: &'a Row) -> Option<&'a Limits> {
    row.cluster.qos_limits.get(row.name).filter(|_| row.entity == Entity::Qos)
}

fn limit(limit: Option<u32>, out: &mut String) {
    if let Some(limit) = limit {
        number(out, limit);
    }
}

fn most(limits: Option<&Limits>, of: fn(&Limits) -> &MostTres, out: &mut String) {
    if let Some(limits) = limits {
        out.push_str(&of(limits).to_string());
    }
}

fn max_wall(row: &Row, out: &mut String) {
    if let Some(limit) = of_users(row).or(of_qos(row)).and_then(|limits| limits.max_wall) {
        out.push_str(&limit.scontrol());
    }
}

fn flags(row: &Row, out: &mut String) {
    if of_qos(row).is_some_and(|limits| limits.deny_on_limit) {
        out.push_str("DenyOnLimit");
    }
}

/// All fields. Beginnings of names are looked for in this order.
#[rustfmt::skip]
const FIELDS: &[Field] = &[
    row("Account", "Account", 10, account),
    unset("ActionRaw", "ActionRaw", 10),
    row("AdminLevel", "Admin", 9, |r, o| of(r, Entity::User, "Administrator", o)),
    unset("Classification", "Class", 9),
    row("Cluster", "Cluster", 10, cluster),
    unset("CPUCount", "CPU Cnt", 9),
    unset("Coordinators", "Coord Accounts", 20),
    unset("Comment", "Comment", 20),
    row("ControlHost", "ControlHost", 15, |r, o| of(r, Entity::Cluster, r.host, o)),
    row("ControlPort", "ControlPort", 12, |r, o| of(r, Entity::Cluster, "0", o)),
    unset("Count", "Count", 6),
    row("DefaultAccount", "Def Acct", 10, |r, o| of(r, Entity::User, associations::default_account(r.cluster), o)),
    unset("DefaultQOS", "Def QOS", 9),
    unset("DefaultWCKey", "Def WCKey", 10),
    row("Description", "Descr", 20, description),
    row("Fairshare", "Share", 9, |r, o| of_association(r, "1", o)),
    unset("Features", "Features", 20),
    unset("Federation", "Federation", 10),
    row("FedState", "FedState", 12, |r, o| of(r, Entity::Cluster, "NA", o)),
    row("Flags", "Flags", 20, flags),
    row("GraceTime", "GraceTime", 10, |r, o| of(r, Entity::Qos, "00:00:00", o)),
    unset("GrpCPUMins", "GrpCPUMins", 11),
    unset("GrpCPURunMins", "GrpCPURunMins", 13),
    unset("GrpCPUs", "GrpCPUs", 8),
    row("GrpJobs", "GrpJobs", 7, |r, o| limit(of_account(r).or(of_qos(r)).and_then(|l| l.grp_jobs), o)),
    unset("GrpJobsAccrue", "GrpJobsAccrue", 13),
    unset("GrpMem", "GrpMem", 7),
    unset("GrpNodes", "GrpNodes", 8),
    row("GrpSubmitJobs", "GrpSubmit", 9, |r, o| limit(of_account(r).or(of_qos(r)).and_then(|l| l.grp_submit_jobs), o)),
    row("GrpTRES", "GrpTRES", 13, |r, o| most(of_account(r).or(of_qos(r)), |l| &l.grp_tres, o)),
    unset("GrpTRESMins", "GrpTRESMins", 13),
    unset("GrpTRESRunMins", "GrpTRESRunMins", 13),
    unset("GrpWall", "GrpWall", 11),
    row("ID", "ID", 6, |r, o| number(o, r.association.as_ref().map_or(r.id, |association| association.id))),
    unset("LimitFactor", "LimitFactor", 11),
    unset("MaxCPUMinsPerJob", "MaxCPUMins", 11),
    unset("MaxCPURunMins", "MaxCPURunMins", 15),
    unset("MaxCPUsPerJob", "MaxCPUs", 8),
    row("MaxJobs", "MaxJobs", 7, |r, o| limit(of_users(r).and_then(|l| l.max_jobs), o)),
    unset("MaxJobsAccrue", "MaxJobsAccrue", 13),
    row("MaxJobsPerUser", "MaxJobsPU", 9, |r, o| limit(of_qos(r).and_then(|l| l.max_jobs), o)),
    row("MaxJobsPU", "MaxJobsPU", 9, |r, o| limit(of_qos(r).and_then(|l| l.max_jobs), o)),
    unset("MaxJobsPA", "MaxJobsPA", 9),
    unset("MaxNodesPerJob", "MaxNodes", 8),
    row("MaxSubmitJobs", "MaxSubmit", 9, |r, o| limit(of_users(r).and_then(|l| l.max_submit_jobs), o)),
    row("MaxSubmitJobsPerUser", "MaxSubmitPU", 11, |r, o| limit(of_qos(r).and_then(|l| l.max_submit_jobs), o)),
    row("MaxSubmitPU", "MaxSubmitPU", 11, |r, o| limit(of_qos(r).and_then(|l| l.max_submit_jobs), o)),
    unset("MaxSubmitPA", "MaxSubmitPA", 11),
    row("MaxTRES", "MaxTRES", 13, |r, o| most(of_users(r).or(of_qos(r)), |l| &l.max_tres, o)),
    unset("MaxTRESMins", "MaxTRESMins", 13),
    row("MaxTRESPerJob", "MaxTRES", 13, |r, o| most(of_users(r).or(of_qos(r)), |l| &l.max_tres, o)),
    unset("MaxTRESPerNode", "MaxTRESPerNode", 14),
    row("MaxTRESPerUser", "MaxTRESPU", 13, |r, o| most(of_qos(r), |l| &l.max_tres_per_user, o)),
    row("MaxTRESPU", "MaxTRESPU", 13, |r, o| most(of_qos(r), |l| &l.max_tres_per_user, o)),
    unset("MaxTRESPA", "MaxTRESPA", 13),
    unset("MaxTRESRunMins", "MaxTRESRunMins", 15),
    row("MaxWallDurationPerJob", "MaxWall", 11, max_wall),
    unset("MinPrioThres", "MinPrioThres", 12),
    unset("MinTRESPerJob", "MinTRES", 13),
    row("Name", "Name", 10, |r, o| if matches!(r.entity, Entity::Qos | Entity::Tres) { o.push_str(r.name) }),
    row("NodeCount", "NodeCount", 9, |r, o| if r.entity == Entity::Cluster { number(o, r.cluster.nodes.len() as i64) }),
    unset("NodeNames", "NodeName", 15),
    row("Organization", "Org", 20, organization),
    row("ParentName", "ParentName", 10, |r, o| o.push_str(r.association.as_ref().and_then(|a| a.parent).unwrap_or_default())),
    unset("Partition", "Partition", 10),
    unset("Preempt", "Preempt", 10),
    unset("PreemptExemptTime", "PreemptExemptTime", 19),
    row("PreemptMode", "PreemptMode", 11, |r, o| of(r, Entity::Qos, "cluster", o)),
    row("Priority", "Priority", 10, |r, o| of(r, Entity::Qos, "0", o)),
    row("QOS", "QOS", 20, |r, o| of_association(r, &r.cluster.qos.join(","), o)),
    row("RPC", "RPC", 5, |r, o| of(r, Entity::Cluster, "0", o)),
    row("Share", "Share", 9, |r, o| of_association(r, "1", o)),
    row("TRES", "TRES", 20, tres),
    row("Type", "Type", 8, |r, o| of(r, Entity::Tres, r.kind, o)),
    row("UsageFactor", "UsageFactor", 11, |r, o| of(r, Entity::Qos, "1.000000", o)),
    unset("UsageThreshold", "UsageThres", 10),
    row("User", "User", 10, user),
    unset("WCKeys", "WCKeys", 20),
];

/// The TRES there are, with Slurm's numbers: type, name, number.
pub fn all_tres(cluster: &Cluster) -> Vec<(&str, &str, u32)> {
    let fixed = [("cpu", "", 1), ("mem", "", 2), ("energy", "", 3), ("node", "", 4), ("billing", "", 5)];
    let more = [("fs", "disk", 6), ("vmem", "", 7), ("pages", "", 8)];
    let mut all: Vec<_> = fixed.into_iter().chain(more).collect();
    let mut names: Vec<&str> = cluster.nodes.iter().flat_map(|n| &n.gres).map(|gres| gres.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    all.extend(names.into_iter().zip(1001..).map(|(name, id)| ("gres", name, id)));
    all
}
