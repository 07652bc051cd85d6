//! Values, checked by kind where Slurm's commands check them: before anything is sent.
//! What the controller checks in Slurm (`--array`, `--dependency`, `--gres`, node
//! names, features) is left to the controller. Messages and exit codes: sbatch.txt.

use super::{Command, Kind, Refusal, Row};
use crate::slurm::{
    begin,
    bind::GpuBind,
    count::{NodeCount, parse_count},
    mail,
    memory::parse_mem,
    signal::WarnSignal,
    time::TimeLimit,
};
use chrono::DateTime;

/// Checks an option's argument; `None` is an optional argument left out.
pub(super) fn value(command: Command, row: &Row, value: Option<&str>) -> Result<(), Refusal> {
    let Some(value) = value else { return Ok(()) };
    let bad = |message: String| Err(Refusal::error(command, 255, message));
    let invalid = |ok: bool| {
        if ok { Ok(()) } else { bad(format!("Invalid --{} specification", row.name)) }
    };
    match row.kind {
        Kind::Text | Kind::Array | Kind::Dependency | Kind::Gres | Kind::Hostlist | Kind::Path | Kind::RootOnly => {
            Ok(())
        }
        Kind::TresPerTask | Kind::X11 => Ok(()), // read elsewhere
        Kind::AcctgFreq if acctg_freq(value) => Ok(()),
        Kind::AcctgFreq => bad(format!("Invalid --acctg-freq specification: {value}")),
        Kind::Begin => point_in_time(command, row.name, value),
        Kind::Count => count(command, &row.display_name(), value, true),
        Kind::CountOrZero => count(command, &row.display_name(), value, false),
        Kind::CpuFreq => cpu_freq(command, value),
        Kind::Distribution => distribution(command, value),
        Kind::Exclusive => invalid(one_of(value, &["", "exclusive", "user", "mcs", "topo"])),
        Kind::NodeInfo => node_info(command, value),
        Kind::GetUserEnv => invalid(get_user_env(value)),
        Kind::Hint if value.split(',').all(|h| one_of(h, HINTS)) => Ok(()),
        Kind::Hint => {
            let message = format!("unrecognized --hint argument \"{value}\", see --hint=help");
            Err(Refusal::error(command, 1, message))
        }
        Kind::MailType => invalid(mail_type(value)),
        Kind::MemBind if words_of(value, MEM_BIND) => Ok(()),
        Kind::MemBind => bad(format!("unrecognized --mem-bind argument \"{value}\"")),
        Kind::GpuBind => value.parse::<GpuBind>().map_or_else(|e| bad(e.to_string()), |_| Ok(())),
        Kind::AccelBind => invalid(!value.is_empty() && value.chars().all(|c| "gnvGNV".contains(c))),
        Kind::Memory => invalid(parse_mem(value).is_ok()),
        Kind::Minutes | Kind::Time => invalid(value.parse::<TimeLimit>().is_ok()),
        Kind::Nice => nice(value).map_or_else(bad, Ok),
        Kind::NodeCount => value.parse::<NodeCount>().map_or_else(|e| bad(e.to_string()), |_| Ok(())),
        Kind::OpenMode => invalid(value.starts_with(['a', 'A', 't', 'T'])),
        Kind::Priority => priority(value).map_or_else(bad, Ok),
        Kind::Profile if value.split(',').all(|p| one_of(p, PROFILES)) => Ok(()),
        Kind::Profile => bad(format!("invalid --profile={value} option")),
        Kind::Propagate => propagate(command, value),
        Kind::Signal => invalid(value.parse::<WarnSignal>().is_ok()),
        Kind::Switches => {
            let (switches, _) = value.split_once('@').unwrap_or((value, ""));
            count(command, &row.display_name(), switches, true)
        }
        Kind::Units if value.to_ascii_uppercase().starts_with(['K', 'M', 'G', 'T', 'P']) => Ok(()),
        Kind::Units => {
            let shown = value.chars().next().map_or_else(String::new, String::from);
            let message = format!("Invalid unit type '{shown}'. Possible options are 'KMGTP'");
            let fatal = Refusal::fatal(command, "Invalid unit type");
            let mut refusal = Refusal::error(command, 1, message);
            refusal.lines.extend(fatal.lines);
            Err(refusal)
        }
        Kind::ZeroOrOne => {
            count(command, &row.display_name(), value, false)?;
            invalid(whole(value).unwrap_or(0) <= 1)
        }
        Kind::Choice(words) => invalid(one_of(value, words)),
    }
}

