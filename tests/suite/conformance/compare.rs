//! Whether two outputs say the same: job ids, points in time and run times may differ.

use super::{capture::Printed, tolerated::SECONDS};
use std::collections::BTreeSet;

/// Job ids of what was recorded, and by how much those of this system are larger.
#[derive(Debug, Default)]
pub struct Ids {
    /// Those that occur in the command's recorded output.
    pub recorded: BTreeSet<u64>,
    /// Ours less the recorded; one number a command, as ids are given in a row.
    pub offset: Option<i64>,
}

/// The first difference, in words; `None` when there is none. So many lines (`extra`) may stand in ours alone.
pub fn difference(recorded: &Printed, ours: &Printed, mut extra: usize, ids: &mut Ids) -> Option<String> {
    if recorded.code != ours.code {
        return Some(format!("exit code {} and not {}{}", ours.code, recorded.code, tail(&ours.stderr)));
    }
    for (name, left, right) in [("stdout", &recorded.stdout, &ours.stdout), ("stderr", &recorded.stderr, &ours.stderr)]
    {
        let mut right = right.split_inclusive('\n').peekable();
        for line in left.split_inclusive('\n') {
            loop {
                // Of lines that may be left out, those in front of one that is the same to the letter.
                while extra > 0 && right.peek() != Some(&line) && right.clone().any(|own| own == line) {
                    right.next();
                    extra -= 1;
                }
                match right.next() {
                    Some(own) if same(line, own, ids) => break,
                    Some(_) if extra > 0 && right.peek().is_some() => extra -= 1,
                    Some(own) => return Some(format!("{name}:\n      - {line:?}\n      + {own:?}")),
                    None => return Some(format!("{name} ends before {line:?}")),
                }
            }
        }
        if let Some(more) = right.next() {
            return Some(format!("{name} has more: {more:?}"));
        }
    }
    None
}

fn tail(stderr: &str) -> String {
    stderr.lines().last().map_or_else(String::new, |l| format!(": {l}"))
}

/// Whether two lines say the same.
fn same(left: &str, right: &str, ids: &mut Ids) -> bool {
    if left == right {
        if tokens(left).iter().any(|t| matches!(t, Token::Number(n, _) if ids.recorded.contains(n)))
            && is_of_a_job(left)
        {
            ids.offset.get_or_insert(0);
        }
        return true;
    }
    let before = ids.offset;
    let (left, right) = (tokens(left), tokens(right));
    // Blanks align columns: where an id or a time has another length, so have they.
    let solid = |t: &[Token]| t.iter().filter(|t| !matches!(t, Token::Blank)).cloned().collect::<Vec<_>>();
    let (a, b) = (solid(&left), solid(&right));
    let mut loose = false;
    let equal = a.len() == b.len()
        && a.iter().zip(&b).all(|(a, b)| {
            let alike = alike(a, b, ids);
            loose |= alike;
            a == b || alike
        });
    if !equal || !loose {
        ids.offset = before;
    }
    equal && loose
}

/// Whether a line surely names a job, and not a number that only looks like one.
fn is_of_a_job(line: &str) -> bool {
    line.starts_with("Submitted batch job ")
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// Blanks, however many.
    Blank,
    /// Digits.
    Number(u64, usize),
    /// `2026-11-20T11:39:08`
    Moment,
    /// `1:02`, `1-02:03:04`; seconds.
    Span(u64),
    /// Anything else.
    Char(char),
}

