//! Allocations of several components, each on a cluster of its own: how they come to be and end together, or not at all.

use super::{
    allocations::{begin, until_all_are_gone},
    lab::SkyLab,
};

#[test]
fn each_component_is_a_cluster_and_all_are_one_job() {
    let Some(lab) = SkyLab::with_nodes() else { return };
    let shell = "squeue -h -S i -o \"%i %t %D\"; echo $SLURM_HET_SIZE $SLURM_JOB_NUM_NODES_HET_GROUP_1; \
                 srun -l --het-group=0,1 bash -c \"echo \\$SLURM_PROCID of \\$SLURM_NTASKS\" | sort; \
                 srun -l bash -c \"echo a\" : bash -c \"echo b\" | sort; exit 3";
    let out = lab.sh(&format!("salloc -n1 : -N2 --ntasks-per-node=1 -J second bash -c '{shell}'"));
    assert_eq!(out.code, 3, "{out:?}");
    assert_eq!(out.stdout, "1+0 R 1\n1+1 R 2\n2 2\n0: 0 of 3\n1: 1 of 3\n2: 2 of 3\n0: a\n1: b\n2: b\n", "{out:?}");
    until_all_are_gone(&lab);
    println!("{}", lab.sh("sacct -P; sacct -X -P").stdout);
    println!("{:?}", lab.server().clusters());
    println!("{:?}", begin(&lab, "true").wait());
}
