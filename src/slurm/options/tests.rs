//! What the recorded captures say, and what must be true of the table.

use std::collections::HashSet;
use std::ffi::OsString;

use proptest::prelude::*;

use super::*;

fn words(text: &[&str]) -> Vec<OsString> {
    text.iter().map(OsString::from).collect()
}

fn nothing(_: &str) -> Option<String> {
    None
}

fn options(command: Command, text: &[&str]) -> Result<Parsed, Refusal> {
    parse(command, &words(text), &nothing)
}

/// stderr and exit code of a refused command line.
fn refusal(command: Command, text: &[&str]) -> (String, u8) {
    match options(command, text) {
        Ok(parsed) => (format!("accepted: {parsed:?}"), 0),
        Err(refusal) => (refusal.to_string(), refusal.exit),
    }
}

/// sbatch of a script with these lines below `#!/bin/bash`.
fn batch(lines: &str, args: &[&str], env: &[(&str, &str)]) -> Result<Parsed, Refusal> {
    let script = Script {
        bytes: format!("#!/bin/bash\n{lines}\necho\n").into_bytes(),
        name: "d.sh".to_owned(),
    };
    let env = |name: &str| {
        env.iter()
            .find(|(n, _)| *n == name)
            .map(|(_, v)| (*v).to_owned())
    };
    parse_batch(&words(args), &env, &mut |_, _| Ok(Some(script.clone()))).map(|(p, _)| p)
}

fn batch_refusal(lines: &str) -> (String, u8) {
    match batch(lines, &[], &[]) {
        Ok(parsed) => (format!("accepted: {parsed:?}"), 0),
        Err(refusal) => (refusal.to_string(), refusal.exit),
    }
}

fn got(parsed: &Result<Parsed, Refusal>, name: &str) -> String {
    match parsed {
        Ok(parsed) => parsed.options.get(name).unwrap_or("(unset)").to_owned(),
        Err(refusal) => refusal.to_string(),
    }
}

mod getopt {
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
            (
                &["--ti"],
                "option '--ti' is ambiguous; possibilities: '--time' '--time-min'",
            ),
            (
                &["--ti=5"],
                "option '--ti=5' is ambiguous; possibilities: '--time' '--time-min'",
            ),
            (
                &["--pa"],
                "option '--pa' is ambiguous; possibilities: '--parsable' '--partition'",
            ),
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
        let expected = (
            "scancel: unrecognized option '--nosuch'\nTry \"scancel --help\" for more information"
                .to_owned(),
            1,
        );
        assert_eq!(refusal(Command::Scancel, &["--nosuch"]), expected);
        let expected = ("sacct: unrecognized option '--nosuch'".to_owned(), 1);
        assert_eq!(refusal(Command::Sacct, &["--nosuch"]), expected);
        let names = "sacct: option '--n' is ambiguous; possibilities: '--name' '--nnodes' '--ncpus' '--nodelist' '--noconvert' '--noheader'";
        assert_eq!(refusal(Command::Sacct, &["--n"]), (names.to_owned(), 1));
        let names = "squeue: option '--no' is ambiguous; possibilities: '--noconvert' '--node' '--nodes' '--nodelist' '--noheader'";
        assert!(
            refusal(Command::Squeue, &["--no"])
                .0
                .starts_with(names.split("'--noheader").next().unwrap_or(names))
        );
    }

    #[test]
    fn all_ways_to_write_an_argument() {
        for args in [
            &["-n4"][..],
            &["-n", "4"],
            &["--ntasks=4"],
            &["--ntasks", "4"],
            &["-Hn4"],
            &["-Hn", "4"],
        ] {
            assert_eq!(got(&options(Command::Sbatch, args), "ntasks"), "4");
        }
        assert_eq!(got(&options(Command::Sbatch, &["-J=x"]), "job-name"), "=x");
        assert_eq!(
            got(
                &options(Command::Sbatch, &["--tasks-per-node=3"]),
                "ntasks-per-node"
            ),
            "3"
        );
        assert_eq!(
            got(&options(Command::Sbatch, &["--cluster=lab"]), "clusters"),
            "lab"
        );
        assert_eq!(
            got(&options(Command::Sbatch, &["--job=j"]), "job-name"),
            "j"
        );
    }

    #[test]
    fn an_optional_argument_is_never_the_next_word() {
        let parsed = options(Command::Sbatch, &["--nice", "5"]);
        assert!(parsed.is_ok_and(|p| p.options.is_set("nice")
            && p.options.get("nice").is_none()
            && p.operands == words(&["5"])));
    }

    #[test]
    fn a_script_ends_the_options_and_a_job_id_does_not() {
        let parsed = options(Command::Sbatch, &["-H", "job.sh", "-J", "x"]);
        assert!(parsed.is_ok_and(|p| p.operands == words(&["job.sh", "-J", "x"])));
        let parsed = options(
            Command::Scancel,
            &["7", "--signal", "USR2", "8", "--", "-v"],
        );
        assert!(
            parsed.is_ok_and(|p| p.options.get("signal") == Some("USR2")
                && p.operands == words(&["7", "8", "-v"]))
        );
    }

    #[test]
    fn help_is_answered_before_what_follows() {
        for args in [
            &["--help", "--nosuch"][..],
            &["-hX"],
            &["--time=abc", "--help"],
        ] {
            assert!(options(Command::Sbatch, args).is_ok_and(|p| p.options.is_set("help")));
        }
    }
}

