//! `skyslurm explain SCRIPT [OPTIONS]`: every option that sbatch would find, who set it, and what
//! becomes of it where the job would go. Nothing is sent.

use super::terminal;
use crate::{
    config::{Config, PartitionConfig},
    host::directory,
    job::batch::read_script,
    slurm::options::{Explained, Options, Place, Refusal, explain, read_batch},
};
use std::ffi::OsString;

const USAGE: &str = "\
Usage: skyslurm explain SCRIPT [OPTIONS]

Says of every option that `sbatch OPTIONS SCRIPT` would find, on the command line, in the
script's directives and in the environment, what becomes of it in the partition that the job
would go to. Nothing is submitted.
";

/// Runs `skyslurm explain`; `args` without its own name.
pub fn run(args: Vec<OsString>) -> u8 {
    match args.first().and_then(|a| a.to_str()) {
        None | Some("--help" | "-h") => return terminal::print(USAGE),
        _ => {}
    }
    let config = match Config::read(&directory::config_file()) {
        Ok(config) => config,
        Err(error) => {
            terminal::eprint(&format!("skyslurm: error: {error}"));
            return 1;
        }
    };
    match page(&args, &|name| std::env::var(name).ok(), &config) {
        Ok(text) => terminal::print(&text),
        Err(refusal) => terminal::refuse(&refusal),
    }
}

/// What is printed. The script stands first, or last as with sbatch.
fn page(args: &[OsString], env: &dyn Fn(&str) -> Option<String>, config: &Config) -> Result<String, Refusal> {
    let (script, options) = match args.split_first() {
        Some((first, rest)) if !first.as_encoded_bytes().starts_with(b"-") => (Some(first.clone()), rest),
        _ => (None, args),
    };
    let (parsed, _) = read_batch(options, env, &mut |options, operands| match &script {
        Some(script) => read_script(options, std::slice::from_ref(script)),
        None => read_script(options, operands),
    })?;
    let several = !parsed.others.is_empty();
    let parts = parsed.components().enumerate().map(|(number, component)| match several {
        true => format!("Component {number}:\n{}", component_page(&component.options, config)),
        false => component_page(&component.options, config),
    });
    Ok(parts.collect::<Vec<_>>().join("\n"))
}

/// The same of one component of a heterogeneous job, or of a job.
fn component_page(options: &Options, config: &Config) -> String {
    let partition = partition(options, config);
    let explained = explain(options, partition.map_or(Place::Here, PartitionConfig::place));
    let mut text = match partition.and_then(|p| Some((&p.name, p.on_skypilot()?))) {
        Some((name, infra)) => format!("Partition {name} is on SkyPilot: {infra}.\n\n"),
        None => String::new(),
    };
    text.push_str(&table(&explained));
    let refused: Vec<&str> =
        explained.iter().filter(|e| e.class.starts_with("refused")).map(|e| e.option.as_str()).collect();
    if !refused.is_empty() {
        text.push_str(&format!("\nsbatch refuses this job because of {}.\n", refused.join(", ")));
    }
    text
}

/// Where the job would go: of the partitions that are named the first one that does not refuse its options, else the first
/// one. `None`: to one that the configuration does not have, as this machine's own.
fn partition<'a>(options: &Options, config: &'a Config) -> Option<&'a PartitionConfig> {
    let Some(names) = options.get("partition").filter(|names| !names.is_empty()) else {
        return config.default_partition();
    };
    let named: Vec<_> = names.split(',').map(|name| config.partition.iter().find(|p| p.name == name)).collect();
    let place = |p: &Option<&PartitionConfig>| p.map_or(Place::Here, PartitionConfig::place);
    let taken = named.iter().find(|p| place(p).refuse(options).is_ok());
    taken.or(named.first()).copied().flatten()
}

