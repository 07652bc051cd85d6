//! What becomes of an option is a matter of the partition the job goes to.

use super::lab::SkyLab;

/// A partition on SkyPilot and one on this machine; the former takes jobs that name none.
fn two() -> SkyLab {
    SkyLab::fake_with("", "[[node]]\nname = \"solo\"\ncpus = 4\nmemory = \"4000M\"\n[[partition]]\nname = \"here\"")
}

#[test]
fn an_image_is_for_a_partition_on_skypilot() {
    let lab = two();
    let at = lab.place("image");
    let image = "--container-image=docker://ubuntu:24.04 --container-writable";
    // Of several partitions the one that can do it is taken.
    let script =
        "echo in $SLURM_JOB_PARTITION\nPATH=$(dirname $(command -v srun)) srun --container-image=ubuntu true\necho $?";
    let job = at.submit(&format!("-p here,sky -o out {image}"), script);
    let words = "sbatch: error: --container-image: containers are for partitions on SkyPilot; on this machine start the \
                 container in the script\n";
    for call in ["sbatch", "sbatch --test-only", "sbatch -Q"] {
        let out = at.sh(&format!("{call} -p here {image} --wrap true"));
        assert_eq!((out.code, out.stdout.as_str(), out.stderr.as_str()), (1, "", words), "{call}");
    }
    // No id was used up.
    let next = at.sbatch(&format!("{image} -H --wrap true"));
    assert_eq!(next, job + 1);
    lab.sh(&format!("scancel {next}")).ok();

    // A step has an image of its own where its node has something that can run it.
    let said = at.until_file("out", "\n1\n");
    let words =
        "in sky\nslurmstepd: error: --container-image: this node has none of enroot, apptainer and podman on its PATH";
    assert!(said.starts_with(words), "{said}");
    lab.until_accounted(job, "COMPLETED|0:0");
}

#[test]
fn names_of_nodes_are_for_a_partition_of_this_machine() {
    let lab = two();
    let at = lab.place("names");
    let out = at.sh("sbatch -w solo --mail-type=END --wrap true");
    let words =
        "sbatch: error: --nodelist: nodes are made for the job and have no names before it starts; leave it out\n";
    assert_eq!((out.code, out.stdout.as_str(), out.stderr.as_str()), (1, "", words));
    for partitions in ["here", "sky,here"] {
        at.sbatch(&format!(
            "-p {partitions} -w solo --wait -o out --wrap 'echo $SLURM_JOB_PARTITION $SLURM_JOB_NODELIST'"
        ));
        assert_eq!(at.read("out"), "here solo\n");
    }
}

#[test]
fn warnings_are_those_of_the_partition() {
    let lab = two();
    let at = lab.place("warnings");
    let asked = "-H --mail-type=END --tmp=1G --nodes=1-2 --wrap true";
    let nodes = "sbatch: warning: --nodes: of a range it is the least that holds the tasks and GPUs\n";
    let tmp = "sbatch: warning: --tmp: temporary disk is not counted: none is set aside for the job\n";
    let sky = at.sh(&format!("sbatch --parsable {asked}"));
    assert_eq!((sky.code, sky.stdout, sky.stderr), (0, "1\n".into(), nodes.into()));
    let here = at.sh(&format!("sbatch -Q -p here {asked}"));
    assert_eq!((here.code, here.stdout, here.stderr), (0, String::new(), tmp.into()));
    assert_eq!(at.sh("sbatch -H --nodes=2 --wrap true").stderr, "");
    let test = at.sh("sbatch --test-only -p here --tmp=1G --wrap true").stderr;
    assert!(test.starts_with(&format!("{tmp}sbatch: Job ")), "{test}");
    let test = at.sh("sbatch --test-only --tmp=1G --nodes=1-2 --wrap true").stderr;
    assert!(test.starts_with(nodes) && !test.contains("--tmp") && test.contains("in partition sky"), "{test}");
    // What a refusal says is not said twice.
    let out = at.sh("sbatch --constraint=avx --wrap true");
    assert_eq!((out.code, out.stderr.matches("--constraint").count()), (1, 1), "{out:?}");
    assert!(!out.stderr.contains("warning"), "{out:?}");
    lab.sh("scancel 1 2 3").ok();
}

#[test]
fn explain_knows_the_partition() {
    let lab = two();
    let at = lab.place("explain");
    at.file("job.sh", "#!/bin/bash\n#SBATCH --container-image=ubuntu\n");
    assert_eq!(
        at.sh("skyslurm explain job.sh").ok(),
        "Partition sky is on SkyPilot: slurm/lab.\n\n--container-image=ubuntu  directive  honoured\n"
    );
    let here = at.sh("skyslurm explain job.sh -p here");
    assert!(here.ok().ends_with("\nsbatch refuses this job because of --container-image.\n"), "{here:?}");
}

#[test]
fn an_allocation_s_options_are_those_of_its_partition() {
    let lab = two();
    let words = "--nodelist: nodes are made for the job and have no names before it starts; leave it out\n";
    assert_eq!(lab.sh("salloc -w solo true").fails(1), format!("salloc: error: {words}"));
    let unfit = "srun: error: Unable to allocate resources: Requested node configuration is not available\n";
    assert_eq!(lab.sh("srun -w solo true").fails(1), format!("srun: error: {words}{unfit}"));
    assert_eq!(lab.sh("srun -p here -w solo hostname").ok(), "solo\n");
    let display = "--x11: srun forwards no display from there; try ssh -X to the node, while the allocation lives\n";
    assert_eq!(lab.sh("DISPLAY=:5 salloc --x11 true").fails(1), format!("salloc: error: {display}"));
    assert!(lab.sh("DISPLAY=:5 srun --x11 true").fails(1).starts_with(&format!("srun: error: {display}")));
    assert_eq!(lab.sh("DISPLAY=:5 srun -p here --x11 sh -c 'echo $DISPLAY'").ok(), ":5\n");
    let nice = "--nice: it is taken from SkyPilot's priority, which ends at -1000\n";
    for command in ["salloc", "srun"] {
        let out = lab.sh(&format!("{command} --nice=5 --nodes=1 -G 1 --hold true & p=$!; until squeue -h | grep -q .; do sleep 0.02; done; kill -INT $p; wait $p"));
        assert!(out.stderr.starts_with(&format!("{command}: warning: {nice}")), "{out:?}");
        assert_eq!(out.stderr.matches("warning").count(), 1, "{out:?}");
        lab.until("squeue -h | wc -l", "0");
    }
}