mod values {
    use super::*;

    fn sbatch_error(message: &str) -> String {
        format!("sbatch: error: {message}")
    }

    #[test]
    fn bad_values_are_refused_in_slurms_words() {
        for (arg, message, exit) in [
            ("--time=abc", "Invalid --time specification", 255),
            ("--time=1:2:3:4:5", "Invalid --time specification", 255),
            ("--time=1-2-3", "Invalid --time specification", 255),
            ("--time=", "Invalid --time specification", 255),
            ("-t=5", "Invalid --time specification", 255),
            ("--time-min=x", "Invalid --time-min specification", 255),
            ("--mem=abc", "Invalid --mem specification", 255),
            ("--mem=-1", "Invalid --mem specification", 255),
            ("--mem=4X", "Invalid --mem specification", 255),
            ("--mem=1.5G", "Invalid --mem specification", 255),
            (
                "--mem-per-cpu=x",
                "Invalid --mem-per-cpu specification",
                255,
            ),
            ("--nodes=abc", "\"abc\" is not a valid node count", 255),
            ("--nodes=", "\"\" is not a valid node count", 255),
            ("--nodes=1-2-3", "\"2-3\" is not a valid node count", 255),
            ("--nodes=1,3", "\"1,3\" is not a valid node count", 255),
            (
                "--nodes=2-1",
                "Maximum node count 1 is less than minimum node count 2",
                255,
            ),
            (
                "--nodes=2-",
                "Maximum node count -1 is less than minimum node count 2",
                255,
            ),
            ("--mail-type=FOO", "Invalid --mail-type specification", 255),
            ("--signal=FOO", "Invalid --signal specification", 255),
            ("--signal=B:USR1@x", "Invalid --signal specification", 255),
            ("--signal=USR1@70000", "Invalid --signal specification", 255),
            ("--signal=B:R:USR1", "Invalid --signal specification", 255),
            ("--open-mode=x", "Invalid --open-mode specification", 255),
            (
                "--distribution=foo",
                "Invalid --distribution specification",
                255,
            ),
            ("--exclusive=foo", "Invalid --exclusive specification", 255),
            (
                "--get-user-env=x",
                "Invalid --get-user-env specification",
                255,
            ),
            (
                "--wait-all-nodes=2",
                "Invalid --wait-all-nodes specification",
                255,
            ),
            (
                "--kill-on-invalid-dep=maybe",
                "Invalid --kill-on-invalid-dep specification",
                255,
            ),
            ("--no-kill=foo", "Invalid --no-kill specification", 255),
            (
                "--gres-flags=foo",
                "Invalid --gres-flags specification",
                255,
            ),
            ("--profile=foo", "invalid --profile=foo option", 255),
            (
                "--acctg-freq=x",
                "Invalid --acctg-freq specification: x",
                255,
            ),
            ("--priority=-1", "Priority must be >= 0", 255),
            (
                "--priority=99999999999",
                "Priority must be < 4294967294",
                255,
            ),
            (
                "--nice=99999999999",
                "Invalid --nice value, out of range (+/- 2147483645)",
                255,
            ),
            ("--uid=root", "--uid only permitted by root user", 255),
            ("--gid=alice", "--gid only permitted by root user", 255),
            ("-n0", "Invalid numeric value \"0\" for --ntasks.", 1),
            ("-nabc", "Invalid numeric value \"abc\" for --ntasks.", 1),
            ("-n1k", "Invalid numeric value \"1k\" for --ntasks.", 1),
            ("--ntasks=", "Invalid numeric value \"\" for --ntasks.", 1),
            ("-c0", "Invalid numeric value \"0\" for --cpus-per-task.", 1),
            (
                "--ntasks-per-node=abc",
                "Invalid numeric value \"abc\" for --ntasks-per-node.",
                1,
            ),
            (
                "--cpus-per-gpu=0",
                "Invalid numeric value \"0\" for --cpus-per-gpu.",
                1,
            ),
            (
                "--switches=x",
                "Invalid numeric value \"x\" for --switches.",
                1,
            ),
            (
                "-B1:x",
                "Invalid numeric value \"x\" for second arg of -B.",
                1,
            ),
            (
                "--hint=foo",
                "unrecognized --hint argument \"foo\", see --hint=help",
                1,
            ),
            (
                "--reservation=r",
                "Batch job submission failed: Requested reservation is invalid",
                1,
            ),
            (
                "--licenses=x",
                "Batch job submission failed: Invalid license specification",
                1,
            ),
        ] {
            assert_eq!(
                refusal(Command::Sbatch, &[arg]),
                (sbatch_error(message), exit),
                "{arg}"
            );
        }
    }

