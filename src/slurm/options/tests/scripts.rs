//! Directives, against directives.txt and extra.txt.

use super::*;

#[test]
fn precedence() {
    let script = "#SBATCH -J script\n#SBATCH -t 11\n#SBATCH --comment=script";
    let env = [("SBATCH_JOB_NAME", "env"), ("SBATCH_TIMELIMIT", "12")];
    let parsed = batch(script, &["-J", "cli"], &env);
    assert_eq!(got(&parsed, "job-name"), "cli");
    assert_eq!(got(&parsed, "time"), "12");
    assert_eq!(got(&parsed, "comment"), "script");
    let parsed = batch("#SBATCH -J one\n#SBATCH -J two", &["-Ja", "-Jb"], &[]);
    assert_eq!(got(&parsed, "job-name"), "b");
    assert_eq!(got(&batch("#SBATCH -J one\n#SBATCH -J two", &[], &[]), "job-name"), "two");
}

#[test]
fn a_variable_can_take_a_flag_back() {
    let set = |value: &str| {
        batch("#SBATCH --requeue", &[], &[("SBATCH_REQUEUE", value)]).is_ok_and(|p| p.options.is_set("requeue"))
    };
    assert!(set("") && set("yes") && set("1"));
    assert!(!set("0") && !set("no"));
}

#[test]
fn variables_are_checked() {
    for (name, value, line, exit) in [
        ("SBATCH_TIMELIMIT", "abc", "sbatch: error: Invalid --time specification", 255),
        ("SBATCH_TIMELIMIT", "", "sbatch: error: Invalid --time specification", 255),
        ("SBATCH_EXCLUSIVE", "foo", "sbatch: error: Invalid --exclusive specification", 255),
        ("SBATCH_CPUS_PER_GPU", "abc", "sbatch: error: Invalid numeric value \"abc\" for --cpus-per-gpu.", 1),
    ] {
        let refused = batch("", &[], &[(name, value)]).map_err(|r| (r.to_string(), r.exit));
        assert_eq!(refused.err(), Some((line.to_owned(), exit)));
    }
}

#[test]
fn refused_directives() {
    const TRY: &str = "\nTry \"sbatch --help\" for more information";
    for (line, message, exit) in [
        ("#SBATCHX -N 4", "error: Invalid directive found in batch script: X".to_owned(), 255),
        ("#SBATCH -J pos extra words", "error: Invalid directive found in batch script: extra".to_owned(), 255),
        ("#SBATCH --comment=a\\ b", "error: Invalid directive found in batch script: b".to_owned(), 255),
        ("#SBATCH --comment = spaced", "error: Invalid directive found in batch script: spaced".to_owned(), 255),
        ("#SBATCH -- x", "error: Invalid directive found in batch script: x".to_owned(), 255),
        ("#SBATCH -", "error: Invalid directive found in batch script: -".to_owned(), 255),
        ("#SBATCH -t=5", "error: Invalid --time specification".to_owned(), 255),
        ("#SBATCH --nodes=abc", "error: \"abc\" is not a valid node count".to_owned(), 255),
        ("#SBATCH --no-such-option=1", format!("unrecognized option '--no-such-option=1'{TRY}"), 255),
        ("#SBATCH --time", format!("option '--time' requires an argument{TRY}"), 255),
        (
            "#SBATCH --comment=\"unterminated",
            "fatal: d.sh: line 2: Unmatched `\"` in [--comment=\"unterminated]".to_owned(),
            1,
        ),
        ("#SBATCH -J \"a'b c", "fatal: d.sh: line 2: Unmatched `\"` in [ \"a'b c]".to_owned(), 1),
        ("#SBATCH --comment=x :", "fatal: d.sh: line 2: Unexpected `:` in [ :]".to_owned(), 1),
        ("#SBATCH : -N1", "fatal: d.sh: line 2: Unexpected `:` in [: -N1]".to_owned(), 1),
        ("#PBS extra", "error: Invalid argument: extra".to_owned(), 1),
        ("#PBS -Z foo", "invalid option -- 'Z'\nsbatch: error: Unrecognized command line parameter ?".to_owned(), 1),
    ] {
        assert_eq!(batch_refusal(line), (format!("sbatch: {message}"), exit), "{line}");
    }
}

#[test]
fn only_on_the_command_line() {
    let lines = "#SBATCH --wrap=hello\n#SBATCH --help\n#SBATCH --quiet\n#SBATCH -v\n#SBATCH --ignore-pbs\n#PBS -N p";
    let parsed = batch(lines, &[], &[]);
    for name in ["wrap", "help", "quiet", "verbose", "ignore-pbs"] {
        assert!(parsed.as_ref().is_ok_and(|p| !p.options.is_set(name)), "{name}");
    }
    assert_eq!(got(&parsed, "job-name"), "p");
    let parsed = batch("#SBATCH --parsable\n#SBATCH --test-only", &[], &[]);
    assert!(parsed.is_ok_and(|p| p.options.is_set("parsable") && p.options.is_set("test-only")));
}

#[test]
fn pbs_and_lsf() {
    let pbs = "#PBS -N pbsname\n#PBS -l walltime=00:10:00,nodes=2:ppn=4,mem=4gb";
    let parsed = batch(pbs, &[], &[]);
    assert_eq!(got(&parsed, "job-name"), "pbsname");
    assert_eq!(got(&parsed, "time"), "00:10:00");
    assert_eq!(got(&parsed, "nodes"), "2");
    assert_eq!(got(&parsed, "ntasks"), "8");
    assert_eq!(got(&parsed, "mem"), "4gb");
    let ignored = batch(pbs, &["--ignore-pbs"], &[]);
    assert_eq!(got(&ignored, "job-name"), "(unset)");
    let both = batch("#PBS -l walltime=5\n#BSUB -J lsf -W 1:30 -n 2,4", &[], &[]);
    assert_eq!(got(&both, "job-name"), "lsf");
    assert_eq!(got(&both, "time"), "1:30");
    assert_eq!(got(&both, "ntasks"), "4");
    assert_eq!(got(&batch("#SBATCH -J a\n#PBS -N b", &[], &[]), "job-name"), "b");
    assert_eq!(got(&batch("#BSUB -cwd /tmp", &[], &[]), "chdir"), "/tmp");
}
