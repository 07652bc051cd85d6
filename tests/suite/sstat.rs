//! sstat: what running steps use.

use crate::harness::{FOUR, Lab, ONE};

/// A job with a step of two tasks on two nodes: the first burns CPU, the second holds 60 MB.
fn busy(lab: &Lab) -> u32 {
    lab.file(
        "task.sh",
        "#!/bin/bash\necho $$ > pid.$SLURM_PROCID\n\
         if [ $SLURM_PROCID = 0 ]; then while :; do :; done; fi\n\
         held=$(head -c 60000000 /dev/zero | tr '\\0' x)\ntouch held\nread line < fifo\n",
    );
    lab.sh("mkfifo fifo").ok();
    let id = lab.submit("-N2 -n2 --mem=800M -o out --wrap 'srun bash task.sh'");
    lab.until_true("what the task holds", || lab.work().join("held").exists());
    id
}

#[test]
fn a_step_is_the_sum_of_its_tasks_on_all_nodes() {
    let lab = Lab::new(FOUR);
    let id = busy(&lab);
    let ask = |fields: &str| lab.sh(&format!("sstat -n -P -j {id} -o {fields}")).ok().trim_end().to_owned();
    lab.until(
        &format!("sstat -n -P -j {id} -o jobid,ntasks,maxrssnode,maxrsstask,mincpunode,mincputask,avecpu | sed 's/0[1-9]$/x/'"),
        &format!("{id}.0|2|node2|1|node2|1|00:00:x"),
    );
    let rss: u64 = ask("maxrss --noconvert").parse().unwrap();
    assert!((60_000_000..600_000_000).contains(&rss), "{rss}");
    let average: u64 = ask("averss --noconvert").parse().unwrap();
    assert!(average > rss / 2 && average < rss, "{average} {rss}");
    assert_eq!(ask("maxdiskreadnode,maxdiskreadtask"), "node2|1", "it read what it holds");
    assert!(ask("maxdiskread --noconvert").parse::<u64>().unwrap() >= 60_000_000);
    assert!(ask("tresusageinmaxnode").starts_with("cpu=node1,energy=node"), "{}", ask("tresusageinmaxnode"));
    // In columns: the header, as wide as its columns, and one line.
    let shown = lab.sh(&format!("sstat {id}")).ok().to_owned();
    let lines: Vec<&str> = shown.lines().collect();
    assert!(lines.len() == 3 && lines[0].starts_with("JobID         MaxVMSize  MaxVMSizeNode "), "{shown}");
    assert!(lines[2].starts_with(&format!("{:<12} ", format!("{id}.0"))), "{shown}");

    // The script is a step, too.
    assert_eq!(
        lab.sh(&format!("sstat -a -p -j {id} -o jobid,ntasks,nodelist")).ok(),
        format!("JobID|NTasks|Nodelist|\n{id}.batch|1|node1|\n{id}.0|2|node[1-2]|\n")
    );
    assert_eq!(
        lab.sh(&format!("sstat -P -n -o jobid,maxrssnode -j {id}.batch,{id}.0,{id}.0")).ok(),
        format!("{id}.batch|node1\n{id}.0|node2\n")
    );

    // The processes are those that there are.
    let pid = |task: u32| lab.read(&format!("pid.{task}")).trim().to_owned();
    assert_eq!(
        lab.sh(&format!("sstat -i -P -j {id}")).ok(),
        format!("JobID|Nodelist|Pids\n{id}.0|node1|{}\n{id}.0|node2|{}\n", pid(0), pid(1))
    );
    lab.sh(&format!("scancel {id}")).ok();
}

