//! MPI programs: by mpirun and mpiexec, which start their daemons with srun, and by srun itself.

use crate::harness::{FOUR, Lab, skip};
use std::{path::Path, process::Command};

/// Runs a script as a job of four tasks on two nodes; what it printed.
fn job(lab: &Lab, script: &str) -> String {
    lab.file("x.sh", format!("#!/bin/bash\n{script}\n"));
    lab.sh("sbatch --wait -Q -N2 -n4 -o out x.sh").ok();
    lab.read("out")
}

/// A lab with the test's own files in its work directory.
fn lab() -> Lab {
    let lab = Lab::new(FOUR);
    lab.file("hello.c", include_str!("mpi/hello.c"));
    lab.file("pmi1.sh", include_str!("mpi/pmi1.sh"));
    lab.file("pmi2.sh", include_str!("mpi/pmi2.sh"));
    lab
}

/// Compiles the program with one of the MPI libraries; `false` where it is not installed.
fn compiled(lab: &Lab, compiler: &str) -> bool {
    let there = Path::new("/usr/bin").join(compiler).exists();
    match there {
        true => assert_eq!(lab.sh(&format!("{compiler} -o hello hello.c")).code, 0),
        false => skip(&format!("there is no {compiler}")),
    }
    there
}

/// What the program prints, by the node of each rank.
fn hello(nodes: [u32; 4]) -> String {
    let named = crate::job_steps::namespaces();
    let host = || Command::new("hostname").output().map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned());
    let name = |node: u32| if named { format!("node{node}") } else { host().unwrap_or_default() };
    let lines = nodes.iter().enumerate().map(|(rank, node)| format!("{rank} of 4 on {}: 6 right\n", name(*node)));
    lines.collect()
}

/// What later releases of Slurm put into a job's environment, and Open MPI's do by themselves; and a step that has all
/// of both nodes for itself.
const EXTERNAL: &str = "export OMPI_MCA_plm_slurm_args=--external-launcher PRTE_MCA_plm_slurm_args=--external-launcher \
    HYDRA_LAUNCHER_EXTRA_ARGS=--external-launcher; srun sleep 1000 2>/dev/null & until squeue -s -h | grep -q sleep; do sleep 0.01; done";

/// What rank `rank` heard.
fn heard(output: &str, rank: u32) -> String {
    let mark = format!("{rank} ");
    output.lines().filter_map(|line| line.strip_prefix(&mark)).map(|line| format!("{line}\n")).collect()
}

#[test]
fn open_mpi_s_mpirun_starts_its_daemons_with_srun() {
    let lab = lab();
    if compiled(&lab, "mpicc.openmpi") {
        let allowed = "export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1";
        assert_eq!(job(&lab, &format!("{allowed}; mpirun.openmpi ./hello | sort")), hello([1, 1, 2, 2]));
        // How it ended is not asked: mpirun does not always wait for its daemons.
        let steps = lab.sh("sacct -n -P -j 1.0 -o jobname,nnodes");
        assert_eq!(steps.ok(), "orted|1\n", "the other node's daemon is a step");
        let script = format!("{allowed}; {EXTERNAL}; mpirun.openmpi ./hello | sort; kill $!; wait");
        assert_eq!(job(&lab, &script), hello([1, 1, 2, 2]));
    }
}

#[test]
fn mpich_s_mpiexec_starts_its_proxies_with_srun() {
    let lab = lab();
    if compiled(&lab, "mpicc.mpich") {
        let script = "mpiexec.mpich -bootstrap slurm ./hello | sort; mpirun.mpich ./hello | sort";
        assert_eq!(job(&lab, script), hello([1, 1, 2, 2]).repeat(2));
        let steps = lab.sh("sacct -n -P -j 1.0 -o jobname");
        assert_eq!(steps.ok(), "hydra_pmi_proxy\n");
        let script = format!("{EXTERNAL}; mpiexec.mpich ./hello | sort; kill $!; wait");
        assert_eq!(job(&lab, &script), hello([1, 1, 2, 2]));
    }
}