    #[test]
    fn two_lines_where_slurm_has_two() {
        let begin =
            "Invalid time specification (pos=0): abc\nsbatch: error: Invalid --begin specification";
        assert_eq!(
            refusal(Command::Sbatch, &["--begin=abc"]),
            (begin.to_owned(), 255)
        );
        let rlimit =
            "sbatch: error: Bad rlimit name: foo\nsbatch: error: --propagate=foo is not valid.";
        assert_eq!(
            refusal(Command::Sbatch, &["--propagate=foo"]),
            (rlimit.to_owned(), 1)
        );
    }

    #[test]
    fn what_slurm_accepts() {
        for arg in [
            "--time=-1",
            "--time=0",
            "--time=infinite",
            "--time=UNLIMITED",
            "--time=90",
            "--time=1:30",
            "--time=2-3",
            "--time=2-3:4:5",
            "--time=1-",
            "--time=-5",
            "--mem=4G",
            "--mem=4GB",
            "--mem=4kb",
            "--mem=0",
            "--mem=-0",
            "--mem= 4G",
            "--mem=+4",
            "--mem=999T",
            "--nodes=0",
            "--nodes=-1",
            "--nodes=9",
            "--nodes=5-9",
            "--nodes=1k",
            "--nodes= 3",
            "--nodes=2k-3k",
            "--array=abc",
            "--nice=abc",
            "--nice",
            "--nice=-5",
            "--signal=USR1",
            "--signal=B:10@60",
            "--signal=RB:USR1@5",
            "--signal=SIGUSR1",
            "--signal=TERM@",
            "--signal=-1",
            "--mail-type=ALL,ARRAY_TASKS",
            "--mail-type=FOO,END",
            "--begin=now+1hour",
            "--begin=16:00",
            "--begin=2030-01-01T12:00",
            "--begin=teatime",
            "--exclusive",
            "--exclusive=user",
            "--open-mode=Append",
            "-n99999999999",
            "-n 4",
            "-mblock",
            "-mplane=4",
            "-mcyclic:cyclic:block,NoPack",
            "--get-user-env=5S",
            "--propagate=STACK,MEMLOCK",
            "--propagate",
            "--export=",
            "--comment=",
            "--job-name=",
            "--switches=2@10",
            "--wait-all-nodes=1",
            "--gpus=foo",
            "--priority=top",
            "-k=",
        ] {
            if arg != "-k=" {
                assert!(options(Command::Sbatch, &[arg]).is_ok(), "{arg}");
            }
        }
    }

    #[test]
    fn what_excludes_each_other() {
        let mem = "sbatch: fatal: --mem, --mem-per-cpu, and --mem-per-gpu are mutually exclusive.";
        let args = ["--mem=1G", "--mem-per-cpu=1G"];
        assert_eq!(refusal(Command::Sbatch, &args), (mem.to_owned(), 1));
        let parsed = batch("#SBATCH --mem=1G", &["--mem-per-cpu=1G"], &[]);
        assert_eq!(parsed.map_err(|r| r.to_string()), Err(mem.to_owned()));
        let noise = "sbatch: error: don't specify both --verbose (-v) and --quiet (-Q)";
        assert_eq!(refusal(Command::Sbatch, &["-vQ"]), (noise.to_owned(), 1));
        let parsed = batch("#SBATCH --mem=1G", &[], &[("SBATCH_MEM_PER_CPU", "1G")]);
        assert_eq!(got(&parsed, "mem"), "1G");
        assert_eq!(got(&parsed, "mem-per-cpu"), "(unset)");
    }