/// Aligned columns; the last one says what becomes of the option and may be long.
fn table(rows: &[Explained]) -> String {
    if rows.is_empty() {
        return "No option is set.\n".to_owned();
    }
    let shown = |e: &Explained| match &e.value {
        Some(value) => format!("{}={value}", e.option),
        None => e.option.clone(),
    };
    let width = |cells: &mut dyn Iterator<Item = usize>| cells.max().unwrap_or(0);
    let first = width(&mut rows.iter().map(|e| shown(e).chars().count()));
    let second = width(&mut rows.iter().map(|e| e.source.chars().count()));
    let mut text = String::new();
    for row in rows {
        text.push_str(&format!("{:first$}  {:second$}  {}\n", shown(row), row.source, row.class));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(directives: &str, args: &[&str], env: &[(&str, &str)]) -> String {
        explained_with("", directives, args, env)
    }

    fn explained_with(config: &str, directives: &str, args: &[&str], env: &[(&str, &str)]) -> String {
        let config = &toml::from_str(config).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("job.sh");
        std::fs::write(&script, format!("#!/bin/bash\n{directives}\ntrue\n")).unwrap();
        let args: Vec<OsString> =
            std::iter::once(script.into_os_string()).chain(args.iter().map(OsString::from)).collect();
        let env = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        page(&args, &env, config).unwrap_or_else(|refusal| refusal.to_string())
    }

    #[test]
    fn every_source_and_class() {
        let text = explained(
            "#SBATCH --time=5 --job-name=a\n#SBATCH --mail-type=END -B 2:2:2",
            &["-N2", "--cpu-freq=high"],
            &[("SBATCH_TIMELIMIT", "10")],
        );
        insta::assert_snapshot!(text, @"
        --cpu-freq=high          command line      refused: clock frequencies cannot be set from here; leave the option out
        --extra-node-info=2:2:2  directive         approximated: sockets, cores and threads are not told apart: a CPU is a CPU
        --job-name=a             directive         honoured
        --mail-type=END          directive         honoured
        --nodes=2                command line      honoured
        --time=10                SBATCH_TIMELIMIT  honoured

        sbatch refuses this job because of --cpu-freq.
        ");
    }

    #[test]
    fn each_component_has_its_own() {
        insta::assert_snapshot!(explained("#SBATCH -J a -c2\n#SBATCH hetjob\n#SBATCH -N2", &[], &[]), @"
        Component 0:
        --cpus-per-task=2  directive  honoured
        --job-name=a       directive  honoured

        Component 1:
        --job-name=a  directive  honoured
        --nodes=2     directive  honoured
        ");
    }

    #[test]
    fn errors_are_sbatch_s() {
        let text = explained("", &["--nonsense"], &[]);
        assert_eq!(text, "sbatch: unrecognized option '--nonsense'\nTry \"sbatch --help\" for more information");
        assert_eq!(explained("", &["--mem=x"], &[]), "sbatch: error: Invalid --mem specification");
    }

    #[test]
    fn nothing_to_explain() {
        assert_eq!(explained("", &[], &[]), "No option is set.\n");
    }

    const TWO: &str = "[[partition]]\nname = \"here\"\n[[partition]]\nname = \"sky\"\ninfra = \"kubernetes\"\n";

    #[test]
    fn the_partition_decides() {
        let asked = ["--container-image=ubuntu", "--tmp=1G"];
        insta::assert_snapshot!(explained_with(TWO, "#SBATCH -p sky", &asked, &[]), @"
        Partition sky is on SkyPilot: kubernetes.

        --container-image=ubuntu  command line  honoured
        --partition=sky           directive     honoured
        --tmp=1G                  command line  honoured
        ");
        insta::assert_snapshot!(explained_with(TWO, "", &asked, &[]), @"
        --container-image=ubuntu  command line  refused: containers are for partitions on SkyPilot; on this machine start the container in the script
        --tmp=1G                  command line  approximated: temporary disk is not counted: none is set aside for the job

        sbatch refuses this job because of --container-image.
        ");
        // The first that can do it.
        insta::assert_snapshot!(explained_with(TWO, "", &["-w", "n1"], &[("SBATCH_PARTITION", "sky,here")]), @"
        --nodelist=n1         command line      honoured
        --partition=sky,here  SBATCH_PARTITION  honoured
        ");
        assert_eq!(explained_with(TWO, "", &["-p", "nosuch"], &[]), "--partition=nosuch  command line  honoured\n");
    }
}
