//! Batch jobs: script, arguments, environment, output files, exit codes.

use crate::harness::{Lab, ONE, RECORDED, is_root, skip};
use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

#[test]
fn a_job_writes_its_output_and_is_accounted() {
    let lab = Lab::new(ONE);
    lab.file("hello.sh", "#!/bin/bash\n#SBATCH -J hello\necho hello; echo there >&2\n");
    assert_eq!(lab.sh("sbatch --wait hello.sh; cat slurm-1.out").ok(), "Submitted batch job 1\nhello\nthere\n");
    assert_eq!(
        lab.sh("sacct -n -P -o jobid,jobname,state,exitcode").ok(),
        "1|hello|COMPLETED|0:0\n1.batch|batch|COMPLETED|0:0\n"
    );
}

#[test]
fn wait_gives_the_job_s_exit_code() {
    let lab = Lab::new(ONE);
    for (script, code) in [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 1)] {
        let script = lab.file("x.sh", format!("#!/bin/bash\n{script}\n"));
        assert_eq!(lab.sh(&format!("sbatch --wait -o none.out {}", script.display())).code, code);
    }
    assert_eq!(lab.sh("sbatch --wait --array=1-3 --wrap 'exit $SLURM_ARRAY_TASK_ID'").code, 3);
    // Its output cannot be written.
    assert_eq!(lab.sh("sbatch --wait -o no/such/dir --wrap true").code, 1);
    // Cancelled before it began.
    let out = lab.sh("(until scancel -n soon; squeue -h -t all -n soon -o %T | grep -q CANCELLED; do sleep 0.1; done) & sbatch --wait -J soon --hold --wrap true; echo $?; wait");
    assert_eq!(out.stdout.lines().last(), Some("0"), "{out:?}");
}

#[test]
fn the_output_can_be_appended_split_and_read_from_a_file() {
    let lab = Lab::new(ONE);
    lab.file("in", "line\n");
    lab.sh("sbatch --wait -i in -o out -e err --wrap 'cat; echo bad >&2'").ok();
    assert_eq!((lab.read("out"), lab.read("err")), ("line\n".into(), "bad\n".into()));
    lab.sh("sbatch --wait -o out --open-mode=append --wrap 'echo more'").ok();
    assert_eq!(lab.read("out"), "line\nmore\n");
    lab.sh("sbatch --wait -o out --wrap 'echo anew'").ok();
    assert_eq!(lab.read("out"), "anew\n");
}

#[test]
fn output_patterns_name_the_file() {
    let lab = Lab::new(ONE);
    lab.sh("sbatch --wait -J nm -o '%x-%j-%5j-%N-%%.log' --wrap true").ok();
    lab.sh("sbatch --wait -J ar -o '%A_%a-%3a' --array=4 --wrap true").ok();
    assert_eq!(lab.sh("LC_ALL=C ls").ok(), "2_4-004\nnm-1-00001-solo-%.log\n");
}

#[test]
fn a_script_comes_from_stdin_or_is_deleted_at_once() {
    let lab = Lab::new(ONE);
    assert_eq!(
        lab.sh("printf '#!/bin/bash\\necho $1\\n' | sbatch --wait -o a; cat a").stdout,
        "Submitted batch job 1\n\n"
    );
    assert_eq!(
        lab.sh("printf '#!/bin/bash\\necho b $1\\n' | sbatch --wait -o b /dev/stdin x; cat b").stdout,
        "Submitted batch job 2\nb x\n"
    );
    lab.file("gone.sh", "#!/bin/bash\nsleep 0.2\necho still $0 | grep -o still\n");
    let id = lab.submit("-o c gone.sh; rm gone.sh");
    lab.until_state(id, "COMPLETED");
    assert_eq!(lab.read("c"), "still\n");
    assert!(lab.sh("printf '#!/bin/bash\\n' | sbatch --wait < /dev/null").fails(1).contains("Batch script is empty!"));
}

#[test]
fn an_unreadable_script_is_an_error() {
    let lab = Lab::new(ONE);
    assert_eq!(lab.sh("sbatch missing.sh").fails(1), "sbatch: error: Unable to open file missing.sh\n");
    if is_root() {
        return skip("root can read any file");
    }
    lab.file("secret.sh", "#!/bin/bash\n");
    assert_eq!(
        lab.sh("chmod 0 secret.sh; sbatch secret.sh").fails(1),
        "sbatch: error: Unable to open file secret.sh\n"
    );
}

#[test]
fn arguments_and_scripts_need_not_be_utf_8() {
    let lab = Lab::new(ONE);
    lab.file("x.sh", b"#!/bin/bash\n# caf\xe9\nprintf '%s|%s' \"$1\" '\xff' | od -An -tx1\n");
    let mut sbatch = lab.command("sbatch");
    sbatch.args(["--wait", "-o", "out", "x.sh"]).arg(OsStr::from_bytes(b"a\xffb c"));
    lab.run(&mut sbatch).ok();
    assert_eq!(lab.read("out").trim(), "61 ff 62 20 63 7c ff");
}

