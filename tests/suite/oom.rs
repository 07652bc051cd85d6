//! What the kernel kills for want of memory.

use crate::harness::{Lab, ONE, skip};
use std::{fs, path::PathBuf, thread, time::Duration};

/// A cgroup with little memory. Dropping it removes it: nothing may be left in it then.
struct Cgroup(PathBuf);

impl Cgroup {
    /// `None` where the kernel, or whoever made this container, does not allow it.
    fn new(bytes: u64) -> Option<Self> {
        let name = format!("skyslurm-test-{}", std::process::id());
        let version_1 = ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"];
        let version_2 = ["memory.max", "memory.swap.max"];
        let places = [("/sys/fs/cgroup/memory", version_1), ("/sys/fs/cgroup", version_2)];
        places.into_iter().find_map(|(hierarchy, [memory, swap])| {
            let dir = PathBuf::from(hierarchy).join(&name);
            fs::create_dir(&dir).ok()?;
            let cgroup = Self(dir);
            fs::write(cgroup.0.join(memory), bytes.to_string()).ok()?;
            // Where swap is not counted there is none, or the test takes it for memory.
            let _ = fs::write(cgroup.0.join(swap), if hierarchy.ends_with("memory") { bytes } else { 0 }.to_string());
            Some(cgroup)
        })
    }

    /// A line of shell that runs in it.
    fn line(&self, line: &str) -> String {
        format!("echo $$ > {}/cgroup.procs && {line}", self.0.display())
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        for _ in 0..500 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(10)); // what was killed is on its way out
        }
        assert!(thread::panicking(), "{} is left", self.0.display());
    }
}

/// Takes more memory than there is, and is what the kernel kills for it.
const HOG: &str = "#!/bin/bash
echo 1000 > /proc/self/oom_score_adj
head -c 600M /dev/zero | tail > hogged
";

fn detected(kills: &str, step: &str) -> String {
    format!("slurmstepd: error: Detected {kills} in StepId={step}. Some of the step tasks have been OOM Killed.\n")
}

#[test]
fn what_the_kernel_kills_is_out_of_memory() {
    let Some(cgroup) = Cgroup::new(300 << 20) else {
        return skip("no cgroup with little memory can be made here");
    };
    let lab = Lab::new(&format!("{ONE}enforce_memory = false\n"));
    lab.file("hog", HOG);
    lab.sh(&cgroup.line("exec skyslurm controller start")).ok();
    let controller = lab.controller();
    // The records of a job, without its number.
    let states = |job: u32| {
        let records = lab.sh(&format!("sacct -n -P -j {job} -o jobid,state,exitcode,derivedexitcode"));
        let number = job.to_string();
        let lines = records.ok().lines().map(|line| line.strip_prefix(&number).unwrap().to_owned());
        lines.collect::<Vec<_>>()
    };

    let batch = lab.submit("--requeue -o batch hog");
    lab.until_state(batch, "OUT_OF_MEMORY");
    assert_eq!(states(batch), ["|OUT_OF_MEMORY|0:125|0:0", ".batch|OUT_OF_MEMORY|0:125|"]);
    assert!(
        lab.read("batch").ends_with(&detected("1 oom_kill event", &format!("{batch}.batch"))),
        "{}",
        lab.read("batch")
    );
    let shown = lab.sh(&format!("scontrol show job {batch}"));
    for wanted in ["JobState=OUT_OF_MEMORY Reason=OutOfMemory ", " Restarts=0 ", " ExitCode=0:125"] {
        assert!(shown.ok().contains(wanted), "{wanted}: {shown:#?}");
    }
    assert_eq!(lab.sh(&format!("squeue -h -t all -j {batch} -o '%t %r'")).ok(), "OOM OutOfMemory\n");

    // The script is not what was killed: as in Slurm the job ends as it does.
    let step = lab.submit("-o step --wrap 'srun bash ./hog; echo srun $?'");
    lab.until_state(step, "COMPLETED");
    assert_eq!(states(step), ["|COMPLETED|0:0|0:125", ".batch|COMPLETED|0:0|", ".0|OUT_OF_MEMORY|0:125|"]);
    let said = format!(
        "{}srun: error: solo: task 0: Out Of Memory\nsrun 1\n",
        detected("1 oom_kill event", &format!("{step}.0"))
    );
    assert!(lab.read("step").ends_with(&said), "{}", lab.read("step"));

    // Tasks that end afterwards have nothing to say any more; and who is killed by hand after it has its memory.
    let several =
        "srun -n2 bash -c '[ $SLURM_PROCID = 1 ] && exec bash ./hog; until [ -e go ]; do sleep 0.05; done; exit 7'";
    lab.file(
        "several",
        format!(
            "#!/bin/bash\n{several}\necho srun $?\nsrun -n2 bash ./hog\nsrun -n1 bash -c 'kill -9 $$'\nkill -9 $$\n"
        ),
    );
    let several = lab.submit("-n2 -o several.out several");
    lab.until_file("several.out", "task 1: Out Of Memory");
    lab.file("go", "");
    lab.until_state(several, "FAILED");
    assert_eq!(
        states(several),
        [
            "|FAILED|0:9|0:125",
            ".batch|CANCELLED|0:9|",
            ".0|OUT_OF_MEMORY|0:125|",
            ".1|OUT_OF_MEMORY|0:125|",
            ".2|CANCELLED|0:9|"
        ]
    );
    let said = lab.read("several.out");
    assert!(said.contains("srun 1\n") && said.contains("srun: error: solo: task 0: Killed\n"), "{said}");
    assert_eq!((said.matches("Out Of Memory").count(), said.matches("Detected").count()), (2, 2), "{said}");

    // The same agent as on nodes that SkyPilot makes.
    let node = "SKYPILOT_NUM_NODES=1 SKYPILOT_NODE_RANK=0 SKYPILOT_NODE_IPS=127.0.0.1 SKYPILOT_TASK_ID=oom";
    let kept = lab.sh(&cgroup.line(&format!("{node} exec skyslurm agent run hog")));
    assert!(kept.fails(1).contains("Detected 1 oom_kill event in StepId="), "{kept:#?}");

    let next = lab.submit("-o next --wrap 'srun echo fine'");
    lab.until_state(next, "COMPLETED");
    assert_eq!(lab.read("next"), "fine\n");
    assert_eq!(lab.controller(), controller, "the controller is what was killed");
}

