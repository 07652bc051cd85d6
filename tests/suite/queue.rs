//! Which job starts, where and when.

use crate::harness::{FOUR, Lab, ONE, RECORDED};

/// A script that runs until the test makes this file.
fn until(file: &str) -> String {
    format!("--wrap 'while [ ! -e {file} ]; do sleep 0.05; done'")
}

#[test]
fn jobs_wait_when_they_do_not_fit() {
    let lab = Lab::new(ONE);
    let first = lab.submit(&format!("-n2 {}", until("go")));
    lab.until_state(first, "RUNNING");
    let second = lab.submit(&format!("-n1 {}", until("go2")));
    lab.until(&format!("squeue -h -j {second} -o '%T %r'"), "PENDING Resources");
    let third = lab.submit(&format!("-n1 {}", until("go2")));
    lab.until(&format!("squeue -h -j {third} -o '%T %r'"), "PENDING Priority");
    lab.sh("touch go").ok();
    lab.until_state(second, "RUNNING");
    lab.until_state(third, "RUNNING");
    lab.sh("touch go2").ok();
    lab.until("squeue -h", "");
}

#[test]
fn short_jobs_fill_the_gap_and_long_ones_do_not() {
    let lab = Lab::new(ONE);
    let first = lab.submit(&format!("-n1 -t 60 {}", until("go")));
    lab.until_state(first, "RUNNING");
    let wide = lab.submit("-n2 -t 10 --wrap 'echo wide >> order'");
    lab.until_state(wide, "PENDING");
    let long = lab.submit("-n1 -t 120 --wrap 'echo long >> order'");
    let short = lab.submit("-n1 -t 1 --wrap 'echo short >> order'");
    lab.until_state(short, "COMPLETED");
    assert_eq!(lab.sh(&format!("squeue -h -S i -j {wide},{long} -o %t")).ok(), "PD\nPD\n");
    lab.sh("touch go").ok();
    lab.until_state(long, "COMPLETED");
    assert_eq!(lab.read("order"), "short\nwide\nlong\n");
}

/// Behind a job that waits for the whole node there are two minutes and a half: one that would do with one gets two.
#[test]
fn a_job_that_may_end_sooner_gets_what_is_left() {
    let lab = Lab::new(ONE);
    lab.submit("-n1 -t 3 -o /dev/null --wrap 'until [ -e end ]; do sleep 0.02; done'");
    lab.until("squeue -h -t R -o %i", "1");
    lab.submit("-n2 -t 5 -o /dev/null --wrap true");
    let long = lab.submit("-n1 -t 10 -o /dev/null --wrap true");
    let short = lab.submit("-n1 -t 10 --time-min=1 -o /dev/null --wrap 'until [ -e end ]; do sleep 0.02; done'");
    lab.until_state(short, "RUNNING");
    let limit = lab.sh(&format!("squeue -h -j {short} -o %l")).stdout;
    assert!(["3:00\n", "2:00\n", "1:00\n"].contains(&&*limit), "{limit}");
    assert_eq!(lab.sh(&format!("squeue -h -j {long} -o %T")).ok(), "PENDING\n");
    lab.file("end", "");
    lab.until("squeue -h", "");
}

#[test]
fn nice_and_priority_change_the_order() {
    let lab = Lab::new(ONE);
    let first = lab.submit(&format!("-n2 {}", until("go")));
    lab.until_state(first, "RUNNING");
    lab.submit("-n2 --nice=100 --wrap 'echo nice >> order'");
    lab.submit("-n2 --wrap 'echo plain >> order'");
    let last = lab.submit("-n2 --priority=1 --wrap 'echo low >> order'");
    lab.sh("touch go").ok();
    lab.until_state(last, "COMPLETED");
    assert_eq!(lab.read("order"), "plain\nnice\nlow\n");
}

#[test]
fn held_jobs_wait_for_their_release() {
    let lab = Lab::new(ONE);
    let id = lab.submit("--hold --wrap true");
    lab.until(&format!("squeue -h -j {id} -o '%T %r'"), "PENDING JobHeldUser");
    lab.sh(&format!("scontrol release {id}")).ok();
    lab.until_state(id, "COMPLETED");
    let id = lab.submit("--begin=now+1hour --wrap true");
    lab.sh(&format!("scontrol hold {id}")).ok();
    assert_eq!(lab.sh(&format!("squeue -h -j {id} -o %r")).ok(), "JobHeldUser\n");
    lab.sh(&format!("scontrol release {id}")).ok();
    assert_eq!(lab.sh(&format!("squeue -h -j {id} -o %r")).ok(), "BeginTime\n");
}

#[test]
fn a_job_begins_when_it_may() {
    let lab = Lab::new(ONE);
    let start = std::time::Instant::now();
    let id = lab.submit("--begin=now+3 --wrap true");
    lab.until(&format!("squeue -h -j {id} -o '%T %r'"), "PENDING BeginTime");
    lab.until_state(id, "COMPLETED");
    assert!(start.elapsed().as_millis() >= 2000);
}

