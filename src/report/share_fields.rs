//! The fields of `sshare --format`, one row a field. Names, widths and values are those of a real sshare where jobs have
//! priorities by age alone (priority/basic): nothing is counted there either.

use super::{
    associations::{Association, ROOT},
    sacct_table::{self, Kind},
    table::number,
};

/// A line of sshare.
pub struct Row<'a> {
    /// The association.
    pub association: Association<'a>,
    /// The cluster.
    pub cluster: &'a str,
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
    Field { name, header: name, width, listed: true, write }
}

fn account(row: &Row, out: &mut String) {
    if row.tree {
        out.extend(std::iter::repeat_n(' ', row.association.depth));
    }
    out.push_str(row.association.account);
}

#[rustfmt::skip]
const FIELDS: &[Field] = &[
    row("Account", -20, account),
    row("Cluster", 10, |r, o| o.push_str(r.cluster)),
    row("EffectvUsage", 13, |_, o| o.push_str("0.000000")),
    row("FairShare", 10, |r, o| if r.association.user.is_some() { o.push_str("0.000000") }),
    row("GrpTRESMins", 30, |_, _| {}),
    row("GrpTRESRaw", 30, |_, o| o.push_str(NO_TRES)),
    row("ID", 6, |r, o| number(o, r.association.id)),
    row("LevelFS", 10, |r, o| if r.association.user.is_some() { o.push_str("0.000000") }),
    row("NormShares", 11, |_, _| {}),
    row("NormUsage", 11, |_, _| {}),
    row("Partition", 12, |_, _| {}),
    row("RawShares", 10, |r, o| if r.association.account != ROOT { o.push('1') }),
    row("RawUsage", 11, |_, o| o.push('0')),
    row("TRESRunMins", 30, |_, o| o.push_str(NO_TRES)),
    row("User", 10, |r, o| o.push_str(r.association.user.unwrap_or_default())),
];

const NO_TRES: &str = "cpu=0,mem=0,energy=0,node=0,billing=0,fs/disk=0,vmem=0,pages=0";