const HINTS: &[&str] = &["compute_bound", "memory_bound", "multithread", "nomultithread", "help"];
const PROFILES: &[&str] = &["none", "all", "energy", "task", "lustre", "network", "filesystem"];
const RLIMITS: &[&str] = &["AS", "CORE", "CPU", "DATA", "FSIZE", "MEMLOCK", "NOFILE", "NPROC", "RSS", "STACK"];

const MEM_BIND: &[&str] = &[
    "q", "quiet", "v", "verbose", "no", "none", "rank", "local", "p", "prefer", "sort", "nosort", "map_mem",
    "mask_mem", "help",
];
/// A list whose first word is known; what stands behind a `:` belongs to a word.
fn words_of(list: &str, known: &[&str]) -> bool {
    let first = list.split([',', ':', '+']).next().unwrap_or_default();
    one_of(first.trim_start_matches("gpu:"), known)
}

fn one_of(value: &str, words: &[&str]) -> bool {
    words.iter().any(|w| w.eq_ignore_ascii_case(value))
}

/// strtol(3), base 10, over the whole text. Out of range is clamped, as there.
fn whole(text: &str) -> Option<i64> {
    let (number, rest) = leading(text)?;
    rest.is_empty().then_some(number)
}

/// strtol(3): the number a text begins with, and the rest.
fn leading(text: &str) -> Option<(i64, &str)> {
    let text = text.trim_start();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let (digits, rest) = digits.split_at_checked(end)?;
    if digits.is_empty() {
        return None;
    }
    let number = digits.parse::<i64>().unwrap_or(i64::MAX);
    Some((if negative { -number } else { number }, rest))
}

/// `Invalid numeric value "x" for --ntasks.`, exit 1.
fn count(command: Command, what: &str, text: &str, positive: bool) -> Result<(), Refusal> {
    // Nothing counts as 0.
    let zero = || !positive && (text.is_empty() || whole(text) == Some(0));
    if parse_count(text).is_ok() || zero() {
        return Ok(());
    }
    let message = format!("Invalid numeric value \"{text}\" for {what}.");
    Err(Refusal::error(command, 1, message))
}

/// `--begin`, `--deadline`: two lines where the text cannot be read.
fn point_in_time(command: Command, name: &str, text: &str) -> Result<(), Refusal> {
    // Only the form is looked at; what a time of day means today is the request's to say.
    let some_day = DateTime::from_timestamp(1_000_000_000, 0).unwrap_or_default();
    let Err(error) = begin::parse(text, some_day) else { return Ok(()) };
    let mut refusal = Refusal::error(command, 255, format!("Invalid --{name} specification"));
    if error.position.is_some() {
        refusal.lines.insert(0, error.to_string());
    }
    Err(refusal)
}

fn mail_type(text: &str) -> bool {
    // One known word is enough: `FOO,END` is accepted (sbatch 22.05).
    mail::is_valid(text)
}

fn nice(text: &str) -> Result<(), String> {
    const LIMIT: i64 = 2_147_483_645;
    match leading(text) {
        Some((n, _)) if n.abs() > LIMIT => Err(format!("Invalid --nice value, out of range (+/- {LIMIT})")),
        _ => Ok(()),
    }
}