#[test]
fn an_exclusive_job_has_its_node_alone() {
    let lab = Lab::new(ONE);
    let first = lab.submit(&format!("-n1 --exclusive -o out {}", until("go")));
    lab.until_state(first, "RUNNING");
    let second = lab.submit("-n1 --wrap true");
    lab.until(&format!("squeue -h -j {second} -o '%T %r'"), "PENDING Resources");
    lab.sh("touch go").ok();
    lab.until_state(second, "COMPLETED");
}

#[test]
fn nodes_are_chosen_and_left_out() {
    let lab = Lab::new(FOUR);
    let ran_on = |options: &str| {
        lab.sh(&format!("sbatch --wait -Q -o out {options} --wrap 'echo $SLURM_JOB_NODELIST'; cat out"))
            .ok()
            .trim()
            .to_owned()
    };
    assert_eq!(ran_on("-w node3"), "node3");
    assert_eq!(ran_on("-w node3,node2"), "node[2-3]");
    assert_eq!(ran_on("-x node[1-2]"), "node3");
    assert_eq!(ran_on("-N3"), "node[1-3]");
    assert_eq!(ran_on("-N2-3 --use-min-nodes"), "node[1-2]");
    assert_eq!(ran_on("-n4 --ntasks-per-node=1"), "node[1-4]");
    assert_eq!(ran_on("-n4"), "node[1-2]");
    let spread = ["-n4", "-n2", "-n6", "-N2 -n4", "-N1-3 -n4", ""].map(|what| ran_on(&format!("--spread-job {what}")));
    assert_eq!(spread, ["node[1-4]", "node[1-2]", "node[1-4]", "node[1-2]", "node[1-3]", "node1"]);
    lab.file("hosts", "node4\nnode2\n");
    assert_eq!(ran_on("-F hosts"), "node[2,4]");
    assert_eq!(ran_on("--wait-all-nodes=1 -N4"), "node[1-4]");
}

#[test]
fn features_choose_nodes() {
    let config = FOUR.replace("name = \"node[1-4]\"\ncpus", "name = \"node[1-3]\"\ncpus")
        + "[[node]]\nname = \"fast\"\ncpus = 2\nfeatures = [\"fast\"]\n";
    let lab = Lab::new(&config.replace("nodes = \"node[1-4]\"", "nodes = \"node[1-3],fast\""));
    assert_eq!(lab.sh("sbatch --wait -Q -o out -C fast --wrap 'echo $SLURM_JOB_NODELIST'; cat out").ok(), "fast\n");
    assert!(lab.sh("sbatch -C slow --wrap true").fails(1).contains("Invalid feature specification"));
}

#[test]
fn memory_and_processors_are_shared_out() {
    let lab = Lab::new(RECORDED);
    for (options, seen) in [
        ("-c4", "4 2000  "),
        ("--mem-per-cpu=1G -n2", "2 1024  "),
        ("--mem=3G", "1  3072 "),
        ("--gpus=2 --cpus-per-gpu=3 --mem-per-gpu=1G", "6   1024"),
        ("--mincpus=5", "5 2000  "),
        ("-O -n70 -N1", "1 2000  "),
        ("--gpus=2 --ntasks-per-gpu=2", "4 2000  "),
        ("-s", "1 2000  "),
    ] {
        let line = format!(
            "sbatch --wait -Q -o out {options} --wrap 'echo \"$SLURM_CPUS_ON_NODE $SLURM_MEM_PER_CPU $SLURM_MEM_PER_NODE $SLURM_MEM_PER_GPU\"'; cat out"
        );
        assert_eq!(lab.sh(&line).ok().trim_end(), seen.trim_end(), "{options}");
    }
    let first = lab.submit(&format!("--mem=400G -w node1 {}", until("go")));
    lab.until_state(first, "RUNNING");
    let second = lab.submit("--mem=200G -w node1 --wrap true");
    lab.until(&format!("squeue -h -j {second} -o '%T %r'"), "PENDING Resources");
    lab.sh("touch go").ok();
    lab.until_state(second, "COMPLETED");
}

#[test]
fn gpus_are_given_once() {
    let lab = Lab::new(RECORDED);
    for (options, seen) in [
        ("--gres=gpu:2", "0,1"),
        ("--gpus=3", "0,1,2"),
        ("-G h100:1", "0"),
        ("--gpus-per-node=h100:8 -N2", "0,1,2,3,4,5,6,7"),
        ("-n2 --gpus-per-task=2", "0,1,2,3"),
        ("", "none"),
    ] {
        let line = format!("sbatch --wait -Q -o out {options} --wrap 'echo ${{CUDA_VISIBLE_DEVICES-none}}'; cat out");
        assert_eq!(lab.sh(&line).ok().trim(), seen, "{options}");
    }
    let script = "--wrap 'echo $SLURM_JOB_GPUS; while [ ! -e go ]; do sleep 0.05; done'";
    let first = lab.submit(&format!("-w node1 --gpus=5 -o a {script}"));
    lab.until_file("a", "\n");
    let second = lab.submit(&format!("-w node1 --gpus=3 -o b {script}"));
    lab.until_file("b", "\n");
    let third = lab.submit("-w node1 --gpus=1 --wrap true");
    lab.until(&format!("squeue -h -j {third} -o '%T %r'"), "PENDING Resources");
    assert_eq!((lab.read("a"), lab.read("b")), ("0,1,2,3,4\n".into(), "5,6,7\n".into()));
    lab.sh("touch go").ok();
    for id in [first, second, third] {
        lab.until_state(id, "COMPLETED");
    }
}

