//! What may differ from the recorded system, as data, each with its reason.

/// Variables that only one of the two has.
pub const DROPPED: &[(&str, &str)] = &[
    ("SLURM_NODE_ALIASES", "gone in 23.11"),
    ("SLURM_NODE_ALIASES_HET_GROUP_0", "gone in 23.11"),
    ("SLURM_NODE_ALIASES_HET_GROUP_1", "gone in 23.11"),
    ("SLURM_WORKING_CLUSTER", "gone in 23.11"),
    ("SLURM_JOB_CPUS_PER_NODE_PACK_GROUP_0", "gone in 23.02"),
    ("SLURM_NTASKS_PACK_GROUP_0", "gone in 23.02"),
    ("SLURM_NTASKS_PACK_GROUP_1", "gone in 23.02"),
    ("SLURM_JOB_START_TIME", "new in 23.02"),
    ("SLURM_JOB_END_TIME", "new in 23.02"),
    ("SLURM_JOB_START_TIME_HET_GROUP_0", "new in 23.02"),
    ("SLURM_JOB_START_TIME_HET_GROUP_1", "new in 23.02"),
    ("SLURM_JOB_END_TIME_HET_GROUP_0", "new in 23.02"),
    ("SLURM_JOB_END_TIME_HET_GROUP_1", "new in 23.02"),
    ("SLURM_OOM_KILL_STEP", "new in 24.05"),
    ("SLURM_TRES_PER_TASK", "new in 23.11"),
    ("SLURM_SCRIPT_CONTEXT", "new in 23.02"),
    ("SLURMD_DEBUG", "new in 23.11"),
    ("SKYSLURM_STATE_DIR", "the test's own"),
    ("SKYSLURM_CONFIG", "the test's own"),
    ("SLURM_SRUN_COMM_PORT", "srun listens on no port here: it talks to the agent of its node"),
    ("SLURM_STEP_LAUNCHER_PORT", "the same"),
    ("BASH_ENV", "a file that puts the commands back on the PATH of a login shell"),
    ("MAIL", "of the login on the recording machine"),
];

/// Variables whose values are of a machine or of a moment.
pub const MASKED: &[(&str, &str)] = &[
    ("SLURM_TASK_PID", "a process id"),
    ("SLURM_CONF", "a place"),
    ("SLURM_SRUN_COMM_HOST", "an address"),
    ("SLURM_LAUNCH_NODE_IPADDR", "an address"),
    ("PATH", "the commands stand elsewhere"),
];

/// Beginnings of lines whose rest is of a machine or of a moment.
pub const CUT: &[(&str, &str)] = &[
    ("argv0=", "the place of the copy of the script"),
    ("pending signals ", "a limit of the machine"),
    ("max user processes ", "a limit of the machine"),
    ("max locked memory ", "a limit of the machine"),
    ("max memory size ", "a real slurmd sets RLIMIT_RSS to the memory asked for, which no kernel obeys"),
    ("open files ", "a limit of the machine"),
    ("real-time non-blocking time ", "bash prints it on some kernels only"),
    ("POSIX message queues ", "a limit of the machine"),
    ("core file size ", "a limit of the machine"),
];

/// Words for other words, in what was recorded.
pub const REPLACED: &[(&str, &str, &str)] = &[
    ("slurm-wlm 22.05.8", "slurm 24.11.V", "the release that is promised, named as its own builds are"),
    ("22.05.8", "24.11.V", "the release that is promised"),
    ("slurmstepd-node1:", "slurmstepd:", "the builder of the recorded package adds the node"),
    ("slurmstepd-node2:", "slurmstepd:", "the same"),
    ("slurmstepd-node3:", "slurmstepd:", "the same"),
    ("slurmstepd-node4:", "slurmstepd:", "the same"),
    ("(primary) at vm is", "(primary) at HOST is", "the recording machine"),
    ("SLURM_SUBMIT_HOST=vm", "SLURM_SUBMIT_HOST=HOST", "the recording machine"),
    ("AllocNode:Sid=localhost:4093", "AllocNode:Sid=X", "machine and session of the recorder"),
    ("2:32:1", "1:64:1", "nodes are declared by their CPUs: one socket"),
    (
        "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions",
        "Resources",
        "depends on which of two schedulers looked last; what is lacking is the same",
    ),
    ("ExclusiveUser=NO GraceTime", "ExclusiveUser=NO ExclusiveTopo=NO GraceTime", "new in 24.05"),
    ("MaxCPUsPerNode=UNLIMITED\n", "MaxCPUsPerNode=UNLIMITED MaxCPUsPerSocket=UNLIMITED\n", "new in 23.02"),
    ("   Power=\n", "", "gone in 24.05"),
    (" Power= ", " ", "gone in 24.05"),
    ("srun: cluster configuration lacks support for cpu binding\n", "", "of a plugin that is not there"),
    ("_h%h_b%b_z%z", "_h%h_b4_z%z", "%b is the index modulo 10 since 23.11"),
    ("a12_3a012_4A0175_xnm_b%b", "a12_3a012_4A0175_xnm_b2", "%b is the index modulo 10 since 23.11"),
    ("a2_3a002_4A0175_xnm_b%b", "a2_3a002_4A0175_xnm_b2", "%b is the index modulo 10 since 23.11"),
];