    #[test]
    fn a_refused_option_says_what_to_do() {
        let expected = "sbatch: error: --dependency: job dependencies are not supported yet; submit the job after its predecessor has ended";
        assert_eq!(
            refusal(Command::Sbatch, &["-d", "afterok:1"]),
            (expected.to_owned(), 1)
        );
        let expected =
            "salloc: error: salloc is not supported yet; submit a batch script with sbatch";
        assert_eq!(refusal(Command::Salloc, &["-n1"]), (expected.to_owned(), 1));
    }

    #[test]
    fn an_approximated_option_warns() {
        let warnings = |args: &[&str]| options(Command::Sbatch, args).map(|p| p.options.warnings());
        let expected = vec!["sbatch: warning: --mail-type: no mail is sent yet".to_owned()];
        assert_eq!(
            warnings(&["--mail-type=END", "--mail-user=me"]),
            Ok(expected)
        );
        assert_eq!(
            warnings(&["--mail-type=NONE", "--mem-bind=local"]),
            Ok(vec![])
        );
    }
}

mod scripts {
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
        assert_eq!(
            got(
                &batch("#SBATCH -J one\n#SBATCH -J two", &[], &[]),
                "job-name"
            ),
            "two"
        );
    }

    #[test]
    fn a_variable_can_take_a_flag_back() {
        let set = |value: &str| {
            batch("#SBATCH --requeue", &[], &[("SBATCH_REQUEUE", value)])
                .is_ok_and(|p| p.options.is_set("requeue"))
        };
        assert!(set("") && set("yes") && set("1"));
        assert!(!set("0") && !set("no"));
    }

    #[test]
    fn variables_are_checked() {
        for (name, value, line, exit) in [
            (
                "SBATCH_TIMELIMIT",
                "abc",
                "sbatch: error: Invalid --time specification",
                255,
            ),
            (
                "SBATCH_TIMELIMIT",
                "",
                "sbatch: error: Invalid --time specification",
                255,
            ),
            (
                "SBATCH_EXCLUSIVE",
                "foo",
                "sbatch: error: Invalid --exclusive specification",
                255,
            ),
            (
                "SBATCH_CPUS_PER_GPU",
                "abc",
                "sbatch: error: Invalid numeric value \"abc\" for --cpus-per-gpu.",
                1,
            ),
        ] {
            let refused = batch("", &[], &[(name, value)]).map_err(|r| (r.to_string(), r.exit));
            assert_eq!(refused.err(), Some((line.to_owned(), exit)));
        }
    }

    #[test]
    fn refused_directives() {
        const TRY: &str = "\nTry \"sbatch --help\" for more information";
        for (line, message, exit) in [
            (
                "#SBATCHX -N 4",
                "error: Invalid directive found in batch script: X".to_owned(),
                255,
            ),
            (
                "#SBATCH -J pos extra words",
                "error: Invalid directive found in batch script: extra".to_owned(),
                255,
            ),
            (
                "#SBATCH --comment=a\\ b",
                "error: Invalid directive found in batch script: b".to_owned(),
                255,
            ),
            (
                "#SBATCH --comment = spaced",
                "error: Invalid directive found in batch script: spaced".to_owned(),
                255,
            ),
            (
                "#SBATCH -- x",
                "error: Invalid directive found in batch script: x".to_owned(),
                255,
            ),
            (
                "#SBATCH -",
                "error: Invalid directive found in batch script: -".to_owned(),
                255,
            ),
            (
                "#SBATCH -t=5",
                "error: Invalid --time specification".to_owned(),
                255,
            ),
            (
                "#SBATCH --nodes=abc",
                "error: \"abc\" is not a valid node count".to_owned(),
                255,
            ),
            (
                "#SBATCH --no-such-option=1",
                format!("unrecognized option '--no-such-option=1'{TRY}"),
                255,
            ),
            (
                "#SBATCH --time",
                format!("option '--time' requires an argument{TRY}"),
                255,
            ),
            (
                "#SBATCH --comment=\"unterminated",
                "fatal: d.sh: line 2: Unmatched `\"` in [--comment=\"unterminated]".to_owned(),
                1,
            ),
            (
                "#SBATCH -J \"a'b c",
                "fatal: d.sh: line 2: Unmatched `\"` in [ \"a'b c]".to_owned(),
                1,
            ),
            (
                "#SBATCH --comment=x :",
                "fatal: d.sh: line 2: Unexpected `:` in [ :]".to_owned(),
                1,
            ),
            (
                "#SBATCH : -N1",
                "fatal: d.sh: line 2: Unexpected `:` in [: -N1]".to_owned(),
                1,
            ),
            ("#PBS extra", "error: Invalid argument: extra".to_owned(), 1),
            (
                "#PBS -Z foo",
                "invalid option -- 'Z'\nsbatch: error: Unrecognized command line parameter ?"
                    .to_owned(),
                1,
            ),
        ] {
            assert_eq!(
                batch_refusal(line),
                (format!("sbatch: {message}"), exit),
                "{line}"
            );
        }
    }

    #[test]
    fn only_on_the_command_line() {
        let lines = "#SBATCH --wrap=hello\n#SBATCH --help\n#SBATCH --quiet\n#SBATCH -v\n#SBATCH --ignore-pbs\n#PBS -N p";
        let parsed = batch(lines, &[], &[]);
        for name in ["wrap", "help", "quiet", "verbose", "ignore-pbs"] {
            assert!(
                parsed.as_ref().is_ok_and(|p| !p.options.is_set(name)),
                "{name}"
            );
        }
        assert_eq!(got(&parsed, "job-name"), "p");
        let parsed = batch("#SBATCH --parsable\n#SBATCH --test-only", &[], &[]);
        assert!(
            parsed.is_ok_and(|p| p.options.is_set("parsable") && p.options.is_set("test-only"))
        );
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
        assert_eq!(
            got(&batch("#SBATCH -J a\n#PBS -N b", &[], &[]), "job-name"),
            "b"
        );
        assert_eq!(got(&batch("#BSUB -cwd /tmp", &[], &[]), "chdir"), "/tmp");
    }
}

