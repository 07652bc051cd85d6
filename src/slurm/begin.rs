//! Points in time: `--begin`, and `-S` and `-E` of sacct.
//!
//! The forms are those of sbatch(1); what Slurm does with odd ones was asked of a real one, and the
//! position it complains about is part of its message.

use std::fmt;

use chrono::{DateTime, Datelike, Days, Duration, MappedLocalTime, NaiveDate, NaiveDateTime, TimeZone, Timelike};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A time that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
pub struct BeginError {
    /// Where reading stopped, in bytes, -1 at the earliest. `None` for an empty text and for the
    /// epoch itself: there Slurm prints no line of its own before `Invalid --begin specification`.
    pub position: Option<i64>,
    /// The whole text.
    pub text: String,
}

impl fmt::Display for BeginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Some(position) => write!(f, "Invalid time specification (pos={position}): {}", self.text),
            None => f.write_str("Invalid time specification"),
        }
    }
}

/// The point in time that `text` means for `--begin`, in seconds since the epoch: a time of day
/// that is over is tomorrow's, a date that is over is next year's. Read in `now`'s zone.
pub fn parse<Tz: TimeZone>(text: &str, now: DateTime<Tz>) -> Result<i64, BeginError> {
    read(text, now, false)
}

/// The same for what looks back, sacct's `-S` and `-E`: a time of day is today's, a month still
/// to come is last year's.
pub fn parse_past<Tz: TimeZone>(text: &str, now: DateTime<Tz>) -> Result<i64, BeginError> {
    read(text, now, true)
}

fn read<Tz: TimeZone>(text: &str, now: DateTime<Tz>, past: bool) -> Result<i64, BeginError> {
    let fail = |position| BeginError { position, text: text.to_owned() };
    let mut reader = Reader { bytes: text.as_bytes(), at: 0 };
    let seconds = if reader.word_any_case("now") {
        let offset = reader.offset().map_err(|at| fail(Some(at)))?;
        now.timestamp().checked_add(offset)
    } else if reader.word_any_case("uts") {
        Some(reader.epoch().ok_or_else(|| fail(Some(0)))?)
    } else {
        match reader.pieces(&now).map_err(|at| fail(Some(at)))? {
            (None, None) => None,
            (day, time) => resolve(day, time, &now, past).and_then(|local| epoch(local, &now.timezone())),
        }
    };
    seconds.filter(|seconds| *seconds != 0).ok_or_else(|| fail(None))
}

/// A day as written; without a year it depends on what is over.
#[derive(Clone, Copy)]
struct Day {
    year: Option<i32>,
    month: u32,
    day: u32,
}

/// Hour, minute, second.
type Clock = (u32, u32, u32);

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Units of `now+N`, in seconds.
const UNITS: [(&str, i64); 5] = [("second", 1), ("minute", 60), ("hour", 3600), ("day", 86_400), ("week", 604_800)];

/// Words for a time of day: midnight, noon, the Swedish and the British pause.
const CLOCKS: [(&str, Clock); 4] =
    [("midnight", (0, 0, 0)), ("noon", (12, 0, 0)), ("fika", (15, 0, 0)), ("teatime", (16, 0, 0))];

