//! Job arrays: `--array`, how pending tasks are shown, and ids such as `12_[1,3-5].0`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::idset::{IdSet, MAX_ID};

/// Slurm's default for `SLURM_BITSTR_LEN`: how long a pending list may get, see [`show_pending`].
pub const BITSTR_LEN: usize = 64;

/// What `--array` says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArraySpec {
    /// The task ids, at least one.
    pub ids: IdSet,
    /// At most so many tasks at a time (`%N`); none for `%0` and for what is no number.
    pub throttle: Option<u32>,
    /// See [`ArraySpec::step`].
    step: u32,
}

/// Slurm's answer to every bad `--array`, given by the controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("Invalid job array specification")]
pub struct ArrayError;

impl ArraySpec {
    /// Reads `--array`'s value; every id must be below `max_array_size` (`MaxArraySize`).
    ///
    /// As recorded in sbatch.txt: brackets around a part may be there or lack, empty
    /// parts are passed over, `%` and a number may follow any part and the first one
    /// counts. (No value at all, `--array=`, is no array: the command's business.)
    pub fn parse(text: &str, max_array_size: u32) -> Result<Self, ArrayError> {
        let (list, throttle) = cut_throttle(text);
        let mut ids = IdSet::new();
        let mut first_step = None;
        for part in list.split(',').filter(|part| !part.is_empty()) {
            let part = part.strip_prefix('[').unwrap_or(part);
            let part = part.strip_suffix(']').unwrap_or(part);
            let (first, last, step) = range(part)?;
            if last >= max_array_size || last > MAX_ID {
                return Err(ArrayError);
            }
            first_step = first_step.or(step);
            ids.extend((first..=last).step_by(step.unwrap_or(1) as usize));
        }
        // `--array=%2` and `[]` are task 0 in Slurm.
        if list.is_empty() && !text.is_empty() {
            ids.insert(0);
        }
        if ids.is_empty() {
            return Err(ArrayError);
        }
        Ok(Self { ids, throttle, step: first_step.unwrap_or(1) })
    }

    /// The lowest id, `SLURM_ARRAY_TASK_MIN`.
    pub fn min(&self) -> u32 {
        self.ids.first().unwrap_or(0)
    }

    /// The highest id, `SLURM_ARRAY_TASK_MAX`.
    pub fn max(&self) -> u32 {
        self.ids.last().unwrap_or(0)
    }

    /// How many tasks, `SLURM_ARRAY_TASK_COUNT`.
    pub fn count(&self) -> u32 {
        u32::try_from(self.ids.len()).unwrap_or(u32::MAX)
    }

    /// `SLURM_ARRAY_TASK_STEP`: the first step written with a colon, else 1
    /// (`1,5,9` is 1, `1-9:4` is 4, `1,3,7-9:2` is 2).
    pub fn step(&self) -> u32 {
        self.step
    }
}

/// Takes every `%...` out of the list, up to the next comma or bracket, and reads
/// the first one as C's atoi does: `%2x` is 2, `%x` and `%-1` are nothing.
fn cut_throttle(text: &str) -> (String, Option<u32>) {
    let Some((before, after)) = text.split_once('%') else {
        return (text.to_owned(), None);
    };
    let number = after.trim_start();
    let digits = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    let throttle = number.get(..digits).and_then(|digits| digits.parse().ok());
    let end = after.find([',', ']']).unwrap_or(after.len());
    let (rest, _) = cut_throttle(after.get(end..).unwrap_or_default());
    let throttle = throttle.filter(|count| (1..=i32::MAX as u32).contains(count));
    (format!("{before}{rest}"), throttle)
}

/// `N`, `N-M` or `N-M:S`.
fn range(part: &str) -> Result<(u32, u32, Option<u32>), ArrayError> {
    let Some((first, rest)) = part.split_once('-') else {
        // An empty pair of brackets is 0 in Slurm.
        let id = if part.is_empty() { 0 } else { number(part)? };
        return Ok((id, id, None));
    };
    let (last, step) = match rest.split_once(':') {
        Some((last, step)) => (last, Some(number(step)?)),
        None => (rest, None),
    };
    let (first, last) = (number(first)?, number(last)?);
    if first > last || step == Some(0) {
        return Err(ArrayError);
    }
    Ok((first, last, step))
}

/// Digits, with blanks or a plus in front as strtol takes them.
fn number(text: &str) -> Result<u32, ArrayError> {
    text.trim_start().parse().map_err(|_| ArrayError)
}