#[test]
fn the_environment_travels_whole() {
    let lab = Lab::new(ONE);
    let line = "for i in 1 2 3 4 5 6 7 8 9 10; do export BIG$i=$(head -c 100000 /dev/zero | tr '\\0' x); done; export ODD=$'a\\nb=\\xff' \
                sbatch_is=here; sbatch --wait -o out --wrap 'echo ${#BIG1} ${#BIG10}; printf %s \"$ODD\" | od -An -tx1'; cat out";
    assert_eq!(lab.sh(line).ok(), "Submitted batch job 1\n100000 100000\n 61 0a 62 3d ff\n");
}

#[test]
fn export_chooses_what_travels() {
    let lab = Lab::new(ONE);
    let seen = |options: &str| {
        lab.sh(&format!(
            "FOO=1 BAR=2 sbatch --wait -Q -o out {options} --wrap 'echo ${{FOO-no}} ${{BAR-no}} ${{NEW-no}}'; cat out"
        ))
        .ok()
        .trim()
        .to_owned()
    };
    assert_eq!(seen(""), "1 2 no");
    assert_eq!(seen("--export=NONE"), "no no no");
    assert_eq!(seen("--export=FOO,NEW=3"), "1 no 3");
    assert_eq!(seen("--export=ALL,NEW=3"), "1 2 3");
    let line = "printf 'FOO=file\\0NEW=x y\\0' > vars; BAR=2 sbatch --wait -Q -o out --export-file=vars --wrap 'echo ${FOO-no} ${BAR-no} ${NEW-no}'; cat out";
    assert_eq!(lab.sh(line).ok(), "file no x y\n");
    let line = "BAR=2 sbatch --wait -Q -o out --export=NONE --get-user-env --wrap 'echo ${BAR-no} $SLURM_GET_USER_ENV'; cat out";
    assert_eq!(lab.sh(line).ok(), "no 1\n");
}

#[test]
fn the_script_runs_where_it_should_with_the_submitter_s_limits() {
    let lab = Lab::new(ONE);
    // With limits of its own, not those of the first line below.
    lab.sh("skyslurm controller start").ok();
    let line = "mkdir -p d; umask 027; ulimit -n 77; ulimit -f 1000; sbatch --wait -Q -o out -D d --wrap 'pwd; umask; ulimit -n; exec bash -c \"ulimit -f\"'; cat d/out";
    assert_eq!(lab.sh(line).ok(), format!("{}/d\n0027\n77\n1000\n", lab.work().display()));
    let line = "ulimit -n 77; ulimit -f 1000; sbatch --wait -Q -o out --propagate=FSIZE --wrap '[ $(ulimit -n) = 77 ] || echo other; exec bash -c \"ulimit -f\"'; cat out";
    assert_eq!(lab.sh(line).ok(), "other\n1000\n");
}

#[test]
fn a_login_shell_in_a_job_finds_the_commands() {
    let lab = Lab::new(ONE);
    for line in [
        "bash -lc \"type -P srun; type -P squeue\"",
        "export PATH=/usr/bin:/bin; bash -lc \"type -P srun; type -P squeue\"",
    ] {
        lab.file("x.sh", format!("#!/bin/bash\n{line} | xargs -n1 readlink -f\n"));
        let out = lab.sh("sbatch --wait -Q -o out x.sh; cat out");
        let program = std::fs::canonicalize(crate::harness::program()).unwrap();
        assert_eq!(out.ok(), format!("{0}\n{0}\n", program.display()), "{line}");
    }
}

#[test]
fn a_job_s_commands_find_their_controller_without_help() {
    let lab = Lab::new(ONE);
    let line = "sbatch --wait -Q -o out --wrap 'cd /; env -u SKYSLURM_STATE_DIR -u SKYSLURM_CONFIG -u HOME squeue -h -o %i.%T'; cat out";
    assert_eq!(lab.sh(line).ok(), "1.RUNNING\n");
}

#[test]
fn what_starts_the_controller_does_not_hold_a_pipe_open() {
    let lab = Lab::new(ONE);
    assert_eq!(lab.sh("timeout 20 bash -c 'sbatch --wrap \"sleep 100\" 2>&1 | cat'").ok(), "Submitted batch job 1\n");
}

