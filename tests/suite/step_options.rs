//! What srun's options do to a step: its time, what runs around it and its tasks, where these are bound.

use crate::harness::{FOUR, Lab, ONE, RECORDED};
use std::{
    os::unix::fs::PermissionsExt,
    time::{Duration, Instant},
};

/// What a batch script prints that runs this.
#[track_caller]
fn job(lab: &Lab, options: &str, script: &str) -> String {
    lab.file("x.sh", format!("#!/bin/bash\n{script}\n"));
    let out = lab.sh(&format!("sbatch --wait -Q -o out {options} x.sh"));
    assert!(out.stderr.is_empty(), "{out:?}");
    lab.read("out")
}

/// A script in the work directory that can be executed.
fn program(lab: &Lab, name: &str, script: &str) {
    let path = lab.file(name, format!("#!/bin/bash\n{script}\n"));
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Steps of a state, as sacct tells of them.
fn steps(lab: &Lab, format: &str) -> String {
    lab.sh(&format!("sacct -n -P -o jobid,{format} | grep -E '\\.[0-9]'")).stdout
}

/// The smallest limit is a minute.
#[test]
fn a_step_ends_at_its_time_limit() {
    let lab = Lab::new(FOUR);
    let start = Instant::now();
    lab.file("x.sh", "#!/bin/bash\nsrun -t 0:30 sleep 3600; echo rc $?\n");
    let obeys = lab.submit("-N2 -n2 -o obeys x.sh");
    lab.file(
        "y.sh",
        "#!/bin/bash\nSLURM_TIMELIMIT=1 srun bash -c 'trap \"exit 3\" TERM; while :; do sleep 0.05; done'\n",
    );
    let own = lab.submit("-n1 -o own y.sh");
    let until = Instant::now() + Duration::from_secs(100);
    while !lab.sh("squeue -h").stdout.is_empty() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(start.elapsed() >= Duration::from_secs(60), "too early: {:?}", start.elapsed());
    let said = lab.read("obeys");
    let line = format!("slurmstepd: error: *** STEP {obeys}.0 ON node1 CANCELLED AT ");
    assert!(said.starts_with(&line) && said.contains(" DUE TO TIME LIMIT ***\n"), "{said}");
    assert!(!said.contains("aborted") && said.contains("srun: error: node1: task 0: Terminated\n"), "{said}");
    assert!(said.ends_with(&format!("srun: Force Terminated StepId={obeys}.0\nrc 143\n")), "{said}");
    assert!(lab.read("own").contains("srun: error: node1: task 0: Exited with exit code 3\n"), "{}", lab.read("own"));
    let expected = format!("{obeys}.0|TIMEOUT|0:15\n{own}.0|TIMEOUT|3:0\n");
    assert_eq!(steps(&lab, "state,exitcode"), expected);
    assert_eq!(lab.sh("sacct -n -X -P -o state").ok(), "COMPLETED\nFAILED\n");
}

#[test]
fn a_prolog_of_the_task_changes_what_it_finds() {
    let lab = Lab::new(FOUR);
    program(
        &lab,
        "tp",
        "echo \"print prolog of $SLURM_PROCID in $SLURM_SCRIPT_CONTEXT\"\necho 'export FOO=from prolog'\necho unset BAR\necho nonsense\necho noise >&2\necho $SLURM_TASK_PID $$ > pids.$SLURM_PROCID",
    );
    program(
        &lab,
        "te",
        "echo unheard; echo \"epilog of $SLURM_PROCID, $FOO\" >&2; echo $SLURM_TASK_PID >> pids.$SLURM_PROCID",
    );
    let script = "export BAR=1\nsrun -l --task-prolog=$PWD/tp --task-epilog=$PWD/te bash -c 'echo task $FOO$BAR; echo $$ >> pids.$SLURM_PROCID' 2>&1 | sort";
    assert_eq!(
        job(&lab, "-N2 -n2", script),
        "0: epilog of 0, \n0: prolog of 0 in prolog_task\n0: task from prolog\n1: epilog of 1, \n1: prolog of 1 in prolog_task\n1: task from prolog\n"
    );
    for task in ["pids.0", "pids.1"] {
        let text = lab.read(task);
        let pids: Vec<&str> = text.split_whitespace().collect();
        assert!(pids.len() == 4 && pids[0] == pids[2] && pids[0] == pids[3] && pids[0] != pids[1], "{pids:?}");
    }
    assert_eq!(steps(&lab, "state,exitcode"), "1.0|COMPLETED|0:0\n");
}

#[test]
fn programs_around_a_task_that_fail_are_said() {
    let lab = Lab::new(ONE);
    program(&lab, "nine", "exit 9");
    let out = job(
        &lab,
        "-n2",
        "srun --task-prolog=$PWD/nine echo no; echo rc $?\nsrun -n1 --task-prolog=nine echo no; echo rc $?\n\
         srun -n1 --task-prolog=/no/such echo no; echo rc $?\nsrun -n1 --task-epilog=$PWD/nine bash -c 'echo yes; exit 4'; echo rc $?\n\
         srun -n1 --task-epilog=none echo yes; echo rc $?",
    );
    let said = "slurmstepd: error: --task-prolog failed status=9\n";
    assert_eq!(out.matches(said).count(), 2, "{out}");
    for part in [
        "srun: error: solo: tasks 0-1: Exited with exit code 9\nrc 9\n",
        "slurmstepd: error: run_command: user task_prolog is not fully qualified pathname (nine)\n\
         slurmstepd: error: user task_prolog did not exit normally. reason: Run command failed - configuration error\n\
         slurmstepd: error: --task-prolog failed status=1\nsrun: error: solo: task 0: Exited with exit code 1\nrc 1\n",
        "run_command: user task_prolog can not be executed (/no/such) No such file or directory\n",
        "yes\nslurmstepd: error: TaskEpilog failed status=2304\nsrun: error: solo: task 0: Exited with exit code 4\nrc 4\n",
        "slurmstepd: error: Could not run user task_epilog [none]: access denied\nslurmstepd: error: TaskEpilog failed status=-1\n",
    ] {
        // Which of two tasks of a node ends first is theirs to say.
        let part = part.trim_start_matches("srun: error: solo: tasks 0-1: Exited with exit code 9\n");
        assert!(out.contains(part), "{part:?} is not in {out}");
    }
    assert!(out.ends_with("rc 0\n") && !out.contains("no\n"), "{out}");
}

#[test]
fn a_long_epilog_of_a_task_is_killed() {
    let lab = Lab::new(ONE);
    program(&lab, "te", "sleep 3600");
    let out = job(&lab, "-n1", "srun --task-epilog=$PWD/te echo task; echo rc $?");
    assert_eq!(out, "task\nslurmstepd: error: TaskEpilog failed status=9\nrc 0\n");
}

#[test]
fn srun_runs_programs_around_the_step() {
    let lab = Lab::new(FOUR);
    program(&lab, "pr", "echo \"prolog $SLURM_STEP_ID $SLURM_NTASKS $SLURM_TASKS_PER_NODE $SLURM_SCRIPT_CONTEXT: $*\"");
    program(&lab, "ep", "echo \"epilog $SLURM_STEP_ID $SLURM_SCRIPT_CONTEXT: $*\"; exit 6");
    program(&lab, "five", "exit 5");
    let out = job(
        &lab,
        "-N2",
        "srun --prolog=pr --epilog=$PWD/ep echo task; echo rc $?\nSLURM_PROLOG=none srun -N1 --epilog=/no/such echo task",
    );
    assert_eq!(
        out,
        "prolog 0 2 1(x2) prolog_srun: echo task\ntask\ntask\nepilog 0 epilog_srun: echo task\n\
         srun: error: srun epilog failed status=6\nrc 0\ntask\nsrun: Access denied for /no/such: No such file or directory\n"
    );
    let out = job(&lab, "-N2", "srun --prolog=five --epilog=ep touch started; echo rc $?; srun echo next");
    let (cancelled, others): (Vec<&str>, Vec<&str>) =
        out.lines().partition(|l| l.starts_with("slurmstepd: error: *** STEP 2.0 ON"));
    assert_eq!(cancelled.len(), 1, "{out}");
    assert_eq!(
        others.join("\n") + "\n",
        "srun: error: srun prolog failed rc = 5. Aborting step.\n\
         srun: StepId=2.0 aborted before step completely launched.\n\
         srun: Job step aborted: Waiting up to 3 seconds for job step to finish.\n\
         epilog 0 epilog_srun: touch started\nsrun: error: srun epilog failed status=6\nrc 1\nnext\nnext\n"
    );
    assert!(!lab.work().join("started").exists());
    assert_eq!(steps(&lab, "state,exitcode").lines().nth(2), Some("2.0|FAILED|1:0"));
}

#[test]
fn tasks_are_bound_to_cpus() {
    let lab = Lab::new(ONE);
    let show = "bash -c 'echo $SLURM_CPU_BIND'";
    let cpus = std::thread::available_parallelism().unwrap().get();
    let out =
        job(&lab, "-n2", &format!("srun -l --cpu-bind=verbose,rank {show} 2>&1 | sed 's/\\[[0-9]*\\]/[P]/' | sort"));
    if cpus > 1 {
        assert_eq!(
            out,
            "0: cpu-bind=RANK - solo, task  0  0 [P]: mask 0x1 set\n0: verbose,rank\n\
             1: cpu-bind=RANK - solo, task  1  1 [P]: mask 0x2 set\n1: verbose,rank\n"
        );
        // What is said is so.
        let allowed = "bash -c 'grep Cpus_allowed_list /proc/self/status | cut -f2'";
        assert_eq!(job(&lab, "-n2", &format!("srun -l --cpu-bind=map_cpu:1,0 {allowed} | sort")), "0: 1\n1: 0\n");
        assert_eq!(job(&lab, "-n2", &format!("srun --cpu-bind=cores -n1 -c2 {allowed}")), "0-1\n");
    }
    assert_eq!(job(&lab, "-n2", &format!("srun -n1 {show}; srun -n1 --cpu-bind=none {show}")), "\nquiet,none\n");
    let out = job(
        &lab,
        "-n1",
        "srun --cpu-bind=map_cpu:1 true; echo rc $?; srun --cpu-bind=bogus true; echo rc $?; srun --cpu-bind=help true | head -n1",
    );
    assert_eq!(
        out,
        "srun: error: CPU binding outside of job step allocation, allocated CPUs are: 0x1.\n\
         srun: error: Application launch failed: Unable to satisfy cpu bind request\nrc 1\n\
         srun: error: unrecognized --cpu-bind argument \"bogus\"\nsrun: fatal: Failed to parse --cpu-bind= values.\nrc 1\n\
         CPU bind options:\n"
    );
}

#[test]
fn tasks_see_the_gpus_they_are_bound_to() {
    let lab = Lab::new(RECORDED);
    let bound = "srun -l bash -c 'echo $CUDA_VISIBLE_DEVICES' | sort";
    assert_eq!(job(&lab, "-n2 --gpus-per-node=4 --gpu-bind=per_task:2", bound), "0: 0,1\n1: 2,3\n");
    let script = "show() { srun -l \"$@\" bash -c 'echo ${CUDA_VISIBLE_DEVICES-none} $SLURMD_TRES_BIND' 2>&1 | sort; }\n\
        show --gpu-bind=single:1; show --gpu-bind=map_gpu:1,3; show --gpu-bind=mask_gpu:0x3,0xc; show --gpu-bind=none\n\
        show --gpu-bind=verbose,per_task:1; show --accel-bind=g; show --tres-bind=gres/gpu:single:2; srun --gpu-bind=bogus true; echo rc $?";
    assert_eq!(
        job(&lab, "-n2 --gpus-per-node=4", script),
        "0: 0 gpu:single:1\n1: 1 gpu:single:1\n0: 1 gpu:map_gpu:1,3\n1: 3 gpu:map_gpu:1,3\n\
         0: 0,1 gpu:mask_gpu:0x3,0xc\n1: 2,3 gpu:mask_gpu:0x3,0xc\n0: none gpu:none\n1: none gpu:none\n\
         0: 0 gpu:verbose,per_task:1\n0: gpu-bind: usable_gres=0x1; bit_alloc=0xF; local_inx=0; global_list=0; local_list=0\n\
         1: 1 gpu:verbose,per_task:1\n1: gpu-bind: usable_gres=0x2; bit_alloc=0xF; local_inx=0; global_list=1; local_list=1\n\
         0: 0,1,2,3\n1: 0,1,2,3\n0: 0 gpu:single:2\n1: 0 gpu:single:2\nsrun: error: Invalid --gpu-bind argument: gpu:bogus\nrc 255\n"
    );
}

#[test]
fn memory_is_bound_or_told_of() {
    let lab = Lab::new(ONE);
    let out = job(
        &lab,
        "-n1",
        "srun --mem-bind=v,p,local bash -c 'env | grep MEM_BIND | sort' 2>&1 | sed 's/\\[[0-9]*\\]/[P]/; s/mask.*set/mask set/; s/mask.*FAILED/mask set/'",
    );
    assert_eq!(
        out,
        "mem-bind=LOC - solo, task  0  0 [P]: mask set\nSLURM_MEM_BIND=verbose,prefer,local\nSLURM_MEM_BIND_LIST=\n\
         SLURM_MEM_BIND_PREFER=prefer\nSLURM_MEM_BIND_TYPE=local\nSLURM_MEM_BIND_VERBOSE=verbose\n"
    );
    let out = job(&lab, "-n1", "srun --mem-bind=map_mem:999 true; echo rc $?");
    assert!(
        out.starts_with(
            "slurmstepd: error: NUMA node 999 does not exist; cannot bind local task 0 to it (--mem-bind=map_mem)\n"
        ) && out.ends_with("rc 1\n"),
        "{out}"
    );
}

#[test]
fn files_are_brought_to_the_nodes() {
    let lab = Lab::new(FOUR);
    let data: Vec<u8> = (0..1_500_000u32).map(|n| (n / 7) as u8).collect();
    lab.file("data", &data);
    std::fs::set_permissions(lab.work().join("data"), std::fs::Permissions::from_mode(0o641)).unwrap();
    let script = "touch -d '2001-02-03 04:05:06' data; umask 077\n\
        srun -N4 sbcast data copy; echo rc $?\nsbcast data $PWD/mine && cmp data mine && stat -c %a mine\n\
        sbcast data mine; echo rc $?; sbcast -fp data mine && stat -c '%a %y' mine | cut -c1-23\n\
        sbcast nosuch x; echo rc $?; sbcast data /no/such/dir; echo rc $?; sbcast data /tmp/; echo rc $?; sbcast data; echo rc $?\n\
        sbcast -j 99999 data x; echo rc $?; sbcast -j $SLURM_JOB_ID.77 data x; echo rc $?\n\
        : > none; sbcast none some; echo rc $? $(stat -c %s some); env -u SLURM_JOB_ID -u SLURM_JOBID sbcast data x; echo rc $?";
    lab.file("x.sh", format!("#!/bin/bash\n{}\n", script.replacen("srun -N4 sbcast data copy; echo rc $?\n", "", 1)));
    let out = lab.sh("sbatch --wait -Q -o out -N4 x.sh");
    assert!(out.stderr.is_empty(), "{out:?}");
    assert_eq!(
        lab.read("out"),
        "641\nsbcast: error: REQUEST_FILE_BCAST(node1): File exists\nrc 17\n641 2001-02-03 04:05:06\n\
         sbcast: error: Can't open `nosuch`: No such file or directory\nrc 255\n\
         sbcast: error: REQUEST_FILE_BCAST(node1): No such file or directory\nrc 2\n\
         sbcast: error: Target filename cannot be a directory.\nrc 1\n\
         Need two file names, have 1 names\nTry \"sbcast --help\" for more information\nrc 1\n\
         sbcast: error: Slurm job 99999 lookup error: Invalid job id specified\nrc 255\n\
         sbcast: error: Slurm job 1.77 lookup error: Invalid job id specified\nrc 255\n\
         sbcast: error: Warning: file `none` is empty.\nrc 0 0\n\
         sbcast: error: Need a job id to run this command.  Run from within a Slurm job or use the --jobid option.\nrc 1\n"
    );
}

#[test]
fn a_program_is_brought_before_its_step() {
    let lab = Lab::new(FOUR);
    program(&lab, "prog", "echo \"I am $0 on $SLURMD_NODENAME\"");
    let work = lab.work();
    let work = work.display();
    let out = job(
        &lab,
        "-N2",
        "srun --bcast=$PWD/there ./prog | sort\nsrun --bcast ./prog | sort\nsrun --bcast=/no/such/x ./prog; echo rc $?\nsrun --bcast=$PWD/t2 nosuch; echo rc $?\n\
         srun -N1 --bcast=$PWD/t3 --send-libs --bcast-exclude=NONE /bin/true; echo rc $?; ls t3_libs | grep -c libc.so",
    );
    assert_eq!(
        out,
        format!(
            "I am {work}/there on node1\nI am {work}/there on node2\nI am {work}/slurm_bcast_1.1_node1 on node1\n\
             I am {work}/slurm_bcast_1.1_node2 on node2\nsrun: error: REQUEST_FILE_BCAST(node1): No such file or directory\n\
             srun: fatal: Failed to broadcast '{work}/./prog'. Step launch aborted.\nrc 1\n\
             srun: error: Can't open `{work}/nosuch`: No such file or directory\n\
             srun: fatal: Failed to broadcast '{work}/nosuch'. Step launch aborted.\nrc 1\nrc 0\n1\n"
        )
    );
}

#[test]
fn others_may_look_on_at_a_step() {
    let lab = Lab::new(FOUR);
    let id = lab.submit(
        "-N2 -o out --wrap 'srun bash -c \"until [ -e go ]; do sleep 0.05; done; echo out \\$SLURM_PROCID; echo err \\$SLURM_PROCID >&2; read x < fifo.\\$SLURM_PROCID; read y; echo \\$y; exit 3\" 2>/dev/null'",
    );
    lab.sh("mkfifo fifo.0 fifo.1").ok();
    lab.until(&format!("squeue -h -s -j {id} | grep -c '{id}\\.0 '"), "1");
    assert_eq!(
        lab.sh(&format!("sattach --layout {id}.0")).ok(),
        "Job step layout:\n\t2 tasks, 2 nodes (node[1-2])\n\n\tNode 0 (node1), 1 task(s): 0 \n\tNode 1 (node2), 1 task(s): 1 \n"
    );
    let looking = lab.sh(&format!(
        "sattach -l {id}.0 > all 2>&1 < /dev/null & a=$!\n\
         sattach --output-filter=1 --error-filter=0 {id}.0 > some 2>&1 < /dev/null & b=$!\n\
         sleep 0.5; touch go; until grep -q 'err 0' some && grep -q 'out 1' some && grep -q 'out 0' all; do sleep 0.05; done\n\
         echo > fifo.0; echo > fifo.1; wait $a; echo rc $?; wait $b; echo rc $?; sort all; echo -; sort some"
    ));
    assert_eq!(
        looking.ok(),
        "rc 3\nrc 3\n0: \n0: err 0\n0: out 0\n1: \n1: err 1\n1: out 1\nsattach: error: task 0 exited with exit code 3\n\
         sattach: error: task 1 exited with exit code 3\n-\n\nerr 0\nout 1\nsattach: error: task 0 exited with exit code 3\n\
         sattach: error: task 1 exited with exit code 3\n"
    );
    for wrong in [format!("{id}.0"), "99999.0".into()] {
        assert_eq!(
            lab.sh(&format!("sattach {wrong}")).fails(1),
            "sattach: error: Could not get job step info: Invalid job id specified\n"
        );
    }
    assert!(lab.sh("sattach abc").fails(1).ends_with("Usage: sattach [options] <jobid.stepid>\n"));
}

#[test]
fn one_who_looks_on_may_have_something_to_say() {
    let lab = Lab::new(FOUR);
    // srun's own stdin stays open and says nothing.
    let id = lab.submit("-N2 -o out --wrap 'sleep 3600 | srun -l bash -c \"touch up.\\$SLURM_PROCID; read x; echo got \\$x\" & wait %1'");
    for task in ["up.0", "up.1"] {
        lab.until_true("a task", || lab.work().join(task).exists());
    }
    lab.sh(&format!("(echo to one; until grep -q 'to one' out; do sleep 0.05; done) | sattach --input-filter=1 {id}.0 > /dev/null & p=$!; until grep -q 'to one' out; do sleep 0.05; done; kill $p"));
    lab.sh(&format!("(echo to all; until grep -q 'to all' out; do sleep 0.05; done) | sattach {id}.0"));
    assert_eq!(lab.until_file("out", "to all"), "1: got to one\n0: got to all\n");
}

#[test]
fn limits_are_handed_on() {
    let lab = Lab::new(ONE);
    let show = "bash -c 'echo $(ulimit -S -n) $(ulimit -S -c)'";
    let out = job(
        &lab,
        "-n1",
        &format!(
            "ulimit -S -n 200; ulimit -S -c 100; srun {show}; srun --propagate=NOFILE {show} | cut -d' ' -f1; srun --propagate=NONE {show} | cut -d' ' -f1"
        ),
    );
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[0].starts_with("200 ") && lines[1] == "200" && lines[2] != "200", "{out}");
}