/// The pending tasks of an array as squeue's `%K` shows them, and inside of the brackets `%i`:
/// `1-10%2`, `1,3,5,7,9`, `1-201:2`.
///
/// A regular list with a step is shortened if it has more than five ids and spans more than ten.
/// `bitstr_len` is `SLURM_BITSTR_LEN` (64 if not set): a longer list ends in `...`; 0 is no limit.
pub fn show_pending(ids: &IdSet, throttle: Option<u32>, bitstr_len: usize) -> String {
    let mut list = regular(ids).unwrap_or_else(|| cut(ids.to_ranges(), bitstr_len));
    if let Some(throttle) = throttle.filter(|throttle| *throttle > 0) {
        list.push_str(&format!("%{throttle}"));
    }
    list
}

fn regular(ids: &IdSet) -> Option<String> {
    let (first, last) = ids.first().zip(ids.last())?;
    let second = ids.iter().nth(1)?;
    let step = second - first;
    let evenly = || ids.iter().zip(ids.iter().skip(1)).all(|(a, b)| b - a == step);
    (step > 1 && last - first > 10 && ids.len() > 5 && evenly()).then(|| format!("{first}-{last}:{step}"))
}

/// Slurm prints into a buffer of `limit` bytes, a comma after each range, and if less than three
/// bytes are left makes dots of the last three.
fn cut(list: String, limit: usize) -> String {
    if limit == 0 || list.len() + 3 <= limit {
        return list;
    }
    let kept = list.get(..limit.saturating_sub(4)).map_or_else(|| format!("{list},"), str::to_owned);
    kept + &"..."[..3.min(limit - 1)]
}

/// Which tasks of an array an id names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskSel {
    /// `_3`
    One(u32),
    /// `_[1,3-5]`
    Set(IdSet),
    /// `_*`
    All,
}

impl TaskSel {
    /// Does it name task `id`?
    pub fn contains(&self, id: u32) -> bool {
        match self {
            Self::One(task) => *task == id,
            Self::Set(tasks) => tasks.contains(id),
            Self::All => true,
        }
    }
}

/// A job, task or step as scancel, squeue, scontrol and sacct take it:
/// `12`, `12_3`, `12_[1,3-5]`, `12.0`, `12_3.batch`, `12+1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobIdSpec {
    /// The job's or the array's id, never 0.
    pub job: u32,
    /// Tasks of the array, if some are named.
    pub tasks: Option<TaskSel>,
    /// A step: a number, `batch`, `extern` or `interactive`.
    pub step: Option<String>,
    /// The component of a heterogeneous job (`+1`).
    pub het: Option<u32>,
}

/// Slurm's answer to a bad id.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("Invalid job id {0}")]
pub struct JobIdError(pub String);

impl JobIdSpec {
    /// A whole job.
    pub fn job(job: u32) -> Self {
        Self { job, tasks: None, step: None, het: None }
    }

    /// Reads a list, `12,13_[1,2],14.0`. Commas in brackets do not separate; empty parts are passed over.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, JobIdError> {
        Self::parts(text).map(str::parse).collect()
    }

    /// What commas separate that stand in no brackets.
    pub fn parts(text: &str) -> impl Iterator<Item = &str> {
        let mut inside = false;
        let parts = text.split(move |c: char| {
            match c {
                '[' => inside = true,
                ']' => inside = false,
                _ => {}
            }
            c == ',' && !inside
        });
        parts.filter(|part| !part.is_empty())
    }

    /// Reads one as squeue and sacct do, who look at no more of it than its numbers: `3x` and `3 4` are 3, `9_1x` is 9_1.
    pub fn read(text: &str) -> Result<Self, JobIdError> {
        numbers(text).parse().map_err(|_| JobIdError(text.to_owned()))
    }
}

/// An id up to the end of its last number; all of it where another thing than a number stands in the place of one.
fn numbers(text: &str) -> &str {
    let mut end = 0;
    loop {
        let rest = text.get(end..).unwrap_or_default();
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        end += digits;
        match rest.as_bytes().get(digits) {
            _ if digits == 0 => return text,
            Some(b'_' | b'+' | b'.') => end += 1,
            _ => return text.get(..end).unwrap_or(text),
        }
    }
}

impl FromStr for JobIdSpec {
    type Err = JobIdError;

    fn from_str(text: &str) -> Result<Self, JobIdError> {
        parse_id(text).ok_or_else(|| JobIdError(text.to_owned()))
    }
}