#[test]
fn srun_starts_mpich_s_programs() {
    let lab = lab();
    if compiled(&lab, "mpicc.mpich") {
        let script = "srun --mpi=pmi2 ./hello | sort; SLURM_MPI_TYPE=pmi2 srun -m cyclic ./hello | sort";
        assert_eq!(job(&lab, script), hello([1, 1, 2, 2]) + &hello([1, 2, 1, 2]));
        // Without, each is alone.
        assert_eq!(job(&lab, "srun ./hello | grep -c '^0 of 1 on .* right$'"), "4\n");
        let out = job(&lab, "srun --mpi=pmi2 ./hello abort; echo $?");
        assert!(out.contains("srun: Job step aborted: Waiting up to") && out.ends_with("\n137\n"), "{out}");
        assert!(out.matches("*** STEP 3.0 ON node1 CANCELLED AT ").count() == 1, "{out}");
    }
}

#[test]
fn pmi_1_is_spoken() {
    let out = job(&lab(), "srun --mpi=pmi2 bash pmi1.sh; env | grep -c ^PMI_; true");
    let all = |rank: u32, published: &str, unpublished: &str, spawned: &str| {
        format!(
            "cmd=response_to_init rc=0 pmi_version=1 pmi_subversion=1\n\
             cmd=maxes rc=0 kvsname_max=256 keylen_max=64 vallen_max=1024\n\
             cmd=appnum rc=0 appnum=-1\n\
             cmd=universe_size rc=0 size=4\n\
             cmd=my_kvsname rc=0 kvsname=1.0\n\
             cmd=get_result rc=0 value=(vector,(0,2,2))\n\
             cmd=put_result rc=0\n\
             cmd=get_result rc=1\n\
             cmd=barrier_out rc=0\n\
             cmd=get_result rc=0 value=v={}\n\
             {published}\
             cmd=barrier_out rc=0\n\
             cmd=lookup_result rc=0 info=ok port=tag#1\n\
             cmd=barrier_out rc=0\n\
             {unpublished}\
             cmd=barrier_out rc=0\n\
             cmd=lookup_result rc=1 info=fail\n\
             {spawned}\
             cmd=finalize_ack rc=0\n",
            (rank + 1) % 4
        )
    };
    let refusal = "spawn failed: a step cannot start further ones; start the program with srun";
    assert_eq!(heard(&out, 0), all(0, "cmd=publish_result rc=0 info=ok\n", "", ""));
    let spawned = format!("cmd=spawn_result rc=1 msg={}\n", refusal.replace(' ', "_"));
    assert_eq!(heard(&out, 1), all(1, "", "cmd=unpublish_result rc=0 info=ok\n", &spawned));
    assert_eq!(heard(&out, 2), all(2, "", "", ""));
    assert_eq!(heard(&out, 3), all(3, "", "", ""));
    assert!(out.contains(&format!("slurmstepd: error: mpi/pmi2: {refusal}\n")) && out.ends_with("\n0\n"), "{out}");
}

#[test]
fn pmi_2_is_spoken() {
    let out = job(&lab(), "srun --mpi=pmi2 bash pmi2.sh");
    for rank in 0..4 {
        let attribute = match rank % 2 {
            0 => "cmd=info-putnodeattr-response;rc=0;".to_owned(),
            _ => format!("cmd=info-getnodeattr-response;rc=0;found=TRUE;value=node{};", rank / 2 + 1),
        };
        let expected = format!(
            "cmd=response_to_init rc=0 pmi_version=2 pmi_subversion=0\n\
             cmd=fullinit-response;rc=0;pmi-version=2;pmi-subversion=0;rank={rank};size=4;appnum=-1;debugged=FALSE;pmiverbose=FALSE;\n\
             cmd=job-getid-response;rc=0;jobid=1.0;\n\
             cmd=info-getjobattr-response;rc=0;found=TRUE;value=(vector,(0,2,2));\n\
             cmd=info-getjobattr-response;rc=0;found=TRUE;value=4;\n\
             {attribute}\n\
             cmd=kvs-put-response;rc=0;\n\
             cmd=kvs-fence-response;rc=0;\n\
             cmd=kvs-get-response;rc=0;found=TRUE;value=v;;{};\n\
             cmd=kvs-get-response;rc=0;found=FALSE;\n\
             cmd=finalize-response;rc=0;\n",
            (rank + 1) % 4
        );
        assert_eq!(heard(&out, rank), expected, "{out}");
    }
}