/// Directories of the recording machine, longest first; `~` here stands for the home directory.
pub const PLACES: &[(&str, &str)] = &[
    ("/tmp/slurm-rec2/home/alice", "~"),
    ("/tmp/slurm-rec/home/alice", "~"),
    ("/tmp/slurm-r1/home/alice", "~"),
    ("/tmp/slurm-r2/home/alice", "~"),
    ("/tmp/slurm-rec3/home/alice", "~"),
];

/// Numbers that count down from here with every job, and begin otherwise on another system: `Priority`.
pub const PRIORITIES: [&str; 2] = ["42949", "0.99998"];

/// So many seconds may a run time differ: the machine is busy.
pub const SECONDS: u64 = 90;

/// Jobs whose rows are left out: capture, ids, reason.
pub const LEFT_OUT: &[(&str, std::ops::RangeInclusive<u64>, &str)] =
    &[("sacct", 60..=111, "of the captures recorded before")];

/// Lines that are left out of a capture: how they begin and end.
pub const LINES_OUT: &[(&str, &str, &str, &str)] = &[
    ("srun", "srun: job ", " queued and waiting for resources\n", "nodes of the job before were not cleared yet"),
    ("srun", "srun: job ", " has been allocated resources\n", "the same"),
    ("salloc", "salloc: Waiting for resource configuration", "\n", "of PrologFlags=Alloc, which takes three seconds"),
    ("salloc", "salloc: Nodes ", " are ready for job\n", "the same"),
    ("dependency", "salloc: Waiting for resource configuration", "\n", "the same"),
    ("dependency", "salloc: Nodes ", " are ready for job\n", "the same"),
    ("env", "salloc: Waiting for resource configuration", "\n", "the same"),
    ("env", "salloc: Nodes ", " are ready for job\n", "the same"),
    ("salloc", "salloc: Job allocation ", " has been revoked.\n", "said or not said of one that was just given back"),
    ("env", "salloc: Job allocation ", " has been revoked.\n", "the same"),
    ("het", "salloc: Job allocation ", " has been revoked.\n", "the same"),
];

/// Words for other words in one capture.
pub const REPLACED_IN: &[(&str, &str, &str, &str)] = &[
    ("squeue", "      3 (Priority)", "      2 (Priority)", "of -N2-3: as long as nobody has planned it, the fewest"),
    (
        "scancel",
        "127_3 RUNNING\n127_2 RUNNING\n",
        "127_2 RUNNING\n127_3 RUNNING\n",
        "no order is promised among equals",
    ),
    (
        "scancel",
        "127_[3-4%2]               CANCELLED by 2001 \n",
        "127_3                     CANCELLED by 2001 \n127_4                     CANCELLED by 2001 \n",
        "accounting does not lag here: it knows that element 3 had begun",
    ),
    (
        "enforced",
        "   TRES=cpu=1,mem=500G,node=1,billing=1\n",
        "   TRES=cpu=1,node=1,billing=1\n",
        "where no memory is the default, a job that asks for none shares the node's with others: as with CR_Core",
    ),
    ("squeue", "PD None\n", "PD BeginTime\n", "the reason is told at once"),
    ("squeue", "PENDING None aftercorr:", "PENDING Dependency aftercorr:", "the same"),
];

/// Commands whose lines may stand in any order: capture, pattern, reason.
pub const UNORDERED: &[(&str, &str, &str)] =
    &[("scancel", "*trap * > id; sleep 3; scancel $(cat id); *", "the script, srun and the task write to one file")];

/// Lines of two programs that write to one file, in no order that could be relied on.
pub const WRITERS: [&str; 2] = ["srun: ", "slurmstepd: "];
