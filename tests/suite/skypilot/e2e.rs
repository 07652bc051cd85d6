//! What a user sees of jobs on SkyPilot, on either server. A body submits its jobs and gives back what checks them, so that on
//! a real server all wait together.

use super::lab::SkyLab;
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    process::Stdio,
    sync::Mutex,
    thread,
    time::Instant,
};

/// What is left to do once the jobs are submitted.
pub type Check<'a> = Box<dyn FnOnce() + Send + 'a>;

/// A name, and a body.
pub type Body = (&'static str, for<'a> fn(&'a SkyLab) -> Check<'a>);

macro_rules! bodies {
    ($($name:ident)*) => {
        /// All bodies.
        pub const BODIES: &[Body] = &[$((stringify!($name), $name)),*];

        /// Each before a server of its own.
        mod fake {
            $(
                #[test]
                fn $name() {
                    let Some(lab) = super::fake_for(stringify!($name)) else { return };
                    super::$name(&lab)();
                    assert!(lab.server().runs() > 0);
                }
            )*
        }
    };
}

bodies! {
    output_is_exact two_nodes array exit_codes cancel requeue stderr_apart large_output work_directory environment
    a_signal_reaches_a_trap queries inside into_a_running_job het allocation het_allocation without_a_shell
}

/// A server of the test's own that a body can run before, if there is one here.
fn fake_for(body: &str) -> Option<SkyLab> {
    match body {
        "allocation" | "het_allocation" | "without_a_shell" => SkyLab::with_nodes(),
        _ => Some(SkyLab::fake()),
    }
}

/// Bodies that run at the same time on a real server, where each job costs half a minute of CPU.
const AT_ONCE: usize = 2;

/// All bodies before a real server. `SKYSLURM_SKY_BODIES=array,cancel` chooses; without it, or empty, they are all run.
#[test]
fn real() {
    let lab = match SkyLab::real() {
        Ok(lab) => lab,
        Err(why) => return crate::harness::skip(&why),
    };
    let chosen = std::env::var("SKYSLURM_SKY_BODIES").ok().filter(|list| !list.is_empty());
    let is_chosen = |name: &str| chosen.as_ref().is_none_or(|list| list.split(',').any(|one| one == name));
    let time_limit: Body = ("time_limit", time_limit);
    let bodies = BODIES.iter().chain([&time_limit]).filter(|(name, _)| is_chosen(name));
    let (queue, failed) = (Mutex::new(bodies), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let Some((name, body)) = queue.lock().unwrap().next() else { break };
            let begun = Instant::now();
            let passed = catch_unwind(AssertUnwindSafe(|| body(&lab)())).is_ok();
            let how = if passed { "ok" } else { "FAILED" };
            crate::harness::say(&format!("real {name}: {how} in {} s", begun.elapsed().as_secs()));
            if !passed {
                failed.lock().unwrap().push(*name);
            }
        }
    };
    thread::scope(|scope| (0..AT_ONCE).for_each(|_| drop(scope.spawn(work))));
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "failed: {failed:?}");
}

/// A minute on the test's own server.
#[test]
#[ignore = "takes more than a minute"]
fn time_limit_fake() {
    time_limit(&SkyLab::fake().patient())();
}

/// A server of SkyPilot 0.11: files go the older way, an array in single requests.
#[test]
fn an_older_server() {
    let lab = SkyLab::fake();
    lab.server().set(|s| s.api_version = 30);
    let checks = [work_directory(&lab), a_signal_reaches_a_trap(&lab), array(&lab)];
    checks.into_iter().for_each(|check| check());
    // The same directory again: nothing is sent, until the server has lost it.
    let at = lab.place("tree");
    let job = || {
        let job = at.sbatch("-o /dev/null --wrap 'cat link'");
        lab.until_accounted(job, "COMPLETED|0:0");
        lab.server().requests("/upload").len()
    };
    let sent = job();
    assert_eq!(job(), sent);
    lab.server().lose_files();
    assert_eq!(job(), sent + 1);
    assert!(lab.server().requests("/upload_v2").is_empty());
    assert!(lab.server().requests("/jobs/launch").iter().all(|r| !r.body.windows(8).any(|w| w == b"num_jobs")));
}

