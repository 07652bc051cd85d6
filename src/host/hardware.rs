//! What this machine has: CPUs, memory, NVIDIA GPUs, its name.

use std::{fs, process::Command};

/// The host name up to its first dot.
pub fn host_name() -> String {
    let name = nix::unistd::gethostname().map_or_else(|_| "localhost".into(), |n| n.to_string_lossy().into_owned());
    name.split('.').next().unwrap_or_default().to_owned()
}

/// CPUs this process may use.
pub fn cpus() -> u32 {
    std::thread::available_parallelism().map_or(1, |n| n.get() as u32)
}

/// Memory in MiB.
pub fn memory() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|n| n.parse::<u64>().ok());
    kib.map_or(1024, |k| k / 1024)
}

/// NVIDIA GPUs by model (`h100`, `a100`, ...), as `nvidia-smi` tells them; empty without it.
pub fn gpus() -> Vec<(String, u64)> {
    let Ok(answer) = Command::new("nvidia-smi").args(["--query-gpu=name", "--format=csv,noheader"]).output() else {
        return Vec::new();
    };
    if !answer.status.success() {
        return Vec::new();
    }
    let mut found: Vec<(String, u64)> = Vec::new();
    for line in String::from_utf8_lossy(&answer.stdout).lines() {
        let model = model(line);
        match found.iter_mut().find(|(name, _)| *name == model) {
            Some((_, count)) => *count += 1,
            None => found.push((model, 1)),
        }
    }
    found
}

/// `NVIDIA A100-SXM4-80GB` is `a100`, `Tesla T4` is `t4`: the first word with a digit, to its dash.
fn model(name: &str) -> String {
    let words = || name.split_whitespace().map(|w| w.split('-').next().unwrap_or(w));
    let word = words().find(|w| w.bytes().any(|b| b.is_ascii_digit())).or_else(|| words().next_back());
    word.unwrap_or("gpu").to_ascii_lowercase().chars().filter(char::is_ascii_alphanumeric).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_the_words_people_type() {
        assert_eq!(model("NVIDIA H100 80GB HBM3"), "h100");
        assert_eq!(model("NVIDIA A100-SXM4-80GB"), "a100");
        assert_eq!(model("Tesla T4"), "t4");
        assert_eq!(model("NVIDIA GeForce RTX 4090"), "4090");
        assert_eq!(model(""), "gpu");
    }

    #[test]
    fn this_machine_has_something() {
        assert!(cpus() >= 1 && memory() > 100 && !host_name().is_empty());
    }
}
