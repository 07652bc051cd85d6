use super::*;
use crate::{
    job::{ExitStatus, GresShare, Placement},
    report::{
        clock::{Clock, utc},
        sample_jobs::{self, START},
    },
    slurm::reason::Reason,
};

fn shown(sample: &Job, style: Style) -> String {
    let partitions = [sample_jobs::gpu()];
    let clock = Clock::new(utc, None, START + 11);
    let context =
        Context { cluster: "lab", partitions: &partitions, clock, bitstr_len: 64, noconvert: false, expand: false };
    let mut out = String::new();
    job(sample, None, &context, style, &mut out);
    out
}

/// squeue.txt, `scontrol show job` of the job `held`, as 24.11 lays it out.
#[test]
fn a_held_job() {
    let mut held = sample_jobs::job(88, |request| request.name = "held".into(), JobState::Pending);
    held.priority = 0;
    held.min_cpus = 1;
    std::sync::Arc::make_mut(&mut held.request).ntasks = None;
    held.eligible_time = None;
    held.reason = Reason::JobHeldUser;
    let expected = "\
JobId=88 JobName=held
   UserId=alice(2001) GroupId=alice(2001) MCS_label=N/A
   Priority=0 Nice=0 Account=research QOS=normal
   JobState=PENDING Reason=JobHeldUser Dependency=(null)
   Requeue=1 Restarts=0 BatchFlag=1 Reboot=0 ExitCode=0:0
   RunTime=00:00:00 TimeLimit=1-00:00:00 TimeMin=N/A
   SubmitTime=2026-11-20T11:39:16 EligibleTime=Unknown
   AccrueTime=Unknown
   StartTime=Unknown EndTime=Unknown Deadline=N/A
   SuspendTime=None SecsPreSuspend=0 LastSchedEval=2026-11-20T11:39:16 Scheduler=Main
   Partition=gpu AllocNode:Sid=localhost:0
   ReqNodeList=(null) ExcNodeList=(null)
   NodeList=
   NumNodes=1 NumCPUs=1 NumTasks=1 CPUs/Task=1 ReqB:S:C:T=0:0:*:*
   ReqTRES=cpu=1,mem=2000M,node=1,billing=1
   AllocTRES=(null)
   Socks/Node=* NtasksPerN:B:S:C=0:0:*:* CoreSpec=*
   MinCPUsNode=1 MinMemoryCPU=2000M MinTmpDiskNode=0
   Features=(null) DelayBoot=00:00:00
   OverSubscribe=OK Contiguous=0 Licenses=(null) Network=(null)
   Command=(null)
   WorkDir=/tmp/slurm-rec/home/alice/w
   StdErr=/tmp/slurm-rec/home/alice/w/slurm-88.out
   StdIn=/dev/null
   StdOut=/tmp/slurm-rec/home/alice/w/slurm-88.out
   

";
    assert_eq!(shown(&held, Style::default()), expected);
    let line = shown(&held, Style { oneliner: true, details: false });
    assert_eq!(line, expected.trim_end().replace("\n   ", " ") + " \n");
    assert!(line.split_whitespace().all(|word| word.contains('=')));
}

#[test]
fn a_running_job_in_detail() {
    let mut job = sample_jobs::job(812, |_| {}, JobState::Running);
    let request = std::sync::Arc::make_mut(&mut job.request);
    request.comment = Some("a b c".into());
    request.output = Some("out%x.txt".into());
    request.error = Some("err%j.txt".into());
    request.mail_type = Some("ALL".into());
    request.mail_user = Some("bob".into());
    request.gpus_per_node = vec![Gres { name: "gpu".into(), type_: None, count: 8 }];
    let gpus = GresShare { name: "gpu".into(), kind: Some("h100".into()), ids: (0..8).collect() };
    let share = |node: &str| NodeShare {
        node: node.into(),
        cpus: (0..64).collect(),
        memory: 10_240,
        gres: vec![gpus.clone()],
        tasks: 2,
    };
    job.placement = Some(Placement { nodes: vec![share("node2"), share("node3")] });
    let text = shown(&job, Style { oneliner: false, details: true });
    for line in [
        "   JobState=RUNNING Reason=None Dependency=(null)",
        "   DerivedExitCode=0:0",
        "   RunTime=00:00:11 TimeLimit=1-00:00:00 TimeMin=N/A",
        "   StartTime=2026-11-20T11:39:16 EndTime=2026-11-21T11:39:16 Deadline=N/A",
        "   NodeList=node[2-3]",
        "   BatchHost=node2",
        "   AllocTRES=cpu=128,mem=20G,node=2,billing=128,gres/gpu=16",
        "   JOB_GRES=gpu:h100:16",
        "     Nodes=node[2-3] CPU_IDs=0-63 Mem=10240 GRES=gpu:h100:8(IDX:0-7)",
        "   Comment=a b c ",
        "   StdErr=/tmp/slurm-rec/home/alice/w/err812.txt",
        "   StdOut=/tmp/slurm-rec/home/alice/w/outsteps.txt",
        "   TresPerNode=gres/gpu:8",
        "   MailUser=bob MailType=INVALID_DEPEND,BEGIN,END,FAIL,REQUEUE,STAGE_OUT",
    ] {
        assert!(text.lines().any(|l| l == line), "{line:?} in\n{text}");
    }
}

/// extra.txt: exit code 9; and a reason of several words stays one word.
#[test]
fn a_finished_job_and_a_long_reason() {
    let mut failed = sample_jobs::job(9, |_| {}, JobState::Failed);
    failed.exit = ExitStatus::exited(9);
    failed.reason = Reason::NonZeroExitCode;
    let text = shown(&failed, Style::default());
    assert!(text.contains("JobState=FAILED Reason=NonZeroExitCode Dependency=(null)"));
    assert!(text.contains("ExitCode=9:0\n") && text.contains("EndTime=2026-11-20T11:39:18 "));
    failed.reason = Reason::NodesUnavailable;
    assert!(shown(&failed, Style::default()).contains("Reason=Nodes_required_for_job_are_DOWN,_DRAINED_or_reserved"));
}