fn priority(text: &str) -> Result<(), String> {
    const LIMIT: i64 = 4_294_967_294;
    match leading(text) {
        Some((n, _)) if n < 0 => Err("Priority must be >= 0".to_owned()),
        Some((n, _)) if n >= LIMIT => Err(format!("Priority must be < {LIMIT}")),
        _ => Ok(()),
    }
}

/// node level[:socket level[:core level]][,[No]Pack]
fn distribution(command: Command, text: &str) -> Result<(), Refusal> {
    let wrong = Refusal::error(command, 255, "Invalid --distribution specification");
    let mut parts = text.split(',');
    let levels = parts.next().unwrap_or_default();
    let plane = levels == "plane" || levels.starts_with("plane=");
    if plane {
        let size = levels.trim_start_matches("plane").trim_start_matches('=');
        if whole(size).is_none_or(|n| n <= 0) {
            let first = Refusal::error(command, 255, "Invalid plane size or size not specified");
            return Err(first.and_error(command, "Invalid --distribution specification"));
        }
    } else {
        let known = ["block", "cyclic", "fcyclic", "*", ""];
        let alone = ["arbitrary", "pack", "nopack"];
        let levels_good = !levels.is_empty() && levels.split(':').all(|l| one_of(l, &known));
        if !levels_good && !one_of(levels, &alone) {
            return Err(wrong);
        }
    }
    if parts.all(|p| one_of(p, &["pack", "nopack"])) { Ok(()) } else { Err(wrong) }
}

fn cpu_freq(command: Command, text: &str) -> Result<(), Refusal> {
    const WORDS: &[&str] = &[
        "low",
        "high",
        "highm1",
        "medium",
        "conservative",
        "ondemand",
        "performance",
        "powersave",
        "schedutil",
        "userspace",
    ];
    let unknown = text.split(['-', ':']).find(|w| whole(w).is_none() && !one_of(w, WORDS));
    match unknown {
        None => Ok(()),
        Some(_) => {
            let message = format!("unrecognized --cpu-freq argument \"{text}\"");
            Err(Refusal::error(command, 255, message).and_error(command, "Invalid --cpu-freq argument"))
        }
    }
}

/// ALL, NONE, or names of limits, in capitals as setrlimit(2) has them.
fn propagate(command: Command, text: &str) -> Result<(), Refusal> {
    if one_of(text, &["", "all", "none"]) {
        return Ok(());
    }
    let known = |limit: &str| RLIMITS.contains(&limit.trim_start_matches("RLIMIT_"));
    match text.split(',').find(|l| !l.is_empty() && !known(l)) {
        None => Ok(()),
        Some(limit) => Err(Refusal::error(command, 1, format!("Bad rlimit name: {limit}"))
            .and_error(command, format!("--propagate={text} is not valid."))),
    }
}

fn node_info(command: Command, text: &str) -> Result<(), Refusal> {
    for (part, which) in text.split(':').zip(["first", "second", "third"]) {
        let bounds = part.split_once('-').unwrap_or((part, "1"));
        let range = part.contains('-') && whole(bounds.0).is_some() && whole(bounds.1).is_some();
        if !matches!(part, "" | "*") && !range {
            count(command, &format!("{which} arg of -B"), part, true)?;
        }
    }
    Ok(())
}

/// [seconds][S|L]
fn get_user_env(text: &str) -> bool {
    let digits = text.trim_start_matches(|c: char| c.is_ascii_digit());
    digits.is_empty() || digits.starts_with(['S', 's', 'L', 'l'])
}

/// An interval, or datatype=interval,...
fn acctg_freq(text: &str) -> bool {
    text.is_empty()
        || text.split(',').all(|part| match part.split_once('=') {
            Some((what, every)) => {
                one_of(what, &["task", "energy", "network", "filesystem"]) && whole(every).is_some_and(|n| n >= 0)
            }
            None => whole(part).is_some_and(|n| n >= 0),
        })
}
