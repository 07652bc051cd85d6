//! Values, against sbatch.txt and the real sbatch.

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
        ("--mem-per-cpu=x", "Invalid --mem-per-cpu specification", 255),
        ("--nodes=abc", "\"abc\" is not a valid node count", 255),
        ("--nodes=", "\"\" is not a valid node count", 255),
        ("--nodes=1-2-3", "\"2-3\" is not a valid node count", 255),
        ("--nodes=1,3", "\"1,3\" is not a valid node count", 255),
        ("--nodes=2-1", "Maximum node count 1 is less than minimum node count 2", 255),
        ("--nodes=2-", "Maximum node count -1 is less than minimum node count 2", 255),
        ("--mail-type=FOO", "Invalid --mail-type specification", 255),
        ("--signal=FOO", "Invalid --signal specification", 255),
        ("--signal=B:USR1@x", "Invalid --signal specification", 255),
        ("--signal=USR1@70000", "Invalid --signal specification", 255),
        ("--signal=B:R:USR1", "Invalid --signal specification", 255),
        ("--signal=BB:USR1", "Invalid --signal specification", 255),
        ("--time=1-:2", "Invalid --time specification", 255),
        ("--open-mode=x", "Invalid --open-mode specification", 255),
        ("--distribution=foo", "Invalid --distribution specification", 255),
        ("--exclusive=foo", "Invalid --exclusive specification", 255),
        ("--get-user-env=x", "Invalid --get-user-env specification", 255),
        ("--wait-all-nodes=2", "Invalid --wait-all-nodes specification", 255),
        ("--kill-on-invalid-dep=maybe", "Invalid --kill-on-invalid-dep specification", 255),
        ("--no-kill=foo", "Invalid --no-kill specification", 255),
        ("--gres-flags=foo", "Invalid --gres-flags specification", 255),
        ("--mem-bind=foo", "unrecognized --mem-bind argument \"foo\"", 255),
        ("--gpu-bind=foo", "Invalid --gpu-bind argument: gpu:foo", 255),
        ("--profile=foo", "invalid --profile=foo option", 255),
        ("--acctg-freq=x", "Invalid --acctg-freq specification: x", 255),
        ("--priority=-1", "Priority must be >= 0", 255),
        ("--priority=99999999999", "Priority must be < 4294967294", 255),
        ("--nice=99999999999", "Invalid --nice value, out of range (+/- 2147483645)", 255),
        ("--uid=root", "--uid only permitted by root user", 255),
        ("--gid=alice", "--gid only permitted by root user", 255),
        ("-n0", "Invalid numeric value \"0\" for --ntasks.", 1),
        ("-nabc", "Invalid numeric value \"abc\" for --ntasks.", 1),
        ("-n1k", "Invalid numeric value \"1k\" for --ntasks.", 1),
        ("--ntasks=", "Invalid numeric value \"\" for --ntasks.", 1),
        ("-c0", "Invalid numeric value \"0\" for --cpus-per-task.", 1),
        ("--ntasks-per-node=abc", "Invalid numeric value \"abc\" for --ntasks-per-node.", 1),
        ("--cpus-per-gpu=0", "Invalid numeric value \"0\" for --cpus-per-gpu.", 1),
        ("--switches=x", "Invalid numeric value \"x\" for --switches.", 1),
        ("-B1:x", "Invalid numeric value \"x\" for second arg of -B.", 1),
        ("--hint=foo", "unrecognized --hint argument \"foo\", see --hint=help", 1),
    ] {
        assert_eq!(refusal(Command::Sbatch, &[arg]), (sbatch_error(message), exit), "{arg}");
    }
}

#[test]
fn two_lines_where_slurm_has_two() {
    let begin = "Invalid time specification (pos=0): abc\nsbatch: error: Invalid --begin specification";
    assert_eq!(refusal(Command::Sbatch, &["--begin=abc"]), (begin.to_owned(), 255));
    let rlimit = "sbatch: error: Bad rlimit name: foo\nsbatch: error: --propagate=foo is not valid.";
    assert_eq!(refusal(Command::Sbatch, &["--propagate=foo"]), (rlimit.to_owned(), 1));
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
        "--signal=TERM@ 5",
        "--begin=0231",
        "--begin=now+1 hours",
        "--begin=uts1893456000",
        "--delay-boot=-1",
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
    ] {
        assert!(options(Command::Sbatch, &[arg]).is_ok(), "{arg}");
    }
}

/// A real sbatch takes these; what they become there is of no use to anyone: a time limit that
/// squeue shows as INVALID, a signal that is never sent.
#[test]
fn what_slurm_should_not_accept() {
    for (arg, name) in [("--time=-5", "time"), ("--signal=-1", "signal"), ("--signal=70", "signal")] {
        let expected = (sbatch_error(&format!("Invalid --{name} specification")), 255);
        assert_eq!(refusal(Command::Sbatch, &[arg]), expected, "{arg}");
    }
}

#[test]
fn points_in_time_say_where() {
    for (arg, name, position) in [
        ("now+1hourx", "begin", 9),
        ("elevenses", "begin", 0),
        ("13:99", "begin", 3),
        ("16", "begin", 0),
        ("1", "begin", 1),
        ("1332", "begin", 0),
        ("2030-13-01", "begin", 5),
        ("abc", "deadline", 0),
    ] {
        let expected = format!(
            "Invalid time specification (pos={position}): {arg}\nsbatch: error: Invalid --{name} specification"
        );
        assert_eq!(refusal(Command::Sbatch, &[&format!("--{name}={arg}")]), (expected, 255), "{arg}");
    }
    let empty = (sbatch_error("Invalid --begin specification"), 255);
    assert_eq!(refusal(Command::Sbatch, &["--begin="]), empty);
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
    let expected = "salloc: error: --reboot: nodes cannot be rebooted; leave the option out";
    assert_eq!(refusal(Command::Salloc, &["--reboot"]), (expected.to_owned(), 1));
}

#[test]
fn an_approximated_option_warns() {
    let warnings = |args: &[&str]| options(Command::Sbatch, args).map(|p| p.options.warnings(Place::Here));
    let tmp = "sbatch: warning: --tmp: temporary disk is not counted: none is set aside for the job";
    assert_eq!(warnings(&["--tmp=1G", "--mail-user=me"]), Ok(vec![tmp.to_owned()]));
    assert_eq!(warnings(&["--mail-type=END", "--mem-bind=local"]), Ok(vec![]));
}
