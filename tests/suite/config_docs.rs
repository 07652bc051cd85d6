//! docs/CONFIG.md names every key of the configuration, and no other.

/// The keys of the structs that are read from the file: `section.key`.
fn keys() -> Vec<String> {
    let source = concat!(include_str!("../../src/config.rs"), include_str!("../../src/slurm/limit.rs"));
    let mut keys = Vec::new();
    for (name, section) in [
        ("NodeConfig", "node"),
        ("PartitionConfig", "partition"),
        ("ControllerConfig", "controller"),
        ("SkypilotConfig", "skypilot"),
        ("Limits", "qos.NAME"),
        ("HooksConfig", "hooks"),
    ] {
        let (_, body) = source.split_once(&format!("pub struct {name} {{")).unwrap();
        let (body, _) = body.split_once("\n}").unwrap();
        let fields = body.lines().filter_map(|line| line.trim().strip_prefix("pub ")?.split_once(':'));
        keys.extend(fields.map(|(field, _)| format!("{section}.{field}")));
    }
    keys
}

/// The keys of the page: its headings name the section, the first cells of its tables the keys.
fn documented() -> Vec<String> {
    let (mut section, mut keys) = (String::new(), Vec::new());
    for line in include_str!("../../docs/CONFIG.md").lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = heading.trim_matches(['`', '[', ']']).to_owned();
        } else if let Some(row) = line.strip_prefix("| `") {
            keys.extend(row.split_once('`').map(|(key, _)| format!("{section}.{key}")));
        }
    }
    keys
}

#[test]
fn every_key_is_documented() {
    let (mut keys, mut documented) = (keys(), documented());
    keys.sort();
    documented.sort();
    assert!(keys.len() > 20, "{keys:?}");
    assert_eq!(keys, documented);
}

/// The page's example is a configuration that is taken.
#[test]
fn the_example_is_valid() {
    let page = include_str!("../../docs/CONFIG.md");
    let example = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), example).unwrap();
    skyslurm::config::Config::read(file.path()).unwrap();
}