fn parse_id(text: &str) -> Option<JobIdSpec> {
    let digits =
        |text: &str| -> Option<u32> { (text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten() };
    let (rest, step) = match text.split_once('.') {
        Some((rest, step)) => {
            let named = ["batch", "extern", "interactive"].contains(&step);
            (rest, Some((named || digits(step).is_some()).then(|| step.to_owned())?))
        }
        None => (text, None),
    };
    let (rest, tasks) = match rest.split_once('_') {
        Some((rest, "*")) => (rest, Some(TaskSel::All)),
        Some((rest, tasks)) => match tasks.strip_prefix('[') {
            Some(set) => {
                let set: IdSet = set.strip_suffix(']')?.parse().ok()?;
                (!set.is_empty()).then_some((rest, Some(TaskSel::Set(set))))?
            }
            None => (rest, Some(TaskSel::One(digits(tasks)?))),
        },
        None => (rest, None),
    };
    let (job, het) = match rest.split_once('+') {
        Some((job, het)) => (job, Some(digits(het)?)),
        None => (rest, None),
    };
    let job = digits(job).filter(|job| *job > 0)?;
    // A heterogeneous job is no array.
    (het.is_none() || tasks.is_none()).then_some(JobIdSpec { job, tasks, step, het })
}

impl fmt::Display for JobIdSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.job)?;
        match &self.tasks {
            None => {}
            Some(TaskSel::One(task)) => write!(f, "_{task}")?,
            Some(TaskSel::Set(tasks)) => write!(f, "_[{tasks}]")?,
            Some(TaskSel::All) => write!(f, "_*")?,
        }
        if let Some(het) = self.het {
            write!(f, "+{het}")?;
        }
        if let Some(step) = &self.step {
            write!(f, ".{step}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> String {
        ArraySpec::parse(text, 10_001)
            .map_or_else(|error| error.to_string(), |a| show_pending(&a.ids, a.throttle, BITSTR_LEN))
    }

    /// sbatch.txt, "bad values", and more asked of the same Slurm.
    #[test]
    fn as_recorded() {
        let table = [
            ("1-3%0", "1-3"),
            ("1-3%", "1-3"),
            ("1-3%x", "1-3"),
            ("1,2,,3", "1-3"),
            ("1-10:3", "1,4,7,10"),
            ("01-03", "1-3"),
            ("[1-3]", "1-3"),
            ("1-3%2%4", "1-3%2"),
            ("10000", "10000"),
            (",1", "1"),
            ("1,2,", "1-2"),
            (" 1", "1"),
            ("1-3, 5", "1-3,5"),
            ("1- 3", "1-3"),
            ("[1-3", "1-3"),
            ("1-3]", "1-3"),
            ("[1-3]%2", "1-3%2"),
            ("[1-3%2]", "1-3%2"),
            ("[1-3],5", "1-3,5"),
            ("1,[2-3]", "1-3"),
            ("5,1-3", "1-3,5"),
            ("1-3,2-4", "1-4"),
            ("1-9:10", "1"),
            ("1-3%99999", "1-3%99999"),
            ("1-3%-1", "1-3"),
            ("1-3%2x", "1-3%2"),
            ("1-3% 2", "1-3%2"),
            ("1-3%999999999999", "1-3"),
            ("%2", "0%2"),
            ("%", "0"),
            ("[]", "0"),
            ("1-5:2,7-9", "1,3,5,7-9"),
            ("00", "0"),
            ("1-3%2,5", "1-3,5%2"),
            ("1-3,5%2", "1-3,5%2"),
            ("+1", "1"),
            ("1-3:002", "1,3"),
            ("1-10000", "1-10000"),
        ];
        for (text, list) in table {
            assert_eq!(shown(text), list, "{text}");
        }
        for bad in [
            "abc",
            "-1",
            "3-1",
            "0-10001",
            "1-10:0",
            "10001",
            "1-",
            "1 ",
            "1:2",
            "1-3:2:2",
            "1-3 %2",
            "1x",
            "1-3x",
            "1-3:2x",
            "1--3",
            "0x3",
            "1-3:-1",
            "1-3:",
            "1-3,10001",
            "1[2-3]",
            "[1-3][5]",
            "1;2",
            "",
            ",",
            " ",
        ] {
            assert_eq!(shown(bad), "Invalid job array specification", "{bad}");
        }
    }

    /// env.txt, and more asked of the same Slurm: step, min, max, count.
    #[test]
    fn numbers_for_the_environment() {
        let table = [
            ("1-5", (1, 1, 5, 5)),
            ("1,3,7-9:2", (2, 1, 9, 4)),
            ("1-9:4", (4, 1, 9, 3)),
            ("1,5,9", (1, 1, 9, 3)),
            ("0-10:5,20", (5, 0, 20, 4)),
            ("3", (1, 3, 3, 1)),
        ];
        for (text, numbers) in table {
            let array = ArraySpec::parse(text, 10_001).unwrap();
            assert_eq!((array.step(), array.min(), array.max(), array.count()), numbers, "{text}");
        }
    }

    /// extra.txt, "long array lists", and more asked of the same Slurm.
    #[test]
    fn long_lists() {
        let table = [
            ("1-201:2", "1-201:2"),
            ("1-201:2%7", "1-201:2%7"),
            ("1-11:2", "1,3,5,7,9,11"),
            ("1-13:2", "1-13:2"),
            ("0-20:5", "0,5,10,15,20"),
            ("0-50:10", "0-50:10"),
            ("0-15:3", "0-15:3"),
            ("1-24:4", "1-21:4"),
            ("1,4-20:4", "1,4,8,12,16,20"),
            ("0,12", "0,12"),
            ("1-20", "1-20"),
        ];
        for (text, list) in table {
            assert_eq!(shown(text), list, "{text}");
        }
    }

    #[test]
    fn cut_lists() {
        let ids: IdSet = "1,2,5,8-9,12,16".parse().unwrap();
        let table = [
            (0, "1-2,5,8-9,12,16"),
            (1, ""),
            (2, "."),
            (3, ".."),
            (4, "..."),
            (5, "1..."),
            (8, "1-2,..."),
            (16, "1-2,5,8-9,12..."),
            (17, "1-2,5,8-9,12,..."),
            (18, "1-2,5,8-9,12,16"),
            (64, "1-2,5,8-9,12,16"),
        ];
        for (length, list) in table {
            assert_eq!(show_pending(&ids, None, length), list, "{length}");
        }
        let ids: IdSet = "1-61:2,100-400:3".parse().unwrap();
        let list = "1,3,5,7,9,11,13,15,17,19,21,23,25,27,29,31,33,35,37,39,41,43...%5";
        assert_eq!(show_pending(&ids, Some(5), 64), list);
    }

    /// scancel.txt, and more asked of the same scancel, squeue and sacct.
    #[test]
    fn ids() {
        for id in ["12", "12_3", "12_[1,3-5]", "12.0", "12_3.batch", "12+1", "12+1.0", "12_*", "12_99999999"] {
            assert_eq!(id.parse::<JobIdSpec>().map(|id| id.to_string()), Ok(id.into()));
        }
        for bad in [
            "abc",
            "12x",
            "",
            "0",
            "-1",
            " 12",
            "12 ",
            "12_",
            "12_[1-3",
            "12_[]",
            "12.x",
            "12.-1",
            "12.0.1",
            "12_1_2",
            "12_x",
            "+12",
            "0x12",
            "12_[1-3]%2",
            "12_[1-3%2]",
            "12_1-3",
            "12_1+1",
            "99999999999",
            "12.",
        ] {
            assert_eq!(bad.parse::<JobIdSpec>(), Err(JobIdError(bad.into())), "{bad}");
        }
        let list = JobIdSpec::parse_list("12_[1,3],14,,15.0").unwrap();
        assert_eq!(list.iter().map(ToString::to_string).collect::<Vec<_>>(), ["12_[1,3]", "14", "15.0"]);
        assert!("12_[1,3-5]".parse::<JobIdSpec>().unwrap().tasks.is_some_and(|t| t.contains(4) && !t.contains(2)));
    }

    proptest! {
        #[test]
        fn round_trip(ids in prop::collection::btree_set(0u32..5000, 1..90), throttle in prop::option::of(1u32..99)) {
            let ids: IdSet = ids.into_iter().collect();
            let array = ArraySpec::parse(&show_pending(&ids, throttle, 0), 10_001).unwrap();
            prop_assert_eq!((array.ids, array.throttle), (ids, throttle));
        }

        #[test]
        fn any_text(text in "\\PC*") { let _ = ArraySpec::parse(&text, 10_001); let _ = JobIdSpec::parse_list(&text); }

        #[test]
        fn any_digits(text in "[0-9,:%_.+*\\[\\] -]*") {
            let _ = ArraySpec::parse(&text, 10_001);
            if let Ok(id) = text.parse::<JobIdSpec>() { prop_assert_eq!(id.to_string().parse(), Ok(id)); }
        }

        #[test]
        fn any_length(ids in prop::collection::btree_set(0u32..500, 0..90), length in 0usize..300) {
            let list = show_pending(&ids.into_iter().collect(), None, length);
            prop_assert!(length == 0 || list.len() < length || list.contains(':'));
        }
    }
}
