//! `sreport -t`: in what usage is told.

/// In what usage is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeFormat {
    /// Seconds a unit has, and its name; none: only the share is told.
    unit: Option<(u32, &'static str)>,
    /// Whether the share of all there is is told.
    percent: bool,
}

/// How they are called, how short they may be, and what they are.
#[rustfmt::skip]
const FORMATS: &[(&str, usize, TimeFormat)] = &[
    ("SecPer", 6, TimeFormat { unit: Some((1, "Seconds")), percent: true }),
    ("MinPer", 6, TimeFormat { unit: Some((60, "Minutes")), percent: true }),
    ("HourPer", 6, TimeFormat { unit: Some((3600, "Hours")), percent: true }),
    ("Seconds", 1, TimeFormat { unit: Some((1, "Seconds")), percent: false }),
    ("Minutes", 1, MINUTES),
    ("Hours", 1, TimeFormat { unit: Some((3600, "Hours")), percent: false }),
    ("Percent", 1, TimeFormat { unit: None, percent: true }),
];

const MINUTES: TimeFormat = TimeFormat { unit: Some((60, "Minutes")), percent: false };

impl Default for TimeFormat {
    fn default() -> Self {
        MINUTES
    }
}

impl TimeFormat {
    /// By its name or the beginning of it, in any case.
    pub fn parse(word: &str) -> Option<Self> {
        let is = |(name, least, _): &&(&str, usize, Self)| {
            word.len() >= *least && name.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
        };
        FORMATS.iter().find(is).map(|(.., format)| *format)
    }

    /// Whether unit and share are both told, which takes more room.
    pub fn is_wide(self) -> bool {
        self.unit.is_some() && self.percent
    }

    /// `Minutes`, `Hours/Percentage of Total`.
    pub fn words(self) -> String {
        let unit = self.unit.map(|(_, name)| name);
        let share = self.percent.then_some("Percentage of Total");
        unit.into_iter().chain(share).collect::<Vec<_>>().join("/")
    }

    /// Whether only shares are told.
    pub fn is_share(self) -> bool {
        self.unit.is_none()
    }

    /// So many seconds out of `total`.
    pub fn show(self, seconds: u64, total: u64) -> String {
        let unit = self.unit.map(|(length, _)| format!("{:.0}", seconds as f64 / f64::from(length)));
        let share = self.percent.then(|| format!("{:.2}%", seconds as f64 / total.max(1) as f64 * 100.0));
        match (unit, share) {
            (Some(unit), Some(share)) => format!("{unit}({share})"),
            (unit, share) => unit.or(share).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a real sreport printed them.
    #[test]
    fn usage_is_told_in_slurms_ways() {
        let show = |word| TimeFormat::parse(word).map(|format| (format.show(10_740, 307_980), format.words()));
        for (word, shown, words) in [
            ("m", "179", "Minutes"),
            ("HOURS", "3", "Hours"),
            ("percent", "3.49%", "Percentage of Total"),
            ("minper", "179(3.49%)", "Minutes/Percentage of Total"),
            ("hourpe", "3(3.49%)", "Hours/Percentage of Total"),
            ("s", "10740", "Seconds"),
        ] {
            assert_eq!(show(word), Some((shown.to_owned(), words.to_owned())), "{word}");
        }
        assert_eq!(show("bogus"), None);
        assert_eq!(TimeFormat::default().show(0, 0), "0");
    }
}