fn tokens(line: &str) -> Vec<Token> {
    let mut out = Vec::new();
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        if c == ' ' {
            rest = rest.trim_start_matches(' ');
            out.push(Token::Blank);
        } else if c.is_ascii_digit() {
            let length = rest.find(|c: char| !(c.is_ascii_digit() || "-:T".contains(c))).unwrap_or(rest.len());
            if let Some(moment) = rest.get(..19).filter(|m| is_moment(m)) {
                rest = &rest[moment.len()..];
                out.push(Token::Moment);
            } else if let Some(seconds) = span(&rest[..length]) {
                rest = &rest[length..];
                out.push(Token::Span(seconds));
            } else {
                let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                out.push(rest[..digits].parse().map_or(Token::Char('#'), |n| Token::Number(n, digits)));
                rest = &rest[digits..];
            }
        } else {
            out.push(Token::Char(c));
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

fn is_moment(text: &str) -> bool {
    text.bytes().zip(*b"dddd-dd-ddTdd:dd:dd").all(|(b, p)| if p == b'd' { b.is_ascii_digit() } else { b == p })
}

fn span(text: &str) -> Option<u64> {
    let (days, clock) = text.split_once('-').map_or((Some(0), text), |(d, c)| (d.parse().ok(), c));
    let mut parts = clock.split(':').collect::<Vec<_>>();
    if parts.len() < 2 || parts.len() > 3 || parts.iter().any(|p| p.is_empty() || p.len() > 2) {
        return None;
    }
    if parts.len() == 2 {
        parts.insert(0, "0");
    }
    let seconds = parts.iter().try_fold(0, |sum: u64, p| Some(sum * 60 + p.parse::<u64>().ok()?))?;
    Some(days? * 86_400 + seconds)
}

fn alike(a: &Token, b: &Token, ids: &mut Ids) -> bool {
    match (a, b) {
        (Token::Moment, Token::Moment) => true,
        (Token::Span(a), Token::Span(b)) => a.abs_diff(*b) <= SECONDS,
        (Token::Number(a, width), Token::Number(b, other)) if ids.recorded.contains(a) => {
            let offset = *b as i64 - *a as i64;
            // A number with zeros in front keeps its width.
            let padded = *width > a.to_string().len();
            (!padded || width == other) && *ids.offset.get_or_insert(offset) == offset
        }
        _ => false,
    }
}

/// The job ids in what a command printed.
pub fn job_ids(line: &str, text: &str) -> BTreeSet<u64> {
    const BEFORE: [&str; 19] = [
        "Submitted batch job ",
        "Job ",
        "JOB ",
        "STEP ",
        "StepId=",
        "JobId=",
        "SLURM_JOB_ID=",
        "SLURM_ARRAY_JOB_ID=",
        "job ",
        "job allocation ",
        "job id ",
        "ArrayJobId=",
        "slurm-",
        "after:",
        "afterany:",
        "afterok:",
        "afternotok:",
        "aftercorr:",
        "afterburstbuffer:",
    ];
    let number =
        |text: &str| text[..text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len())].parse::<u64>().ok();
    let mut found = BTreeSet::new();
    for start in BEFORE {
        found.extend(text.match_indices(start).filter_map(|(at, s)| number(&text[at + s.len()..])));
    }
    // First in a line: --parsable, squeue, sacct.
    if ["--parsable", "squeue", "sacct"].iter().any(|w| line.contains(w)) {
        found.extend(text.lines().filter_map(|l| number(l.trim_start())));
    }
    found.extend(text.match_indices("SLURM_JOBID=").filter_map(|(at, s)| number(&text[at + s.len()..])));
    found
}

#[test]
fn ids_and_times_may_differ_and_nothing_else() {
    let ids = || Ids { recorded: [7, 8].into(), offset: None };
    assert!(same("Submitted batch job 7\n", "Submitted batch job 12\n", &mut ids()));
    assert!(same("   7  gpu 8 0:03\n", "  12  gpu 13 0:04\n", &mut ids()));
    assert!(!same("7 8\n", "12 14\n", &mut ids()));
    assert!(!same("cpus=4\n", "cpus=5\n", &mut ids()));
    assert!(!same("a  b\n", "a b\n", &mut ids()));
    assert!(!same("limit 1:00:00\n", "limit 2:00:00\n", &mut ids()));
    assert!(same("7 at 2026-11-20T11:39:08!\n", "9 at 2026-11-20T11:39:18!\n", &mut ids()));
    assert!(!same("5007\n", "50012\n", &mut ids()));
}
