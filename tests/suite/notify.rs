//! Mail and hooks: who hears of what.

use crate::harness::{FOUR, Lab, ONE};

/// A system whose mail goes to `mails` in the work directory, a line each: subject, to whom, variables.
fn lab(more: &str) -> Lab {
    lab_of(ONE, more)
}

fn lab_of(nodes: &str, more: &str) -> Lab {
    let lab = Lab::new(nodes);
    let program =
        lab.file("mail.sh", "#!/bin/sh\necho \"$2 to $3 ($SLURM_JOB_STATE $SLURM_JOB_MAIL_TYPE)\" >> ${0%/*}/mails\n");
    lab.sh("chmod +x mail.sh").ok();
    std::fs::write(lab.config(), format!("{nodes}mail_program = \"{}\"\n{more}", program.display())).unwrap();
    lab
}

/// The mails that have come, run times taken out, in order.
fn mails(lab: &Lab) -> String {
    lab.sh("sed -E 's/ time [0-9:-]+/ time T/; s/ to [^ ]+ / /' mails").stdout
}

#[track_caller]
fn until_mails(lab: &Lab, wanted: &str) {
    lab.until_true("mails", || mails(lab) == wanted || mails(lab).lines().count() > wanted.lines().count());
    assert_eq!(mails(lab), wanted);
    lab.sh("rm mails").ok();
}

#[test]
fn mail_tells_what_was_asked_for() {
    let lab = lab("");
    let good = lab.submit("--mail-type=ALL -J good --wrap true");
    until_mails(
        &lab,
        &format!(
            "Slurm Job_id={good} Name=good Began, Queued time T (RUNNING Began)\n\
         Slurm Job_id={good} Name=good Ended, Run time T, COMPLETED, ExitCode 0 (COMPLETED Ended)\n"
        ),
    );
    let quiet = lab.submit("--mail-type=END -J quiet --wrap 'exit 3'");
    lab.until_state(quiet, "FAILED");
    let bad = lab.submit("--mail-type=END,FAIL --mail-user=bob@example.org -J bad --wrap 'exit 3'");
    let failed = format!(
        "Slurm Job_id={bad} Name=bad Failed, Run time T, FAILED, ExitCode 3 to bob@example.org (FAILED Failed)"
    );
    lab.until("sed -E 's/ time [0-9:-]+/ time T/' mails", &failed);
    lab.sh("rm mails").ok();
    let never = lab.submit(&format!("--mail-type=ALL -J never -d afterok:{bad} --wrap true"));
    until_mails(&lab, &format!("Slurm Job_id={never} Name=never Invalid dependency (PENDING Invalid dependency)\n"));
    lab.sh(&format!("scancel {never}")).ok();
    until_mails(
        &lab,
        &format!("Slurm Job_id={never} Name=never Ended, Run time T, CANCELLED, ExitCode 0 (CANCELLED Ended)\n"),
    );
    let again = lab.submit("--mail-type=REQUEUE -J again --wrap 'sleep 1000'");
    lab.until_state(again, "RUNNING");
    lab.sh(&format!("scontrol requeue {again}")).ok();
    until_mails(&lab, &format!("Slurm Job_id={again} Name=again Requeued, Run time T (PENDING Requeued)\n"));
    lab.sh(&format!("scancel {again}")).ok();
}

#[test]
fn an_array_is_summed_up_unless_every_task_is_wanted() {
    let lab = lab("");
    let script = "--wrap 'exit $((SLURM_ARRAY_TASK_ID - 1))'";
    let sum = lab.submit(&format!("--mail-type=BEGIN,END,FAIL -J sum -a 1-3 {script}"));
    until_mails(
        &lab,
        &format!(
            "Slurm Array Summary Job_id={sum}_* ({sum}) Name=sum Began (PENDING Began)\n\
         Slurm Array Summary Job_id={sum}_* ({sum}) Name=sum Failed, Mixed, ExitCode [0-2] (FAILED Failed)\n"
        ),
    );
    let each = lab.submit("--mail-type=END,ARRAY_TASKS -J each -a 1-2%1 --wrap true");
    until_mails(
        &lab,
        &format!(
            "Slurm Array Task Job_id={each}_1 ({}) Name=each Ended, Run time T, COMPLETED, ExitCode 0 (COMPLETED Ended)\n\
         Slurm Array Task Job_id={each}_2 ({each}) Name=each Ended, Run time T, COMPLETED, ExitCode 0 (COMPLETED Ended)\n",
            each + 1
        ),
    );
}

/// Of a heterogeneous job its first component is told of.
#[test]
fn one_mail_for_all_components() {
    let lab = lab_of(FOUR, "");
    let whole = lab.submit("--mail-type=END -J both -n1 : --mail-type=END -n1 --wrap true");
    lab.until_accounted(whole, "COMPLETED|0:0\nCOMPLETED|0:0");
    until_mails(
        &lab,
        &format!("Slurm Job_id={whole} Name=both Ended, Run time T, COMPLETED, ExitCode 0 (COMPLETED Ended)\n"),
    );
    // Nor does another one come after it.
    let next = lab.submit("--mail-type=END -J next --wrap true");
    until_mails(
        &lab,
        &format!("Slurm Job_id={next} Name=next Ended, Run time T, COMPLETED, ExitCode 0 (COMPLETED Ended)\n"),
    );
}

#[test]
fn half_of_the_time_is_told() {
    let lab = lab("");
    let job = lab.submit("--mail-type=TIME_LIMIT_50,TIME_LIMIT_80 -J slow -t 1 --wrap 'sleep 1000'");
    lab.until_state(job, "RUNNING");
    // A new controller knows of it.
    lab.sh("skyslurm controller restart");
    let half = format!(
        "Slurm Job_id={job} Name=slow Reached 50% of time limit, Run time T (RUNNING Reached 50% of time limit)\n"
    );
    until_mails(&lab, &half);
    lab.sh(&format!("scancel {job}")).ok();
}

#[test]
fn hooks_are_run_with_the_job_s_variables() {
    let hook = |word: &str| {
        format!(
            "{word} = 'echo {word} $SLURM_JOB_NAME $SLURM_JOB_STATE $SLURM_JOB_EXIT_CODE2 >> $SLURM_JOB_WORK_DIR/hooks'\n"
        )
    };
    let lab = lab(&format!("[hooks]\n{}{}{}", hook("begin"), hook("end"), hook("fail")));
    lab.submit("-J one --wrap true");
    lab.until("cat hooks", "begin one RUNNING\nend one COMPLETED 0:0");
    lab.submit("-J two --wrap 'exit 4'");
    lab.until("tail -n +3 hooks", "begin two RUNNING\nfail two FAILED 4:0");
}