mod query_variables {
    use super::*;

    #[test]
    fn each_command_reads_flags_in_its_way() {
        let squeue = parse(Command::Squeue, &[], &|n| {
            (n == "SQUEUE_ARRAY").then(|| "0".into())
        });
        assert!(squeue.is_ok_and(|p| p.options.is_set("array")));
        let scancel = |value: &'static str| {
            parse(Command::Scancel, &[], &move |n| {
                (n == "SCANCEL_FULL").then(|| value.into())
            })
            .map(|p| (p.options.is_set("full"), p.options.warnings()))
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
}

mod the_table {
    use super::*;

    #[test]
    fn names_letters_and_variables_are_unique() {
        for command in Command::ALL {
            let mut names = HashSet::new();
            for (name, _) in table::names(command) {
                assert!(names.insert(name), "{} --{name}", command.name());
                assert!(!name.is_empty() && !name.contains(['=', ' ']));
            }
            let mut letters = HashSet::new();
            let mut variables = HashSet::new();
            for row in table::rows(command) {
                if let Some(letter) = row.short {
                    assert!(letter.is_ascii_alphabetic());
                    assert!(letters.insert(letter), "{} -{letter}", command.name());
                }
                for variable in row.used_by(command).map_or(&[][..], |u| u.env) {
                    assert!(variables.insert(*variable), "{} {variable}", command.name());
                }
            }
        }
    }

    #[test]
    fn rows_are_complete() {
        for command in Command::ALL {
            for row in table::rows(command) {
                let what = format!("{} {}", command.name(), row.display_name());
                assert!(!row.help.is_empty(), "{what}");
                assert!(!row.help.ends_with('.'), "{what}");
                assert_eq!(row.arg == Arg::None, row.metavar.is_empty(), "{what}");
                let class = row.used_by(command).map(|u| u.class);
                let text = match class {
                    Some(Class::Approximated(t) | Class::Inert(t) | Class::Refused(t)) => t,
                    Some(Class::Honoured) => "-",
                    None => "",
                };
                assert!(!text.is_empty() && !text.ends_with('.'), "{what}");
            }
        }
    }

    #[test]
    fn every_alias_means_an_option() {
        for command in Command::ALL {
            for (name, row) in table::names(command) {
                assert!(row.alias_of.is_none(), "{name}");
            }
        }
    }