#[test]
fn what_there_is_not_is_said_as_slurm_says_it() {
    let lab = Lab::new(ONE);
    lab.sh("mkfifo fifo").ok();
    let id = lab.submit("-n1 --array=3 -o out --wrap 'touch up; read line < fifo'");
    lab.until_true("the script", || lab.work().join("up").exists());
    let header = "JobID|NTasks\n";
    for (words, out, err, code) in [
        ("-j 999999".to_owned(), header.to_owned(), "sstat: error: couldn't get steps for job 999999\n".to_owned(), 0),
        ("-j 999999.batch".into(), header.into(), "sstat: error: couldn't get steps for job 999999\n".into(), 0),
        ("-j x".into(), String::new(), "sstat: fatal: Bad job/step specified: x\n".into(), 1),
        (format!("-j {id}"), header.into(), format!("sstat: error: No steps running for job {id}\n"), 0),
        (format!("-j {id}.4"), header.into(), format!("sstat: error: StepId={id}.4 not found running.\n"), 0),
        (format!("-a -j {id}_3"), format!("{header}{id}.batch|1\n"), String::new(), 0),
        (String::new(), String::new(), "sstat: error: You didn't give me any jobs to stat.\n".into(), 1),
        ("-j 1 -o nosuch".into(), String::new(), "sstat: error: Invalid field requested: \"nosuch\"\n".into(), 1),
    ] {
        let said = lab.sh(&format!("sstat -P -o jobid,ntasks {words}"));
        assert_eq!((said.stdout, said.stderr, said.code), (out, err, code), "{words}");
    }
    assert!(lab.sh("sstat -e").ok().starts_with("AveCPU              AveCPUFreq          AveDiskRead "));
    lab.sh(&format!("scancel {id}")).ok();
}

#[test]
fn a_step_can_ask_from_any_node() {
    let lab = Lab::new(FOUR);
    lab.file(
        "x.sh",
        "#!/bin/bash\nsrun -N1 -n1 -r1 sstat -n -P -o jobid,ntasks,nodelist -j $SLURM_JOB_ID\n\
         srun -l sstat -n -P -o jobid,ntasks -a -j $SLURM_JOB_ID | sort\n",
    );
    let out = lab.sh("sbatch --wait -Q -N2 -n2 -o out x.sh");
    assert!(out.code == 0, "{out:?}");
    let said = lab.read("out");
    // The second step's tasks may have ended before one another's eyes.
    assert!(
        said.starts_with("1.0|1|node2\n")
            && ["0: 1.1|", "0: 1.batch|1\n", "1: 1.1|", "1: 1.batch|1\n"].iter().all(|line| said.contains(line)),
        "{said}"
    );
}

/// Asked of a real one: a component has its part of a step under its own id; one that is named with the job makes no difference.
#[test]
fn each_component_has_its_part_of_a_step() {
    let lab = Lab::new(FOUR);
    lab.sh("mkfifo fifo").ok();
    lab.file(
        "het.sh",
        "#!/bin/bash\nsrun --het-group=0,1 bash -c 'touch up.$SLURM_PROCID; read line < fifo' &\n\
         until [ -e up.0 ]; do sleep 0.02; done\nsrun --het-group=1 -n1 --overlap bash -c 'touch up.more; read line < fifo' &\nwait\n",
    );
    let id = lab.submit("-n1 -o out : -N2 -n2 het.sh");
    for name in ["0", "1", "2", "more"] {
        lab.until_true("all tasks", || lab.work().join(format!("up.{name}")).exists());
    }
    let (more, nodes) = (id + 1, lab.sh(&format!("squeue -h -j {} -o %N", id + 1)).ok().trim_end().to_owned());
    let whole = format!("{id}.0|1|node1\n");
    let of_more = lab.sh(&format!("squeue -h -s -j {more} -o %i")).ok().to_owned();
    assert!(of_more.contains(&format!("{more}.0")) && of_more.contains(&format!("{more}.1")), "{of_more}");
    for (words, out, err) in [
        (format!("{id}"), whole.clone(), String::new()),
        (format!("{id}.0"), whole.clone(), String::new()),
        (format!("{id}+1.0"), whole.clone(), String::new()),
        (format!("-a {id}+1"), format!("{id}.batch|1|node1\n{whole}"), String::new()),
        (format!("{id}.1"), String::new(), format!("sstat: error: StepId={id}.1 not found running.\n")),
        (format!("{more}"), format!("{more}.0|2|{nodes}\n"), String::new()),
        (format!("{more}.batch"), String::new(), format!("sstat: error: StepId={more}.batch not found running.\n")),
    ] {
        let said = lab.sh(&format!("sstat -n -P -o jobid,ntasks,nodelist {words}"));
        assert_eq!((said.stdout, said.stderr, said.code), (out, err, 0), "{words}");
    }
    let all = lab.sh(&format!("sstat -n -P -a -o jobid,ntasks {more}")).ok().to_owned();
    assert_eq!(all, format!("{more}.0|2\n{more}.1|1\n"));
    lab.sh(&format!("scancel {id}")).ok();
}
