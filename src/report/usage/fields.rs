//! The fields of sreport's reports about clusters and users, one row a field, and their tables.

use super::TimeFormat;
use crate::report::sacct_table::{self, Layout};

/// A report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// `cluster Utilization`
    Utilization,
    /// `cluster AccountUtilizationByUser`
    AccountByUser,
    /// `cluster UserUtilizationByAccount`
    UserByAccount,
    /// `user TopUsage`
    TopUsage,
}

impl Report {
    /// The columns that are shown when nobody chooses; others where resources were chosen.
    pub fn default_format(self, tres: bool) -> &'static str {
        match (self, tres) {
            (Self::Utilization, false) => "Cluster,Allocated,Down,PlannedDown,Idle,Planned,Reported",
            (Self::Utilization, true) => "Cluster,TresName,Allocated,Down,PlannedDown,Idle,Planned,Reported",
            (Self::AccountByUser, false) => "Cluster,Accounts,Login,Proper,Used,Energy",
            (Self::AccountByUser, true) => "Cluster,Accounts,Login,Proper,TresName,Used",
            (_, false) => "Cluster,Login,Proper,Accounts,Used,Energy",
            (_, true) => "Cluster,Login,Proper,Accounts,TresName,Used",
        }
    }
}

/// A line of a report. What it is not about is zero or empty. Amounts are resource seconds.
#[derive(Clone, Debug, Default)]
pub struct Line {
    /// The cluster.
    pub cluster: String,
    /// The account, indented in a tree.
    pub account: String,
    /// The user's name in the system.
    pub login: String,
    /// The user's own name.
    pub proper: String,
    /// The resource.
    pub resource: &'static str,
    /// How much of it the cluster has.
    pub count: u64,
    /// What jobs had.
    pub allocated: u64,
    /// What nobody wanted.
    pub idle: u64,
    /// What those who waited could have had.
    pub planned: u64,
    /// What they wanted beyond that.
    pub overcommitted: u64,
    /// What there was.
    pub reported: u64,
}

/// A field.
pub struct Field {
    name: &'static str,
    least: usize,
    header: &'static str,
    value: Value,
}

enum Value {
    /// A text with its width.
    Text(i32, fn(&Line) -> &str),
    /// A number with its width.
    Number(i32, fn(&Line) -> u64),
    /// Usage, as wide as it has to be.
    Usage(fn(&Line) -> u64),
}

const fn text(name: &'static str, least: usize, header: &'static str, width: i32, of: fn(&Line) -> &str) -> Field {
    Field { name, least, header, value: Value::Text(width, of) }
}

const fn usage(name: &'static str, least: usize, header: &'static str, of: fn(&Line) -> u64) -> Field {
    Field { name, least, header, value: Value::Usage(of) }
}

/// All fields; of several that a word begins the first is meant. Down and planned to be down no node ever was for long.
#[rustfmt::skip]
const FIELDS: &[Field] = &[
    text("Accounts", 2, "Account", 15, |l| &l.account),
    usage("allocated", 2, "Allocated", |l| l.allocated),
    text("Cluster", 2, "Cluster", 9, |l| &l.cluster),
    usage("down", 1, "Down", |_| 0),
    usage("idle", 1, "Idle", |l| l.idle),
    text("Login", 1, "Login", 9, |l| &l.login),
    usage("overcommitted", 1, "Over Comm", |l| l.overcommitted),
    usage("planned", 2, "Planned", |l| l.planned),
    usage("reserved", 3, "Planned", |l| l.planned),
    usage("PlannedDown", 2, "PLND Down", |_| 0),
    usage("PLNDDown", 2, "PLND Down", |_| 0),
    text("Proper", 2, "Proper Name", 15, |l| &l.proper),
    usage("reported", 3, "Reported", |l| l.reported),
    Field { name: "TresCount", least: 5, header: "TRES Count", value: Value::Number(10, |l| l.count) },
    Field { name: "cpucount", least: 2, header: "TRES Count", value: Value::Number(10, |l| l.count) },
    Field { name: "count", least: 2, header: "TRES Count", value: Value::Number(10, |l| l.count) },
    text("TresName", 5, "TRES Name", 14, |l| l.resource),
    usage("Used", 1, "Used", |l| l.allocated),
    usage("Energy", 1, "Energy", |_| 0),
];