fn output_is_exact(lab: &SkyLab) -> Check<'_> {
    let at = lab.place("single");
    // Blanks, a carriage return, an escape, what looks like a framing line, no end of line.
    let text =
        "  a\\tb \\n\\rc\\r\\n\\n\\033[36m(x, pid=1)\\033[0m d\\n├── Job finished (status: FAILED).\\n\\303\\244 end";
    let job = at.submit("-J single", &format!("printf '{text}'"));
    Box::new(move || {
        at.lab.until_accounted(job, "COMPLETED|0:0");
        let wanted = "  a\tb \n\rc\r\n\n\x1b[36m(x, pid=1)\x1b[0m d\n├── Job finished (status: FAILED).\nä end";
        assert_eq!(at.read(&format!("slurm-{job}.out")), wanted);
    })
}

fn two_nodes(lab: &SkyLab) -> Check<'_> {
    let at = lab.place("two");
    let job = at.submit(
        "-N2 --ntasks-per-node=2",
        "echo script $SLURM_NNODES $SLURM_NODEID $SLURM_NTASKS\nsrun -N2 -n2 hostname | sort > names\n\
         scontrol show hostnames | sort | cmp - names && echo same\n\
         for n in $(scontrol show hostnames); do getent hosts $n > a && echo found; done\n\
         srun -N2 -n2 bash -c 'for n in $(scontrol show hostnames); do getent hosts $n > /dev/null && echo there; done'\n\
         srun bash -c 'echo task $SLURM_PROCID of $SLURM_NTASKS' | sort",
    );
    Box::new(move || {
        at.lab.until_accounted(job, "COMPLETED|0:0");
        let wanted = "script 2 0 4\nsame\nfound\nfound\nthere\nthere\nthere\nthere\ntask 0 of 4\ntask 1 of 4\ntask 2 of 4\ntask 3 of 4\n";
        assert_eq!(at.read(&format!("slurm-{job}.out")), wanted);
        let steps = at.sh(&format!("sacct -n -P -j {job} -o jobid,state,nnodes")).stdout;
        assert!(steps.contains(&format!("{job}.batch|COMPLETED|1\n{job}.0|COMPLETED|2\n")), "{steps}");
    })
}

fn array(lab: &SkyLab) -> Check<'_> {
    let at = lab.place("array");
    let times = "date +%s.%N";
    let job = at.submit(
        "--array=1-15:2%3 -o out.%A_%a",
        &format!(
            "echo $SLURM_ARRAY_JOB_ID $SLURM_ARRAY_TASK_ID $SLURM_ARRAY_TASK_COUNT $SLURM_ARRAY_TASK_MIN \
             $SLURM_ARRAY_TASK_MAX $SLURM_ARRAY_TASK_STEP $SLURM_JOB_ID\n{times}\nsleep 0.3\n{times}"
        ),
    );
    Box::new(move || {
        let mut most = 0;
        at.lab.until_true("the end of the array", || {
            let running = at.sh(&format!("squeue -h -r -j {job} -t R,CF,CG -o %i")).stdout.lines().count();
            most = most.max(running);
            at.sh(&format!("sacct -X -n -P -j {job} -o state")).stdout.matches("COMPLETED").count() == 8
        });
        assert!(most <= 3, "{most} elements at once");
        let (mut spans, mut ids) = (Vec::new(), Vec::new());
        for index in (1..=15).step_by(2) {
            let text = at.read(&format!("out.{job}_{index}"));
            let mut lines = text.lines();
            let first = lines.next().unwrap_or_default();
            let (told, id) = first.rsplit_once(' ').unwrap_or_default();
            assert_eq!(told, format!("{job} {index} 8 1 15 2"), "{text}");
            ids.push(id.to_owned());
            let time = |l: Option<&str>| l.and_then(|l| l.parse::<f64>().ok()).unwrap_or_else(|| panic!("{text}"));
            spans.push((time(lines.next()), time(lines.next())));
            assert_eq!(lines.next(), None, "{text}");
        }
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 8);
        let at_once = |t: f64| spans.iter().filter(|(from, to)| *from <= t && t < *to).count();
        assert!(spans.iter().all(|(from, _)| at_once(*from) <= 3), "{spans:?}");
    })
}