/// uts and a number below this is no time.
const LEAST_UTS: i64 = 1_000_000;

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn here(&self) -> i64 {
        i64::try_from(self.at).unwrap_or(i64::MAX)
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(|b| b.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    /// Takes `word` if it stands here.
    fn word_any_case(&mut self, word: &str) -> bool {
        let here = self.bytes.get(self.at..self.at + word.len());
        let found = here.is_some_and(|here| here.eq_ignore_ascii_case(word.as_bytes()));
        if found {
            self.at += word.len();
        }
        found
    }

    fn digit(&mut self) -> Option<u32> {
        let digit = self.peek().filter(u8::is_ascii_digit)?;
        self.at += 1;
        Some(u32::from(digit - b'0'))
    }

    /// Two digits, both needed.
    fn two_digits(&mut self) -> Result<u32, i64> {
        let tens = self.digit().ok_or(self.here())?;
        Ok(10 * tens + self.digit().ok_or(self.here())?)
    }

    /// One or two digits.
    fn up_to_two_digits(&mut self) -> Result<u32, i64> {
        let first = self.digit().ok_or(self.here())?;
        Ok(self.digit().map_or(first, |second| 10 * first + second))
    }

    /// What stands behind `now`: nothing, or a sign, a number and perhaps a unit.
    fn offset(&mut self) -> Result<i64, i64> {
        self.skip_blanks();
        let sign_at = self.here();
        let sign = match self.peek() {
            None => return Ok(0),
            Some(b'+') => 1,
            Some(b'-') => -1,
            Some(_) => return Err(sign_at),
        };
        self.at += 1;
        self.skip_blanks();
        let number_at = self.here();
        let mut number: Option<i64> = None;
        while let Some(digit) = self.digit() {
            let shifted = number.unwrap_or(0).checked_mul(10).and_then(|n| n.checked_add(digit.into()));
            number = Some(shifted.ok_or(number_at)?);
        }
        let number = number.ok_or(sign_at)?;
        self.skip_blanks();
        let unit = match self.peek() {
            None => 1,
            Some(_) => {
                let unit = UNITS.iter().find(|(unit, _)| self.word_any_case(unit)).ok_or(number_at)?;
                if self.peek().is_some_and(|b| b.eq_ignore_ascii_case(&b's')) {
                    self.at += 1;
                }
                unit.1
            }
        };
        self.skip_blanks();
        if self.peek().is_some() {
            return Err(self.here());
        }
        number.checked_mul(sign * unit).ok_or(number_at)
    }

    /// What stands behind `uts`: seconds since the epoch.
    fn epoch(&self) -> Option<i64> {
        let digits = std::str::from_utf8(self.bytes.get(self.at..)?).ok()?;
        digits.parse().ok().filter(|seconds| *seconds >= LEAST_UTS)
    }

    /// Days and times of day in any order; the last of a kind counts.
    fn pieces<Tz: TimeZone>(&mut self, now: &DateTime<Tz>) -> Result<(Option<Day>, Option<Clock>), i64> {
        let (mut day, mut time) = (None, None);
        let today = now.naive_local().date();
        let known = |date: NaiveDate| Day { year: Some(date.year()), month: date.month(), day: date.day() };
        while let Some(byte) = self.peek() {
            if byte.is_ascii_whitespace() || byte == b'-' || byte == b'T' {
                self.at += 1;
            } else if byte.is_ascii_digit() {
                let colon = |ahead: usize| self.bytes.get(self.at + ahead) == Some(&b':');
                let dash = |ahead: usize| self.bytes.get(self.at + ahead) == Some(&b'-');
                if colon(1) || colon(2) {
                    time = Some(self.clock()?);
                } else if dash(4) && dash(7) {
                    day = Some(self.iso_day()?);
                } else {
                    day = Some(self.american_day()?);
                }
            } else if let Some((_, clock)) = CLOCKS.iter().find(|(word, _)| self.word_any_case(word)) {
                time = Some(*clock);
            } else if self.word_any_case("today") {
                day = Some(known(today));
            } else if self.word_any_case("tomorrow") {
                day = Some(known(today.checked_add_days(Days::new(1)).ok_or(self.here())?));
            } else {
                return Err(self.here());
            }
        }
        Ok((day, time))
    }

    /// `H:MM`, `HH:MM`, seconds, AM or PM.
    fn clock(&mut self) -> Result<Clock, i64> {
        let start = self.here();
        let hour = self.up_to_two_digits()?;
        if hour > 23 {
            return Err(start);
        }
        self.at += 1;
        let sixty = |reader: &mut Self| {
            let start = reader.here();
            reader.two_digits().and_then(|number| if number > 59 { Err(start) } else { Ok(number) })
        };
        let minute = sixty(self)?;
        let mut second = 0;
        if self.peek() == Some(b':') {
            self.at += 1;
            second = sixty(self)?;
        }
        let after_time = self.at;
        self.skip_blanks();
        let half_at = self.here();
        let hour = if self.word_any_case("am") {
            if hour > 12 { Err(half_at) } else { Ok(hour % 12) }
        } else if self.word_any_case("pm") {
            if hour > 12 { Err(half_at) } else { Ok(hour % 12 + 12) }
        } else {
            self.at = after_time;
            Ok(hour)
        }?;
        Ok((hour, minute, second))
    }

    /// `YYYY-MM-DD`
    fn iso_day(&mut self) -> Result<Day, i64> {
        let year = 100 * self.two_digits()? + self.two_digits()?;
        self.at += 1;
        let month = self.month()?;
        if self.peek() != Some(b'-') {
            return Err(self.here());
        }
        self.at += 1;
        let day = self.day()?;
        Ok(Day { year: i32::try_from(year).ok(), month, day })
    }

    /// `MMDD[YY]`, `MM/DD[/YY]`, `MM.DD[.YY]`; years are of this century.
    fn american_day(&mut self) -> Result<Day, i64> {
        let month = self.month()?;
        self.separator();
        let day = self.day()?;
        self.separator();
        let year = if self.peek().is_some_and(|b| b.is_ascii_digit()) {
            Some(2000 + i32::try_from(self.two_digits()?).unwrap_or(0))
        } else {
            None
        };
        Ok(Day { year, month, day })
    }

    fn month(&mut self) -> Result<u32, i64> {
        self.date_part(12)
    }

    fn day(&mut self) -> Result<u32, i64> {
        self.date_part(31)
    }

    /// One or two digits from 1 to `most`; else Slurm complains about the place before the last digit.
    fn date_part(&mut self, most: u32) -> Result<u32, i64> {
        let number = self.up_to_two_digits()?;
        if (1..=most).contains(&number) { Ok(number) } else { Err(self.here() - 2) }
    }

    fn separator(&mut self) {
        self.at += usize::from(matches!(self.peek(), Some(b'.' | b'/')));
    }
}

/// Fills in what was not said. Seconds do not count for what is over: 13:34 at 13:34:00 is tomorrow.
fn resolve<Tz: TimeZone>(
    day: Option<Day>,
    time: Option<Clock>,
    now: &DateTime<Tz>,
    past: bool,
) -> Option<NaiveDateTime> {
    let here = now.naive_local();
    let (hour, minute, second) = time.unwrap_or_default();
    let date = match day {
        None if past || (hour, minute) > (here.hour(), here.minute()) => here.date(),
        None => here.date().checked_add_days(Days::new(1))?,
        Some(Day { year, month, day }) => {
            let over = (month, day, hour, minute) <= (here.month(), here.day(), here.hour(), here.minute());
            let year = match year {
                Some(year) => year,
                None if past => here.year() - i32::from(month > here.month()),
                None => here.year() + i32::from(over),
            };
            // A day that the month does not have runs over into the next, as with mktime(3).
            let first = NaiveDate::from_ymd_opt(year, month, 1)?;
            first.checked_add_days(Days::new(u64::from(day.saturating_sub(1))))?
        }
    };
    date.and_hms_opt(hour, minute, second)
}

/// The local time in seconds since the epoch. A time that happens twice is the first; one that is
/// left out when clocks go forward is that much later.
pub(super) fn epoch<Tz: TimeZone>(local: NaiveDateTime, zone: &Tz) -> Option<i64> {
    match zone.from_local_datetime(&local) {
        MappedLocalTime::Single(time) | MappedLocalTime::Ambiguous(time, _) => Some(time.timestamp()),
        MappedLocalTime::None => {
            let before = local.checked_sub_signed(Duration::days(1))?;
            let before = zone.from_local_datetime(&before).earliest()?;
            before.timestamp().checked_add(86_400)
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::FixedOffset;
    use proptest::prelude::*;

    use super::*;

    /// 2026-11-20T13:34:56, in UTC as where it was recorded.
    fn now() -> DateTime<FixedOffset> {
        DateTime::parse_from_rfc3339("2026-11-20T13:34:56+00:00").unwrap()
    }

    fn shown(result: Result<i64, BeginError>) -> String {
        match result {
            Ok(seconds) => DateTime::from_timestamp(seconds, 0)
                .map_or_else(String::new, |time| time.format("%Y-%m-%dT%H:%M:%S").to_string()),
            Err(BeginError { position: Some(position), .. }) => format!("pos={position}"),
            Err(_) => "refused".into(),
        }
    }

    fn check(table: &[(&str, &str)]) {
        for (text, result) in table {
            assert_eq!(shown(parse(text, now())), *result, "{text}");
        }
    }

    /// sbatch.txt, "bad values".
    #[test]
    fn as_recorded() {
        check(&[
            ("abc", "pos=0"),
            ("now+1hour", "2026-11-20T14:34:56"),
            ("now+10", "2026-11-20T13:35:06"),
            ("tomorrow", "2026-11-21T00:00:00"),
            ("16:00", "2026-11-20T16:00:00"),
            ("2030-01-01", "2030-01-01T00:00:00"),
            ("2030-01-01T12:00", "2030-01-01T12:00:00"),
            ("01/01/30", "2030-01-01T00:00:00"),
            ("midnight", "2026-11-21T00:00:00"),
            ("noon", "2026-11-21T12:00:00"),
            ("teatime", "2026-11-20T16:00:00"),
            ("25:00", "pos=0"),
            ("now-5", "2026-11-20T13:34:51"),
            ("2020-01-01", "2020-01-01T00:00:00"),
        ]);
        let error = parse("abc", now()).unwrap_err();
        assert_eq!(error.to_string(), "Invalid time specification (pos=0): abc");
    }

    #[test]
    fn from_now_on() {
        check(&[
            ("now", "2026-11-20T13:34:56"),
            ("NOW", "2026-11-20T13:34:56"),
            ("now  ", "2026-11-20T13:34:56"),
            ("now + 5", "2026-11-20T13:35:01"),
            ("now+ 5", "2026-11-20T13:35:01"),
            ("now+5 minutes", "2026-11-20T13:39:56"),
            ("now+5minutes ", "2026-11-20T13:39:56"),
            ("now+1second", "2026-11-20T13:34:57"),
            ("Now+1HOUR", "2026-11-20T14:34:56"),
            ("now+2days", "2026-11-22T13:34:56"),
            ("now+2weeks", "2026-12-04T13:34:56"),
            ("now-1hour", "2026-11-20T12:34:56"),
            ("now+99999999999", "5195-10-05T23:21:35"),
            ("now+1min", "pos=4"),
            ("now+1h", "pos=4"),
            ("now+1month", "pos=4"),
            ("now+5foo", "pos=4"),
            ("now+1.5hours", "pos=4"),
            ("now+", "pos=3"),
            ("now-", "pos=3"),
            ("now+-5", "pos=3"),
            ("now+seconds", "pos=3"),
            ("nowx", "pos=3"),
            ("now tomorrow", "pos=4"),
            ("now+1hour+1", "pos=9"),
            ("now+99999999999999999999", "pos=4"),
        ]);
    }

    #[test]
    fn times_of_day() {
        check(&[
            ("fika", "2026-11-20T15:00:00"),
            ("NOON", "2026-11-21T12:00:00"),
            ("13:00", "2026-11-21T13:00:00"),
            ("13:34", "2026-11-21T13:34:00"),
            ("13:35", "2026-11-20T13:35:00"),
            ("1:00pm", "2026-11-21T13:00:00"),
            ("1:00 pm", "2026-11-21T13:00:00"),
            ("10:00  am", "2026-11-21T10:00:00"),
            ("12:00am", "2026-11-21T00:00:00"),
            ("0:30pm", "2026-11-21T12:30:00"),
            ("13:00 pm", "pos=6"),
            ("12:30am", "2026-11-21T00:30:00"),
            ("12:30:10PM", "2026-11-21T12:30:10"),
            ("10:30:30PM", "2026-11-20T22:30:30"),
            ("23:59:59", "2026-11-20T23:59:59"),
            (" 16:00", "2026-11-20T16:00:00"),
            ("16:00 ", "2026-11-20T16:00:00"),
            ("10:00 11:00", "2026-11-21T11:00:00"),
            ("noon 10:00", "2026-11-21T10:00:00"),
            ("elevenses", "pos=0"),
            ("noon+1", "pos=4"),
            ("noon PM", "pos=5"),
            ("1pm", "pos=1"),
            ("12am", "pos=2"),
            ("13:00pm", "pos=5"),
            ("24:00", "pos=0"),
            ("23:60", "pos=3"),
            ("23:59:60", "pos=6"),
            ("5:6", "pos=3"),
            ("10:5pm", "pos=4"),
            ("05:06:7", "pos=7"),
            ("16:00:", "pos=6"),
            (":30", "pos=0"),
            ("10:30a", "pos=5"),
            ("10:30AMx", "pos=7"),
            ("10:00x", "pos=5"),
            ("16:00+1hour", "pos=5"),
            ("16:00 x", "pos=6"),
        ]);
    }

    #[test]
    fn days() {
        check(&[
            ("today", "2026-11-20T00:00:00"),
            ("0506", "2027-05-06T00:00:00"),
            ("010130", "2030-01-01T00:00:00"),
            ("12.31.30", "2030-12-31T00:00:00"),
            ("12.31/30", "2030-12-31T00:00:00"),
            ("12/31", "2026-12-31T00:00:00"),
            ("1231", "2026-12-31T00:00:00"),
            ("1/1/30", "2030-01-01T00:00:00"),
            ("1.5", "2027-01-05T00:00:00"),
            ("11/20", "2027-11-20T00:00:00"),
            ("11/19", "2027-11-19T00:00:00"),
            ("11/20/26", "2026-11-20T00:00:00"),
            ("2030-12-31T", "2030-12-31T00:00:00"),
            ("2030-02-30", "2030-03-02T00:00:00"),
            ("2028-02-29", "2028-02-29T00:00:00"),
            ("9999-12-31", "9999-12-31T00:00:00"),
            ("1969-01-01", "1969-01-01T00:00:00"),
            ("1970-01-01", "refused"),
            ("", "refused"),
            (" ", "refused"),
            ("TODAY", "pos=1"),
            ("todayx", "pos=5"),
            ("today+1", "pos=5"),
            ("tomorrow x", "pos=9"),
            ("xnow", "pos=0"),
            ("01/01/", "2027-01-01T00:00:00"),
            ("01/01/3", "pos=7"),
            ("2030-0x-01", "pos=4"),
            ("12/31/2030", "pos=8"),
            ("1/1/2030", "pos=6"),
            ("20301231", "pos=0"),
            ("12312030", "pos=6"),
            ("1900000000", "pos=0"),
            ("2030-1-1", "pos=0"),
            ("2030-13-01", "pos=5"),
            ("2030-01-00", "pos=8"),
            ("2030-01-32", "pos=8"),
            ("2030/01/01", "pos=0"),
            ("12-31", "pos=2"),
            ("13/01/30", "pos=0"),
            ("01/00/30", "pos=3"),
            ("01/32/30", "pos=3"),
            ("0/1", "pos=-1"),
            ("010", "pos=1"),
            ("01012", "pos=5"),
            ("1200", "pos=2"),
            ("16", "pos=0"),
            ("5", "pos=1"),
            ("05", "pos=2"),
            ("01/01/30x", "pos=8"),
        ]);
    }

    #[test]
    fn days_with_times() {
        check(&[
            ("tomorrow 10:00", "2026-11-21T10:00:00"),
            ("tomorrow10:00", "2026-11-21T10:00:00"),
            ("10:00today", "2026-11-20T10:00:00"),
            ("noon tomorrow", "2026-11-21T12:00:00"),
            ("12:00 AM tomorrow", "2026-11-21T00:00:00"),
            ("11/20 23:00", "2026-11-20T23:00:00"),
            ("11/20 10:00", "2027-11-20T10:00:00"),
            ("12/31/30-10:00", "2030-12-31T10:00:00"),
            ("10:00-12/31/30", "2030-12-31T10:00:00"),
            ("2030-12-31T10:00:30", "2030-12-31T10:00:30"),
            ("2030-12-31-10:00", "2030-12-31T10:00:00"),
            ("2030-12-31 10:00", "2030-12-31T10:00:00"),
            ("2030-01-01T1:00PM", "2030-01-01T13:00:00"),
            ("2030-01-01Tnoon", "2030-01-01T12:00:00"),
            ("2030-01-01T10:00 tomorrow", "2026-11-21T10:00:00"),
            ("2030-12-31T10", "pos=13"),
            ("2030-12-31T10:00:30.5", "pos=19"),
            ("2030-01-01T12:00Z", "pos=16"),
            ("2030-01-01T12:00+01:00", "pos=16"),
        ]);
    }

    #[test]
    fn seconds_since_the_epoch() {
        assert_eq!(parse("uts1900000000", now()), Ok(1_900_000_000));
        assert_eq!(parse("UTS1000000", now()), Ok(1_000_000));
        check(&[("uts0", "pos=0"), ("uts", "pos=0"), ("uts999999", "pos=0"), ("uts1900000000x", "pos=0")]);
    }

    /// Asked of the recorded sacct.
    #[test]
    fn looking_back() {
        let table = [
            ("now-2days", "2026-11-18T13:34:56"),
            ("23:00", "2026-11-20T23:00:00"),
            ("13:00", "2026-11-20T13:00:00"),
            ("today", "2026-11-20T00:00:00"),
            ("midnight", "2026-11-20T00:00:00"),
            ("tomorrow", "2026-11-21T00:00:00"),
            ("12/31", "2025-12-31T00:00:00"),
            ("11/20", "2026-11-20T00:00:00"),
            ("11/21", "2026-11-21T00:00:00"),
            ("0101", "2026-01-01T00:00:00"),
            ("yesterday", "pos=0"),
        ];
        for (text, result) in table {
            assert_eq!(shown(parse_past(text, now())), result, "{text}");
        }
    }

    #[test]
    fn in_another_zone() {
        let now = DateTime::parse_from_rfc3339("2026-11-20T13:34:56+02:00").unwrap();
        assert_eq!(shown(parse("16:00", now)), "2026-11-20T14:00:00");
        assert_eq!(shown(parse("tomorrow", now)), "2026-11-20T22:00:00");
    }

    proptest! {
        #[test]
        fn reads_what_slurm_shows(seconds in 1_000_000i64..9_000_000_000) {
            let text = DateTime::from_timestamp(seconds, 0).unwrap().format("%Y-%m-%dT%H:%M:%S").to_string();
            prop_assert_eq!(parse(&text, now()), Ok(seconds));
        }

        #[test]
        fn any_text(text in "\\PC*") { let _ = parse(&text, now()); let _ = parse_past(&text, now()); }

        #[test]
        fn any_words(text in "(now|today|tomorrow|noon|uts|am|pm|T|[0-9]{1,4}|[:/. +-])*") {
            let _ = parse(&text, now());
            let _ = parse_past(&text, now());
        }
    }
}
