//! Jobs that wait for others, there and across: whether one may start is the controller's to say.

use super::lab::SkyLab;

const HERE: &str = "\n[[partition]]\nname = \"here\"\n";

#[test]
fn jobs_wait_for_jobs_of_the_other_engine() {
    let lab = SkyLab::fake_with("", HERE);
    let at = lab.place("w");
    let there = at.submit("-p sky", "while [ ! -e ../go ]; do sleep 0.1; done");
    let here = at.sbatch(&format!("-p here -d afterok:{there} --wrap 'echo $SLURM_JOB_ID >> ../order'"));
    let back = at.sbatch(&format!("-p sky -o out -d afterok:{here} --wrap 'echo $SLURM_JOB_PARTITION'"));
    let never = at.sbatch(&format!("-p sky -d afternotok:{here} --wrap true"));
    lab.until_state(there, "RUNNING");
    assert_eq!(
        lab.sh(&format!("squeue -h -j {here} -o '%T %r %E'")).ok(),
        format!("PENDING Dependency afterok:{there}(unfulfilled)\n")
    );
    // What is not eligible is not at the server.
    assert_eq!(lab.server().jobs().len(), 1);
    lab.sh(&format!("skyslurm controller restart; scancel {there}"));
    lab.until(&format!("squeue -h -j {here} -o %r"), "DependencyNeverSatisfied");
    lab.sh(&format!("scontrol update jobid={here} dependency=afternotok:{there}")).ok();
    lab.until_accounted(back, "COMPLETED|0:0");
    assert_eq!(at.read("out"), "sky\n");
    lab.until(
        &format!("squeue -h -j {never} -o '%r %E'"),
        &format!("DependencyNeverSatisfied afternotok:{here}(failed)"),
    );
    assert_eq!(lab.server().jobs().len(), 2);
    // The elements of an array go there one by one, as those before them end.
    let first = at.sbatch("-p here -a 1-2 -H --wrap 'exit $((SLURM_ARRAY_TASK_ID - 1))'");
    let second =
        at.sbatch(&format!("-p sky -a 1-2 -o corr-%a -d aftercorr:{first} --wrap 'echo $SLURM_ARRAY_TASK_ID'"));
    lab.sh(&format!("scontrol release {first}")).ok();
    lab.until(&format!("squeue -h -j {second}_2 -o %r"), "DependencyNeverSatisfied");
    at.until_file("corr-1", "1\n");
    assert!(at.read("corr-2").is_empty());
}