fn exit_codes(lab: &SkyLab) -> Check<'_> {
    let at = lab.place("codes");
    let three = at.sbatch("-o 3.out --wrap 'echo three; exit 3'");
    let killed = at.sbatch("-o 9.out --wrap 'echo nine; kill -9 $$'");
    let step = at.sbatch("-o step.out --wrap 'srun bash -c \"exit 7\"; echo $?'");
    Box::new(move || {
        at.lab.until_accounted(three, "FAILED|3:0");
        at.lab.until_accounted(killed, "FAILED|0:9");
        at.lab.until_accounted(step, "COMPLETED|0:0");
        assert_eq!((at.read("3.out").as_str(), at.read("9.out").as_str()), ("three\n", "nine\n"));
        assert!(at.read("step.out").ends_with("\n7\n"), "{}", at.read("step.out"));
        at.lab.until(&format!("sacct -n -P -j {step} -o jobid,exitcode | tail -1"), &format!("{step}.0|7:0"));
    })
}

fn cancel(lab: &SkyLab) -> Check<'_> {
    let at = lab.place("cancel");
    let held = at.sbatch("--hold -o held.out --wrap 'echo never'");
    let early = at.sbatch("-o early.out --wrap 'echo early; sleep 3600'");
    at.sh(&format!("scancel {held} {early}")).ok();
    let running =
        at.sbatch("-o running.out --wrap 'trap \"echo told; exit 1\" TERM; echo up; sleep 3600 & wait; sleep 3600'");
    Box::new(move || {
        at.until_file("running.out", "up\n");
        at.sh(&format!("scancel {running}")).ok();
        for job in [held, early, running] {
            at.lab.until_accounted(job, &format!("CANCELLED by {}|0:0", nix::unistd::geteuid()));
            at.lab.until(&format!("squeue -h -j {job} | wc -l"), "0");
        }
        let text = at.read("running.out");
        assert!(text.starts_with("up\n") && text.contains(&format!("*** JOB {running} ON ")), "{text}");
        assert!(text.contains("CANCELLED AT "), "{text}");
        assert_eq!(at.read("held.out"), "");
    })
}

fn time_limit(lab: &SkyLab) -> Check<'_> {
    let at = lab.place("limit");
    let job = at.submit("-t 0:02 -o out", "echo up; sleep 3600");
    Box::new(move || {
        at.lab.until_accounted(job, "TIMEOUT|0:0");
        let text = at.read("out");
        assert!(text.starts_with("up\n") && text.contains(" DUE TO TIME LIMIT ***"), "{text}");
    })
}

fn requeue(lab: &SkyLab) -> Check<'_> {
    let at = lab.place("requeue");
    let job = at.submit(
        "--requeue --open-mode=append -o out",
        "echo run ${SLURM_RESTART_COUNT:-none}\n[ -n \"$SLURM_RESTART_COUNT\" ] || sleep 3600",
    );
    Box::new(move || {
        at.until_file("out", "run none\n");
        at.sh(&format!("scontrol requeue {job}")).ok();
        at.until_file("out", "run 1\n");
        at.lab.until(&format!("sacct -X -n -P -j {job} -o state,exitcode | tail -1"), "COMPLETED|0:0");
        assert_eq!(at.read("out").matches("run ").count(), 2, "{}", at.read("out"));
        let shown = at.sh(&format!("scontrol show job {job}")).stdout;
        assert!(shown.contains("Restarts=1"), "{shown}");
    })
}

