//! Both outputs in one form: what may differ is taken out or named alike.

use super::{capture::Printed, tolerated::*};
use crate::harness::{Lab, user_name};

/// The recorded output as this user on this machine would have seen it; also how many lines of it were left out.
pub fn recorded(capture: &str, command: &str, printed: &Printed) -> (Printed, usize) {
    let mut dropped = 0;
    let mut side = |text: &str| {
        let mut text = text.to_owned();
        for (from, to) in PLACES {
            text = text.replace(from, to);
        }
        // What a login sees is the user database's.
        let home = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten().map(|u| u.dir);
        if let Some(home) = home.as_deref().and_then(|h| h.to_str()) {
            text = text.replace("/tmp/slurm-lab/home/alice", home);
        }
        for (from, to, _) in REPLACED {
            text = text.replace(from, to);
        }
        for (_, from, to, _) in REPLACED_IN.iter().filter(|(of, ..)| *of == capture) {
            text = text.replace(from, to);
        }
        let mut lines = Vec::new();
        for line in text.split_inclusive('\n') {
            if is_extern(line) || is_left_out(capture, line) {
                dropped += 1;
                continue;
            }
            let line = word(line, "alice", &user_name());
            lines.push(word(&line, "2001", &nix::unistd::geteuid().to_string()));
        }
        common(&nodes(capture, command, lines.concat()))
    };
    let printed = Printed { stdout: side(&printed.stdout), stderr: side(&printed.stderr), code: printed.code };
    (printed, dropped)
}

/// What the program printed, in the same form.
pub fn ours(lab: &Lab, capture: &str, line: &str, printed: &Printed) -> Printed {
    let host = nix::unistd::gethostname().unwrap().to_string_lossy().into_owned();
    let side = |text: &str| {
        let mut text = text.replace(&*lab.home().to_string_lossy(), "~");
        text = text.replace(&format!("(primary) at {host} is"), "(primary) at HOST is");
        text = text.replace(&format!("SLURM_SUBMIT_HOST={host}\n"), "SLURM_SUBMIT_HOST=HOST\n");
        text = text.replace(&format!("{host:<40}\n"), &format!("{:<40}\n", "localhost"));
        text = since_24_05(&text);
        text = text.split_inclusive('\n').filter(|l| !is_line_out(capture, l)).collect();
        text = masked_until(&text, "AllocNode:Sid=", " \n", "X");
        text = masked_until(&text, "24.11.", " |\n", "V");
        common(&nodes(capture, line, text))
    };
    Printed { stdout: side(&printed.stdout), stderr: side(&printed.stderr), code: printed.code }
}

