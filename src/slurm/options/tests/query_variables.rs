//! Input variables of the other commands.

use super::*;

#[test]
fn each_command_reads_flags_in_its_way() {
    let squeue = parse(Command::Squeue, &[], &|n| (n == "SQUEUE_ARRAY").then(|| "0".into()));
    assert!(squeue.is_ok_and(|p| p.options.is_set("array")));
    let scancel = |value: &'static str| {
        parse(Command::Scancel, &[], &move |n| (n == "SCANCEL_FULL").then(|| value.into()))
            .map(|p| (p.options.is_set("full"), p.options.warnings(Place::Here)))
    };
    assert_eq!(scancel("true"), Ok((true, vec![])));
    let complaint = "scancel: error: Unrecognized SCANCEL_FULL value: yes".to_owned();
    assert_eq!(scancel("yes"), Ok((false, vec![complaint])));
}

#[test]
fn the_later_variable_wins() {
    let env = |n: &str| match n {
        "SLURM_NPROCS" => Some("2".to_owned()),
        "SLURM_NTASKS" => Some("3".to_owned()),
        _ => None,
    };
    assert_eq!(got(&parse(Command::Srun, &[], &env), "ntasks"), "3");
}