fn stderr_apart(lab: &SkyLab) -> Check<'_> {
    let at = lab.place("stderr");
    let apart = at.submit(
        "-o a.out -e a.err",
        "for i in 1 2 3; do echo out $i; echo err $i >&2; done; srun bash -c 'echo so; echo se >&2'",
    );
    let merged = at.submit("-o m.out", "for i in 1 2 3; do echo out $i; echo err $i >&2; done");
    Box::new(move || {
        at.lab.until_accounted(apart, "COMPLETED|0:0");
        at.lab.until_accounted(merged, "COMPLETED|0:0");
        assert_eq!(at.read("a.out"), "out 1\nout 2\nout 3\nso\n");
        assert_eq!(at.read("a.err"), "err 1\nerr 2\nerr 3\nse\n");
        assert_eq!(at.read("m.out"), "out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n");
    })
}

fn large_output(lab: &SkyLab) -> Check<'_> {
    let at = lab.place("large");
    let job = at.submit(
        "-o large.bin -e large.sum",
        "openssl enc -aes-128-ctr -K 00 -iv 00 -in /dev/zero 2>/dev/null | head -c 50000000 | tee >(sha256sum >&2); sleep 0.2",
    );
    Box::new(move || {
        at.lab.until_accounted(job, "COMPLETED|0:0");
        let bytes = at.bytes("large.bin");
        assert_eq!(bytes.len(), 50_000_000);
        let sum: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(at.read("large.sum"), format!("{sum}  -\n"));
    })
}

fn work_directory(lab: &SkyLab) -> Check<'_> {
    let at = lab.place("tree");
    at.file("data/a b.txt", "data");
    at.file("tool", "#!/bin/bash\necho tool runs\n");
    at.file("skip/me", "no");
    at.file("x.tmp", "no");
    at.file(".skyignore", "skip/\n*.tmp\n");
    at.sh("chmod 755 tool; ln -s data/a\\ b.txt link; mkdir empty").ok();
    let job = at.submit("-o out", "cat 'data/a b.txt'; echo; ./tool; cat link; echo; ls -d empty skip x.tmp 2>&1 | wc -l; ls -d empty; basename \"$PWD\"; [ -x data/a\\ b.txt ] || echo plain; [ \"$SLURM_SUBMIT_DIR\" -ef . ] && echo here");
    let below = at.dir.join("data");
    let other =
        at.submit(&format!("-o {}/chdir.out -D {}", at.dir.display(), below.display()), "ls; echo $SLURM_SUBMIT_DIR");
    Box::new(move || {
        at.lab.until_accounted(job, "COMPLETED|0:0");
        at.lab.until_accounted(other, "COMPLETED|0:0");
        let text = at.read("out");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(&lines[..5], ["data", "tool runs", "data", "3", "empty"], "{text}");
        assert_eq!(&lines[6..], ["plain", "here"], "{text}");
        assert_eq!(at.read("chdir.out"), format!("a b.txt\n{}\n", at.dir.display()));
    })
}

/// What looks like a credential: it must arrive, and be seen nowhere on its way.
const SECRET: &str = "s3cr3t-0f-th1s-t3st";