/// What stands in `TRES=` of `scontrol show job` has been told as asked for and as given since 24.05.
fn since_24_05(text: &str) -> String {
    let new = |l: &&str| {
        l.starts_with("ReqTRES=") || ["AllocTRES=", "TresPerTask="].iter().any(|n| l.trim_start().starts_with(n))
    };
    let mut text: String = text.split_inclusive('\n').filter(|l| !new(l)).collect();
    // `Step created for job 4` names the step now.
    while let Some((before, rest)) = text.split_once("Step created for StepId=") {
        let (id, after) = rest.split_once('.').unwrap_or((rest, ""));
        text = format!("{before}Step created for job {id}{}", after.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    // In one line, as `scontrol -o` prints it.
    while let Some((before, rest)) = text.split_once(" AllocTRES=") {
        text = format!("{before}{}", &rest[rest.find([' ', '\n']).unwrap_or(rest.len())..]);
    }
    text.replace(" ReqTRES=", " TRES=")
}

/// With its lines in their alphabetical order.
pub fn sorted(printed: Printed) -> Printed {
    let side = |text: &str| {
        let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
        lines.sort_unstable();
        lines.concat()
    };
    Printed { stdout: side(&printed.stdout), stderr: side(&printed.stderr), ..printed }
}

/// The line of shell as this user would type it; one that never ended was ended when it was recorded, too.
pub fn command(line: &str, code: i32) -> String {
    let line = if code == 124 { &format!("timeout 3 {line}") } else { line };
    let user = user_name();
    // Another user than this one, whoever this is.
    let line = if user == "root" { word(line, "root", "daemon") } else { line.to_owned() };
    word(&line, "alice", &user)
}

/// Where every command had a job of its own, its nodes depended on the one before.
fn nodes(capture: &str, line: &str, text: String) -> String {
    let own = ["srun ", "salloc "].iter().any(|command| line.starts_with(command));
    if !own && !["srun", "salloc"].contains(&capture) && !line.contains("; srun ") {
        return text;
    }
    let text =
        ["[1-2]", "[2-3]", "[3-4]"].iter().fold(text, |text, two| text.replace(&format!("node{two}"), "node[*]"));
    ["1", "2", "3", "4"].iter().fold(text, |text, node| text.replace(&format!("node{node}"), "node*"))
}

/// The step that `PrologFlags=Contain` makes, which is not set here: `188.extern    COMPLETED`.
fn is_extern(line: &str) -> bool {
    let first = line.trim_start().split([' ', '|', ',', '\n']).next().unwrap_or("");
    first.strip_suffix(".extern").is_some_and(|j| !j.is_empty() && j.bytes().all(|b| b.is_ascii_digit() || b == b'_'))
}

/// A line that one of both may have.
fn is_line_out(capture: &str, line: &str) -> bool {
    let is = |(of, start, end, _): &(&str, &str, &str, &str)| {
        *of == capture && line.starts_with(start) && line.ends_with(end)
    };
    LINES_OUT.iter().any(is)
}

/// A row of a job that is not there: `121_1.batch  ...`.
fn is_left_out(capture: &str, line: &str) -> bool {
    let digits = line.find(|c: char| !c.is_ascii_digit()).unwrap_or(line.len());
    let id = line[..digits].parse::<u64>().ok().filter(|_| line[digits..].starts_with(['_', '.', ' ', '|', ',', ';']));
    is_line_out(capture, line)
        || LEFT_OUT.iter().any(|(of, ids, _)| *of == capture && id.is_some_and(|id| ids.contains(&id)))
}

/// `from` as a whole word becomes `to`; blanks beside it keep a column's width.
fn word(line: &str, from: &str, to: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    let inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    while let Some(at) = rest.find(from) {
        let (before, after) = (&rest[..at], &rest[at + from.len()..]);
        out.push_str(before);
        rest = after;
        if inside(out.chars().last()) || inside(after.chars().next()) {
            out.push_str(from);
            continue;
        }
        let (width, new) = (from.len(), to.len());
        if out.ends_with("  ") {
            let mut blanks = out.len() - out.trim_end_matches(' ').len() + width;
            blanks = blanks.saturating_sub(new).max(1);
            out.truncate(out.trim_end_matches(' ').len());
            out.push_str(&" ".repeat(blanks));
            out.push_str(to);
        } else if rest.starts_with("  ") {
            let blanks = rest.len() - rest.trim_start_matches(' ').len() + width;
            out.push_str(to);
            out.push_str(&" ".repeat(blanks.saturating_sub(new).max(1)));
            rest = rest.trim_start_matches(' ');
        } else {
            out.push_str(to);
        }
    }
    out + rest
}

/// What stands behind `start` up to one of the `ends` becomes `mask`.
fn masked_until(text: &str, start: &str, ends: &str, mask: &str) -> String {
    let mut parts = text.split(start);
    let mut out = parts.next().unwrap_or("").to_owned();
    for part in parts {
        out.push_str(start);
        out.push_str(mask);
        out.push_str(&part[part.find(|c| ends.contains(c)).unwrap_or(part.len())..]);
    }
    out
}

/// The day of the week, and how long ago a day in 2020 was.
fn of_any_day(text: &str) -> String {
    let mut text = text.to_owned();
    for day in ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"] {
        text = text.replace(&format!("{day} <ctime>"), "Day <ctime>");
    }
    let line = |line: &str| match line.split_once(" 2020-01-01T00:00:00 - ") {
        Some((title, _)) if line.ends_with(" secs)\n") => format!("{title} since 2020\n"),
        _ => line.to_owned(),
    };
    text.split_inclusive('\n').map(line).collect()
}

/// What is done to both: variables dropped, masked and sorted.
fn common(text: &str) -> String {
    let mut text = of_any_day(text);
    for start in PRIORITIES {
        text = masked_until(&text, start, " |,\n", "*");
    }
    let mut lines: Vec<String> = Vec::new();
    let mut block = 0; // where the run of variables, or of two writers' lines, began
    let mut written = false; // whether it is one of the latter
    for line in text.split_inclusive('\n') {
        // Tasks with a label (`srun -l`) write when they like, as do srun and its agents.
        let by_writer = WRITERS.iter().any(|w| line.starts_with(w)) || is_labelled(line);
        if by_writer != written {
            lines[block..].sort();
            (block, written) = (lines.len(), by_writer);
        }
        if by_writer {
            lines.push(line.to_owned());
            continue;
        }
        let name = line.split_once('=').map(|(n, _)| n).filter(|n| is_variable(n));
        match name {
            Some(name) if DROPPED.iter().any(|(n, _)| *n == name) => continue,
            Some(name) if MASKED.iter().any(|(n, _)| *n == name) => lines.push(format!("{name}=*\n")),
            Some(_) => lines.push(line.to_owned()),
            None => {
                lines[block..].sort();
                match CUT.iter().find(|(start, _)| line.starts_with(start)) {
                    Some((start, _)) => lines.push(format!("{}*\n", start.trim_end())),
                    None => lines.push(line.to_owned()),
                }
                block = lines.len();
                continue;
            }
        }
    }
    lines[block..].sort();
    lines.concat()
}

fn is_labelled(line: &str) -> bool {
    line.split_once(": ")
        .is_some_and(|(label, _)| !label.trim().is_empty() && label.trim().bytes().all(|b| b.is_ascii_digit()))
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

#[test]
fn words_keep_the_width_of_their_column() {
    assert_eq!(word("gpu    alice PD", "alice", "bo"), "gpu       bo PD");
    assert_eq!(word("gpu    alice PD", "alice", "robert"), "gpu   robert PD");
    assert_eq!(word("alice    |x", "alice", "bo"), "bo       |x");
    assert_eq!(word("_ualice_ (alice)", "alice", "bo"), "_ualice_ (bo)");
}

#[test]
fn variables_are_sorted_between_other_lines() {
    assert_eq!(
        common("== a\nB=1\nA=2\nSLURM_NODE_ALIASES=x\n== b\nSLURM_TASK_PID=7\n"),
        "== a\nA=2\nB=1\n== b\nSLURM_TASK_PID=*\n"
    );
}