#[test]
fn nodes_ports_and_numbers_can_be_given() {
    let lab = Lab::new(FOUR);
    let out = job(
        &lab,
        "-N2 -n4",
        "echo node2 > nf; srun -F nf -N1 -n1 bash -c 'echo $SLURMD_NODENAME'; srun -F nosuchfile true; echo rc $?\n\
         SLURM_NTASKS=1 SLURM_NNODES=1 srun -E -n2 -N2 bash -c 'echo $SLURM_NTASKS $SLURM_NNODES'\n\
         srun -N1 -n1 --whole -c1 bash -c 'echo $SLURM_CPUS_ON_NODE'",
    );
    assert_eq!(
        out,
        "node2\nsrun: error: slurm_allocate_resources error opening file nosuchfile, No such file or directory\n\
         srun: error: Invalid --nodefile node file\nrc 255\n1 1\n1 1\n2\n"
    );
    let ports = job(
        &lab,
        "-n2",
        "srun --resv-ports bash -c 'echo $SLURM_STEP_RESV_PORTS'; srun -n1 --resv-ports=1 bash -c 'echo $SLURM_STEP_RESV_PORTS'",
    );
    let lines: Vec<&str> = ports.lines().collect();
    let (first, last) = lines[0].split_once('-').unwrap();
    let (first, last): (u16, u16) = (first.parse().unwrap(), last.parse().unwrap());
    assert!(last == first + 2 && lines[0] == lines[1] && lines[2].parse::<u16>().is_ok(), "{ports}");
    let refused = job(
        &lab,
        "-n1",
        "srun -Z true; echo rc $?; srun --interactive -Q echo beside 2>/dev/null; srun --hint=help true | head -n1",
    );
    assert_eq!(
        refused,
        "srun: error: Application launch failed: Access/permission denied\nrc 1\nbeside\nApplication hint options:\n"
    );
}