fn environment(lab: &SkyLab) -> Check<'_> {
    let at = lab.place("env");
    let show = "for v in MINE OTHER ODD API_TOKEN; do echo \"$v=${!v-unset}\"; done; [ \"$HOME\" = \"$LABHOME\" ] || echo home; type -P srun > /dev/null && echo path; env | grep -c '^SLURM_JOB_ID=999$'; echo $SLURM_JOB_NODELIST | grep -c outer; echo ${SLURM_CPU_BIND-unset}";
    at.file("show.sh", format!("#!/bin/bash\n{show}\n"));
    let set = format!(
        "export MINE='a b' OTHER=o ODD=$'x\\ny\\'\"$' API_TOKEN={SECRET} LABHOME=$HOME PATH=$PATH:/nowhere; sbatch --parsable"
    );
    let submit = |rest: &str| -> u32 {
        let out = at.sh(&format!("{set} {rest} show.sh"));
        out.ok().trim().parse().unwrap()
    };
    let jobs = [
        (submit("-o all.out"), "all.out", format!("MINE=a b\nOTHER=o\nODD=x\ny'\"$\nAPI_TOKEN={SECRET}\n")),
        (
            submit("-o none.out --export=NONE"),
            "none.out",
            "MINE=unset\nOTHER=unset\nODD=unset\nAPI_TOKEN=unset\n".into(),
        ),
        (
            submit("-o some.out --export=MINE,OTHER=new"),
            "some.out",
            "MINE=a b\nOTHER=new\nODD=unset\nAPI_TOKEN=unset\n".into(),
        ),
        (
            submit("-o both.out --export=ALL,OTHER=new"),
            "both.out",
            format!("MINE=a b\nOTHER=new\nODD=x\ny'\"$\nAPI_TOKEN={SECRET}\n"),
        ),
    ];
    Box::new(move || {
        for (job, file, wanted) in jobs {
            at.lab.until_accounted(job, "COMPLETED|0:0");
            assert_eq!(at.read(file), format!("{wanted}home\npath\n0\n0\nunset\n"), "{file}");
        }
        if !at.lab.is_real() {
            // The job printed it, which is its own affair: in its output the secret may be seen.
            at.lab.server().assert_never_sent(SECRET);
        }
    })
}

fn a_signal_reaches_a_trap(lab: &SkyLab) -> Check<'_> {
    let at = lab.place("signal");
    let script = "trap 'echo usr1; exit 5' USR1; echo up; while :; do sleep 0.1; done";
    let job = at.submit("-o out", script);
    let early = at.submit("-o early.out --signal=B:USR1@30 -t 1", script);
    Box::new(move || {
        at.until_file("out", "up\n");
        at.sh(&format!("scancel --signal=USR1 --batch {job}")).ok();
        at.lab.until_accounted(job, "FAILED|5:0");
        assert_eq!(at.read("out"), "up\nusr1\n");
        at.lab.until_accounted(early, "FAILED|5:0");
        assert_eq!(at.read("early.out"), "up\nusr1\n");
    })
}

fn queries(lab: &SkyLab) -> Check<'_> {
    let at = lab.place("queries");
    let job = at.submit("-J asks -o out -n2 -t 10", "echo up; sleep 3600");
    Box::new(move || {
        at.until_file("out", "up\n");
        at.lab.until_state(job, "RUNNING");
        let line = at.sh(&format!("squeue -h -j {job} -o '%i|%P|%j|%t|%D|%C|%l'")).stdout;
        assert_eq!(line, format!("{job}|sky|asks|R|1|2|10:00\n"));
        let shown = at.sh(&format!("scontrol show job {job}")).stdout;
        for part in ["Partition=sky", "JobState=RUNNING", "NumNodes=1", "NumCPUs=2", "TimeLimit=00:10:00", "BatchHost="]
        {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        at.lab.until("sinfo -h -p sky -N -o %N | sort", "n1\nn2\nn3");
        assert_eq!(at.sh("sinfo -h -p sky -o '%P %a'").stdout.lines().next(), Some("sky* up"));
        let test = at.sh("sbatch --test-only --wrap true");
        assert!(test.code == 0 && test.stderr.contains("in partition sky"), "{test:?}");
        let large = at.sh("sbatch --test-only -c 4000 --wrap true");
        assert_eq!(large.code, 1, "{large:?}");
        at.sh(&format!("scancel {job}")).ok();
        at.lab.until_accounted(job, &format!("CANCELLED by {}|0:0", nix::unistd::geteuid()));
    })
}