    #[test]
    fn every_full_name_is_itself_whatever_it_begins_like() {
        for command in Command::ALL {
            for (name, row) in table::names(command) {
                let refused = matches!(
                    row.used_by(command).map(|u| u.class),
                    Some(Class::Refused(_))
                );
                let arg = match row.arg {
                    Arg::Required => format!("--{name}=1"),
                    _ => format!("--{name}"),
                };
                match options(command, &[&arg]) {
                    Ok(parsed) => assert!(parsed.options.is_set(row.name), "{arg}"),
                    Err(refusal) => {
                        let text = refusal.to_string();
                        assert!(!text.contains("--help\" for more"), "{text}");
                        assert!(
                            refused || !matches!(row.kind, Kind::Text | Kind::Path),
                            "{text}"
                        );
                    }
                }
            }
        }
    }

    /// Every option that sbatch honours can be said as a directive, a variable and on the command line.
    #[test]
    fn every_honoured_option_of_sbatch_can_be_said_in_each_way() {
        let example = |row: &Row| match row.kind {
            Kind::Begin => "now+1hour",
            Kind::Distribution => "cyclic",
            Kind::Exclusive => "user",
            Kind::GetUserEnv => "10L",
            Kind::MailType => "END",
            Kind::OpenMode => "append",
            Kind::Propagate => "STACK",
            Kind::Signal => "B:USR1@60",
            Kind::ZeroOrOne => "1",
            _ => "2",
        };
        for row in table::rows(Command::Sbatch) {
            let Some(Use {
                class: Class::Honoured,
                env,
            }) = row.used_by(Command::Sbatch)
            else {
                continue;
            };
            if ["help", "usage", "version"].contains(&row.name) {
                continue;
            }
            let value = (row.arg != Arg::None).then(|| example(row));
            let arg = match value {
                Some(value) => format!("--{}={value}", row.name),
                None => format!("--{}", row.name),
            };
            let parsed = batch("", &[&arg], &[]);
            assert_eq!(got(&parsed, row.name), value.unwrap_or("(unset)"), "{arg}");
            assert!(parsed.is_ok_and(|p| p.options.source(row.name) == Some(Source::CommandLine)));
            for variable in env {
                let parsed = batch("", &[], &[(variable, value.unwrap_or("1"))]);
                let source = parsed.map(|p| p.options.source(row.name));
                assert_eq!(source, Ok(Some(Source::Environment)), "{variable}");
            }
            let parsed = batch(&format!("#SBATCH {arg}"), &[], &[]);
            let heard = !["quiet", "verbose", "ignore-pbs", "wrap"].contains(&row.name);
            assert_eq!(
                parsed.map(|p| p.options.is_set(row.name)),
                Ok(heard),
                "{arg}"
            );
        }
    }

    #[test]
    fn help_fits_80_columns_and_lists_nothing_refused() {
        for command in Command::ALL {
            for text in [help(command), usage(command)] {
                assert!(text.lines().all(|l| l.len() <= 80), "{text}");
            }
        }
        assert!(!help(Command::Sbatch).contains("--dependency"));
        assert!(help(Command::Sbatch).contains("  -t, --time=minutes          time limit\n"));
    }
}

fn any_command() -> impl Strategy<Value = Command> {
    prop::sample::select(Command::ALL.to_vec())
}

proptest! {
    #[test]
    fn no_arguments_panic(command in any_command(), args in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..12), 0..6)) {
        use std::os::unix::ffi::OsStringExt;
        let args: Vec<OsString> = args.into_iter().map(OsString::from_vec).collect();
        let _ = parse(command, &args, &nothing);
    }

    #[test]
    fn no_value_panics(command in any_command(), pick in any::<prop::sample::Index>(), value in "\\PC{0,12}", letter in any::<bool>()) {
        let rows: Vec<&Row> = table::rows(command).collect();
        let row = rows[pick.index(rows.len())];
        let arg = match row.short {
            Some(c) if letter => format!("-{c}{value}"),
            _ => format!("--{}={value}", row.name),
        };
        let _ = parse(command, &[OsString::from(&arg)], &nothing);
        let _ = parse(command, &[], &|_| Some(value.clone()));
    }

    #[test]
    fn no_script_panics(script in prop::collection::vec(any::<u8>(), 0..200), text in "(#SBATCH|#PBS|#BSUB)[ -~\\n]{0,80}") {
        for bytes in [script, text.into_bytes()] {
            let mut read = |_: &Options, _: &[OsString]| Ok(Some(Script { bytes: bytes.clone(), name: "x".into() }));
            let _ = parse_batch(&[], &nothing, &mut read);
            let _ = crate::slurm::directives::check_script(&bytes);
        }
    }
}
