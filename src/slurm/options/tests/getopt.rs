//! Syntax, against getopt_long(3) and sbatch.txt.

use super::*;

const TRY: &str = "\nTry \"sbatch --help\" for more information";

#[test]
fn syntax_errors_are_getopts() {
    for (args, message) in [
        (&["--nosuch=1"][..], "unrecognized option '--nosuch=1'"),
        (&["-Z"], "invalid option -- 'Z'"),
        (&["-HZ1"], "invalid option -- 'Z'"),
        (&["--time"], "option '--time' requires an argument"),
        (&["-t"], "option requires an argument -- 't'"),
        (&["--hold=1"], "option '--hold' doesn't allow an argument"),
        (&["--ti"], "option '--ti' is ambiguous; possibilities: '--time' '--time-min'"),
        (&["--ti=5"], "option '--ti=5' is ambiguous; possibilities: '--time' '--time-min'"),
        (&["--pa"], "option '--pa' is ambiguous; possibilities: '--parsable' '--partition'"),
        (
            &["--no"],
            "option '--no' is ambiguous; possibilities: '--no-kill' '--no-requeue' '--nodefile' '--nodelist' '--nodes'",
        ),
    ] {
        let expected = (format!("sbatch: {message}{TRY}"), 255);
        assert_eq!(refusal(Command::Sbatch, args), expected);
    }
}

#[test]
fn other_commands_exit_1_and_sacct_is_terse() {
    let expected =
        ("scancel: unrecognized option '--nosuch'\nTry \"scancel --help\" for more information".to_owned(), 1);
    assert_eq!(refusal(Command::Scancel, &["--nosuch"]), expected);
    let expected = ("sacct: unrecognized option '--nosuch'".to_owned(), 1);
    assert_eq!(refusal(Command::Sacct, &["--nosuch"]), expected);
    let names = "sacct: option '--n' is ambiguous; possibilities: '--name' '--nnodes' '--ncpus' '--nodelist' '--noconvert' '--noheader'";
    assert_eq!(refusal(Command::Sacct, &["--n"]), (names.to_owned(), 1));
    let names =
        "squeue: option '--no' is ambiguous; possibilities: '--noconvert' '--node' '--nodes' '--nodelist' '--noheader'";
    assert!(refusal(Command::Squeue, &["--no"]).0.starts_with(names.split("'--noheader").next().unwrap_or(names)));
}

#[test]
fn all_ways_to_write_an_argument() {
    for args in [&["-n4"][..], &["-n", "4"], &["--ntasks=4"], &["--ntasks", "4"], &["-Hn4"], &["-Hn", "4"]] {
        assert_eq!(got(&options(Command::Sbatch, args), "ntasks"), "4");
    }
    assert_eq!(got(&options(Command::Sbatch, &["-J=x"]), "job-name"), "=x");
    assert_eq!(got(&options(Command::Sbatch, &["--tasks-per-node=3"]), "ntasks-per-node"), "3");
    assert_eq!(got(&options(Command::Sbatch, &["--cluster=lab"]), "clusters"), "lab");
    assert_eq!(got(&options(Command::Sbatch, &["--job=j"]), "job-name"), "j");
}

#[test]
fn an_optional_argument_is_never_the_next_word() {
    let parsed = options(Command::Sbatch, &["--nice", "5"]);
    assert!(
        parsed
            .is_ok_and(|p| p.options.is_set("nice") && p.options.get("nice").is_none() && p.operands == words(&["5"]))
    );
}

#[test]
fn a_script_ends_the_options_and_a_job_id_does_not() {
    let parsed = options(Command::Sbatch, &["-H", "job.sh", "-J", "x"]);
    assert!(parsed.is_ok_and(|p| p.operands == words(&["job.sh", "-J", "x"])));
    let parsed = options(Command::Scancel, &["7", "--signal", "USR2", "8", "--", "-v"]);
    assert!(parsed.is_ok_and(|p| p.options.get("signal") == Some("USR2") && p.operands == words(&["7", "8", "-v"])));
}

#[test]
fn help_is_answered_before_what_follows() {
    for args in [&["--help", "--nosuch"][..], &["-hX"], &["--time=abc", "--help"]] {
        assert!(options(Command::Sbatch, args).is_ok_and(|p| p.options.is_set("help")));
    }
}