fn into_a_running_job(lab: &SkyLab) -> Check<'_> {
    let at = lab.place("into");
    let step = "echo up; until [ -e end ]; do sleep 0.2; done; echo seen";
    let job = at.submit("-N2 -o out", &format!("srun -N1 -n1 bash -c '{step}'; srun -N1 -n1 sleep 3600; echo step $?"));
    Box::new(move || {
        at.until_file("out", "up\n");
        at.lab.until_state(job, "RUNNING");
        let begun = Instant::now();
        let line = "srun --overlap -N2 -l bash -c 'echo $SLURM_JOB_ID $SLURM_NODEID' | sort";
        let inside = at.sh(&line.replace("srun", &format!("srun --jobid={job}")));
        assert_eq!(inside.stdout, format!("0: {job} 0\n1: {job} 1\n"), "{inside:?}");
        crate::harness::say(&format!("into a running job: {} ms", begun.elapsed().as_millis()));
        assert!(at.sh(&format!("sstat -n -P -o jobid,ntasks {job}.0")).ok().starts_with(&format!("{job}.0|1")));
        assert!(at.sh(&format!("scontrol listpids {job}.0")).ok().contains(&format!(" {job} ")));
        at.file("brought", "to the nodes");
        at.sh(&format!("sbcast -f -j {job} brought /tmp/skyslurm-brought-{job}")).ok();
        let there = format!("srun --jobid={job} --overlap -N2 bash -c 'cat /tmp/skyslurm-brought-{job}; echo'");
        assert_eq!(at.sh(&there).ok(), "to the nodes\nto the nodes\n");
        at.sh(&format!("rm -f /tmp/skyslurm-brought-{job}"));
        let mut watching = at.lab.command("sattach");
        let watching = watching.arg(format!("{job}.0")).current_dir(&at.dir).stdout(Stdio::piped()).spawn().unwrap();
        at.sh(&format!("srun --jobid={job} --overlap -N1 -n1 bash -c 'touch end'")).ok();
        let watched = watching.wait_with_output().unwrap();
        assert!(watched.status.success() && watched.stdout.ends_with(b"seen\n"), "{watched:?}");
        at.lab.until_true("step 1 or later", || {
            at.sh(&format!("squeue -h -s -j {job} -o %i,%j")).stdout.contains("sleep")
        });
        let steps = at.sh(&format!("squeue -h -s -j {job} -o %i,%j")).stdout;
        let step = steps.lines().find_map(|line| line.strip_suffix(",sleep")).unwrap().to_owned();
        at.sh(&format!("scancel {step}")).ok();
        at.until_file("out", "step ");
        at.lab.until_accounted(job, "COMPLETED|0:0");
    })
}