#[test]
fn a_step_runs_in_a_container() {
    let lab = Lab::new(FOUR);
    std::fs::create_dir(lab.work().join("tools")).unwrap();
    program(
        &lab,
        "tools/apptainer",
        "echo apptainer $SLURM_PROCID: \"$@\"; while [ \"$1\" != docker://ubuntu:24.04 ]; do shift; done; shift; exec \"$@\"",
    );
    let out = job(
        &lab,
        "-N2",
        "PATH=$PWD/tools:$PATH srun -l --container-image=ubuntu:24.04 --container-mounts=/data:/data:ro,/x:/y --container-workdir=/w --no-container-mount-home bash -c 'echo in it; exit 3' 2>/dev/null | sort; echo rc ${PIPESTATUS[0]}",
    );
    let words = "apptainer N: exec --no-home --bind /data:/data:ro --bind /x:/y --pwd /w docker://ubuntu:24.04 bash -c echo in it; exit 3";
    let expected: String =
        (0..2).map(|n| format!("{n}: {}\n{n}: in it\n", words.replace('N', &n.to_string()))).collect();
    assert_eq!(out, expected + "rc 3\n");
    let out = job(
        &lab,
        "-N1",
        "mkdir none; ln -s $(command -v srun) $(command -v bash) none; PATH=$PWD/none srun --container-image=ubuntu true; echo rc $?",
    );
    assert!(
        out.starts_with(
            "slurmstepd: error: --container-image: this node has none of enroot, apptainer and podman on its PATH"
        ) && out.ends_with("rc 1\n"),
        "{out}"
    );
}

#[test]
fn containers_are_started_as_asked() {
    let lab = Lab::new(ONE);
    for tool in ["podman", "enroot"] {
        std::fs::create_dir_all(lab.work().join(format!("with-{tool}"))).unwrap();
        program(&lab, &format!("with-{tool}/{tool}"), "echo $ENROOT_MOUNT_HOME $(basename $0) \"$@\"");
    }
    let run = |tool: &str, options: &str| {
        job(&lab, "-n1", &format!("export HOME=/h; PATH=$PWD/with-{tool}:$PATH srun {options} prog arg 2>&1"))
    };
    assert_eq!(
        run(
            "podman",
            "--container-image=a#b:1 --container-env=A,B --container-entrypoint --container-readonly --no-container-remap-root --container-mount-home"
        ),
        "podman run --rm --interactive --network=host --ipc=host --env-host --userns=keep-id --read-only --volume /h:/h --env A --env B a/b:1 prog arg\n"
    );
    assert!(run("podman", "--container-image=a --no-container-entrypoint").contains(" --entrypoint= a prog"));
    assert_eq!(
        run("enroot", "--container-name=n --container-writable --container-remap-root --container-mount-home"),
        "y enroot start --root --rw pyxis_n prog arg\n"
    );
}