#[test]
fn the_ways_to_answer() {
    let lab = Lab::new(RECORDED);
    assert_eq!(lab.sh("sbatch --parsable --hold --wrap true").ok(), "1\n");
    assert_eq!(lab.sh("sbatch -Q --hold --wrap true").ok(), "");
    assert_eq!(lab.sh("sbatch --hold -M lab --wrap true").ok(), "Submitted batch job 3 on cluster lab\n");
    assert_eq!(lab.sh("sbatch --version").ok().split(' ').next(), Some("slurm"));
    for option in ["--help", "--usage"] {
        assert!(lab.sh(&format!("sbatch {option}")).ok().contains("sbatch"));
    }
    let out = lab.sh("sbatch --test-only -N2 --wrap true");
    assert!(
        out.stderr.contains("using 2 processors on nodes node[1-2] in partition gpu") && out.stdout.is_empty(),
        "{out:?}"
    );
    assert_eq!(lab.sh("squeue -h -o %i | wc -l").ok(), "3\n");
}

#[test]
fn what_is_asked_for_is_what_the_job_says() {
    let lab = Lab::new(RECORDED);
    let line = "sbatch -Q --hold -J named -A research --comment='a b' --extra='c d' -q normal -p debug -t 5 --time-min=2 -N2 -n3 -c2 --nice=7 --no-requeue --wrap true";
    lab.sh(line).ok();
    let shown = lab.sh("scontrol -o show job 1").ok().to_owned();
    for field in [
        "JobName=named",
        "Account=research",
        "Comment=a b",
        "Extra=c d",
        "QOS=normal",
        "Partition=debug",
        "TimeLimit=00:05:00",
        "TimeMin=00:02:00",
        "NumNodes=2",
        "NumTasks=3",
        "CPUs/Task=2",
        "Nice=7",
        "Requeue=0",
    ] {
        assert!(shown.contains(field), "{field} is not in {shown}");
    }
    lab.sh("printf '#!/bin/bash\\n#PBS -N pbs\\n' > p.sh; sbatch -Q --hold p.sh; sbatch -Q --hold --ignore-pbs p.sh; sbatch -Q --hold --requeue --priority=5 --wrap true").ok();
    assert_eq!(lab.sh("squeue -h -j 2,3 -S i -o %j").ok(), "pbs\np.sh\n");
    let shown = lab.sh("scontrol -o show job 4").ok().to_owned();
    assert!(shown.contains("Requeue=1") && !shown.contains("Comment=") && !shown.contains("Extra="), "{shown}");
    lab.sh("sbatch -Q --hold -n2 --tres-per-task=cpu=3,gres/gpu:h100=2 --wrap true").ok();
    let shown = lab.sh("scontrol -o show job 5").ok().to_owned();
    assert!(shown.contains("CPUs/Task=3") && shown.contains("TresPerTask=cpu=3,gres/gpu:h100=2"), "{shown}");
}

#[test]
fn verbose_tells_what_was_asked_for() {
    let lab = Lab::new(ONE);
    let out = lab.sh("sbatch -v --hold -t 5 -n 2 --wrap true");
    for line in
        ["defined options", "hold                : set", "ntasks              : 2", "time                : 00:05:00"]
    {
        assert!(out.stderr.contains(&format!("sbatch: {line}\n")), "{line}: {out:?}");
    }
    assert!(!lab.sh("sbatch --hold --wrap true").stderr.contains("defined options"));
}

/// submitit and others make the directory of a job's output when they know its number.
#[test]
fn the_directory_of_the_output_may_be_made_after_the_submission() {
    let lab = Lab::new(ONE);
    let line =
        "J=$(sbatch --parsable -o log_%j/%j.out -e log_%j/%j.err --wrap 'echo here'); sleep 0.2; mkdir log_$J; echo $J";
    let id = lab.sh(line).ok().trim().to_owned();
    lab.until(&format!("sacct -n -X -P -j {id} -o state,exitcode"), "COMPLETED|0:0");
    assert_eq!(lab.sh(&format!("cat log_{id}/{id}.out")).ok(), "here\n");
    // One that nobody makes.
    let lost = lab.sh("sbatch --parsable -o nowhere/%j.out --wrap true").ok().trim().to_owned();
    lab.until(&format!("sacct -n -X -P -j {lost} -o state,exitcode"), "FAILED|0:53");
}

/// The command that ends its own job tells of it before it ends with it.
#[test]
fn an_order_that_ends_its_own_job_is_answered() {
    let lab = Lab::new(ONE);
    for (order, state) in [("scontrol requeue", "COMPLETED"), ("scancel", "CANCELLED")] {
        let script = format!(
            "trap : TERM\n[ -z \"$SLURM_RESTART_COUNT\" ] || exit 0\n{order} $SLURM_JOB_ID\necho $? > said\nsleep 600 & wait"
        );
        let job =
            lab.sh(&format!("rm -f said; sbatch --parsable -o /dev/null --wrap '{script}'")).ok().trim().to_owned();
        lab.until(&format!("sacct -n -X -P -j {job} -o state | cut -d' ' -f1"), state);
        assert_eq!(lab.read("said"), "0\n", "{order}");
    }
}