fn inside(lab: &SkyLab) -> Check<'_> {
    let at = lab.place("inside");
    at.file("data", "there\n");
    // On the second node as on the first; what is submitted runs where this was; and the usual end of a training run.
    let script = "squeue -h -j $SLURM_JOB_ID -o '%i %t %D'\n\
        [ -n \"$SLURM_RESTART_COUNT\" ] && exit\n\
        squeue --me -n first -h -o %j\nlast=$(scontrol show hostnames | tail -n 1)\n\
        srun -N1 -n1 -w $last squeue -h -j $SLURM_JOB_ID -o %j\n\
        sbatch --parsable -J next -o next.out --wrap 'cat data; echo $EPOCH'\n\
        export EPOCH=3; sbatch --parsable -J next -d singleton -o more.out --wrap 'pwd -P | wc -l; echo $EPOCH'\n\
        (cd / && sbatch --wrap true) 2>&1; echo $?; salloc -n1 true 2>&1; echo $?\n\
        scontrol update job $SLURM_JOB_ID comment=deep; scontrol show job $SLURM_JOB_ID | grep -o 'Comment=[a-z]*'\n\
        scontrol requeue $SLURM_JOB_ID; sleep 3600";
    let job = at.submit("-J first -N2 --ntasks-per-node=1 --requeue --open-mode=append -o out", script);
    Box::new(move || {
        at.lab.until(&format!("sacct -X -n -P -j {job} -o state,exitcode | tail -1"), "COMPLETED|0:0");
        let text = at.read("out");
        let ids: Vec<u32> = text.lines().filter_map(|line| line.parse().ok()).take(2).collect();
        let [next, more] = ids[..] else { panic!("{text}") };
        at.lab.until_accounted(next, "COMPLETED|0:0");
        at.lab.until_accounted(more, "COMPLETED|0:0");
        let dir = at.dir.display();
        let told = format!(
            "{job} R 2\nfirst\nfirst\n{next}\n{more}\n\
             sbatch: error: / is a directory of this node alone: submit from the job's directory ({dir})\n\
             sbatch: error: Batch job submission failed: Requested operation not supported on this system\n1\n"
        );
        assert!(text.starts_with(&told), "{text}");
        let rest = text.get(told.len()..).unwrap_or_default();
        assert!(rest.contains("could not be reached from there: use sbatch\n"), "{text}");
        assert!(rest.contains("\n1\nComment=deep\n"), "{text}");
        assert!(rest.ends_with(&format!("{job} R 2\n")), "{text}");
        assert_eq!((at.read("next.out"), at.read("more.out")), ("there\n\n".into(), "1\n3\n".into()));
        let parents = at.sh(&format!("sacct -X -n -P -D -j {job} -o state")).stdout;
        assert_eq!(parents.lines().count(), 2, "{parents}");
        assert_eq!(at.sh("sacct -X -n -a -S now-1day --name first,next -o jobid").stdout.lines().count(), 3);
    })
}

fn het(lab: &SkyLab) -> Check<'_> {
    let at = lab.place("het");
    at.file("data", "there as well\n");
    let show = "echo $SLURM_PROCID of $SLURM_NTASKS, on $SLURM_NODEID of $SLURM_NNODES";
    let job = at.submit(
        "-n2 -o out : -N2 --ntasks-per-node=1",
        &format!(
            "echo $SLURM_HET_SIZE $SLURM_JOB_ID_HET_GROUP_1 $SLURM_NTASKS $SLURM_NTASKS_HET_GROUP_1 $SLURM_JOB_NUM_NODES_HET_GROUP_1\n\
             srun -l --het-group=0,1 bash -c '{show}' | sort\n\
             srun -n1 bash -c '{show}; cat data' : -n2 true\n\
             for group in $SLURM_JOB_NODELIST_HET_GROUP_0 $SLURM_JOB_NODELIST_HET_GROUP_1; do\n\
             for n in $(scontrol show hostnames $group); do getent hosts $n > /dev/null && echo found; done; done\n\
             srun --het-group=1 bash -c 'getent hosts '$SLURMD_NODENAME' > /dev/null && echo there; exit $((SLURM_PROCID * 3))'",
        ),
    );
    Box::new(move || {
        at.lab.until_accounted(job, "FAILED|3:0\nFAILED|3:0");
        let wanted = format!(
            "2 {} 2 2 2\n0: 0 of 4, on 0 of 3\n1: 1 of 4, on 0 of 3\n2: 2 of 4, on 1 of 3\n3: 3 of 4, on 2 of 3\n\
             0 of 3, on 0 of 3\nthere as well\nfound\nfound\nfound\nthere\nthere\n",
            job + 1
        );
        let out = at.read("out");
        let said: Vec<&str> = out.lines().filter(|line| !line.starts_with("srun: error: ")).collect();
        assert_eq!(said.join("\n") + "\n", wanted, "{out}");
        let steps = at.sh(&format!("sacct -n -P -j {job} -o jobid,state,nnodes")).stdout;
        let of = |component: u32, nodes: u32| {
            format!("{job}+{component}.0|COMPLETED|{nodes}\n{job}+{component}.1|COMPLETED|{nodes}\n")
        };
        assert!(steps.contains(&of(0, 1)) && steps.contains(&of(1, 2)), "{steps}");
    })
}

