//! Points in time as the commands print them, by the user's zone and `SLURM_TIME_FORMAT`.

use super::table::{number, two_digits};
use chrono::{
    DateTime, Datelike, FixedOffset, Local, NaiveDate, Offset, TimeZone, Timelike, Utc,
    format::{Item, StrftimeItems},
};
use std::fmt::Write;

/// What the wall clock says in some zone at a time in epoch seconds.
pub type Zone = fn(i64) -> Option<DateTime<FixedOffset>>;

/// How points in time are printed.
#[derive(Clone, Debug)]
pub struct Clock {
    zone: Zone,
    style: Style,
    now: i64,
}

/// `SLURM_TIME_FORMAT`, squeue(1).
#[derive(Clone, Debug, PartialEq, Eq)]
enum Style {
    /// `2026-11-20T11:38:33`
    Standard,
    /// `11:38:33`, `Ystday 11:38`, `Fri 11:38`, ...
    Relative,
    /// A format of strftime(3).
    Custom(String),
}

impl Clock {
    /// A clock that shows times in `zone` as `format` (the value of `SLURM_TIME_FORMAT`) says.
    pub fn new(zone: Zone, format: Option<&str>, now: i64) -> Self {
        let style = match format {
            None | Some("" | "standard") => Style::Standard,
            Some("relative") => Style::Relative,
            // A format that cannot be read is not worth losing the listing for.
            Some(text) if StrftimeItems::new(text).any(|item| item == Item::Error) => Style::Standard,
            Some(text) => Style::Custom(text.to_owned()),
        };
        Self { zone, style, now }
    }

    /// The time it is, epoch seconds.
    pub fn now(&self) -> i64 {
        self.now
    }

    /// Appends a point in time.
    pub fn write(&self, seconds: i64, out: &mut String) {
        let Some(time) = (self.zone)(seconds) else {
            out.push_str("Unknown");
            return;
        };
        match &self.style {
            Style::Standard => standard(&time, out),
            Style::Relative => self.relative(&time, out),
            Style::Custom(format) => formatted(&time, format, out),
        }
    }

    /// Appends a point in time, or `otherwise`.
    pub fn write_or(&self, seconds: Option<i64>, otherwise: &str, out: &mut String) {
        match seconds {
            Some(seconds) => self.write(seconds, out),
            None => out.push_str(otherwise),
        }
    }

    /// The line above a long listing: `Fri Nov 20 13:40:39 2026`, ctime(3).
    pub fn ctime(&self) -> String {
        let mut line = String::new();
        if let Some(time) = (self.zone)(self.now) {
            formatted(&time, "%a %b %e %H:%M:%S %Y", &mut line);
        }
        line
    }

    fn relative(&self, time: &DateTime<FixedOffset>, out: &mut String) {
        let day = |date: NaiveDate| i64::from(date.num_days_from_ce());
        let today = (self.zone)(self.now).map_or(0, |now| day(now.date_naive()));
        let format = match day(time.date_naive()) - today {
            0 => "%H:%M:%S",
            -1 => "Ystday %H:%M",
            1 => "Tomorr %H:%M",
            2..=6 => "%a %H:%M",
            -365..=365 => "%-d %b %H:%M",
            _ => "%-d %b %Y",
        };
        formatted(time, format, out);
    }
}

fn formatted(time: &DateTime<FixedOffset>, format: &str, out: &mut String) {
    let start = out.len();
    if write!(out, "{}", time.format(format)).is_err() {
        out.truncate(start);
        standard(time, out);
    }
}

/// By hand, because a listing of ten thousand jobs has many of them.
fn standard(time: &DateTime<FixedOffset>, out: &mut String) {
    number(out, time.year());
    for (mark, value) in
        [('-', time.month()), ('-', time.day()), ('T', time.hour()), (':', time.minute()), (':', time.second())]
    {
        out.push(mark);
        two_digits(out, value);
    }
}

/// The zone of this process (`TZ`, /etc/localtime).
pub fn local(seconds: i64) -> Option<DateTime<FixedOffset>> {
    Local.timestamp_opt(seconds, 0).single().map(|time| time.fixed_offset())
}

/// Universal time.
pub fn utc(seconds: i64) -> Option<DateTime<FixedOffset>> {
    Utc.timestamp_opt(seconds, 0).single().map(|time| time.with_timezone(&Utc.fix()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 2026-11-20T13:42:25, a Friday
    const NOW: i64 = 1_795_182_145;

    fn shown(format: Option<&str>, seconds: i64) -> String {
        let mut out = String::new();
        Clock::new(utc, format, NOW).write(seconds, &mut out);
        out
    }

    #[test]
    fn formats_are_those_of_slurm_time_format() {
        assert_eq!(shown(None, NOW), "2026-11-20T13:42:25");
        assert_eq!(shown(Some(""), NOW), "2026-11-20T13:42:25");
        assert_eq!(shown(Some("relative"), NOW), "13:42:25");
        assert_eq!(shown(Some("relative"), NOW - 86_400), "Ystday 13:42");
        assert_eq!(shown(Some("relative"), NOW + 3 * 86_400), "Mon 13:42");
        assert_eq!(shown(Some("relative"), NOW - 800 * 86_400), "11 Sep 2024");
        assert_eq!(shown(Some("%s"), NOW), "1795182145");
        assert_eq!(shown(Some("%H:%M %a"), NOW), "13:42 Fri");
        assert_eq!(Clock::new(utc, None, NOW).ctime(), "Fri Nov 20 13:42:25 2026");
    }

    proptest! {
        #[test]
        fn any_format_and_any_time_print_something(format in "\\PC{0,20}", odd in "[%a-zA-Z0-9:. -]{0,20}", seconds: i64) {
            shown(Some(&format), seconds);
            shown(Some(&odd), seconds);
        }
    }
}
