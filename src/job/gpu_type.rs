//! Names of GPU types, and how SkyPilot writes them.

/// SkyPilot's own spelling (its accelerator catalog); any other type is taken as it is, in capitals.
const KNOWN: &[&str] = &[
    "A10",
    "A100",
    "A100-80GB",
    "A10G",
    "A30",
    "A40",
    "B200",
    "B300",
    "GB200",
    "GH200",
    "H100",
    "H100-MEGA",
    "H20",
    "H200",
    "K80",
    "L4",
    "L40",
    "L40S",
    "M60",
    "MI210",
    "MI250",
    "MI300X",
    "P100",
    "P4",
    "RTX3090",
    "RTX4090",
    "RTX5090",
    "RTX6000",
    "RTX6000-Ada",
    "RTXA4000",
    "RTXA5000",
    "RTXA6000",
    "RTXPRO6000",
    "T4",
    "T4g",
    "V100",
    "V100-32GB",
];

/// Words that people have for a type.
const OTHER_WORDS: &[(&str, &str)] = &[
    ("a100_80gb", "A100-80GB"),
    ("a100-80", "A100-80GB"),
    ("a100_80", "A100-80GB"),
    ("a100-sxm4-80gb", "A100-80GB"),
    ("rtx_3090", "RTX3090"),
    ("rtx_4090", "RTX4090"),
    ("rtx_a6000", "RTXA6000"),
    ("v100_32gb", "V100-32GB"),
];

fn find(name: &str) -> Option<&'static str> {
    let other = OTHER_WORDS.iter().find(|(word, _)| word.eq_ignore_ascii_case(name)).map(|(_, known)| *known);
    other.or_else(|| KNOWN.iter().find(|known| known.eq_ignore_ascii_case(name)).copied())
}

/// Whether a feature or a type has the name of a GPU.
pub fn is_known(name: &str) -> bool {
    find(name).is_some()
}

/// `h100` as SkyPilot writes it: `H100`.
pub fn canonical(name: &str) -> String {
    find(name).map_or_else(|| name.to_ascii_uppercase(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_is_skypilot_s() {
        for (given, written) in
            [("h100", "H100"), ("A100-80gb", "A100-80GB"), ("a100_80gb", "A100-80GB"), ("t4G", "T4g"), ("x1", "X1")]
        {
            assert_eq!(canonical(given), written);
        }
        assert!(is_known("GH200") && !is_known("gpu") && !is_known("nvlink"));
    }

    #[test]
    fn what_words_mean_is_known() {
        assert!(OTHER_WORDS.iter().all(|(_, known)| KNOWN.contains(known)));
        assert!(KNOWN.iter().all(|known| canonical(known) == *known));
    }
}