fn allocation(lab: &SkyLab) -> Check<'_> {
    let at = lab.place("allocation");
    at.file("data", "there");
    Box::new(move || {
        let work = "echo $SLURM_JOB_ID; squeue -h -j $SLURM_JOB_ID -o \"%t %D\"; srun -l cat data; srun -n1 -N1 bash -c \"exit 5\"";
        let out = at.sh(&format!("salloc -N2 --ntasks-per-node=1 bash -c '{work}'"));
        let lines: Vec<&str> = out.stdout.lines().collect();
        let [job, state, there @ ..] = lines.as_slice() else { panic!("{out:?}") };
        assert_eq!((out.code, *state, there.len()), (5, "R 2", 2), "{out:?}");
        assert!(there.contains(&"0: there") && there.contains(&"1: there"), "{out:?}");
        assert!(out.stderr.contains(&format!("salloc: Granted job allocation {job}\n")), "{out:?}");
        assert!(out.stderr.ends_with(&format!("salloc: Relinquishing job allocation {job}\n")), "{out:?}");
        at.lab.until_accounted(job, "FAILED|5:0");
        let steps = at.sh(&format!("sacct -n -P -j {job} -o jobid,state,exitcode")).stdout;
        assert_eq!(steps, format!("{job}|FAILED|5:0\n{job}.0|COMPLETED|0:0\n{job}.1|FAILED|5:0\n"));
    })
}

fn het_allocation(lab: &SkyLab) -> Check<'_> {
    let at = lab.place("het-allocation");
    at.file("data", "there\n");
    Box::new(move || {
        let work = "echo $SLURM_JOB_ID; squeue -h -S i -j $SLURM_JOB_ID -o \"%i %t %D\"; srun -l --het-group=0,1 cat data | sort; \
                    srun -l echo a : -n1 bash -c \"echo b; exit 5\"";
        let out = at.sh(&format!("salloc -n1 : -n2 bash -c '{work}'"));
        let job = out.stdout.lines().next().unwrap_or_default();
        let told = format!("{job}\n{job}+0 R 1\n{job}+1 R 1\n0: there\n1: there\n2: there\n");
        let said = out.stdout.strip_prefix(&told).map(|rest| rest.split_inclusive('\n').collect::<BTreeSet<_>>());
        assert_eq!((out.code, said), (5, Some(BTreeSet::from(["0: a\n", "1: b\n"]))), "{out:?}");
        at.lab.until_accounted(job, "FAILED|5:0\nFAILED|5:0");
        let steps = at.sh(&format!("sacct -n -P -j {job} -o jobid,state,exitcode | grep '[.]'")).stdout;
        let of =
            |component: u32, second: &str| format!("{job}+{component}.0|COMPLETED|0:0\n{job}+{component}.1|{second}\n");
        assert_eq!(steps, of(0, "COMPLETED|0:0") + &of(1, "FAILED|5:0"));
    })
}

fn without_a_shell(lab: &SkyLab) -> Check<'_> {
    let at = lab.place("no-shell");
    let name = "kept";
    let salloc = lab.command("salloc").args(["-Q", "--no-shell", "-J", name]).current_dir(&at.dir).spawn().unwrap();
    Box::new(move || {
        let mut salloc = salloc;
        assert!(salloc.wait().unwrap().success());
        let job = at.sh(&format!("squeue -h -n {name} -o %i")).stdout.trim().to_owned();
        let srun = format!("srun --jobid={job} bash -c 'echo in $SLURM_JOB_ID'");
        let wanted = format!("in {job}\n");
        assert_eq!(at.sh(&srun).ok(), wanted);
        // It does not need the controller, nor does the next one need to be told of it.
        at.lab.kill_controller();
        assert_eq!(at.sh(&srun).ok(), wanted);
        at.sh(&format!("scancel {job}")).ok();
        at.lab.until_accounted(&job, &format!("CANCELLED by {}|0:0", nix::unistd::geteuid()));
    })
}