#[test]
fn an_abort_kills_the_step() {
    let lab = lab();
    let out = job(&lab, "srun --mpi=pmi2 bash pmi2.sh abort >/dev/null; echo $?");
    assert!(out.starts_with("srun: Job step aborted: Waiting up to 3 seconds for job step to finish.\n"), "{out}");
    assert_eq!(out.matches("slurmstepd: error: *** STEP 1.0 ON node1 CANCELLED AT ").count(), 1, "{out}");
    assert!(out.ends_with("\n137\n") && out.matches(": Killed\n").count() >= 2, "{out}");
    let step = lab.sh("sacct -n -P -j 1.0 -o state,exitcode").stdout;
    assert!(step.starts_with("CANCELLED by ") && step.ends_with("|0:9\n"), "{step}");
}

#[test]
fn nonsense_ends_only_the_conversation() {
    let script = "srun --mpi=pmi2 -n1 -N1 bash -c 'echo hello >&$PMI_FD; read -r -u $PMI_FD x || echo closed'; echo $?; srun -n4 echo fine";
    assert_eq!(
        job(&lab(), script),
        "slurmstepd: error: mpi/pmi2: task 0: invalid client request\nclosed\n0\nfine\nfine\nfine\nfine\n"
    );
}

#[test]
fn plugins_are_listed_and_unknown_ones_refused() {
    let lab = Lab::new(FOUR);
    let srun = |arguments: &str| job(&lab, &format!("srun -n1 -N1 {arguments}; echo $?"));
    assert_eq!(srun("--mpi=list"), "MPI plugin types are...\n\tnone\n\tpmi2\n0\n");
    let env = "bash -c 'echo $SLURM_MPI_TYPE ${PMI_RANK-unset}'";
    assert_eq!(srun(&format!("--mpi=none {env}")), "unset\n0\n");
    assert_eq!(srun(&format!("--mpi=openmpi {env}")), "unset\n0\n");
    assert_eq!(srun(&format!("--mpi=pmi2 {env}")), "pmi2 0\n0\n");
    assert_eq!(
        srun("--mpi=nosuch true"),
        "srun: error: Couldn't find the specified plugin name for mpi/nosuch looking at all files\n\
         srun: error: cannot find mpi plugin for mpi/nosuch\n\
         srun: error: MPI: Cannot create context for mpi/nosuch\n\
         srun: error: MPI: Unable to load any plugin\n\
         srun: error: Invalid MPI type 'nosuch', --mpi=list for acceptable types\n1\n"
    );
    let out = srun("--mpi=pmix_v4 true");
    assert!(out.starts_with("srun: error: skyslurm: --mpi=pmix_v4 is not supported; start an Open MPI"), "{out}");
    assert!(out.ends_with("\n1\n"), "{out}");
}

/// What torchrun and the like do: the first node's name as the address where all meet.
#[test]
fn the_first_node_can_be_reached_from_all() {
    if !Path::new("/usr/bin/python3").exists() {
        return skip("there is no python3");
    }
    let lab = Lab::new(FOUR);
    lab.file(
        "meet.py",
        r#"
import os, socket, time
rank, size = int(os.environ["SLURM_PROCID"]), int(os.environ["SLURM_NTASKS"])
address, port = os.environ["MASTER_ADDR"], "port"
if rank == 0:
    server = socket.create_server((address, 0))
    open("port.new", "w").write(str(server.getsockname()[1]))
    os.rename("port.new", "port")
    print(*sorted(server.accept()[0].makefile().readline().strip() for _ in range(size - 1)))
else:
    while not os.path.exists("port"):
        time.sleep(0.01)
    socket.create_connection((address, int(open("port").read()))).sendall(b"rank %d\n" % rank)
"#,
    );
    let script =
        "export MASTER_ADDR=$(scontrol show hostnames $SLURM_JOB_NODELIST | head -n 1); srun /usr/bin/python3 meet.py";
    assert_eq!(job(&lab, script), "rank 1 rank 2 rank 3\n");
}