#[test]
fn what_no_node_could_hold_is_refused() {
    let lab = Lab::new(RECORDED);
    for (options, why) in [
        ("-c65", "Requested node configuration is not available"),
        ("--gres=gpu:9", "Requested node configuration is not available"),
        ("--mem=600G", "Requested node configuration is not available"),
        ("-p nosuch", "Invalid partition name specified"),
        ("-w node9", "Invalid node name specified"),
        ("--array=3-1", "Invalid job array specification"),
        ("--nice=99999999999", "nice"),
    ] {
        let out = lab.sh(&format!("sbatch {options} --wrap true"));
        assert!(out.code != 0 && out.stderr.contains(why) && out.stdout.is_empty(), "{options}: {out:?}");
    }
    // More nodes than there are: it waits, as on a real Slurm.
    let id = lab.submit("-N9 --wrap true");
    lab.until(&format!("squeue -h -j {id} -o %T"), "PENDING");
}

#[test]
fn partitions_have_limits_of_their_own() {
    let lab = Lab::new(RECORDED);
    lab.sh("sbatch -Q --hold -p debug --wrap true; sbatch -Q --hold --wrap true; SBATCH_PARTITION=debug SBATCH_TIMELIMIT=7 sbatch -Q --hold --wrap true").ok();
    assert_eq!(lab.sh("squeue -h -S i -o '%P %l'").ok(), "debug 10:00\ngpu 1-00:00:00\ndebug 7:00\n");
    let id = lab.submit("-p debug -t 60 --wrap true");
    lab.until(&format!("squeue -h -j {id} -o %r"), "PartitionTimeLimit");
}

#[test]
fn without_a_config_the_node_is_this_machine() {
    let lab = Lab::new("");
    lab.sh("mkdir smi").ok();
    lab.file(
        "smi/nvidia-smi",
        "#!/bin/sh\n[ \"$1\" = --query-gpu=name ] && printf 'NVIDIA H100 80GB HBM3\\nNVIDIA H100 80GB HBM3\\n'\n",
    );
    lab.sh("chmod +x smi/nvidia-smi; PATH=$PWD/smi:$PATH skyslurm controller start").ok();
    let cpus = std::thread::available_parallelism().unwrap();
    let host = lab.sh("hostname -s").ok().to_owned();
    assert_eq!(lab.sh("sinfo -h -N -o '%N|%c|%G'").ok(), format!("{}|{cpus}|gpu:h100:2\n", host.trim()));
    let out = lab.sh("sbatch --wait -Q -o out --gpus=1 --wrap 'hostname -s; echo $CUDA_VISIBLE_DEVICES $SLURM_JOB_PARTITION'; cat out");
    assert_eq!(out.ok(), format!("{host}0 local\n"));
    assert!(lab.sh("sbatch --gpus=3 --wrap true").stderr.contains("Requested node configuration is not available"));
}

#[test]
fn a_job_for_a_partition_on_skypilot_never_runs_here() {
    let cloud = "[[partition]]\nname = \"cloud\"\ninfra = \"kubernetes/research\"\n";
    let here = "[[partition]]\nname = \"here\"\n";
    // Named, or the default: the first there is, or the one that says so.
    // Nobody listens there.
    let nowhere = "[skypilot]\nendpoint = \"http://127.0.0.1:9\"\n";
    for (config, options) in [
        (format!("{here}{cloud}{nowhere}"), "-p cloud"),
        (format!("{cloud}{here}{nowhere}"), ""),
        (format!("{here}{cloud}default = true\n{nowhere}"), ""),
        (format!("{cloud}{nowhere}"), ""),
    ] {
        let lab = Lab::new(&config);
        lab.sh(&format!("sbatch {options} -o out --wrap 'touch ran'")).ok();
        lab.until_true("the reason", || {
            let out = lab.sh("squeue -h -o '%t %r'").stdout;
            out.starts_with("PD PartitionDown") && out.contains("127.0.0.1:9")
        });
        lab.sh("scancel 1").ok();
        lab.until("sacct -X -n -P -o state; squeue -h; ls", &format!("CANCELLED by {}", nix::unistd::geteuid()));
    }
    let lab = Lab::new(&format!("{here}{cloud}{nowhere}"));
    assert_eq!(lab.sh("sinfo -h -o %P").ok(), "here*\ncloud\n");
    assert_eq!(lab.sh("sbatch --wait -o /dev/null --wrap true").ok(), "Submitted batch job 1\n");
}