/// A cgroup is not needed: the agents look themselves. 100 MiB a CPU is the default of the configuration.
#[test]
fn a_job_that_takes_more_memory_than_it_has_is_out_of_memory() {
    let lab = Lab::new(ONE);
    lab.file(
        "hog",
        "#!/bin/bash\npython3 -c 'import time; b = bytearray(b\"x\") * ('${1-250}' << 20); time.sleep('${2-3600}')'\n",
    );
    let batch = lab.submit("--requeue -o batch hog");
    let goes_on = lab.submit("-o goes_on --wrap 'bash ./hog; echo went on'");
    lab.until_accounted(batch, "OUT_OF_MEMORY|0:125");
    assert!(
        lab.read("batch").ends_with(&detected("1 oom_kill event", &format!("{batch}.batch"))),
        "{}",
        lab.read("batch")
    );
    // As with a cgroup: what was killed counts, whatever the script makes of it.
    lab.until_accounted(goes_on, "OUT_OF_MEMORY|0:125");
    assert!(lab.read("goes_on").contains("went on\n"), "{}", lab.read("goes_on"));

    // A step is killed, and the script goes on; a step with memory of its own has no more than that.
    lab.file("steps", "#!/bin/bash\nsrun -n1 bash ./hog\necho first $?\nsrun -n1 --mem=50 bash ./hog 90\necho second $?\nsrun -n1 bash ./hog 90 1\necho third $?\n");
    let steps = lab.submit("-n1 --mem=150 -o steps.out steps");
    lab.until_accounted(steps, "COMPLETED|0:0");
    let said = lab.read("steps.out");
    for step in 0..2 {
        assert!(said.contains(&detected("1 oom_kill event", &format!("{steps}.{step}"))), "{said}");
    }
    assert!(said.contains("first 1\n") && said.contains("second 1\n") && said.ends_with("third 0\n"), "{said}");
    assert_eq!(said.matches("solo: task 0: Out Of Memory").count(), 2, "{said}");
    assert_eq!(
        lab.sh(&format!("sacct -n -P -j {steps} -o jobid,state,exitcode | tail -n 3")).ok(),
        format!("{steps}.0|OUT_OF_MEMORY|0:125\n{steps}.1|OUT_OF_MEMORY|0:125\n{steps}.2|COMPLETED|0:0\n")
    );

    // Workers that share what they have take it once.
    lab.file(
        "shares",
        "import os, time\nb = bytearray(b'x') * (60 << 20)\nos.fork(); os.fork()\ntime.sleep(4)\nprint(len(b))\n",
    );
    let shares = lab.submit("-n1 -o shares.out --wrap 'exec python3 shares'");
    lab.until_accounted(shares, "COMPLETED|0:0");
    lab.sh("skyslurm controller stop").ok();
    fs::write(lab.config(), format!("{ONE}enforce_memory = false\n")).unwrap();
    let free = lab.submit("-n1 -o free hog 250 1");
    lab.until_accounted(free, "COMPLETED|0:0");
}