/// Reads `format=`: fields with the width that was asked for, and the words that are none.
pub fn columns(list: &str) -> (Vec<(&'static Field, Option<i32>)>, Vec<String>) {
    let (mut columns, mut unknown) = (Vec::new(), Vec::new());
    for word in list.split(',').filter(|word| !word.is_empty()) {
        let (name, width) = word.split_once('%').map_or((word, None), |(name, width)| (name, Some(width)));
        let is = |field: &&Field| {
            name.len() >= field.least
                && field.name.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
        };
        match FIELDS.iter().find(is) {
            Some(field) => columns.push((field, width.map(sacct_table::number).filter(|width| *width != 0))),
            None => unknown.push(name.to_owned()),
        }
    }
    (columns, unknown)
}

/// Appends the table of a report. In a tree accounts are indented, to the left.
pub fn print(
    columns: &[(&Field, Option<i32>)],
    lines: &[Line],
    format: TimeFormat,
    tree: bool,
    head: bool,
    layout: &Layout,
    out: &mut String,
) {
    let width = |(field, chosen): &(&Field, Option<i32>)| match field.value {
        Value::Usage(of) => usage_width(lines.iter().map(of).max().unwrap_or(0), format),
        Value::Text(..) if tree && field.header == "Account" => chosen.unwrap_or(-20),
        Value::Text(width, _) | Value::Number(width, _) => chosen.unwrap_or(width),
    };
    let widths: Vec<i32> = columns.iter().map(width).collect();
    if head {
        let names: Vec<String> = columns.iter().map(|(field, _)| field.header.to_owned()).collect();
        sacct_table::text_header(&widths, &names, layout, out);
    }
    for line in lines {
        let value = |(field, _): &(&Field, Option<i32>)| match field.value {
            Value::Usage(of) => format.show(of(line), line.reported),
            Value::Number(_, of) => of(line).to_string(),
            Value::Text(_, of) => of(line).to_owned(),
        };
        sacct_table::text_line(&widths, &columns.iter().map(value).collect::<Vec<_>>(), layout, out);
    }
}

/// Eight characters, one more for each digit that the seconds have above eight; nine for the share.
fn usage_width(seconds: u64, format: TimeFormat) -> i32 {
    let digits = seconds.checked_ilog10().map_or(1, |log| log as i32 + 1);
    digits.max(8) + if format.is_wide() { 9 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(report: Report, format: &str, lines: &[Line], layout: &Layout) -> String {
        let mut out = "\n".to_owned();
        let (columns, unknown) = columns(report.default_format(format.is_empty()));
        assert!(unknown.is_empty());
        let format = TimeFormat::parse(format).unwrap_or_default();
        print(&columns, lines, format, false, true, layout, &mut out);
        out
    }

    fn line() -> Line {
        let count = 85;
        Line {
            cluster: "lab".into(),
            resource: "cpu",
            count,
            allocated: 10_740,
            idle: 296_700,
            planned: 540,
            reported: 307_980,
            ..Line::default()
        }
    }

    /// As a real sreport printed it.
    #[test]
    fn tables_are_slurms() {
        let expected = "
  Cluster Allocate     Down PLND Dow     Idle  Planned Reported 
--------- -------- -------- -------- -------- -------- -------- 
      lab      179        0        0     4945        9     5133 
";
        assert_eq!(table(Report::Utilization, "minutes", &[line()], &Layout::Columns), expected);
        let memory = Line { resource: "mem", idle: 2_442_229_980, ..line() };
        let expected = "
  Cluster      TRES Name Allocate     Down PLND Dow       Idle  Planned Reported 
--------- -------------- -------- -------- -------- ---------- -------- -------- 
      lab            mem      179        0        0   40703833        9     5133 
";
        assert_eq!(table(Report::Utilization, "", &[memory], &Layout::Columns), expected);
        let alice = Line { login: "alice".into(), account: "research".into(), ..line() };
        let expected = "
  Cluster     Login     Proper Name         Account              Used            Energy 
--------- --------- --------------- --------------- ----------------- ----------------- 
      lab     alice                        research          3(3.49%)          0(0.00%) 
";
        assert_eq!(table(Report::UserByAccount, "hourper", std::slice::from_ref(&alice), &Layout::Columns), expected);
        let parsable = table(Report::AccountByUser, "percent", &[alice], &Layout::Parsable2("|".into()));
        assert_eq!(parsable, "\nCluster|Account|Login|Proper Name|Used|Energy\nlab|research|alice||3.49%|0.00%\n");
    }

    #[test]
    fn words_are_fields() {
        let headers = |list| columns(list).0.iter().map(|(field, _)| field.header).collect::<Vec<_>>();
        assert_eq!(
            headers("cl,ac,al,d,pl,plannedd,i,o,rep,tresn,TRESC,u%20"),
            [
                "Cluster",
                "Account",
                "Allocated",
                "Down",
                "Planned",
                "PLND Down",
                "Idle",
                "Over Comm",
                "Reported",
                "TRES Name",
                "TRES Count",
                "Used"
            ]
        );
        assert_eq!(columns("foo,used").1, ["foo"]);
    }
}
