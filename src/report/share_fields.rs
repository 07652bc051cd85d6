//! The fields of `sshare --format`, one row a field. Names, widths and values are those of a real sshare where jobs have
//! priorities by age alone (priority/basic): nothing is counted there either.

use super::{
    associations::{Association, ROOT},
    sacct_table::{self, Cut, Kind},
    sacctmgr_fields::all_tres,
    table::number,
};
use crate::job::Cluster;

/// A line of sshare.
pub struct Row<'a> {
    /// The association.
    pub association: Association<'a>,
    /// The cluster.
    pub cluster: &'a Cluster,
    /// Whether the account is indented by its depth.
    pub tree: bool,
}

/// Listings of shares.
pub enum Shares {}

/// A field of them.
pub type Field = sacct_table::Field<Shares>;

impl Kind for Shares {
    type Row<'a> = Row<'a>;
    const FIELDS: &'static [Field] = FIELDS;
}

/// The columns that are shown when nobody chooses.
pub fn default_format(long: bool, partition: bool) -> String {
    let (partition, usage) = (if partition { ",Partition" } else { "" }, if long { ",NormUsage" } else { "" });
    let rest = if long { ",LevelFS,GrpTRESMins,TRESRunMins" } else { "" };
    format!("Account,User{partition},RawShares,NormShares,RawUsage{usage},EffectvUsage,FairShare{rest}")
}

type Write = for<'a> fn(&Row<'a>, &mut String);

const fn row(name: &'static str, width: i32, write: Write) -> Field {
    Field { name, header: name, width, cut: Cut::Marked, listed: true, write }
}

fn account(row: &Row, out: &mut String) {
    if row.tree {
        out.extend(std::iter::repeat_n(' ', row.association.depth));
    }
    out.push_str(row.association.account);
}

/// The names of all TRES there are: `gres/gpu`.
pub fn tres_names(cluster: &Cluster) -> impl Iterator<Item = String> + '_ {
    all_tres(cluster).into_iter().map(|(kind, name, _)| match name {
        "" => kind.to_owned(),
        name => format!("{kind}/{name}"),
    })
}

/// What nobody counts is 0 of each.
fn no_tres(row: &Row, out: &mut String) {
    let all: Vec<_> = tres_names(row.cluster).map(|name| name + "=0").collect();
    out.push_str(&all.join(","));
}

#[rustfmt::skip]
const FIELDS: &[Field] = &[
    row("Account", -20, account),
    row("Cluster", 10, |r, o| o.push_str(&r.cluster.name)),
    row("EffectvUsage", 13, |_, o| o.push_str("0.000000")),
    row("FairShare", 10, |r, o| if r.association.user.is_some() { o.push_str("0.000000") }),
    row("GrpTRESMins", 30, |_, _| {}),
    row("GrpTRESRaw", 30, no_tres),
    row("ID", 6, |r, o| number(o, r.association.id)),
    row("LevelFS", 10, |r, o| if r.association.user.is_some() { o.push_str("0.000000") }),
    row("NormShares", 11, |_, _| {}),
    row("NormUsage", 11, |_, _| {}),
    row("Partition", 12, |_, _| {}),
    row("RawShares", 10, |r, o| if r.association.account != ROOT { o.push('1') }),
    row("RawUsage", 11, |_, o| o.push('0')),
    row("TRESRunMins", 30, no_tres),
    row("User", 10, |r, o| o.push_str(r.association.user.unwrap_or_default())),
];
